//! Belay and the health of runs as numbers, in the text exposition format (version 0.0.4) that monitoring tools read: `# HELP`, `# TYPE`,
//! then a line for each set of labels.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use belay_core::decide::health::{Ailment, at_a_glance};
use belay_core::model::ids::ClassName;
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use belay_signals::Stats;

use super::doctor::Counted;

/// What the state does not know.
pub struct Outside {
    /// Rows of the quarantine.
    pub quarantined: u64,
    /// The store of signals.
    pub store: Stats,
    /// What the drive counts.
    pub counts: Counted,
    /// When the server started.
    pub started: Timestamp,
}

/// One family of numbers.
struct Family<'t> {
    text: &'t mut String,
    name: &'static str,
}

/// All of them.
pub fn render(state: &State, outside: &Outside, now: Timestamp) -> String {
    let mut text = String::new();
    hosts(&mut text, state, now);
    changes(&mut text, state);
    let holds = state.holds.values().filter(|hold| hold.stands());
    gauge(&mut text, "belay_holds", "Holds that stand").line(&[], holds.clone().count());
    let expired = holds.filter(|hold| hold.until <= now).count();
    gauge(&mut text, "belay_holds_expired", "Holds that stand past their end, waiting for their owner").line(&[], expired);
    let dead = state.effects.values().filter(|effect| effect.dead).count();
    let silent = state.feeds.values().filter(|feed| feed.silent.is_some()).count();
    gauge(&mut text, "belay_feeds_silent", "Feeds by which nothing comes although it should").line(&[], silent);
    gauge(&mut text, "belay_dead_letters", "Messages and other effects that were given up").line(&[], dead);
    gauge(&mut text, "belay_inbox_rows", "Reports that are kept and not read yet").line(&[], outside.counts.inbox_rows);
    gauge(&mut text, "belay_inbox_bytes", "Bytes of reports that are kept and not read yet").line(&[], outside.counts.inbox_bytes);
    gauge(&mut text, "belay_quarantined", "What could not be read or taken and was put aside").line(&[], outside.quarantined);
    counter(&mut text, "belay_panics_total", "Tasks that ended by a mistake of the program").line(&[], outside.counts.panics);
    gauge(&mut text, "belay_signal_series", "Series in the store of signals").line(&[], outside.store.series);
    gauge(&mut text, "belay_signal_samples", "Samples in the store of signals").line(&[], outside.store.samples);
    gauge(&mut text, "belay_signal_log_bytes", "Bytes of the log of the store of signals").line(&[], outside.store.log_bytes);
    counter(&mut text, "belay_signal_refused_total", "Requests to the store of signals that were at fault")
        .line(&[], outside.store.refused_total);
    gauge(&mut text, "belay_start_time_seconds", "When the server started, since 1970").line(&[], outside.started.ms() / 1000);
    gauge(&mut text, "belay_build_info", "The version that runs").line(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text
}

fn hosts(text: &mut String, state: &State, now: Timestamp) {
    let mut of: BTreeMap<&ClassName, u64> = BTreeMap::new();
    for host in state.hosts.values() {
        *of.entry(&host.class).or_default() += 1;
    }
    let mut family = gauge(text, "belay_hosts", "Hosts, by class");
    of.iter().for_each(|(class, hosts)| family.line(&[("class", class.as_str())], hosts));
    let (_, counts) = at_a_glance(state, now);
    let mut family = gauge(text, "belay_run_health_hosts", "Hosts that configuration management is not well on, by class and ailment");
    for class in of.keys() {
        // Each ailment has its line, also at zero: an alert on a number that is not there is silent.
        for ailment in Ailment::ALL {
            let count = counts.get(&((*class).clone(), ailment)).copied().unwrap_or_default();
            family.line(&[("class", class.as_str()), ("ailment", ailment.code())], count);
        }
    }
    let mut oldest: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for host in state.hosts.values() {
        let at = host.last_applied.unwrap_or(host.since);
        oldest.entry(host.class.as_str()).and_modify(|oldest| *oldest = at.min(*oldest)).or_insert(at);
    }
    let mut family =
        gauge(text, "belay_oldest_applied_seconds", "Time since anything was applied to the host of the class that waits longest");
    oldest.iter().for_each(|(class, at)| family.line(&[("class", class)], now.since(*at).ms().max(0) / 1000));
}

fn changes(text: &mut String, state: &State) {
    let mut standing: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for change in state.changes.values() {
        *standing.entry((change.class.as_str(), change.standing.word())).or_default() += 1;
    }
    let mut family = gauge(text, "belay_changes", "Changes in memory, by class and where they stand");
    standing.iter().for_each(|((class, word), count)| family.line(&[("class", class), ("standing", word)], count));
    let mut family =
        gauge(text, "belay_selfcheck_rejected_ratio", "Part of the trials in which nothing changed that the last self-check rejected");
    for check in state.selfchecks.values().filter(|check| check.judged > 0) {
        family.line(&[("class", check.class.as_str())], f64::from(check.rejected) / f64::from(check.judged));
    }
}

fn gauge<'t>(text: &'t mut String, name: &'static str, help: &str) -> Family<'t> {
    family(text, name, help, "gauge")
}

fn counter<'t>(text: &'t mut String, name: &'static str, help: &str) -> Family<'t> {
    family(text, name, help, "counter")
}

fn family<'t>(text: &'t mut String, name: &'static str, help: &str, kind: &str) -> Family<'t> {
    text.push_str(&format!("# HELP {name} {help}.\n# TYPE {name} {kind}\n"));
    Family { text, name }
}

impl Family<'_> {
    fn line(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        for (number, (label, value)) in labels.iter().enumerate() {
            self.text.push(if number == 0 { '{' } else { ',' });
            // Writing to a text does not fail.
            let _ = write!(self.text, "{label}=\"{}\"", escaped(value));
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_a_family_says_what_it_is() {
        let mut text = String::new();
        gauge(&mut text, "belay_x", "What it is").line(&[("class", "a\"b\\c\nd"), ("other", "e")], 3);
        assert_eq!(text, "# HELP belay_x What it is.\n# TYPE belay_x gauge\nbelay_x{class=\"a\\\"b\\\\c\\nd\",other=\"e\"} 3\n");
    }
}
