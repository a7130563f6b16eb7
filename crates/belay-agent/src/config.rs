//! The agent's own configuration, `/etc/belay/agent.toml`: what the host declares. The server can
//! ask for nothing that does not stand here.

mod form;
mod read;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use belay_core::model::ids::HostId;
use belay_core::model::policy::Pattern;

pub use crate::hand::PeopleConfig;
pub use read::{parse, seconds};

/// Where the configuration is, unless somebody says otherwise.
pub const PATH: &str = "/etc/belay/agent.toml";
/// The largest configuration that is read, in bytes.
const BYTES_MAX: u64 = 256 * 1024;
/// The most targets that may be scraped.
pub const SCRAPES_MAX: usize = 32;
/// The most logs that may be watched.
pub const LOGS_MAX: usize = 32;
/// The most patterns of one log.
pub const PATTERNS_MAX: usize = 32;
/// The longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server; without one the host goes by the policy it has.
    pub server: Option<ServerConfig>,
    /// The server as it is asked for the policies of other hosts, where this one classifies them.
    pub relay: Option<ServerConfig>,
    /// The host's name.
    pub host: HostId,
    /// Where the agent keeps what has to survive.
    pub state_dir: PathBuf,
    /// What people see when they log in while the host is held; none where nothing is to be shown.
    pub banner: Option<PathBuf>,
    /// Where the release is read from.
    pub release: Option<ReleaseFrom>,
    /// Facts of the host; none where they are not to be altered.
    pub facts: Option<BTreeMap<String, String>>,
    /// The tool.
    pub tool: ToolConfig,
    /// What is scraped.
    pub scrapes: Vec<Scrape>,
    /// Logs whose lines are counted.
    pub logs: Vec<LogFile>,
    /// What a revert may do.
    pub revert: RevertConfig,
    /// The classifier.
    pub enc: EncConfig,
    /// Where it is looked for whoever removed a lock.
    pub people: PeopleConfig,
}

/// How to speak to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Its address, without a slash at the end.
    pub url: String,
    /// What proves who speaks.
    pub proof: Proof,
    /// The file with the certificates that the server's must chain to.
    pub ca: Option<PathBuf>,
}

/// What proves to the server who speaks; at least one of the two. A secret that is known goes before a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The file that holds the secret.
    pub token_file: Option<PathBuf>,
    /// The host's certificate, with those between it and its authority where the server may not have them, and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Where the release is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseFrom {
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a command prints.
    Command(Vec<String>),
}

/// The tool: which, and what differs from how it is packaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolConfig {
    /// Its name; the first one found on the host where none is given.
    pub name: Option<String>,
    /// The way it is packaged; the one whose program is there where none is given.
    pub layout: Option<String>,
    /// Put before every command line that starts the tool.
    pub wrap: Vec<String>,
    /// Files that lie elsewhere, by what they are.
    pub places: BTreeMap<String, PathBuf>,
    /// Where the tool's start may be written down.
    pub schedules: Option<Vec<PathBuf>>,
    /// The command line of a rehearsal.
    pub rehearse: Option<Vec<String>>,
    /// The command line of an ordinary run.
    pub run: Option<Vec<String>>,
    /// Started after files were restored, so that they take effect.
    pub restart: Option<Vec<String>>,
    /// How long a run may take.
    pub limit: Duration,
    /// A rehearsal begins within this time.
    pub splay: Duration,
}

/// A target that is scraped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrape {
    /// Its address.
    pub url: String,
    /// How often.
    pub every: Duration,
    /// Labels given to every sample.
    pub labels: BTreeMap<String, String>,
}

/// A log whose lines are counted.
#[derive(Clone, Debug)]
pub struct LogFile {
    /// Its name, in the label `log`.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Patterns by the name in the label `pattern`.
    pub patterns: Vec<(String, regex::bytes::Regex)>,
    /// How often the counts are sent.
    pub every: Duration,
}

/// What a revert may do on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevertConfig {
    /// The command of a declared revert.
    pub command: Option<Vec<String>>,
    /// The files that may be restored from the tool's own backups.
    pub paths: Vec<Pattern>,
}

/// The classifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncConfig {
    /// A classifier whose answer is altered in its environment only.
    pub wrap: Option<Vec<String>>,
    /// The environments that may ever be named; all that the policy declares where none is given.
    pub environments: Vec<Pattern>,
    /// The folder in which the environments lie that are compiled here, where the server is to be told of them.
    pub deployments: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration. Without a file it is the one that only observes.
    ///
    /// # Errors
    /// What cannot be read or understood, with its place.
    pub fn load(path: &Path, host: Option<&str>) -> Result<Self> {
        let text = match crate::durable::read(path, BYTES_MAX)? {
            Some(bytes) => String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))?,
            None => String::new(),
        };
        parse(&path.display().to_string(), &text, host)
    }
}
