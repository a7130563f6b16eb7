//! Doctor: whether Belay itself is in order, and what to do where it is not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use belay_api::http::DoctorCheck;
use belay_core::explain::{feed, outpost, selfcheck};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::State;

use crate::config::LastLoad;
use crate::disk;
use crate::drive::{Counts, inventory, tables};
use crate::signals::SourceCount;
use crate::tls::{Shown, ShownClients};

/// A source that has sent nothing for so long is silent.
const SILENT: Span = Span::from_min(5);
/// A certificate that ends so soon is to be renewed now.
const ENDS_SOON: Span = Span::from_min(14 * 24 * 60);
/// A clock that lies so far behind the last commit was set back.
const SET_BACK: Span = Span::from_s(2);
/// The most names in one text.
const NAMED_MAX: usize = 5;

/// What was looked at outside the state.
pub struct Looked {
    /// The time, never before the last commit.
    pub now: Timestamp,
    /// What the clock says.
    pub clock: Timestamp,
    /// The ledger's format, and the rows of the quarantine.
    pub ledger: (u32, u64),
    /// How the last load of the configuration went.
    pub load: LastLoad,
    /// Where it is read from.
    pub configured: Option<String>,
    /// The certificate, where there is one.
    pub certificate: Option<Shown>,
    /// What each source has sent.
    pub sources: BTreeMap<String, SourceCount>,
    /// How reading each inventory goes.
    pub inventories: BTreeMap<String, inventory::Shown>,
    /// What outposts said.
    pub outposts: tables::Shown,
}

/// What the drive counts, at one moment.
pub struct Counted {
    pub(super) panics: u64,
    pub(super) inbox_rows: u64,
    pub(super) inbox_bytes: u64,
    passed_over: u64,
    unfitting: u64,
}

impl Counted {
    /// What is counted now.
    pub fn of(counts: &Counts) -> Self {
        Self {
            panics: counts.panics.load(Ordering::Relaxed),
            inbox_rows: counts.inbox_rows.load(Ordering::Relaxed),
            inbox_bytes: counts.inbox_bytes.load(Ordering::Relaxed),
            passed_over: counts.passed_over.load(Ordering::Relaxed),
            unfitting: counts.unfitting.load(Ordering::Relaxed),
        }
    }
}

/// Looks at the state directory and its disk.
pub fn disk(dir: &Path) -> DoctorCheck {
    let probe = dir.join(".probe");
    let written = std::fs::write(&probe, b"belay").and_then(|()| std::fs::remove_file(&probe));
    let help = |text: &str| Some(text.to_owned());
    match (written, disk::room(dir)) {
        (Err(error), _) => {
            check("state-dir", Err(format!("{} cannot be written: {error}", dir.display())), help("nothing is acknowledged until it can"))
        }
        (Ok(()), Some(room)) => {
            let text = format!("{} MiB of {} MiB free", room.free >> 20, room.total >> 20);
            let low = room.is_low() || room.free.saturating_mul(10) < room.total;
            check("state-dir", if low { Err(text) } else { Ok(text) }, help("make room on the disk of the state directory"))
        }
        (Ok(()), None) => check("state-dir", Ok("it can be written; how much room it has cannot be told".to_owned()), None),
    }
}

/// Looks at everything else.
pub fn checks(state: &State, looked: &Looked, counted: &Counted) -> Vec<DoctorCheck> {
    let always =
        [ledger(looked, counted), configuration(looked), sources(looked), hosts(state), letters(state), inbox(counted), clock(looked)];
    let certificate = looked.certificate.as_ref().map(|shown| certificate(shown, looked.now));
    let clients = looked.certificate.as_ref().and_then(|shown| shown.clients.as_ref()).map(clients);
    let feeds = feeds(state, counted, looked.now);
    let (inventories, outposts) = (inventories(looked), outposts(state, looked));
    always.into_iter().chain(inventories).chain(outposts).chain(certificate).chain(clients).chain(feeds).chain(judge(state)).collect()
}

/// What is wrong with a source that has been silent for too long.
pub fn silent(count: &SourceCount, now: Timestamp) -> Option<String> {
    match count.last {
        Some(last) if now.since(last) <= SILENT => None,
        Some(last) => Some(format!("nothing was taken from it for {}", now.since(last))),
        None => Some("nothing was taken from it since the start".to_owned()),
    }
}

fn check(name: &str, found: Result<String, String>, help: Option<String>) -> DoctorCheck {
    let ok = found.is_ok();
    let text = found.unwrap_or_else(|text| text);
    DoctorCheck { name: name.to_owned(), ok, text, help: help.filter(|_| !ok) }
}

fn ledger(looked: &Looked, counted: &Counted) -> DoctorCheck {
    let (format, quarantined) = looked.ledger;
    let text = format!("format {format}; {quarantined} reports in quarantine; {} inputs on which Belay itself failed", counted.panics);
    let found = if counted.panics == 0 { Ok(text) } else { Err(text) };
    check("ledger", found, Some("the log and the quarantine hold what Belay failed on: please report it".to_owned()))
}

fn configuration(looked: &Looked) -> DoctorCheck {
    let from = looked.configured.as_deref().unwrap_or("no file: everything is only observed");
    let found = match &looked.load.error {
        None => Ok(format!("loaded at {} from {from}", looked.load.at)),
        Some(error) => Err(format!("the load at {} failed ({} since the start): {error}", looked.load.at, looked.load.failures)),
    };
    check("configuration", found, Some("what was loaded before stays in force; correct the file and reload".to_owned()))
}

fn certificate(shown: &Shown, now: Timestamp) -> DoctorCheck {
    let path = shown.path.display();
    let days = |span: Span| span.ms() / Span::from_min(24 * 60).ms();
    let dated = match shown.ends.map(|ends| (ends, ends.since(now))) {
        None => Ok(format!("{path}; when it ends cannot be told")),
        Some((ends, left)) if left < Span::ZERO => Err(format!("{path} ended at {ends}: whoever checks it connects no more")),
        Some((ends, left)) if left < ENDS_SOON => Err(format!("{path} ends in {} days, at {ends}", days(left))),
        Some((ends, left)) => Ok(format!("{path} ends in {} days, at {ends}", days(left))),
    };
    let found = match (dated, shown.doubts.join("; ")) {
        (dated, doubts) if doubts.is_empty() => dated,
        (Ok(text) | Err(text), doubts) => Err(format!("{text}; {doubts}")),
    };
    check("certificate", found, Some("put the new one into the same file, then send the server a SIGHUP: connections stay".to_owned()))
}

/// Refusals alone are no disorder: anybody may knock with a certificate of somebody else's.
fn clients(shown: &ShownClients) -> DoctorCheck {
    let refused = match shown.refused {
        0 => "none was refused".to_owned(),
        many => format!("{many} were refused since the start, the last because {}", shown.last),
    };
    let text = format!("{} authorities of hosts' certificates in {}; {refused}", shown.authorities, shown.ca.display());
    let found = if shown.doubts.is_empty() { Ok(text) } else { Err(format!("{}; {text}", shown.doubts.join("; "))) };
    check("client-certificates", found, Some("put the file right: it is read anew by itself within seconds".to_owned()))
}

fn sources(looked: &Looked) -> DoctorCheck {
    if looked.sources.is_empty() {
        let help = "issue a credential for a source and have it send its samples here; without signals nothing can be accepted";
        return check("sources", Err("no source has sent anything since the start".to_owned()), Some(help.to_owned()));
    }
    let sick = looked.sources.iter().filter_map(|(name, count)| {
        let why = count.error.clone().or_else(|| silent(count, looked.now))?;
        Some(format!("{name}: {why}"))
    });
    let sick: Vec<String> = sick.take(NAMED_MAX).collect();
    let found = if sick.is_empty() { Ok(format!("{} sources send", looked.sources.len())) } else { Err(sick.join("; ")) };
    check("sources", found, Some("see whether the source runs and whether its credential still holds".to_owned()))
}

/// How reading what knows the fleet already goes; nothing where none is declared.
fn inventories(looked: &Looked) -> Option<DoctorCheck> {
    let line = |(name, shown): (&String, &inventory::Shown)| {
        let past = shown.past.map_or_else(|| "its past is read".to_owned(), |at| format!("its past is read up to {at}"));
        let taken =
            format!("{} facts and {} runs taken since the start, {} entries left out; {past}", shown.facts, shown.runs, shown.left_out);
        let last = shown.last.map_or_else(|| "not read yet".to_owned(), |at| format!("read {} ago", looked.now.since(at)));
        match &shown.error {
            None => format!("{name}: {last}; {taken}"),
            Some(error) => format!("{name} ({}): {error}; {last}; {taken}", shown.url),
        }
    };
    let text = looked.inventories.iter().map(line).collect::<Vec<_>>().join("; ");
    let found = if looked.inventories.values().any(|shown| shown.error.is_some()) { Err(text) } else { Ok(text) };
    let help =
        "can this machine reach the address, does the program answer there, do ca, certificate and key fit? It is tried again by itself";
    (!looked.inventories.is_empty()).then(|| check("inventories", found, Some(help.to_owned())))
}

fn hosts(state: &State) -> DoctorCheck {
    let troubled: Vec<&str> = state.hosts.values().filter(|host| host.trouble.is_some()).map(|host| host.id.as_str()).collect();
    let found = match troubled.len() {
        0 => Ok(format!("{} hosts, none with a report that could not be taken", state.hosts.len())),
        many => Err(format!("{many} hosts whose last report could not be taken: {}", troubled[..many.min(NAMED_MAX)].join(", "))),
    };
    check("hosts", found, Some("`belay why HOST` says what is wrong with a host's report".to_owned()))
}

fn letters(state: &State) -> DoctorCheck {
    let dead: Vec<String> = state.effects.values().filter(|effect| effect.dead).map(|effect| effect.id.to_string()).collect();
    let found = match dead.len() {
        0 => Ok(format!("{} alerts on their way, none given up", state.effects.len())),
        many => Err(format!("{many} alerts were given up: {}", dead[..many.min(NAMED_MAX)].join(", "))),
    };
    check("alerts", found, Some("/api/v1/alerts says why; they go when the next one to the same receiver is delivered".to_owned()))
}

fn inbox(counted: &Counted) -> DoctorCheck {
    let text = format!("{} reports ({} KiB) wait to be read", counted.inbox_rows, counted.inbox_bytes >> 10);
    let found = if counted.inbox_rows < 1_000 { Ok(text) } else { Err(text) };
    check("inbox", found, Some("reports come faster than they are read: give the server more cores, or spread the runs".to_owned()))
}

/// Whether servers of tools still tell what they have to tell; nothing where none ever did.
fn feeds(state: &State, counted: &Counted, now: Timestamp) -> Option<DoctorCheck> {
    let silent: Vec<String> = state.feeds.values().filter(|feed| feed.silent.is_some()).map(|one| feed::line(state, one, now)).collect();
    let odd = format!(
        "{} messages were passed over since the start, {} had another checksum than they said",
        counted.passed_over, counted.unfitting
    );
    let found = match silent.len() {
        0 => Ok(format!("{} feeds, none silent; {odd}", state.feeds.len())),
        _ => Err(format!("{}; {odd}", silent[..silent.len().min(NAMED_MAX)].join("; "))),
    };
    let help = "look at the server of the tool: does it run, does its log say that it cannot reach Belay? Then restart it";
    (!state.feeds.is_empty()).then(|| check("feeds", found, Some(help.to_owned())))
}

/// Whether all who classify hosts answer by one table; nothing where nobody does.
fn outposts(state: &State, looked: &Looked) -> Option<DoctorCheck> {
    let help = "does belay-agent run on that machine, and reach Belay? While it does not, all stay on the table in force, for 10 \
                minutes at most. Of one that is gone for good, revoke the credential: `belay token revoke NAME`";
    let found = outpost::line(state, &looked.outposts.heard, looked.outposts.made, looked.now);
    found.map(|found| check("outposts", found, Some(help.to_owned())))
}

/// Whether the judge rejects no more than it may, as far as self-checks tell; nothing before the first of them.
fn judge(state: &State) -> Option<DoctorCheck> {
    let rated = || state.selfchecks.values().filter(|check| check.rate().is_some() && state.census.contains_key(&check.class));
    let classes = rated().count();
    let off: Vec<String> = rated().filter(|check| check.exceeds()).filter_map(selfcheck::rate).take(NAMED_MAX).collect();
    let well = || format!("in none of {classes} classes does it reject more often than its budget allows where nothing had changed");
    let found = if off.is_empty() { Ok(well()) } else { Err(off.join("; ")) };
    let help = "`belay selfcheck` names the signals; those that the comparison misjudges get wider thresholds every night by themselves";
    (classes > 0).then(|| check("judge", found, Some(help.to_owned())))
}

fn clock(looked: &Looked) -> DoctorCheck {
    let behind = looked.now.since(looked.clock);
    let found = if behind <= SET_BACK { Ok(format!("it is {}", looked.clock)) } else { Err(format!("the clock was set back by {behind}")) };
    check("clock", found, Some("until it has caught up, everything is dated with the last commit's time".to_owned()))
}
