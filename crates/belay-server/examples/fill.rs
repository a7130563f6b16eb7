//! Fills a state directory with a fleet and its history, by the same decisions and commits as a server's, only faster:
//! `fill CONFIG STATE HOSTS RUNS CHANGES`. Benches of pages serve it afterwards.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use belay_core::decide::{Input, Ruling, decide};
use belay_core::model::ids::{ChangeId, Digest, Environment, HostId, Release, ToolName};
use belay_core::model::item::ItemKey;
use belay_core::model::principal::{Actor, Principal, Role};
use belay_core::model::report::{Decoded, Event, EventOutcome, Report, RunKind, Version};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::State;
use belay_server::ledger::{Batch, Ledger, pack};

/// Hosts are spread over so many classes, named by the beginning of the host's name.
const CLASSES: usize = 20;
/// Contents that a host's first run sets.
const FILES: usize = 20;
/// Hosts that a Change comes to.
const CHANGED: usize = 5;
/// Facts of one commit.
const TOGETHER: usize = 20_000;
/// Every so many Changes one is rejected; the last ones stay on trial.
const REJECTED_EVERY: usize = 9;
const OPEN_AT_THE_END: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [config, state, hosts, runs, changes] = words.as_slice() else { return Err("fill CONFIG STATE HOSTS RUNS CHANGES".into()) };
    let (hosts, runs, changes) = (hosts.parse()?, runs.parse()?, changes.parse()?);
    let policy = Arc::new(belay_server::config::read(Some(Path::new(config)))?.policy);
    let ended = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut fill = Fill::open(Path::new(state), Timestamp::from_ms(ended) - Span::from_min(14 * 24 * 60), hosts)?;
    fill.tell(&Input::Policy { policy, actor: Actor("fill".to_owned()) })?;
    fill.enrol()?;
    fill.history(runs, changes, Timestamp::from_ms(ended))?;
    fill.close()
}

struct Fill {
    ledger: Ledger,
    state: State,
    now: Timestamp,
    batch: Batch,
    hosts: usize,
    told: u64,
}

impl Fill {
    fn open(dir: &Path, began: Timestamp, hosts: usize) -> Result<Self, Box<dyn Error>> {
        let ledger = Ledger::open(dir, None)?;
        let (state, _) = ledger.load()?;
        Ok(Self { ledger, state, now: began, batch: Batch::default(), hosts, told: 0 })
    }

    fn tell(&mut self, input: &Input) -> Result<(), Box<dyn Error>> {
        for fact in decide(&self.state, self.now, input).0 {
            self.state.apply(self.now, &fact);
            self.batch.facts.push((self.now, fact));
        }
        if self.batch.facts.len() >= TOGETHER { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<(), Box<dyn Error>> {
        self.ledger.commit(&self.batch, &self.state)?;
        self.batch = Batch::default();
        Ok(())
    }

    fn enrol(&mut self) -> Result<(), Box<dyn Error>> {
        for nth in 0..self.hosts {
            let input = Input::Facts {
                principal: who(),
                host: host(nth)?,
                release: Some(Release::parse(release(nth))?),
                facts: Default::default(),
            };
            self.tell(&input)?;
            let files: Vec<(usize, String)> = (0..FILES).map(|file| (file, format!("first of class {}", nth % CLASSES))).collect();
            self.run(nth, &files)?;
        }
        Ok(())
    }

    /// Runs of all hosts in turn, Changes among them, up to the end.
    fn history(&mut self, runs: usize, changes: usize, ended: Timestamp) -> Result<(), Box<dyn Error>> {
        let left = runs.saturating_sub(self.hosts);
        let every = (left / changes.max(1)).max(CHANGED + 1);
        let step = Span::from_ms(ended.since(self.now).ms() / i64::try_from(left.max(1))?);
        let mut made = 0;
        for nth in 0..left {
            self.now = self.now + step;
            if nth.is_multiple_of(every) && made < changes {
                self.change(made, changes)?;
                made += 1;
            }
            self.run(nth % self.hosts, &[])?;
        }
        Ok(())
    }

    /// New content comes to a few hosts of one class and release; a person decides on it.
    fn change(&mut self, nth: usize, of: usize) -> Result<(), Box<dyn Error>> {
        let first = (nth * 7) % CLASSES + CLASSES * (nth % 2);
        let content = [(nth % FILES, format!("content {nth}"))];
        let hosts = self.hosts;
        for host in (0..CHANGED).map(|more| first + 2 * CLASSES * (more + nth % 97)).filter(|host| *host < hosts) {
            self.run(host, &content)?;
        }
        let Some(change) = self.state.open_changes().last().map(|change| change.id) else { return Ok(()) };
        if nth + OPEN_AT_THE_END >= of {
            return Ok(());
        }
        self.rule(change, if nth.is_multiple_of(REJECTED_EVERY) { Ruling::Reject } else { Ruling::Accept })
    }

    fn rule(&mut self, change: ChangeId, ruling: Ruling) -> Result<(), Box<dyn Error>> {
        self.tell(&Input::Override { principal: who(), change, ruling, seen: None, reason: "made up".to_owned() })
    }

    fn run(&mut self, nth: usize, files: &[(usize, String)]) -> Result<(), Box<dyn Error>> {
        self.told += 1;
        let id = format!("run-{}", self.told);
        let event = |(file, text): &(usize, String)| Event {
            resource: format!("File[/etc/app/{file}.conf]"),
            item: Some(ItemKey::new("File", &format!("/etc/app/{file}.conf"), "content")),
            content: Some(Digest::of(text.as_bytes())),
            old: String::new(),
            new: text.clone(),
            message: "content changed".to_owned(),
            outcome: EventOutcome::Applied,
            at: Some(self.now),
        };
        let report = Report {
            tool: ToolName::parse("tool")?,
            host: host(nth)?.to_string(),
            digest: Digest::of(id.as_bytes()),
            tool_run_id: id,
            kind: if files.is_empty() { RunKind::Unchanged } else { RunKind::Changed },
            started: self.now - Span::from_s(20),
            took: Span::from_s(18),
            environment: Some(Environment::parse("production")?),
            version: Version::Named(format!("{:07x}", self.told / 5_000)),
            events: files.iter().map(event).collect(),
            failed: vec![],
            resources: 200,
            skipped: 0,
            tool_version: "7".to_owned(),
        };
        let decoded = Box::new(Decoded { report, complaints: vec![] });
        self.tell(&Input::Report { principal: who(), decoded, received: self.now, inbox: None, earlier: None, before: None, past: false })
    }

    fn close(mut self) -> Result<(), Box<dyn Error>> {
        self.commit()?;
        let last = self.ledger.last();
        self.ledger.keep_snapshot(last, &pack(&self.state)?)?;
        println!(
            "{} hosts, {} runs, {} Changes, {last} facts",
            self.state.hosts.len(),
            self.state.counters.runs,
            self.state.counters.changes
        );
        Ok(())
    }
}

fn who() -> Principal {
    Principal::person("fill", Role::Admin)
}

fn host(nth: usize) -> Result<HostId, Box<dyn Error>> {
    Ok(HostId::parse(&format!("c{:02}-{nth:06}.example.com", nth % CLASSES)).map_err(|bad| bad.to_string())?)
}

/// Half of each class runs one release, half the other.
const fn release(nth: usize) -> &'static str {
    if (nth / CLASSES).is_multiple_of(2) { "141" } else { "142" }
}
