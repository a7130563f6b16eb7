//! `[[signal]]`: what is watched, where it is found, and which way is worse.

use belay_core::model::ids::{ClassName, SignalName};
use belay_core::model::signal::{Harm, Reading, Signal, SignalKind, Weight};
use belay_core::model::time::Span;

use super::draft::{Declared, Read};
use super::error::Found;
use super::table::Table;
use super::words::said;

const STEP_DEFAULT: Span = Span::from_s(60);
const STEP_MIN: Span = Span::from_s(1);
const STEP_MAX: Span = Span::from_s(3600);
const SELECT_MAX: usize = 4_000;

/// Reads one `[[signal]]`.
pub(super) fn read(mut table: Table<'_>) -> Read<Signal> {
    table.need("name", "\"requests\"");
    table.need("kind", "\"flow\"");
    table.need("select", "\"requests_total\"");
    let name = table.parsed("name", SignalName::parse);
    let classes = table.all_parsed("class", ClassName::parse);
    let kind = table.word("kind", &SignalKind::ALL.map(|kind| (kind.word(), kind)));
    let harm = table.word("harm", &Harm::ALL.map(|harm| (harm.word(), harm)));
    let must_have = table.flag("must_have");
    let select = table.parsed("select", selector);
    let host_label = table.parsed("host_label", label);
    let reading = table.word("reading", &[("counter", Reading::Counter), ("value", Reading::Value)]);
    let step = step(&mut table);
    let weight = table.number("weight", &(1..=Weight::MAX)).map_or_else(Weight::default, |weight| Weight(weight.value));
    let declared = match (name, kind, select) {
        (Some(name), Some(kind), Some(select)) => {
            let signal = Signal {
                name: name.value.clone(),
                classes: classes.iter().map(|class| class.value.clone()).collect(),
                kind: kind.value,
                harm: harm.map_or(harm_of(kind.value), |harm| harm.value),
                must_have: must_have.map_or(must_have_of(kind.value), |must_have| must_have.value),
                reading: reading.map_or(reading_of(&select.value), |reading| reading.value),
                select: select.value,
                host_label: host_label.map_or("host".to_owned(), |label| label.value),
                step,
                weight,
            };
            Some(Declared { what: signal, name: Found { value: name.value.to_string(), at: name.at }, classes })
        }
        _ => None,
    };
    (declared, table.finish())
}

fn step(table: &mut Table<'_>) -> Span {
    let Some(step) = table.span("step") else { return STEP_DEFAULT };
    if step.value < STEP_MIN || step.value > STEP_MAX {
        let text = format!("`{} = {:?}` is outside of {} to {}", step.at.key, said(step.value), said(STEP_MIN), said(STEP_MAX));
        table.errors.push(step.at.mistake_with(text, "one value a step is compared; \"60s\" suits most signals"));
    }
    step.value
}

fn selector(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("it is empty, and would select everything or nothing"),
        trimmed if trimmed.len() > SELECT_MAX => Err("it is longer than 4000 bytes"),
        trimmed => Ok(trimmed.to_owned()),
    }
}

fn label(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Err("it is no label's name")
    } else {
        Ok(text.to_owned())
    }
}

/// Which way is worse, where nobody says.
const fn harm_of(kind: SignalKind) -> Harm {
    match kind {
        SignalKind::Flow => Harm::Down,
        SignalKind::Latency | SignalKind::Count | SignalKind::Check => Harm::Up,
        SignalKind::Gauge => Harm::Both,
    }
}

/// Whether acceptance needs the signal, where nobody says.
const fn must_have_of(kind: SignalKind) -> bool {
    match kind {
        SignalKind::Flow | SignalKind::Check => true,
        SignalKind::Gauge | SignalKind::Latency | SignalKind::Count => false,
    }
}

/// How samples are read, where nobody says: a metric whose name ends in `_total` counts up.
fn reading_of(select: &str) -> Reading {
    if metric_name(select).ends_with("_total") { Reading::Counter } else { Reading::Value }
}

/// The metric's name: what stands before the braces, or the value of `__name__` within them.
fn metric_name(select: &str) -> &str {
    let outside = select.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').next().unwrap_or("");
    if !outside.is_empty() {
        return outside;
    }
    let inside = select.split_once("__name__").map_or("", |(_, rest)| rest);
    inside.trim_start_matches([' ', '=']).strip_prefix('"').and_then(|rest| rest.split('"').next()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_whose_name_ends_in_total_counts_up() {
        for (select, reading) in [
            ("requests_total", Reading::Counter),
            ("requests_total{code=\"200\"}", Reading::Counter),
            ("{__name__=\"requests_total\", code=\"200\"}", Reading::Counter),
            ("{code=\"requests_total\"}", Reading::Value),
            ("requests{kind=\"_total\"}", Reading::Value),
            ("total_memory", Reading::Value),
            ("", Reading::Value),
        ] {
            assert_eq!(reading_of(select), reading, "{select}");
        }
    }
}
