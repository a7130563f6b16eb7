//! `cargo xtask ci`: everything a change must pass, step by step, with one summary. The first failure ends it.

mod read;
mod tools;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::read::{Outcome, Proof, Seen};
use crate::child::{self, Tally};

struct Step {
    name: &'static str,
    cargo: &'static [&'static str],
    proof: Proof,
}

/// In this order: the cheap before the dear. Nothing here builds a release; that takes longer than everything that is played with it.
const STEPS: &[Step] = &[
    Step { name: "fmt", cargo: &["fmt", "--all", "--check"], proof: Proof::Exit },
    Step { name: "clippy", cargo: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], proof: Proof::Exit },
    Step { name: "tidy", cargo: &["xtask", "tidy"], proof: Proof::Exit },
    Step { name: "test", cargo: &["test", "--workspace", "--locked"], proof: Proof::Tests },
    Step { name: "puppet", cargo: &["xtask", "puppet"], proof: Proof::StoryUnlessSkipped },
    Step { name: "demo", cargo: &["xtask", "demo", "--dev"], proof: Proof::Story },
    Step { name: "face", cargo: &["xtask", "face", "--dev"], proof: Proof::StoryUnlessSkipped },
    Step { name: "night", cargo: &["xtask", "night", "--dev"], proof: Proof::StoryUnlessSkipped },
    // The others of a puppetserver's variants are played nightly.
    Step { name: "server", cargo: &["xtask", "night", "--dev", "--server", "--only", "classifier,hold"], proof: Proof::StoryUnlessSkipped },
];

/// One step that was run, and how long it took.
struct Done {
    step: &'static Step,
    outcome: Outcome,
    took: Duration,
}

pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    if let Err(error) = tools::ensure() {
        println!("failed: tools: {error:#}");
        println!("{}", total(&Tally { failed: 1, ..Tally::default() }));
        return Ok(ExitCode::FAILURE);
    }
    let mut done: Vec<Done> = Vec::new();
    for step in STEPS {
        println!("== {}: {}", step.name, command(step));
        let began = Instant::now();
        let outcome = perform(root, step);
        let failed = outcome.failure.is_some();
        done.push(Done { step, outcome, took: began.elapsed() });
        if failed {
            break;
        }
    }
    print!("{}", summary(&done));
    Ok(if done.iter().any(|done| done.outcome.failure.is_some()) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn perform(root: &Path, step: &Step) -> Outcome {
    let mut seen = Seen::default();
    let status = child::stream(&mut child::cargo(root, step.cargo), |line| seen.line(line));
    seen.outcome(step.proof, status)
}

fn command(step: &Step) -> String {
    format!("cargo {}", step.cargo.join(" "))
}

/// The table, what was skipped, what failed and how to run it again; the last line is the total.
fn summary(done: &[Done]) -> String {
    let mut text = format!("\n{:8} {:8} {:>9}\n", "step", "result", "seconds");
    for step in STEPS {
        text += &match done.iter().find(|done| done.step.name == step.name) {
            Some(done) => format!("{:8} {:8} {:>9.1}\n", step.name, done.outcome.word(), done.took.as_secs_f64()),
            None => format!("{:8} {:8} {:>9}\n", step.name, "not run", "-"),
        };
    }
    let skipped: Vec<String> =
        done.iter().flat_map(|done| done.outcome.skipped.iter().map(|what| format!("  {}: {what}\n", done.step.name))).collect();
    if !skipped.is_empty() {
        text += &format!("\nskipped\n{}", skipped.concat());
    }
    for done in done {
        if let Some(failure) = &done.outcome.failure {
            text += &format!("\nfailed: {}: {failure}\n  again: {}\n", done.step.name, command(done.step));
        }
    }
    let mut tally = Tally::default();
    done.iter().for_each(|done| tally.add(done.outcome.tally));
    format!("{text}\n{}\n", total(&tally))
}

fn total(tally: &Tally) -> String {
    format!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(name: &str, outcome: Outcome) -> Option<Done> {
        let step = STEPS.iter().find(|step| step.name == name)?;
        Some(Done { step, outcome, took: Duration::from_millis(1234) })
    }

    #[test]
    fn the_summary_ends_with_one_total_and_names_what_was_skipped() {
        let passed = Tally { passed: 1, failed: 0, skipped: 0 };
        let fmt = done("fmt", Outcome { tally: passed, skipped: vec![], failure: None });
        let tests = done("test", Outcome { tally: Tally { passed: 40, failed: 0, skipped: 0 }, skipped: vec![], failure: None });
        let skip = Tally { passed: 0, failed: 0, skipped: 1 };
        let night = done("night", Outcome { tally: skip, skipped: vec!["no package source".to_owned()], failure: None });
        let text = summary(&[fmt, tests, night].into_iter().flatten().collect::<Vec<_>>());
        assert!(text.ends_with("\n41 passed, 0 failed, 1 skipped\n"), "{text}");
        assert!(text.contains("\nskipped\n  night: no package source\n"), "{text}");
        assert!(text.contains("fmt      ok             1.2\n"), "{text}");
        assert!(text.contains("night    skipped        1.2\n"), "{text}");
        assert!(text.contains("demo     not run          -\n"), "{text}");
        assert_eq!(text.matches(" failed, ").count(), 1, "{text}");
    }

    #[test]
    fn a_failure_names_its_step_and_its_command() {
        let failure = Some("exit status: 1".to_owned());
        let tests = done("test", Outcome { tally: Tally { passed: 3, failed: 2, skipped: 0 }, skipped: vec![], failure });
        let text = summary(&tests.into_iter().collect::<Vec<_>>());
        assert!(text.contains("failed: test: exit status: 1\n  again: cargo test --workspace --locked\n"), "{text}");
        assert!(text.ends_with("\n3 passed, 2 failed, 0 skipped\n"), "{text}");
    }
}
