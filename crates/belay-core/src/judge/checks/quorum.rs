//! When single hosts speak for a wave, and when peers that show the same take the word from them.
//! Shared by every check that first asks each host by itself.

use super::super::sight::{Row, Sight, Total};
use super::flow_stopped::usual;
use super::measure::changed_hosts;
use crate::model::change::Trial;
use crate::model::ids::HostId;
use crate::model::time::Timestamp;
use crate::model::verdict::{Check, Finding, Gap, Numbers, Says};

/// What one host shows.
pub(super) struct Shown {
    /// The step at which it began.
    pub(super) from: usize,
    /// How many steps it has lasted.
    pub(super) length: usize,
    /// How many steps make it a sign for this host.
    pub(super) need: usize,
}

/// A question put to each host: `None` when the host cannot tell (too little past, too few
/// samples), else what it shows, if anything. `begin` is the first step that counts.
pub(super) type Question<'q> = dyn Fn(&Row, usize) -> Option<Option<Shown>> + 'q;

/// What a check asks, and how its answer is worded.
pub(super) struct Inquiry<'q> {
    pub(super) check: Check,
    pub(super) question: &'q Question<'q>,
    /// Whether a single value is bad by itself, where one can say so.
    pub(super) bad: Option<&'q dyn Fn(f64) -> bool>,
    /// The verb for what hosts show: `stopped`, `repeats one value`.
    pub(super) verb: &'static str,
    /// What peers that show the same are said to: they `did`, or `do`.
    pub(super) too: &'static str,
    /// What is said where none shows it: `has not stopped`.
    pub(super) well: &'static str,
}

/// How many hosts must agree for a wave of this many: the larger of 2 and 5 %, but never more than
/// there are.
pub(in crate::judge) fn quorum(hosts: usize) -> usize {
    hosts.div_ceil(20).max(2).min(hosts.max(1))
}

/// Puts a question to every treated host, then to the peers.
pub(super) fn inquire(trial: &Trial, sight: &Sight<'_>, inquiry: &Inquiry<'_>) -> Option<Finding> {
    let answers = ask(sight, inquiry);
    if answers.is_empty() {
        return None;
    }
    let showing: Vec<(&Row, &Shown)> = answers.iter().filter_map(|(row, shown)| Some((*row, shown.as_ref()?))).collect();
    let first = showing.iter().map(|(_, shown)| shown.from).min();
    let alike = first.map_or((0, peer_count(sight)), |first| alike(sight, inquiry, first));
    let says = weigh(trial, answers.len(), &showing, alike);
    // Where nothing came since the grace, nothing is fine: `presence` tells it.
    if says == Says::Fine && !answers.iter().any(|(row, _)| row.settled().iter().any(Option::is_some)) {
        return None;
    }
    let found = finding(sight, inquiry, &answers, &showing, alike, says);
    Some(if says == Says::Fine { with_earlier(sight, inquiry, found, &answers) } else { found })
}

/// What the treated hosts answer. A host that left the Change has said all it ever will. If it left
/// within its grace, that is nothing; else, where another one shows it in full, it agrees if it showed
/// nothing else for as long as it carried the Change.
fn ask<'r>(sight: &'r Sight<'_>, inquiry: &Inquiry<'_>) -> Vec<(&'r Row, Option<Shown>)> {
    let told = |row: &&Row| !row.has_left() || row.end > row.settled;
    let own: Vec<_> = sight.treated.iter().filter(told).map(|row| (row, (inquiry.question)(row, row.onset))).collect();
    let in_full = own.iter().any(|(_, answer)| matches!(answer, Some(Some(_))));
    let agrees = |row: &Row| if in_full { cut_short(row, inquiry) } else { None };
    own.into_iter()
        .filter_map(|(row, answer)| match answer {
            Some(Some(shown)) => Some((row, Some(shown))),
            Some(None) | None => agrees(row).map(Some).or(answer).map(|shown| (row, shown)),
        })
        .collect()
}

/// What a host showed from its change until it left: nothing but bad values beyond its grace, and more
/// of them in a row than ever before.
fn cut_short(row: &Row, inquiry: &Inquiry<'_>) -> Option<Shown> {
    let bad = inquiry.bad?;
    let length = row.values[row.onset..row.end].iter().rev().take_while(|value| value.is_some_and(bad)).count();
    let past = usual(row.past(), bad, false);
    let throughout = row.has_left() && length >= row.settled().len();
    let telling = row.past_count() >= super::PAST_MIN && length >= 2 && length > past;
    (throughout && telling).then(|| Shown { from: row.end - length, length, need: past + 2 })
}

/// Hosts that are well now may not have been when their latest content came: what is left of a
/// Change that came in parts. The finding names them; whether a part was there by then is not the
/// judge's to know.
fn with_earlier(sight: &Sight<'_>, inquiry: &Inquiry<'_>, found: Finding, answers: &[(&Row, Option<Shown>)]) -> Finding {
    let well = answers.iter().filter(|(_, shown)| shown.is_none()).map(|(row, _)| *row);
    let earlier: Vec<(&Row, usize)> = well.filter_map(|row| Some((row, earlier(row, inquiry)?.from))).collect();
    let Some(first) = earlier.iter().map(|(_, from)| *from).min() else { return found };
    let (same, of) = alike(sight, inquiry, first);
    if of > 0 && same * 3 >= of {
        return found;
    }
    Finding {
        hosts: earlier.iter().map(|(row, _)| row.host.clone()).collect(),
        since: Some(sight.time(first)),
        text: format!("{}; not so on {} of them until their latest content came", found.text, earlier.len()),
        ..found
    }
}

/// What a host showed up to its change, for longer than a restart takes. The last two steps before it
/// may hold something of what came after.
fn earlier(row: &Row, inquiry: &Inquiry<'_>) -> Option<Shown> {
    let bad = |step: &usize| row.values[*step].is_some_and(|value| inquiry.bad.is_some_and(|bad| bad(value)));
    let last = (row.onset.saturating_sub(2)..row.onset).rev().find(bad)?;
    let from = (0..=last).rev().take_while(bad).last()?;
    let outlasts = last + 1 - from > row.settled - row.onset;
    (inquiry.question)(row, from)?.filter(|_| outlasts)
}

fn peer_count(sight: &Sight<'_>) -> u32 {
    sight.nearest().filter(|row| row.past_count() >= super::PAST_MIN).count().try_into().unwrap_or(u32::MAX)
}

/// Peers that show the same since a little before the first treated host did, of those that can
/// tell.
fn alike(sight: &Sight<'_>, inquiry: &Inquiry<'_>, first: usize) -> (u32, u32) {
    let begin = first.saturating_sub(2);
    let unchanged = sight.nearest().filter(|row| row.onset > first);
    let answers: Vec<Option<Shown>> = unchanged.filter_map(|row| (inquiry.question)(row, begin)).collect();
    let same = answers.iter().flatten().count();
    (same.try_into().unwrap_or(u32::MAX), answers.len().try_into().unwrap_or(u32::MAX))
}

/// Of a past so many times as long as a run, in which there was none like it, one run is enough.
const UNHEARD_OF: usize = 100;

/// One host alone speaks for a wave of one only after twice the time, or where its past is long enough to know that this never happens;
/// a third of the peers showing the same means that the cause may lie outside.
fn weigh(trial: &Trial, asked: usize, showing: &[(&Row, &Shown)], alike: (u32, u32)) -> Says {
    if showing.is_empty() {
        return Says::Fine;
    }
    let (same, of) = alike;
    if of > 0 && same * 3 >= of {
        return Says::CannotTell(Gap::PeersSick);
    }
    let alone = trial.treated.len() == 1 || asked == 1;
    let sure = |(row, shown): &(&Row, &Shown)| shown.length >= 2 * shown.need || row.past_count() >= UNHEARD_OF * shown.need;
    let agreed = if alone { showing.iter().any(sure) } else { showing.len() >= quorum(asked) };
    if agreed { Says::Harm } else { Says::Suspicion }
}

fn finding(
    sight: &Sight<'_>,
    inquiry: &Inquiry<'_>,
    answers: &[(&Row, Option<Shown>)],
    showing: &[(&Row, &Shown)],
    alike: (u32, u32),
    says: Says,
) -> Finding {
    let rows: Vec<&Row> =
        if showing.is_empty() { answers.iter().map(|(row, _)| *row).collect() } else { showing.iter().map(|(row, _)| *row).collect() };
    let since = showing.iter().map(|(_, shown)| shown.from).min().map(|step| sight.time(step));
    let numbers = numbers(sight, &rows, since);
    let hosts: Vec<HostId> = showing.iter().map(|(row, _)| row.host.clone()).collect();
    let text = words(sight, inquiry, answers.len(), hosts.len(), alike, says);
    Finding {
        check: inquiry.check,
        signal: Some(sight.signal.name.clone()),
        says,
        of: answers.len().try_into().unwrap_or(u32::MAX),
        hosts,
        peers_alike: alike,
        text,
        numbers,
        since,
    }
}

/// Means per step: of the treated hosts since each one's change (since the first sign where there
/// is one), of the same hosts before, and of the peers in the same times.
pub(super) fn numbers(sight: &Sight<'_>, rows: &[&Row], since: Option<Timestamp>) -> Numbers {
    if since.is_none() && rows.len() == sight.treated.len() {
        return *sight.numbers.get_or_init(|| made(sight, rows, None));
    }
    made(sight, rows, since)
}

fn made(sight: &Sight<'_>, rows: &[&Row], since: Option<Timestamp>) -> Numbers {
    let first = rows.iter().map(|row| row.onset).min().unwrap_or(sight.steps);
    let begin = |row: &Row| match since {
        Some(since) => {
            let step = usize::try_from(since.since(sight.from).ms() / sight.signal.step.ms().max(1)).unwrap_or(row.settled);
            step.max(row.onset).min(row.values.len())
        }
        None => row.settled.min(row.values.len()),
    };
    let peer_from = rows.iter().map(|row| begin(row)).min().unwrap_or(first);
    let total = |rows: &mut dyn Iterator<Item = Total>| rows.fold(Total::default(), Total::and);
    let since_change = total(&mut rows.iter().map(|row| Total::default().with(&row.values[begin(row)..])));
    let peers = || sight.nearest();
    Numbers {
        treated: since_change.mean(),
        own_past: total(&mut rows.iter().map(|row| row.known.past)).mean(),
        peers: total(&mut peers().map(|row| Total::default().with(&row.values[peer_from.min(row.onset)..row.onset]))).mean(),
        peers_past: total(&mut peers().map(|row| row.known.before(&row.values, first.min(row.onset)))).mean(),
        samples: since_change.count.try_into().unwrap_or(u32::MAX),
        ..Numbers::default()
    }
}

fn words(sight: &Sight<'_>, inquiry: &Inquiry<'_>, asked: usize, showing: usize, (same, of): (u32, u32), says: Says) -> String {
    let name = &sight.signal.name;
    let peers = match of {
        0 => "; no peers to compare with, own past only".to_owned(),
        _ => format!("; {same} of {of} unchanged peers {}", inquiry.too),
    };
    match says {
        Says::Fine => format!("{name} {} on {}", inquiry.well, changed_hosts(asked)),
        Says::CannotTell(_) => {
            format!("{name} {} on {showing} of {asked} changed hosts, but also on {same} of {of} unchanged peers", inquiry.verb)
        }
        Says::Harm | Says::Suspicion => format!("{name} {} on {showing} of {asked} changed hosts{peers}", inquiry.verb),
    }
}

#[cfg(test)]
mod tests {
    use super::quorum;

    #[test]
    fn a_wave_needs_the_larger_of_two_hosts_and_five_percent() {
        assert_eq!([1, 2, 10, 40, 41, 1000].map(quorum), [1, 2, 2, 2, 3, 50]);
    }
}
