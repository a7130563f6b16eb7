//! The gate's answer in plain words: why, and what to do.

use belay_core::model::gate::{Gate, GateAnswer, Why};
use belay_core::model::item::ItemKey;
use belay_core::model::time::Timestamp;

/// Why, in one sentence.
pub fn sentence(answer: &GateAnswer, now: Timestamp) -> String {
    answer.why.iter().map(|why| reason(why, now)).collect::<Vec<_>>().join("; also ")
}

fn reason(why: &Why, now: Timestamp) -> String {
    match why {
        Why::Noop => "a rehearsal applies nothing".to_owned(),
        Why::BreakGlass(reason) => format!("the glass is broken: {reason}"),
        Why::Hold(hold) => hold.sentence(now),
        Why::ReleaseMismatch { environment, release, due } => {
            format!("environment {environment} does not belong to release {release}, which this host runs and which needs {due}")
        }
        Why::Rejected { change, items } => format!("rejected for this class and release by {change}: {}", list(items)),
        Why::WaveNotOpen { items, change } => {
            let trial = change.map(|change| format!(", on trial in {change}")).unwrap_or_default();
            format!("{} not accepted yet{trial}, and this host's wave has not come", count(*items))
        }
        Why::Away { items, since } => {
            format!("{} not known here, and the server that would know has been away for {since}", count(*items))
        }
        Why::AwayTooLong { since } => format!("content not known here goes all the same: the server has been away for {since}"),
        Why::EmptyDelta => "nothing would change".to_owned(),
        Why::AllAccepted => "all that would change is accepted for this class and release".to_owned(),
        Why::NothingAgainst => "it is not known what would change, and nothing speaks against it".to_owned(),
        Why::MayCome { items } => format!("{} not accepted yet, which may come here", count(*items)),
        Why::Observing(stricter) => {
            format!("this class only observes; a stricter level would have {}: {}", stricter.gate.word(), sentence(stricter, now))
        }
    }
}

fn count(items: u32) -> String {
    if items == 1 { "1 item is".to_owned() } else { format!("{items} items are") }
}

fn list(items: &[ItemKey]) -> String {
    items.iter().map(ItemKey::to_string).collect::<Vec<_>>().join(", ")
}

/// What to do; nothing where nothing has to be done.
pub fn remedy(answer: &GateAnswer) -> Option<String> {
    if answer.gate == Gate::Go {
        return None;
    }
    let first = answer.why.first()?;
    let text = match first {
        Why::Hold(hold) => format!("ask {}; `belay hold show {}` says more; in need: {GLASS}", hold.contact, hold.id),
        Why::ReleaseMismatch { due, .. } => format!("run it with environment {due}, or correct the map of the class; in need: {GLASS}"),
        Why::Rejected { change, .. } => format!("`belay why {change}` says why; wrong? `belay accept {change} --reason \"...\"`"),
        Why::WaveNotOpen { change: Some(change), .. } => format!("wait, or see `belay why {change}`; a rehearsal is always allowed"),
        Why::WaveNotOpen { change: None, .. } => "wait; a rehearsal is always allowed".to_owned(),
        _ => format!("see to the server; until then a rehearsal is allowed; in need: {GLASS}"),
    };
    Some(text)
}

/// The way out, which needs no server.
pub const GLASS: &str = "`belay-agent break-glass --for 1h --reason \"...\"`";

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::ids::{ChangeId, Environment, Release};
    use belay_core::model::time::Span;

    #[test]
    fn every_no_has_its_reason_and_its_remedy() {
        let no = |gate, why| GateAnswer { gate, why: vec![why], until: None, pages: false };
        let environment = |name| Environment::parse(name).unwrap();
        let mismatch = Why::ReleaseMismatch {
            environment: environment("production"),
            release: Release::parse("142").unwrap(),
            due: environment("r142"),
        };
        let items = vec![ItemKey::new("File", "/etc/app.conf", "content")];
        for (answer, why, what) in [
            (no(Gate::Refused, mismatch), "production does not belong to release 142", "environment r142"),
            (no(Gate::Refused, Why::Rejected { change: ChangeId(2), items }), "by c-2: File[/etc/app.conf] content", "belay why c-2"),
            (no(Gate::Deferred, Why::WaveNotOpen { items: 1, change: None }), "1 item is not accepted yet", "wait"),
            (no(Gate::Deferred, Why::Away { items: 2, since: Span::from_min(7) }), "2 items are not known here", "break-glass"),
        ] {
            let said = sentence(&answer, Timestamp::from_ms(0));
            assert!(said.contains(why), "{said}");
            assert!(remedy(&answer).unwrap().contains(what));
        }
        let observed = GateAnswer::go(Why::Observing(Box::new(no(Gate::Refused, Why::EmptyDelta))));
        assert!(sentence(&observed, Timestamp::from_ms(0)).contains("would have refused"));
        assert_eq!(remedy(&observed), None);
    }
}
