//! Recorded cases. The truth is read apart from what was seen, so that no judge here can look at it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

/// What was seen. Missing values are NaN.
pub struct Case {
    /// The first sample after the change.
    pub past: usize,
    /// Samples after the change in which nothing counts.
    pub grace: usize,
    /// Samples of a day.
    pub season: usize,
    pub signals: Vec<Signal>,
}

pub struct Signal {
    pub worse: Worse,
    /// One row a changed host.
    pub treated: Vec<Vec<f64>>,
    /// One row a host that did not change; may be empty.
    pub peers: Vec<Vec<f64>>,
}

/// Which way is harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worse {
    Both,
    Up,
    Down,
}

/// The truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    pub id: String,
    pub kind: String,
    /// In robust standard deviations of the host's noise; without meaning for kinds that have no size.
    pub size: f64,
    pub truth: Truth,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Truth {
    /// Harm begins so many samples after the change.
    Bad {
        onset: f64,
    },
    Good,
    /// Neither: a must-have signal is gone.
    Missing,
}

impl Label {
    /// Cases with an even number were developed on.
    pub fn is_even(&self) -> anyhow::Result<bool> {
        let number = self.id.rsplit('-').next().and_then(|digits| digits.parse::<u64>().ok());
        Ok(number.with_context(|| format!("the id {} does not end in a number", self.id))? % 2 == 0)
    }
}

/// Calls `each` with every case of a file, in order.
pub fn each(path: &Path, mut each: impl FnMut(&Case, Label) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for_lines(path, |line| each(&case(line)?, label(line)?))
}

/// Calls `each` with every line of a file of JSON lines, which may be packed.
pub fn for_lines(path: &Path, mut each: impl FnMut(&Value) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let bytes: Box<dyn Read> = if packed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    for (index, line) in BufReader::new(bytes).lines().enumerate() {
        let place = || format!("{}:{}", path.display(), index + 1);
        let line = line.with_context(place)?;
        if !line.trim().is_empty() {
            serde_json::from_str(&line).map_err(anyhow::Error::from).and_then(|line| each(&line)).with_context(place)?;
        }
    }
    Ok(())
}

fn case(line: &Value) -> anyhow::Result<Case> {
    let number = |key: &str| line[key].as_u64().and_then(|n| usize::try_from(n).ok()).with_context(|| format!("`{key}` is no number"));
    let (past, grace, season) = (number("past")?, number("grace")?, number("season")?);
    let steps = past + number("horizon")?;
    let signals = line["signals"].as_array().context("there are no `signals`")?;
    let signals = signals.iter().map(|signal| read_signal(signal, steps)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Case { past, grace, season, signals })
}

fn read_signal(signal: &Value, steps: usize) -> anyhow::Result<Signal> {
    let worse = match signal["direction"].as_str() {
        Some("both") => Worse::Both,
        Some("up") => Worse::Up,
        Some("down") => Worse::Down,
        other => bail!("the direction is {other:?}"),
    };
    let rows = |key: &str| {
        let rows = signal[key].as_array().with_context(|| format!("there is no `{key}`"))?;
        rows.iter().map(|values| row(values, steps)).collect::<anyhow::Result<Vec<_>>>()
    };
    Ok(Signal { worse, treated: rows("treated")?, peers: rows("control")? })
}

fn row(values: &Value, steps: usize) -> anyhow::Result<Vec<f64>> {
    let values = values.as_array().context("a row is no list")?;
    anyhow::ensure!(values.len() == steps, "a row has {} values, not {steps}", values.len());
    let value = |value: &Value| if value.is_null() { Some(f64::NAN) } else { value.as_f64() };
    values.iter().map(|v| value(v).with_context(|| format!("{v} is no value"))).collect()
}

fn label(line: &Value) -> anyhow::Result<Label> {
    let (id, label) = (line["id"].as_str().context("there is no `id`")?, &line["label"]);
    let kind = label["kind"].as_str().context("the label has no `kind`")?;
    let bad = label["bad"].as_bool().context("the label does not say whether it is `bad`")?;
    let truth = match (kind, bad) {
        ("missing", _) => Truth::Missing,
        (_, true) => Truth::Bad { onset: label["onset"].as_f64().context("a bad case needs an `onset`")? },
        (_, false) => Truth::Good,
    };
    let size = label["delta"].as_f64().unwrap_or(f64::NAN);
    Ok(Label { id: id.to_owned(), kind: kind.to_owned(), size, truth })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line() -> Value {
        let signal = json!({"direction": "up", "treated": [[1, null, 3]], "control": []});
        let label = json!({"kind": "ramp", "bad": true, "onset": 1, "delta": 8});
        json!({"id": "dev-1-00007", "past": 2, "horizon": 1, "grace": 0, "season": 2, "signals": [signal], "label": label})
    }

    #[test]
    fn a_case_is_read_without_its_truth_and_the_truth_by_itself() {
        let seen = case(&line()).expect("a case");
        assert_eq!((seen.past, seen.signals[0].worse, seen.signals[0].peers.len()), (2, Worse::Up, 0));
        assert!(seen.signals[0].treated[0][1].is_nan() && seen.signals[0].treated[0][2] == 3.0);
        let truth = label(&line()).expect("a label");
        assert_eq!((truth.kind.as_str(), truth.size, truth.truth), ("ramp", 8.0, Truth::Bad { onset: 1.0 }));
        assert!(!truth.is_even().expect("a number"));
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for (pointer, wrong) in [
            ("/signals/0/treated/0", json!([1, 2])),
            ("/signals/0/treated/0/0", json!("one")),
            ("/signals/0/direction", json!("sideways")),
            ("/past", json!(-1)),
        ] {
            let mut line = line();
            *line.pointer_mut(pointer).expect("it is there") = wrong;
            assert!(case(&line).is_err(), "{pointer}");
        }
        let mut line = line();
        line["label"]["onset"] = Value::Null;
        assert!(label(&line).is_err());
    }
}
