//! Lint: proves, before anything is on trial, that each declared signal has data for the hosts it is
//! declared for. A signal without data would never reject and never accept anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use belay_api::http::{LintView, LintedSignal, MissingHost};
use belay_core::model::ids::{ClassName, HostId};
use belay_core::model::policy::Policy;
use belay_core::model::signal::Signal;
use belay_core::model::time::{Span, Timestamp};
use belay_signals::{STALE, Store};

use crate::drive::{Drive, host_named};
use crate::wire::matchers;

/// Data of so long ago still counts.
const WITHIN: Span = Span::from_min(120);
/// The most hosts without data that are named.
const NAMED_MAX: usize = 100;

/// Looks at every signal of every class that has hosts or is declared. The state is copied as far as
/// it matters, so that the writer need not wait while names are compared.
pub fn lint(store: &Store, drive: &Drive, now: Timestamp) -> LintView {
    let (policy, hosts) = drive.read(|state| {
        let hosts: BTreeMap<HostId, ClassName> = state.hosts.iter().map(|(id, host)| (id.clone(), host.class.clone())).collect();
        (Arc::clone(&state.policy), hosts)
    });
    let mut by_class: BTreeMap<ClassName, BTreeSet<HostId>> = BTreeMap::new();
    for (host, class) in &hosts {
        by_class.entry(class.clone()).or_default().insert(host.clone());
    }
    let found: Vec<_> = policy.signals.iter().map(|signal| (signal, labels(store, signal, &hosts, now))).collect();
    let of_class = |class: &ClassName| -> Vec<LintedSignal> {
        let expected = by_class.get(class).cloned().unwrap_or_default();
        let watching = found.iter().filter(|(signal, _)| signal.watches(class));
        watching.map(|(signal, labels)| linted(signal, class, &expected, labels)).collect()
    };
    LintView::new(classes(&policy, &by_class).iter().flat_map(of_class).collect())
}

/// The declared classes, and the one of hosts that no declared class matches where there are any.
fn classes(policy: &Policy, used: &BTreeMap<ClassName, BTreeSet<HostId>>) -> Vec<ClassName> {
    let declared: Vec<ClassName> = policy.classes.iter().map(|class| class.name.clone()).collect();
    let others = used.keys().filter(|class| !declared.contains(class)).cloned();
    declared.iter().cloned().chain(others).collect()
}

/// What a signal's selector finds: the values of the label that names hosts, the hosts they name, and
/// how many series lack that label.
struct Labels {
    values: BTreeSet<String>,
    named: BTreeSet<HostId>,
    without: usize,
    series: usize,
}

fn labels(store: &Store, signal: &Signal, hosts: &BTreeMap<HostId, ClassName>, now: Timestamp) -> Result<Labels, String> {
    let matchers = matchers(&signal.select)?;
    let found = store.select(&matchers, (now - WITHIN).ms(), i64::MAX).map_err(|error| error.to_string())?;
    let mut labels = Labels { values: BTreeSet::new(), named: BTreeSet::new(), without: 0, series: 0 };
    for series in found.iter().filter(|series| series.samples.iter().any(|(_, value)| value.to_bits() != STALE)) {
        labels.series += 1;
        match series.labels.iter().find(|(name, _)| **name == *signal.host_label) {
            Some((_, value)) => drop(labels.values.insert(value.to_string())),
            None => labels.without += 1,
        }
    }
    labels.named = labels.values.iter().filter_map(|value| host_named(value, hosts)).collect();
    Ok(labels)
}

fn linted(signal: &Signal, class: &ClassName, expected: &BTreeSet<HostId>, found: &Result<Labels, String>) -> LintedSignal {
    let mut linted = LintedSignal {
        signal: signal.name.to_string(),
        class: class.to_string(),
        ok: false,
        hosts_expected: count(expected.len()),
        hosts_with_data: 0,
        missing: Vec::new(),
        text: String::new(),
        help: None,
    };
    let labels = match found {
        Ok(labels) => labels,
        Err(why) => {
            linted.text = format!("its selector cannot be used: {why}");
            linted.help = Some("correct `select` of this signal in the configuration".to_owned());
            return linted;
        }
    };
    let missing: Vec<&HostId> = expected.difference(&labels.named).collect();
    linted.hosts_with_data = count(expected.len() - missing.len());
    linted.missing = missing.iter().take(NAMED_MAX).map(|host| MissingHost { host: host.to_string(), why: why_missing(signal) }).collect();
    linted.ok = missing.is_empty();
    linted.text = text(expected.len(), missing.len());
    linted.help = if missing.is_empty() { None } else { Some(help(signal, labels, missing.len() == expected.len())) };
    linted
}

fn text(expected: usize, missing: usize) -> String {
    let hours = WITHIN.ms() / 3_600_000;
    match (expected, missing) {
        (0, _) => "the class has no hosts yet".to_owned(),
        (_, 0) => format!("all {expected} hosts have data"),
        (_, _) if missing == expected => {
            format!("no host of the class had data in the last {hours} hours: this signal can neither reject nor accept anything")
        }
        (_, _) => format!("{missing} of {expected} hosts had no data in the last {hours} hours"),
    }
}

fn why_missing(signal: &Signal) -> String {
    format!("no series of `{}` has this host in its label `{}`", signal.select, signal.host_label)
}

fn help(signal: &Signal, labels: &Labels, none: bool) -> String {
    let label = &signal.host_label;
    match labels {
        Labels { series: 0, .. } => {
            format!("`{}` finds no series at all: see whether a source sends it, and how it is spelled there", signal.select)
        }
        Labels { values, without, .. } if values.is_empty() => {
            format!("none of the {without} series found has a label `{label}`: set `host_label` to the label that holds the host's name")
        }
        Labels { values, .. } if none => {
            let seen: Vec<&str> = values.iter().take(3).map(String::as_str).collect();
            format!("`{label}` holds other names ({}): set `host_label` to the label that holds the host's name", seen.join(", "))
        }
        Labels { .. } => "see whether what exports the signal runs on these hosts, or whether they belong to another class".to_owned(),
    }
}

fn count(len: usize) -> u32 {
    len.try_into().unwrap_or(u32::MAX)
}
