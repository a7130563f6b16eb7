//! Puppet as a host's agent sees it: where it keeps its files, and its command lines.

use std::path::{Path, PathBuf};

use belay_core::host::lock::Found;
use belay_core::host::talk::Schedule;
use belay_core::model::deployment::Deployed;
use belay_core::model::gate::HoldOrder;
use belay_core::model::ids::{Environment, HostId};
use belay_core::model::time::{Span, Timestamp};

use super::{NAME, Puppet, argv, catalog, deployed, enc, glance, lock, schedule, settings};
use crate::tools::host::{BadAnswer, Ended, HostTool, KnownPart, Layout, News, PartedCatalog, Places, UnreadableCatalog};

/// Puppet's own packages (puppet-agent of Puppet Inc., openvox-agent): everything below `/opt`.
const AIO: Layout = Layout { name: "aio", sign: "/opt/puppetlabs/bin/puppet" };
/// The packages of Debian and Ubuntu.
const DEBIAN: Layout = Layout { name: "debian", sign: "/usr/bin/puppet" };

/// Files, and folders of files, that may say when Puppet starts. The links in `*.wants` are there
/// when a unit is enabled; the daemon's is one of them.
const SCHEDULES: [&str; 9] = [
    "/etc/crontab",
    "/etc/cron.d",
    "/var/spool/cron/crontabs/root",
    "/var/spool/cron/root",
    "/etc/systemd/system/timers.target.wants/puppet.timer",
    "/etc/systemd/system/timers.target.wants/puppet-agent.timer",
    "/etc/systemd/system/timers.target.wants/puppet-run.timer",
    "/etc/systemd/system/multi-user.target.wants/puppet.service",
    "/etc/systemd/system/multi-user.target.wants/puppet-agent.service",
];
const TIMERS: [&str; 3] = ["puppet.timer", "puppet-agent.timer", "puppet-run.timer"];

impl HostTool for Puppet {
    fn name(&self) -> &'static str {
        NAME
    }

    fn layouts(&self) -> &'static [Layout] {
        &[AIO, DEBIAN]
    }

    fn places(&self, layout: &Layout, host: &HostId) -> Places {
        // `puppet config print` of 7.23 with each package: the names below `var` are the same.
        let (var, public, settings) = match layout.name {
            name if name == AIO.name => {
                ("/opt/puppetlabs/puppet/cache", "/opt/puppetlabs/puppet/public", "/etc/puppetlabs/puppet/puppet.conf")
            }
            _ => ("/var/cache/puppet", "/var/cache/puppet/public", "/etc/puppet/puppet.conf"),
        };
        let var = Path::new(var);
        let state = var.join("state");
        Places {
            program: PathBuf::from(layout.sign),
            lock: state.join("agent_disabled.lock"),
            rehearsal_lock: state.join("belay_rehearsal.lock"),
            report: state.join("last_run_report.yaml"),
            summary: Path::new(public).join("last_run_summary.yaml"),
            running: state.join("agent_catalog_run.lock"),
            settings: PathBuf::from(settings),
            catalog: var.join("client_data/catalog").join(format!("{host}.json")),
            backups: var.join("clientbucket"),
            schedules: SCHEDULES.iter().map(PathBuf::from).collect(),
            timers: TIMERS.map(str::to_owned).to_vec(),
        }
    }

    fn read_lock(&self, lock: &[u8]) -> Found {
        lock::read(lock)
    }

    fn write_lock(&self, holds: &[HoldOrder], now: Timestamp) -> Vec<u8> {
        lock::write(holds, now)
    }

    fn banner(&self, holds: &[HoldOrder], now: Timestamp) -> String {
        lock::banner(holds, now)
    }

    fn parted(&self, catalog: &[u8], host: &HostId) -> Result<PartedCatalog, UnreadableCatalog> {
        catalog::read(catalog, host)
    }

    fn news(&self, catalog: &[u8], host: &HostId, applied: &[KnownPart]) -> Result<News, UnreadableCatalog> {
        catalog::news(catalog, host, applied)
    }

    fn run_limit(&self, settings: Option<&str>) -> Option<Span> {
        settings::run_limit(settings)
    }

    fn changed(&self, report: &[u8]) -> bool {
        glance::changed(report)
    }

    fn schedule(&self, path: &str, text: &str) -> Option<Schedule> {
        schedule::read(path, text)
    }

    fn is_noop(&self, argv: &[String]) -> bool {
        argv::Line::of(argv).is_some_and(|line| line.is_noop())
    }

    fn is_own(&self, argv: &[String]) -> bool {
        argv::Line::of(argv).is_some_and(|line| line.value("tags") == Some(super::OWN_TAG))
    }

    fn environment_of(&self, argv: &[String]) -> Option<Environment> {
        Environment::parse(argv::Line::of(argv)?.value("environment")?).ok()
    }

    fn catalog_of(&self, argv: &[String]) -> Option<PathBuf> {
        argv::Line::of(argv)?.catalog().map(PathBuf::from)
    }

    fn rehearse(&self, places: &Places) -> Vec<String> {
        let lock = text(&places.rehearsal_lock);
        // Settings can be given as options; this one is read by the check that a lock stops.
        run(places, &["--noop", "--no-usecacheonfailure", "--agent_disabled_lockfile", &lock])
    }

    fn restore(&self, path: &str, sum: &str, places: &Places) -> Option<Vec<String>> {
        restored(&["--local", "--bucket", &text(&places.backups)], path, sum, places)
    }

    fn restore_from_server(&self, path: &str, sum: &str, places: &Places) -> Option<Vec<String>> {
        // The server that the host's own settings name, with the host's certificate.
        restored(&["--remote"], path, sum, places)
    }

    fn apply_now(&self, places: &Places) -> Vec<String> {
        run(places, &[])
    }

    fn enc_answer(&self, environment: Option<&Environment>) -> String {
        enc::answer(environment)
    }

    fn enc_wrap(&self, inner: &[u8], environment: Option<&Environment>) -> Result<String, BadAnswer> {
        enc::wrap(inner, environment)
    }

    fn deployment_note(&self) -> &'static str {
        deployed::NOTE
    }

    fn deployed(&self, note: &[u8]) -> Option<Deployed> {
        deployed::read(note)
    }

    fn ended(&self, code: Option<i32>) -> Ended {
        match code {
            Some(0) => Ended::Unchanged,
            Some(2) => Ended::Changed,
            Some(4 | 6) => Ended::Failed,
            Some(_) | None => Ended::NoRun,
        }
    }
}

/// A file comes back out of a filebucket: only a plain absolute path, and only by a whole sum.
fn restored(bucket: &[&str], path: &str, sum: &str, places: &Places) -> Option<Vec<String>> {
    let sum = sum.split_once('}').map_or(sum, |(_, bare)| bare);
    let is_sum = (32..=128).contains(&sum.len()) && sum.bytes().all(|b| b.is_ascii_hexdigit());
    let is_plain = path.starts_with('/') && path.len() > 1 && !path.contains(char::is_control) && path.split('/').all(|part| part != "..");
    let program = text(&places.program);
    let argv = [&[program.as_str(), "filebucket", "restore"], bucket, &[path, sum]].concat();
    (is_sum && is_plain).then(|| argv.into_iter().map(str::to_owned).collect())
}

/// One run in the foreground, at once. Without `--detailed-exitcodes` a run in which resources
/// failed exits 0.
fn run(places: &Places, more: &[&str]) -> Vec<String> {
    let program = text(&places.program);
    let mut argv = vec![program.as_str(), "agent", "--onetime", "--no-daemonize", "--no-splay", "--detailed-exitcodes"];
    argv.extend(more);
    argv.into_iter().map(str::to_owned).collect()
}

/// A path for a command line. Those of [`Places`] come from here or from a text of the configuration.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
