//! The gate's answer and the classifier's in plain words, each with its remedy.

use crate::host::classify::{Because, Classified};
use crate::model::closed::{Closed, ClosedBy};
use crate::model::gate::{Gate, GateAnswer, Why};
use crate::model::item::ItemKey;
use crate::model::time::Timestamp;

/// The answer in one line: `refused: environment production does not belong to release 142, which needs r142`.
pub fn sentence(answer: &GateAnswer, now: Timestamp) -> String {
    let why: Vec<String> = answer.why.iter().map(|why| reason(why, now)).collect();
    format!("{}: {}", answer.gate.word(), why.join("; "))
}

/// One reason.
pub fn reason(why: &Why, now: Timestamp) -> String {
    match why {
        Why::Noop => "it is a rehearsal, nothing is applied".to_owned(),
        Why::BreakGlass(reason) => format!("the glass is broken: {reason}"),
        Why::Hold(hold) => hold.sentence(now),
        Why::ReleaseMismatch { environment, release, due } => {
            format!("environment {environment} does not belong to release {release}, which needs {due}")
        }
        Why::Rejected { change, items } => format!("rejected for this class and release by {change}: {}", named(items)),
        Why::WaveNotOpen { items, change } => {
            let trial = change.map(|change| format!(", on trial in {change}")).unwrap_or_default();
            format!("{items} contents are not accepted yet{trial}, and the wave of this host has not come")
        }
        Why::Closed { items, closed } => format!("{items} contents are not accepted yet, and {}", self::closed(closed)),
        Why::Away { items, since } => format!("{items} contents are not known here, and the server has been away for {since}"),
        Why::AwayTooLong { since } => format!("the server has been away for {since}, too long to keep closed what is not known here"),
        Why::EmptyDelta => "nothing would change".to_owned(),
        Why::AllAccepted => "all that would change is accepted for this class and release".to_owned(),
        Why::NothingAgainst => "nothing is known that speaks against it".to_owned(),
        Why::MayCome { items } => format!("{items} contents are not accepted yet, and may come"),
        Why::Observing(stricter) => format!("this class only observes; enforcing, it would have been {}", sentence(stricter, now)),
    }
}

/// Why nothing new comes to a class, and when it may again: `nothing new comes before
/// 2027-01-04T08:00:00Z: a freeze, end of the year`.
pub fn closed(closed: &Closed) -> String {
    let before = closed.until.map(|until| format!(" before {until}")).unwrap_or_default();
    match &closed.by {
        ClosedBy::Hours => format!("nothing new comes{before}: it is outside of the windows of its class"),
        ClosedBy::Freeze(reason) => format!("nothing new comes{before}: a freeze, {reason}"),
        ClosedBy::NotLeading => format!("nothing new comes{before}: the server that was asked does not lead, and opens nothing"),
    }
}

/// The items, what a tool sets before what only stands for something.
fn named(items: &[ItemKey]) -> String {
    let first = items.iter().min_by_key(|item| item.stands_for_something());
    match (first, items.len()) {
        (None, _) => "its content".to_owned(),
        (Some(one), 1) => one.to_string(),
        (Some(first), more) => format!("{first} and {} more", more - 1),
    }
}

/// What to do about an answer that is not "go"; none where there is nothing to do.
pub fn remedy(answer: &GateAnswer) -> Option<String> {
    match (answer.gate, answer.why.first()?) {
        (Gate::Held, Why::Hold(hold)) => {
            Some(format!("ask {}; whoever may ends it with: belay hold release {} --reason \"...\"", hold.contact, hold.id))
        }
        (_, Why::ReleaseMismatch { due, .. }) => Some(format!("run it with environment {due}, or let `belay-agent enc` choose it")),
        (_, Why::Rejected { change, .. }) => {
            Some(format!("see: belay why {change}; if the verdict is wrong: belay accept {change} --reason \"...\""))
        }
        (_, Why::WaveNotOpen { change: Some(change), .. }) => Some(format!("nothing: it comes with its wave; see: belay show {change}")),
        (_, Why::WaveNotOpen { change: None, .. }) => Some("nothing: it comes with its wave".to_owned()),
        (_, Why::Closed { .. }) => {
            Some("nothing: it may come then; in an emergency: belay-agent break-glass --for 1h --reason \"...\"".to_owned())
        }
        (_, Why::Away { .. }) => {
            Some("nothing: it goes when the server is back; in an emergency: belay-agent break-glass --for 1h --reason \"...\"".to_owned())
        }
        _ => None,
    }
}

/// Why a host gets its environment, in one line.
pub fn classified(classified: &Classified) -> String {
    let because = match &classified.because {
        Because::Pinned { by, reason, until } => format!("pinned by {by} until {until}: {reason}"),
        Because::Wave => "its wave".to_owned(),
        Because::Release(release) => format!("it runs release {release}"),
        Because::ReleaseNotMapped(release) => format!("it runs release {release}, for which no environment is declared"),
        Because::ReleaseUnknown => "it is not known which release it runs".to_owned(),
        Because::NothingMapped => "its class declares no environments".to_owned(),
    };
    match &classified.environment {
        Some(environment) => format!("the classifier gives it environment {environment}: {because}"),
        None => format!("the classifier leaves its environment alone: {because}"),
    }
}
