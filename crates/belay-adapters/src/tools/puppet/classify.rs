//! How a run ended. Puppet says `changed`, `unchanged` or `failed`; the last of these covers a
//! compile that failed, a hook that refused, a run that broke off and a resource that failed, and
//! the first two cover runs from a cached catalog, rehearsals and runs of a part only.
//!
//! The texts looked for are those of Puppet's own log lines in English (`logs/*/source` is
//! `Puppet`); what commands print is logged under their resource and never decides anything. One
//! rule above all: when the pieces contradict one another, never the better reading.

use belay_core::model::report::{Complaint, RunKind};

use super::collected::{Collected, LogLine};
use crate::tools::host::gate_in;
use crate::tools::mask::Masks;

/// Characters kept of the text that comes with a kind.
const TEXT_MAX: usize = 500;

const PRERUN: &str = "Could not run command from prerun_command: ";
const POSTRUN: &str = "Could not run command from postrun_command: ";
const APPLYING: &str = "Failed to apply catalog: ";
const TIMED_OUT: &str = "did not complete within";
const RETRIEVING: &str = "Could not retrieve catalog from remote server: ";
/// Other lines that say there was no catalog to apply.
const NO_CATALOG: [&str; 3] = ["Not using catalog because", "Not using cached catalog because", "Could not retrieve catalog"];
/// Signs in the reason for a missing catalog that no server answered at all.
const UNREACHABLE: [&str; 13] = [
    "No more routes",
    "Connection refused",
    "Failed to open TCP",
    "execution expired",
    "timed out",
    "getaddrinfo",
    "No route to host",
    "Network is unreachable",
    "certificate verify failed",
    "SSL_connect",
    "Error 502 on SERVER",
    "Error 503 on SERVER",
    "Error 504 on SERVER",
];

/// Begins the text of [`RunKind::NoCatalog`] when there was no catalog because no server
/// answered: nothing that the configuration did.
pub const NO_SERVER: &str = "no server answered: ";
/// Begins the text of [`RunKind::NoCatalog`] when the classifier gave no answer, or named an
/// environment that does not exist: nothing that the content of an environment did.
pub const NO_CLASS: &str = "the classifier failed: ";
/// How the server says so.
const NOT_CLASSIFIED: &str = "Failed when searching for node ";

/// A report's own word for how the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Changed,
    Unchanged,
    Failed,
}

impl Status {
    /// The status of this name (old formats write it as a symbol).
    pub fn parse(word: &str) -> Option<Self> {
        match word.trim_start_matches(':') {
            "changed" => Some(Self::Changed),
            "unchanged" => Some(Self::Unchanged),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// Whether the catalog that was applied came from the host's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cached {
    NotUsed,
    OnFailure,
    Requested,
}

impl Cached {
    /// The state of this name.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "not_used" => Some(Self::NotUsed),
            "on_failure" => Some(Self::OnFailure),
            "explicitly_requested" => Some(Self::Requested),
            _ => None,
        }
    }
}

/// How the run ended, and what was odd about it.
pub(super) fn classify(status: Status, cached: Cached, report: &Collected, masks: &Masks, odd: &mut Vec<Complaint>) -> RunKind {
    if let Some(line) = own_errors(report).find(|line| line.message.text.starts_with(POSTRUN)) {
        say(
            odd,
            "logs",
            format!("the postrun hook failed: {}", hook_said(&line.message.text[POSTRUN.len()..]).unwrap_or(&line.message.text)),
        );
    }
    match status {
        Status::Failed => failed(cached, report, masks, odd),
        Status::Changed | Status::Unchanged => ended(status, cached, report, odd),
    }
}

/// Whether the run was completed, of a report that has no field for it: by what Puppet itself says.
pub(super) fn completed(report: &Collected) -> Option<bool> {
    if own_errors(report).any(|line| line.message.text.starts_with(APPLYING) || line.message.text.contains(TIMED_OUT)) {
        return Some(false);
    }
    report.logs.applied.then_some(true)
}

fn failed(cached: Cached, report: &Collected, masks: &Masks, odd: &mut Vec<Complaint>) -> RunKind {
    let done = report.completed == Some(true);
    if !done && report.total() == 0 {
        return nothing_applied(cached, report, masks);
    }
    if report.completed == Some(false) {
        let text = broke_off(report);
        return RunKind::Aborted(text);
    }
    if cached != Cached::NotUsed {
        say(odd, "cached_catalog_status", format!("resources of a kept catalog failed: {}", why_cached(cached, report)));
    }
    if report.noop == Some(true) {
        say(odd, "noop", "a rehearsal in which resources failed");
    }
    RunKind::Failed
}

/// A failed run in which no resource was even considered.
fn nothing_applied(cached: Cached, report: &Collected, masks: &Masks) -> RunKind {
    if let Some(line) = own_errors(report).find(|line| line.message.text.starts_with(PRERUN)) {
        return match hook_said(&line.message.text[PRERUN.len()..]) {
            Some("") => RunKind::Refused("the hook refused without a word".to_owned()),
            // Our gate's own line says which kind of refusal it is, whatever else the hook printed.
            Some(text) => {
                let gates = text.lines().map(str::trim).find(|line| gate_in(line).is_some());
                RunKind::Refused(cleaned(gates.unwrap_or(text), line))
            }
            // It could not even be started: the run is as lost, but nobody refused it.
            None => RunKind::Aborted(shown(line)),
        };
    }
    if own_errors(report).any(|line| line.message.text.starts_with(APPLYING) || line.message.text.contains(TIMED_OUT)) {
        return RunKind::Aborted(broke_off(report));
    }
    // A catalog out of the cache was found after the error: the run went on and ended otherwise.
    if cached != Cached::OnFailure
        && let Some(text) = no_catalog(report)
    {
        return no_content_of_it(masks.apply(&text).into_owned());
    }
    RunKind::Aborted(broke_off(report))
}

/// A server or a classifier that is away says nothing of any content; it is told apart from a
/// configuration that does not compile, because that one is the content's fault on every host.
fn no_content_of_it(text: String) -> RunKind {
    if text.starts_with(NO_SERVER) || text.starts_with(NO_CLASS) { RunKind::NoCatalog(text) } else { RunKind::FailedCompile(text) }
}

/// Why a run broke off, as far as its log says.
fn broke_off(report: &Collected) -> String {
    let told = own_errors(report).find(|line| line.message.text.starts_with(APPLYING) || line.message.text.contains(TIMED_OUT));
    if let Some(line) = told.or_else(|| own_errors(report).last()) {
        return shown(line);
    }
    let last = report.logs.last.as_ref().map_or_else(|| "nothing at all".to_owned(), |line| format!("\"{}\"", shown(line)));
    format!(
        "the run did not complete and its report does not say why (a run that exceeds its time limit ends like this); the last line is {last}"
    )
}

/// Why there was no catalog: the server's own words without Puppet's wrapping.
fn no_catalog(report: &Collected) -> Option<String> {
    if let Some(line) = own_errors(report).find(|line| line.message.text.starts_with(RETRIEVING)) {
        let reason = &line.message.text[RETRIEVING.len()..];
        if UNREACHABLE.iter().any(|sign| reason.contains(sign)) {
            return Some(format!("{NO_SERVER}{}", cleaned(reason, line)));
        }
        let bare = reason.split_once(" on SERVER: ").map_or(reason, |(_, bare)| bare.trim_start_matches("Server Error: "));
        let whose = if bare.starts_with(NOT_CLASSIFIED) { NO_CLASS } else { "" };
        return Some(format!("{whose}{}", cleaned(bare, line)));
    }
    own_errors(report).find(|line| NO_CATALOG.iter().any(|text| line.message.text.starts_with(text))).map(shown)
}

/// A run that says it did not fail.
fn ended(status: Status, cached: Cached, report: &Collected, odd: &mut Vec<Complaint>) -> RunKind {
    if report.completed == Some(false) {
        say(odd, "status", "says the run did not fail, although it was not completed; read as broken off");
        return RunKind::Aborted(broke_off(report));
    }
    if report.failures() > 0 {
        say(odd, "status", "says the run did not fail, although resources failed; read as failed");
        return RunKind::Failed;
    }
    let (applied, would_apply) = (happened(report, "success"), happened(report, "noop"));
    if status == Status::Unchanged && !applied && report.noop.unwrap_or(would_apply) {
        if cached != Cached::NotUsed {
            say(odd, "cached_catalog_status", format!("a rehearsal of a kept catalog: {}", why_cached(cached, report)));
        }
        let pending = report.noop_pending == Some(true) || would_apply;
        return if pending { RunKind::NoopWouldChange } else { RunKind::NoopUnchanged };
    }
    if report.noop == Some(true) {
        say(odd, "noop", "a rehearsal in which something was applied all the same: resources may say `noop => false`");
    } else if would_apply {
        say(odd, "noop_pending", "some resources are only rehearsed (`noop => true`); they would change");
    }
    if cached != Cached::NotUsed {
        return RunKind::CachedCatalog(why_cached(cached, report));
    }
    if report.skipped() > 0 {
        return RunKind::Partial;
    }
    match (status, applied) {
        (Status::Unchanged, false) => RunKind::Unchanged,
        (Status::Unchanged, true) => {
            say(odd, "status", "says nothing changed, although events say otherwise; read as changed");
            RunKind::Changed
        }
        (Status::Changed | Status::Failed, false) => {
            say(odd, "resource_statuses", "the run changed something, but no event says what");
            RunKind::Changed
        }
        (Status::Changed | Status::Failed, true) => RunKind::Changed,
    }
}

fn why_cached(cached: Cached, report: &Collected) -> String {
    match cached {
        Cached::Requested => "the kept catalog was asked for (use_cached_catalog)".to_owned(),
        Cached::NotUsed | Cached::OnFailure => {
            let line = own_errors(report).find(|line| line.message.text.starts_with(RETRIEVING)).or_else(|| own_errors(report).next());
            line.map_or_else(|| "no catalog could be had; the report does not say why".to_owned(), shown)
        }
    }
}

fn happened(report: &Collected, outcome: &str) -> bool {
    report.resources.iter().flat_map(|resource| &resource.events).any(|event| event.outcome.as_deref() == Some(outcome))
}

fn own_errors(report: &Collected) -> impl Iterator<Item = &LogLine> {
    report.logs.errors.iter().filter(|line| line.is_puppets_own())
}

fn shown(line: &LogLine) -> String {
    line.message.clean(TEXT_MAX)
}

/// A part of a line, cleaned as the whole line would be.
fn cleaned(part: &str, line: &LogLine) -> String {
    let mut clip = line.message.clone();
    clip.text = part.to_owned();
    clip.clean(TEXT_MAX)
}

/// What a hook said, out of `Execution of 'COMMAND' returned 75: WORDS`; `None` when the hook could
/// not be run at all.
fn hook_said(text: &str) -> Option<&str> {
    let run = text.strip_prefix("Execution of '")?;
    run.match_indices("' returned ").find_map(|(at, sign)| {
        let (code, words) = run[at + sign.len()..].split_once(':')?;
        code.bytes().all(|b| b.is_ascii_digit()).then(|| words.trim())
    })
}

fn say(odd: &mut Vec<Complaint>, place: &str, text: impl Into<String>) {
    odd.push(Complaint { place: place.to_owned(), text: crate::tools::redact::clean(&text.into(), TEXT_MAX) });
}
