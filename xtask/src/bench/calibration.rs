//! `cargo xtask bench calibration [TRIALS]`: how often the judge's statistics call nothing harm, on many trials of the generator that
//! the calibration test of belay-stats plays a few thousand of.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::wilson::wilson;
use crate::child;

const TRIALS: u64 = 100_000;
/// The share of null trials that may be rejected: the judge's default budget.
const NOMINAL: f64 = 0.02;

/// How one kind of trial went.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    trials: u64,
    rejected: u64,
}

pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<ExitCode> {
    let trials: u64 = match words {
        [] => TRIALS,
        [number] => number.parse().with_context(|| format!("`{number}` is no number of trials"))?,
        _ => anyhow::bail!("give one number of trials, or none for {TRIALS}"),
    };
    let programs = super::build(root, &["-p", "belay-stats", "--example", "calibration"])?;
    let begun = Instant::now();
    let mut rows = Vec::new();
    let mut player = Command::new(programs.join("examples/calibration"));
    player.args([trials.to_string(), NOMINAL.to_string()]).stdin(Stdio::null());
    let status = child::stream(&mut player, |line| rows.extend(row(line)))?;
    ensure!(status.success(), "the trials ended with {status}");
    let seconds = begun.elapsed().as_secs_f64();
    let whole = whole(&rows, trials)?;
    print!("\n{}", table(&whole, &rows));
    println!("{}", report(&whole, &rows, seconds));
    Ok(ExitCode::SUCCESS)
}

/// Reads `NAME<tab>TRIALS<tab>REJECTED`; every other line only says how far it is.
fn row(line: &str) -> Option<Row> {
    let mut cells = line.split('\t');
    let name = cells.next()?.to_owned();
    let row = Row { name, trials: cells.next()?.parse().ok()?, rejected: cells.next()?.parse().ok()? };
    cells.next().is_none().then_some(row)
}

/// All trials together: those of the rows by number of hosts, in which each trial is once.
fn whole(rows: &[Row], trials: u64) -> anyhow::Result<Row> {
    let by_hosts = || rows.iter().filter(|row| row.name.starts_with("changed hosts"));
    let whole =
        Row { name: "all".to_owned(), trials: by_hosts().map(|row| row.trials).sum(), rejected: by_hosts().map(|row| row.rejected).sum() };
    ensure!(whole.trials == trials, "{} of {trials} trials were reported", whole.trials);
    Ok(whole)
}

fn table(whole: &Row, rows: &[Row]) -> String {
    let mut text = format!("| null trials, nominal {:.0} % | trials | rejected | rate [95 %] |\n|---|---|---|---|\n", NOMINAL * 100.0);
    for row in std::iter::once(whole).chain(rows) {
        let (low, high) = wilson(row.rejected, row.trials);
        let interval = format!("[{:.2}, {:.2}]", low * 100.0, high * 100.0);
        text += &format!("| {} | {} | {} | {:.2} % {interval} |\n", row.name, row.trials, row.rejected, rate(row) * 100.0);
    }
    text
}

fn rate(row: &Row) -> f64 {
    row.rejected as f64 / row.trials.max(1) as f64
}

fn report(whole: &Row, rows: &[Row], seconds: f64) -> Value {
    let figures = |row: &Row| {
        let (low, high) = wilson(row.rejected, row.trials);
        json!({"trials": row.trials, "rejected": row.rejected, "rate_percent": percent(rate(row)), "rate_percent_95": [percent(low), percent(high)]})
    };
    let kinds: serde_json::Map<String, Value> = rows.iter().map(|row| (row.name.clone(), figures(row))).collect();
    let mut ours = figures(whole);
    ours["nominal_percent"] = percent(NOMINAL).into();
    ours["wall_s"] = ((seconds * 10.0).round() / 10.0).into();
    ours["kinds"] = kinds.into();
    json!({"bench": "calibration", "ours": ours, "peers": {}})
}

fn percent(share: f64) -> f64 {
    (share * 100_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        ["changed hosts: 1\t600\t9", "changed hosts: 2\t400\t11", "peers\t1000\t20"].iter().filter_map(|line| row(line)).collect()
    }

    #[test]
    fn rows_are_told_from_progress() {
        assert_eq!(rows().len(), 3);
        for line in ["5000 of 100000 trials, 90 rejected", "peers\t10", "peers\t10\t1\t2", "peers\tten\t1"] {
            assert_eq!(row(line), None, "{line}");
        }
    }

    #[test]
    fn every_trial_counts_once_and_none_may_be_lost() {
        let whole_row = whole(&rows(), 1000).expect("all are there");
        assert_eq!((whole_row.trials, whole_row.rejected), (1000, 20));
        assert!(whole(&rows(), 1001).is_err());
        assert_eq!(report(&whole_row, &rows(), 1.0)["ours"]["rate_percent"], 2.0);
        assert!(table(&whole_row, &rows()).contains("| all | 1000 | 20 | 2.00 % [1.30, 3.07] |"));
    }
}
