//! `belay judge CASES`: what the judge says of recorded cases, one after the other, as if each happened now. The label of a case is never
//! read. See docs/judge.md for the formats.

use std::path::PathBuf;

use anyhow::Context;
use belay_core::model::verdict::{Numbers, Outcome};
use serde::Serialize;

use crate::fault::{Fault, code, fault, is_closed_pipe, told as error_told};
use crate::judge::case::Case;
use crate::judge::cases::Cases;
use crate::judge::feed::{self, Judged};
use crate::judge::sink::Sink;
use crate::judge::told::explanation;
use crate::out;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::progress::{Progress, Unit};
use crate::out::told::{count, told};

/// What to judge.
#[derive(clap::Args, Debug)]
#[command(after_help = "What a case and a verdict hold, the exit codes, and how reasons read: docs/judge.md#formats\n\
    Exit code 1: there is no case, or a line is none; the verdicts on the cases before it are kept.")]
pub struct Args {
    /// The cases, one JSON object a line, packed by gzip or not; - is standard input
    #[arg(value_name = "CASES")]
    pub cases: PathBuf,
    /// Write one verdict a line to this file; - is standard output
    #[arg(long, value_name = "FILE", required_unless_present = "explain")]
    pub out: Option<PathBuf>,
    /// Judge this case alone and print its reasons
    #[arg(long, value_name = "ID")]
    pub explain: Option<String>,
}

/// A verdict, as a line of the file.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    verdict: &'a str,
    t: Option<usize>,
    p: Option<f64>,
    e: Option<f64>,
}

/// What the cases came to so far.
#[derive(Default)]
struct Counts {
    rejected: usize,
    accepted: usize,
    inconclusive: usize,
}

/// Judges a file of cases.
///
/// # Errors
/// When a file cannot be read or written, or a line is no case.
pub fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let mut cases = Cases::open(&args.cases)?;
    let mut sink = args.out.as_deref().map(|path| Sink::open(path, cases.metadata())).transpose()?;
    let mut counts = Counts::default();
    let ended = match &args.explain {
        Some(id) => explain(id, &mut cases, sink.as_mut(), &mut counts),
        None => all(&mut cases, sink.as_mut(), &mut counts, colour),
    };
    match sink {
        Some(sink) => keep(sink, ended, &counts, colour)?,
        None => ended?,
    }
    Ok(code::OK)
}

fn all(cases: &mut Cases, mut sink: Option<&mut Sink>, counts: &mut Counts, colour: Colour) -> anyhow::Result<()> {
    let length = cases.metadata().is_file().then(|| cases.metadata().len());
    let mut progress = Progress::new("Judging", Unit::Bytes, length, colour);
    while let Some(case) = cases.read()? {
        progress.at(cases.taken());
        judge(&case, cases, sink.as_deref_mut(), counts)?;
    }
    Ok(())
}

/// Reads no further than to the case: what stands behind it is not asked for.
fn explain(id: &str, cases: &mut Cases, sink: Option<&mut Sink>, counts: &mut Counts) -> anyhow::Result<()> {
    while let Some(case) = cases.read()? {
        if case.id == id {
            let judged = judge(&case, cases, sink, counts)?;
            return out::put(&explanation(&case, &judged));
        }
    }
    let help = cases.ending(id).map_or_else(|| "look for its id in the file".to_owned(), |near| format!("did you mean --explain {near}?"));
    Err(fault(format!("there is no case {id} in {}", cases.place()), help))
}

fn judge(case: &Case, cases: &Cases, sink: Option<&mut Sink>, counts: &mut Counts) -> anyhow::Result<Judged> {
    let judged = feed::judge(case).with_context(|| format!("{}: case {}", cases.at(), case.id))?;
    if let Some(sink) = sink {
        sink.line(&line(case, &judged))?;
    }
    counts.note(judged.outcome);
    Ok(judged)
}

/// Lets verdicts stand, also those that were there before something went wrong: they took their time.
fn keep(sink: Sink, ended: anyhow::Result<()>, counts: &Counts, colour: Colour) -> anyhow::Result<()> {
    let place = sink.place().to_owned();
    match ended {
        Ok(()) => {
            sink.keep()?;
            let what = format!("{}; written to {place}", counts.words());
            out::note(&told(Paint::stderr(colour), Tone::Good, "Judged", &what));
            Ok(())
        }
        Err(error) if counts.all() == 0 || is_closed_pipe(&error) => Err(error),
        Err(error) => {
            sink.keep()?;
            let (text, help, _) = error_told(&error);
            let fault = Fault::new(format!("{text}; the verdicts on {} before it are in {place}", count(counts.all() as u64, "case")));
            Err(help.into_iter().fold(fault, Fault::help).into())
        }
    }
}

fn line<'a>(case: &'a Case, judged: &'a Judged) -> Line<'a> {
    let strongest = |of: fn(&Numbers) -> Option<f64>| judged.look.findings.iter().filter_map(move |finding| of(&finding.numbers));
    let p = strongest(|numbers| numbers.p).min_by(f64::total_cmp);
    let ln_e = strongest(|numbers| numbers.ln_e).filter(|ln_e| !ln_e.is_nan()).max_by(f64::total_cmp);
    Line { id: &case.id, verdict: judged.outcome.word(), t: judged.at(), p, e: ln_e.map(e_value) }
}

/// JSON has no infinity, and null is how no evidence is written: the strongest would read as none.
fn e_value(ln_e: f64) -> f64 {
    ln_e.exp().min(f64::MAX)
}

impl Counts {
    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Rejected => self.rejected += 1,
            Outcome::Accepted => self.accepted += 1,
            Outcome::Inconclusive(_) => self.inconclusive += 1,
        }
    }

    fn all(&self) -> usize {
        self.rejected + self.accepted + self.inconclusive
    }

    fn words(&self) -> String {
        let Self { rejected, accepted, inconclusive } = self;
        format!("{}: {rejected} rejected, {accepted} accepted, {inconclusive} inconclusive", count(self.all() as u64, "case"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_evidence_is_written_as_a_number() {
        let written = |ln_e: f64| serde_json::to_string(&e_value(ln_e)).unwrap();
        assert_eq!([written(0.0), written(1000.0), written(f64::INFINITY)].map(|e| e.parse::<f64>().unwrap()), [1.0, f64::MAX, f64::MAX]);
    }
}
