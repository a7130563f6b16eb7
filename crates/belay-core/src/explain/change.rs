//! A Change in plain words.

use crate::model::change::Change;
use crate::model::ids::HostId;
use crate::model::item::ItemKey;
use crate::model::log::Lines;
use crate::model::report::Version;
use crate::model::time::{Span, Timestamp};
use crate::model::verdict::{Finding, Gap, Judge, Lack, Look, Numbers, Outcome, Says, Standing, Verdict};

/// The most items, hosts or lines named one by one before the rest is counted.
const NAMED_MAX: usize = 6;

/// What came, in one line: `File[/etc/app.conf] content; environment r142 -> production`.
pub fn what(change: &Change) -> String {
    let mut parts: Vec<String> = Vec::new();
    let content: Vec<&ItemKey> = change.content().map(|(key, _)| key).collect();
    parts.extend(content.iter().take(2).map(|key| key.to_string()));
    if content.len() > 2 {
        parts.push(format!("{} more items", content.len() - 2));
    }
    for key in change.items.keys().filter(|key| key.stands_for_something()) {
        let words = change.words.get(key).cloned().unwrap_or_default();
        parts.push(if words.old.is_empty() { format!("{key} {}", words.new) } else { format!("{key} {} -> {}", words.old, words.new) });
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

/// The items, a line each, with what was there and what came.
pub fn items(change: &Change) -> Vec<String> {
    let line = |key: &ItemKey| {
        let words = change.words.get(key).cloned().unwrap_or_default();
        let (old, new) = (brief(&words.old), brief(&words.new));
        match (old.is_empty(), new.is_empty()) {
            (true, true) => format!("{key}"),
            (true, false) => format!("{key}: {new}"),
            (false, _) => format!("{key}: {old} -> {new}"),
        }
    };
    let mut keys: Vec<&ItemKey> = change.items.keys().collect();
    keys.sort_by_key(|key| !key.is_environment());
    let mut lines: Vec<String> = keys.iter().take(NAMED_MAX).map(|key| line(key)).collect();
    if keys.len() > NAMED_MAX {
        lines.push(format!("and {} more items", keys.len() - NAMED_MAX));
    }
    lines
}

/// Where it came: class, release, environment, version.
pub fn place(change: &Change) -> String {
    let mut text = format!("class {}", change.class);
    if let Some(release) = &change.release {
        text.push_str(&format!(", release {release}"));
    }
    if let Some(environment) = &change.environment {
        text.push_str(&format!(", environment {environment}"));
    }
    match &change.version {
        Version::Named(version) => text.push_str(&format!(", version {version}")),
        Version::Unknown => text.push_str(", version unknown"),
    }
    text
}

/// Names, at most a few of them: `web01, web02, web03 and 12 more`.
pub fn hosts<'a>(hosts: impl ExactSizeIterator<Item = &'a HostId>) -> String {
    let count = hosts.len();
    let named: Vec<String> = hosts.take(NAMED_MAX).map(ToString::to_string).collect();
    match count.saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// A finding with its numbers: own past, now, peers.
pub fn finding(finding: &Finding) -> String {
    let numbers = numbers(&finding.numbers);
    if numbers.is_empty() { finding.text.clone() } else { format!("{} ({numbers})", finding.text) }
}

fn numbers(numbers: &Numbers) -> String {
    let pair = |before: Option<f64>, now: Option<f64>, whose: &str| match (before, now) {
        (Some(before), Some(now)) => Some(format!("{whose} {} -> {}", number(before), number(now))),
        (None, Some(now)) => Some(format!("{whose} {}", number(now))),
        (Some(before), None) => Some(format!("{whose} {} -> no data", number(before))),
        (None, None) => None,
    };
    let parts = [pair(numbers.own_past, numbers.treated, "a step"), pair(numbers.peers_past, numbers.peers, "peers")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A number as people write it: three significant digits, no exponent where it can be helped.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value == 0.0 => "0".to_owned(),
        _ if !(1e-3..1e7).contains(&size) => format!("{value:.2e}"),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A lack: which signal, why, on which hosts.
pub fn lack(lack: &Lack) -> String {
    let weight = if lack.must_have { "must-have" } else { "wanted" };
    format!("{} ({weight}): {} on {}", lack.signal, lack.why.words(), hosts(lack.hosts.iter()))
}

/// What changed hosts wrote to their logs since, a line a pattern: those that nobody else wrote first.
pub fn logs(change: &Change) -> Vec<String> {
    let mut told: Vec<&Lines> = change.logs.0.iter().filter(|lines| !lines.treated.is_empty()).collect();
    // A host may write before its report tells that it changed: then it is no other any more.
    let others = |lines: &Lines| lines.others.iter().filter(|host| !change.treated.contains_key(*host)).count();
    told.sort_by_key(|lines| (others(lines), std::cmp::Reverse(lines.treated.len())));
    let line = |lines: &Lines| {
        let others = match others(lines) {
            0 => "on no other host".to_owned(),
            1 => "on 1 other host".to_owned(),
            more => format!("on {more} other hosts"),
        };
        let (on, of) = (lines.treated.len(), change.treated.len());
        format!("{}: \"{}\" on {on} of {of} changed hosts, {others}; first {}", lines.log, lines.text, lines.first)
    };
    told.into_iter().take(NAMED_MAX).map(line).collect()
}

/// Why a trial could not come to a verdict, and what to do about it.
pub const fn gap(gap: Gap) -> (&'static str, &'static str) {
    match gap {
        Gap::NoSignals => (
            "no must-have signal is declared for the class, so nothing could have shown harm",
            "declare a [[signal]] with must_have = true for the class, then check it with `belay lint`",
        ),
        Gap::NoData => (
            "a must-have signal was not there on the changed hosts, and what was not seen cannot be good",
            "find out why the data are missing (`belay lint`), then accept or reject by hand",
        ),
        Gap::TooLittle => (
            "there was too little to compare with: too few hosts, too short a past, no peers",
            "wait for more hosts, or accept or reject by hand",
        ),
        Gap::PeersSick => {
            ("unchanged peers showed the same, so the cause may lie outside", "look for a common cause, then accept or reject by hand")
        }
        Gap::Conflicting => {
            ("one sign spoke of harm and it did not prevail", "look at the suspicious finding, then accept or reject by hand")
        }
        Gap::Confounded => ("another change came to the same hosts at the same time", "tell the two apart by hand, then accept or reject"),
        Gap::Superseded => ("newer content took its place before it could be judged", "look at the Change that took its place"),
        Gap::RunsFailed => ("no configuration could be made for its host, so nothing was applied", "mend the error the tool reports"),
    }
}

/// How it stands, in one sentence.
pub fn standing(change: &Change) -> String {
    match (&change.verdict, change.standing) {
        (Some(verdict), _) => {
            let by = match &verdict.by {
                Judge::Belay => String::new(),
                Judge::Person { actor, reason } => format!(" by {actor}: {reason}"),
                Judge::Successor(id) => format!(": {id} took its place"),
            };
            let why = match verdict.outcome {
                Outcome::Inconclusive(code) if verdict.by == Judge::Belay => format!(": {}", gap(code).0),
                Outcome::Inconclusive(_) | Outcome::Accepted | Outcome::Rejected => String::new(),
            };
            format!("{} since {}{by}{why}", verdict.outcome, verdict.at)
        }
        (None, Standing::Suspect) => "suspect: harm is likely but not sure yet, the trial goes on".to_owned(),
        (None, Standing::OnTrial | Standing::Final(_)) => "on trial".to_owned(),
    }
}

/// When its first host changed, since when harm shows, when it was decided.
pub fn times(change: &Change) -> String {
    let began = change.began();
    let mut text = format!("first host changed {began}");
    if let Some(harm) = harm_since(change) {
        text.push_str(&format!(", harm from {harm}"));
    }
    if let Some(verdict) = &change.verdict {
        text.push_str(&format!(", verdict {} ({} after the first host)", verdict.at, after(began, verdict.at)));
    }
    text
}

/// When the first sign of harm was in the data.
pub fn harm_since(change: &Change) -> Option<Timestamp> {
    findings(change).iter().filter(|f| f.says == Says::Harm).filter_map(|f| f.since).min()
}

/// The findings that hold now: those of the verdict, else those of the last look. After a rejection
/// by Belay the last look may say more of the same than the verdict did.
pub fn findings(change: &Change) -> &[Finding] {
    match (&change.verdict, &change.look) {
        (Some(verdict), Some(look)) if later(verdict, look) => &look.findings,
        (Some(verdict), _) => &verdict.findings,
        (None, Some(look)) => &look.findings,
        (None, None) => &[],
    }
}

/// What should have been seen and was not, as it holds now.
pub fn lacks(change: &Change) -> &[Lack] {
    match (&change.verdict, &change.look) {
        (Some(verdict), Some(look)) if later(verdict, look) => &look.lacks,
        (Some(verdict), _) => &verdict.lacks,
        (None, Some(look)) => &look.lacks,
        (None, None) => &[],
    }
}

fn later(verdict: &Verdict, look: &Look) -> bool {
    verdict.by == Judge::Belay && look.standing == Standing::Final(verdict.outcome)
}

/// Text with long hashes cut to their first twelve digits: `{sha256}37c3f13af0d5...`.
pub fn brief(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = 0;
    for c in text.chars() {
        digits = if c.is_ascii_hexdigit() { digits + 1 } else { 0 };
        match digits {
            0..=40 => out.push(c),
            41 => {
                out.truncate(out.len() - 28);
                out.push_str("...");
            }
            _ => {}
        }
    }
    out
}

fn after(began: Timestamp, at: Timestamp) -> Span {
    at.since(began)
}

#[cfg(test)]
mod tests {
    use super::{brief, number};

    #[test]
    fn hashes_are_cut_and_words_are_not() {
        let hash = "ab01".repeat(16);
        assert_eq!(brief(&format!("{{sha256}}{hash} and {hash}.")), "{sha256}ab01ab01ab01... and ab01ab01ab01....");
        let id = "deadbeef".repeat(5);
        assert_eq!(brief(&id), id, "a git id is short enough to be copied");
    }

    #[test]
    fn numbers_have_three_digits_and_no_needless_exponent() {
        assert_eq!([0.0, 4.126, 41.83, 1234.6, 1e9, 0.000_01].map(number), ["0", "4.13", "41.8", "1235", "1.00e9", "1.00e-5"]);
    }
}
