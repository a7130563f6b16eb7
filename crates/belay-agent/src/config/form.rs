//! The configuration as it is written. Nothing is passed over: a key that is not known is a mistake.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Form {
    pub server: Option<String>,
    pub token_file: Option<PathBuf>,
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub host: Option<String>,
    pub state_dir: Option<PathBuf>,
    pub banner: Option<String>,
    pub release: Option<ReleaseForm>,
    pub facts: Option<BTreeMap<String, String>>,
    pub tool: ToolForm,
    pub scrape: Vec<ScrapeForm>,
    pub log: Vec<LogForm>,
    pub revert: RevertForm,
    pub enc: EncForm,
    pub relay: Option<RelayForm>,
    pub people: PeopleForm,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PeopleForm {
    pub terminals: Option<PathBuf>,
    pub sessions: Option<PathBuf>,
    pub audit: Option<PathBuf>,
    pub accounts: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseForm {
    pub file: Option<PathBuf>,
    pub command: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ToolForm {
    pub name: Option<String>,
    pub layout: Option<String>,
    pub wrap: Vec<String>,
    pub program: Option<PathBuf>,
    pub lock: Option<PathBuf>,
    pub rehearsal_lock: Option<PathBuf>,
    pub report: Option<PathBuf>,
    pub summary: Option<PathBuf>,
    pub running: Option<PathBuf>,
    pub settings: Option<PathBuf>,
    pub catalog: Option<PathBuf>,
    pub backups: Option<PathBuf>,
    pub schedules: Option<Vec<PathBuf>>,
    pub rehearse: Option<Vec<String>>,
    pub run: Option<Vec<String>>,
    pub restart: Option<Vec<String>>,
    pub limit: Option<String>,
    pub splay: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScrapeForm {
    pub url: String,
    pub every: Option<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogForm {
    pub name: String,
    pub file: PathBuf,
    pub patterns: BTreeMap<String, String>,
    pub every: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RevertForm {
    pub command: Option<Vec<String>>,
    pub paths: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EncForm {
    pub wrap: Option<Vec<String>>,
    pub environments: Vec<String>,
    pub deployments: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RelayForm {
    pub token_file: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}
