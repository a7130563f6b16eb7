//! `cargo xtask ci`: everything a change must pass, step by step, with one summary. The first failure ends it.

mod beside;
mod read;
mod tools;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use self::beside::Beside;
use self::read::{Outcome, Proof, Seen};
use crate::child::{self, Tally};

struct Step {
    name: &'static str,
    cargo: &'static [&'static str],
    proof: Proof,
    /// It runs beside the steps after it, from its place in the list on, and none of them needs what it makes.
    beside: bool,
}

/// In this order: the cheap before the dear. Nothing here builds a release; that takes longer than everything that is played with it.
const STEPS: &[Step] = &[
    Step::new("fmt", &["fmt", "--all", "--check"], Proof::Exit),
    Step::new("tidy", &["xtask", "tidy"], Proof::Exit),
    Step::new("test", &["test", "--workspace", "--locked"], Proof::Tests),
    // It is all work, and the stories mostly wait.
    Step::new("clippy", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], Proof::Exit).beside(),
    Step::new("puppet", &["xtask", "puppet"], Proof::StoryUnlessSkipped),
    Step::new("demo", &["xtask", "demo", "--dev"], Proof::Story),
    Step::new("face", &["xtask", "face", "--dev"], Proof::StoryUnlessSkipped),
    Step::new("night", &["xtask", "night", "--dev"], Proof::StoryUnlessSkipped),
    // The others of a puppetserver's variants are played nightly.
    Step::new("server", &["xtask", "night", "--dev", "--server", "--only", "classifier,hold"], Proof::StoryUnlessSkipped),
];

impl Step {
    const fn new(name: &'static str, cargo: &'static [&'static str], proof: Proof) -> Self {
        Self { name, cargo, proof, beside: false }
    }

    const fn beside(self) -> Self {
        Self { beside: true, ..self }
    }
}

/// One step that was run, and how long it took.
struct Done {
    step: &'static Step,
    outcome: Outcome,
    took: Duration,
}

impl Done {
    fn failed(&self) -> bool {
        self.outcome.failure.is_some()
    }
}

pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    if let Err(error) = tools::ensure() {
        println!("failed: tools: {error:#}");
        println!("{}", total(&Tally { failed: 1, ..Tally::default() }));
        return Ok(ExitCode::FAILURE);
    }
    let done = play(STEPS, |step| prepared(root, step));
    print!("{}", summary(&done));
    Ok(if done.iter().any(Done::failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A step's command, with what is no part of what it checks.
fn prepared(root: &Path, step: &Step) -> Command {
    let mut command = child::cargo(root, step.cargo);
    // Writing down what a next build could use again costs a first build a lot.
    if std::env::var_os("CARGO_INCREMENTAL").is_none() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    // Cargo locks a target directory while it compiles: in the same one the stories would wait for it.
    if step.beside {
        command.env("CARGO_TARGET_DIR", child::target(root).join(step.name));
    }
    command
}

/// Plays them in their order until one fails. What runs beside is asked between two steps whether it is over, and waited for at the
/// end, whatever came: two failures are told in one go, and nothing is left running.
fn play(steps: &'static [Step], prepare: impl Fn(&Step) -> Command) -> Vec<Done> {
    let mut done: Vec<Done> = Vec::new();
    let mut beside: Vec<(&'static Step, Beside)> = Vec::new();
    for step in steps {
        done.extend(beside.extract_if(.., |(_, running)| running.is_over()).map(|(step, over)| end(step, over)));
        if done.iter().any(Done::failed) {
            break;
        }
        if !step.beside {
            done.push(perform(step, prepare(step)));
            continue;
        }
        println!("== {}: {}, beside what follows", step.name, command(step));
        match Beside::start(&prepare(step)) {
            Ok(running) => beside.push((step, running)),
            Err(error) => done.push(Done { step, outcome: Seen::default().outcome(step.proof, Err(error)), took: Duration::ZERO }),
        }
    }
    done.extend(beside.into_iter().map(|(step, running)| end(step, running)));
    done
}

fn perform(step: &'static Step, mut command: Command) -> Done {
    println!("== {}: {}", step.name, self::command(step));
    let (mut seen, began) = (Seen::default(), Instant::now());
    let status = child::stream(&mut command, |line| seen.line(line));
    Done { step, outcome: seen.outcome(step.proof, status), took: began.elapsed() }
}

/// Waits for what ran beside, and shows what it said.
fn end(step: &'static Step, beside: Beside) -> Done {
    println!("== {}: {}, {}", step.name, command(step), if beside.is_over() { "over" } else { "waited for" });
    let mut seen = Seen::default();
    let (status, took) = beside.end(|line| {
        println!("{line}");
        seen.line(line);
    });
    Done { step, outcome: seen.outcome(step.proof, status), took }
}

fn command(step: &Step) -> String {
    format!("cargo {}", step.cargo.join(" "))
}

/// The table, what was skipped, what failed and how to run it again; the last line is the total.
fn summary(done: &[Done]) -> String {
    let mut text = format!("\n{:8} {:8} {:>9}\n", "step", "result", "seconds");
    for step in STEPS {
        text += &match done.iter().find(|done| done.step.name == step.name) {
            Some(done) => {
                let beside = if step.beside { "  beside" } else { "" };
                format!("{:8} {:8} {:>9.1}{beside}\n", step.name, done.outcome.word(), done.took.as_secs_f64())
            }
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

    fn words(done: &[Done]) -> Vec<(&str, &str)> {
        done.iter().map(|done| (done.step.name, done.outcome.word())).collect()
    }

    fn shell(step: &Step) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").args(step.cargo);
        command
    }

    #[test]
    fn a_failure_beside_is_a_failure_and_begins_no_further_step() {
        const PLAYED: &[Step] = &[
            Step::new("beside", &["echo wrong; exit 2"], Proof::Exit).beside(),
            Step::new("long", &["sleep 1"], Proof::Exit),
            Step::new("next", &["exit 0"], Proof::Exit),
        ];
        let done = play(PLAYED, shell);
        assert_eq!(words(&done), [("long", "ok"), ("beside", "FAILED")]);
        assert_eq!(done[1].outcome.failure.as_deref(), Some("exit status: 2"));
    }

    #[test]
    fn what_runs_beside_is_waited_for_whatever_came() {
        const PLAYED: &[Step] = &[
            Step::new("beside", &["sleep 1"], Proof::Exit).beside(),
            Step::new("bad", &["exit 1"], Proof::Exit),
            Step::new("next", &["exit 0"], Proof::Exit),
        ];
        assert_eq!(words(&play(PLAYED, shell)), [("bad", "FAILED"), ("beside", "ok")]);
    }

    #[test]
    fn what_runs_beside_shares_no_lock_and_nothing_is_incremental() {
        let root = Path::new("/nowhere");
        for step in STEPS {
            let command = prepared(root, step);
            let given = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
            assert_eq!(given("CARGO_INCREMENTAL").is_some(), std::env::var_os("CARGO_INCREMENTAL").is_none());
            let own = step.beside.then(|| child::target(root).join(step.name));
            assert_eq!(given("CARGO_TARGET_DIR"), own.as_deref().map(Path::as_os_str), "{}", step.name);
        }
    }

    #[test]
    fn what_ran_beside_is_marked_and_has_its_place() {
        let passed = Tally { passed: 1, failed: 0, skipped: 0 };
        let failure = Some("exit status: 101".to_owned());
        let clippy = done("clippy", Outcome { tally: Tally { failed: 1, ..Tally::default() }, skipped: vec![], failure });
        let night = done("night", Outcome { tally: passed, skipped: vec![], failure: None });
        let text = summary(&[night, clippy].into_iter().flatten().collect::<Vec<_>>());
        assert!(text.contains("test     not run          -\nclippy   FAILED         1.2  beside\npuppet "), "{text}");
        assert!(text.contains("failed: clippy: exit status: 101\n  again: cargo clippy --workspace --all-targets"), "{text}");
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
