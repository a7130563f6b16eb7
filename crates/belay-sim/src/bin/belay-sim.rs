//! `belay-sim seeds N [--from S]` plays seeds; `belay-sim catch N [--from S]` plays those of the catch; `belay-sim seed S` tells one act by act;
//! `belay-sim cases N [--from S]` writes cases for `belay judge`, one a line; `belay-sim small N [--from S]` such of small and lasting harm;
//! `belay-sim moments N [--from S] < CASES` such of recorded ones at other moments;
//! `belay-sim tell FILE` tells a story and shows the messages that were sent.

use std::fmt::Debug;
use std::io::{ErrorKind, Write};
use std::ops::{AddAssign, Range};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail, ensure};
use belay_sim::cases::case;
use belay_sim::cases::moments::moment;
use belay_sim::cases::small::small;
use belay_sim::seeds::{known, play, tell};
use belay_sim::world::World;
use serde_json::Value;

/// Seeds between two lines of progress.
const PROGRESS: usize = 500;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["seeds", count] => seeds(count, "1"),
        ["seeds", count, "--from", from] => seeds(count, from),
        ["catch", count] => catch(count, "1"),
        ["catch", count, "--from", from] => catch(count, from),
        ["cases", count] => cases(count, "1", |seed| Ok(case(seed))),
        ["cases", count, "--from", from] => cases(count, from, |seed| Ok(case(seed))),
        ["small", count] => cases(count, "1", |seed| Ok(small(seed))),
        ["small", count, "--from", from] => cases(count, from, |seed| Ok(small(seed))),
        ["moments", count] => moments(count, "1"),
        ["moments", count, "--from", from] => moments(count, from),
        ["seed", seed] => {
            let (log, world) = tell(seed.parse().context("the seed is no number")?);
            Ok(shown(show(&log, &world))?)
        }
        ["tell", file] => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
            Ok(shown(show(&[], &belay_sim::scenario::tell(file, &text)?))?)
        }
        _ => bail!(
            "usage: belay-sim seeds N [--from S] | belay-sim catch N [--from S] | belay-sim cases N [--from S] | belay-sim small N [--from S] | belay-sim moments N [--from S] < CASES | belay-sim seed S | belay-sim tell FILE"
        ),
    }
}

/// What a seed counted, and what must never be and was.
type Told<T> = (T, Vec<String>);

fn seeds(count: &str, from: &str) -> anyhow::Result<ExitCode> {
    play_all(count, from, known, |seed| {
        let played = play(seed);
        (played.tally, played.breaches.iter().map(ToString::to_string).collect())
    })
}

/// The catch: agents, holds and gates.
fn catch(count: &str, from: &str) -> anyhow::Result<ExitCode> {
    play_all(
        count,
        from,
        |_, _| None,
        |seed| {
            let played = belay_sim::catch::play(seed);
            (played.tally, played.breaches.iter().take(5).map(ToString::to_string).collect())
        },
    )
}

/// Plays seeds on all cores, and tells of them in their order. What is `known` to go wrong fails nothing.
fn play_all<T: Default + AddAssign + Debug + Send>(
    count: &str,
    from: &str,
    known: impl Fn(u64, &str) -> Option<&'static str>,
    told: impl Fn(u64) -> Told<T> + Sync,
) -> anyhow::Result<ExitCode> {
    let count: u64 = count.parse().context("how many seeds is no number")?;
    let from: u64 = from.parse().context("the first seed is no number")?;
    let (end, mut all) = (from.saturating_add(count), T::default());
    let (mut failed, mut understood) = (0_u64, 0_u64);
    for first in (from..end).step_by(PROGRESS) {
        let next = end.min(first.saturating_add(PROGRESS as u64));
        for (seed, (tally, breaches)) in (first..next).zip(each(first..next, &told)) {
            all += tally;
            let fails = breaches.iter().any(|breach| known(seed, breach).is_none());
            failed += u64::from(fails);
            understood += u64::from(!fails && !breaches.is_empty());
            for breach in &breaches {
                let why = known(seed, breach).map_or_else(String::new, |why| format!(" (known: {why})"));
                println!("seed {seed}: {breach}{why}");
            }
        }
        if next < end {
            println!("{} of {count} seeds, {failed} failed; {all:?}", next - from);
        }
    }
    let understood = if understood == 0 { String::new() } else { format!(", {understood} went wrong as is known") };
    println!("{count} seeds from {from}: {failed} failed{understood}; {all:?}");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of each of some seeds, in their order. A seed rests on nothing but itself.
fn each<T: Send>(seeds: Range<u64>, told: &(impl Fn(u64) -> Told<T> + Sync)) -> Vec<Told<T>> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let taken = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed < seeds.end);
        taken.map(|seed| (seed, told(seed))).collect::<Vec<_>>()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut played = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect::<Vec<_>>()
    });
    played.sort_by_key(|(seed, _)| *seed);
    played.into_iter().map(|(_, told)| told).collect()
}

/// Cases for the judge.
fn cases(count: &str, from: &str, case: impl Fn(u64) -> anyhow::Result<Value>) -> anyhow::Result<ExitCode> {
    let count: u64 = count.parse().context("how many cases is no number")?;
    let from: u64 = from.parse().context("the first seed is no number")?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for seed in from..from.saturating_add(count) {
        writeln!(out, "{}", case(seed)?)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The recorded cases on standard input, at other moments.
fn moments(count: &str, from: &str) -> anyhow::Result<ExitCode> {
    let line = |(number, line): (usize, std::io::Result<String>)| {
        serde_json::from_str(&line?).with_context(|| format!("line {} of standard input is no case", number + 1))
    };
    let recorded = std::io::stdin().lines().enumerate().map(line).collect::<anyhow::Result<Vec<Value>>>()?;
    ensure!(!recorded.is_empty(), "there are no cases on standard input: give it a file of them, unpacked");
    let made = |seed| {
        moment(&recorded, seed).context("there is a case on standard input with less than two days before its change, or of another form")
    };
    cases(count, from, made)
}

/// Whoever reads may stop reading.
fn shown(result: std::io::Result<()>) -> std::io::Result<ExitCode> {
    match result {
        Err(failed) if failed.kind() != ErrorKind::BrokenPipe => Err(failed),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

/// What happened, what was sent, and why each Change stands as it does.
fn show(log: &[String], world: &World) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in log {
        writeln!(out, "{line}")?;
    }
    for delivery in &world.outbox.delivered {
        writeln!(out, "\n{} to {}:\n{}", delivery.at, delivery.receiver, delivery.text())?;
    }
    for id in world.state.changes.keys() {
        writeln!(out, "\n{}", belay_core::explain::why::change(&world.state, *id, world.clock).join("\n"))?;
    }
    Ok(())
}
