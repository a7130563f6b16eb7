//! `belay judge CASES`: what the judge says of recorded cases, one after the other, as if each happened now. The label of a case is never
//! read. See docs/judge.md for the formats.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context;
use belay_core::model::verdict::Look;
use serde::Serialize;

use crate::fault::{Fault, code, fault};
use crate::judge::case::Case;
use crate::judge::feed::{self, Judged};
use crate::out;
use crate::out::inert::inert_lines;
use crate::out::paint::Colour;
use crate::out::progress::{Progress, Unit};

/// A line of a file of cases may be so long.
const LINE_MAX: u64 = 256 << 20;

/// What to judge.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The cases, one JSON object a line; FILE.gz is unpacked
    #[arg(value_name = "CASES")]
    pub cases: PathBuf,
    /// Write one verdict a line to this file
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

/// Judges a file of cases.
///
/// # Errors
/// When a file cannot be read or written, or a line is no case.
pub fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let mut sink = args.out.as_deref().map(create).transpose()?;
    let mut explained = None;
    for_each_case(&args.cases, colour, |case| {
        if args.explain.as_ref().is_some_and(|id| *id != case.id) {
            return Ok(());
        }
        let judged = feed::judge(&case).with_context(|| format!("case {}", case.id))?;
        if args.explain.is_some() {
            explained = Some(explanation(&case, &judged));
        }
        match &mut sink {
            Some(sink) => write(sink, &case, &judged),
            None => Ok(()),
        }
    })?;
    if let Some(mut sink) = sink {
        sink.flush().context("could not write the verdicts")?;
    }
    match (&args.explain, explained) {
        (Some(id), None) => Err(fault(format!("there is no case {id} in {}", args.cases.display()), "look for its id in the file")),
        (_, told) => told.map_or(Ok(code::OK), |text| out::put(&text).map(|()| code::OK)),
    }
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).with_context(|| format!("could not create {}", path.display()))?))
}

/// Calls `each` with every case of a file, in order.
fn for_each_case(path: &Path, colour: Colour, mut each: impl FnMut(Case) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("could not open {}", path.display()))?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let mut progress = Progress::new("Judging", Unit::Bytes, file.metadata().ok().map(|meta| meta.len()), colour);
    let taken = Rc::new(Cell::new(0));
    let file = Counted { file, taken: Rc::clone(&taken) };
    let bytes: Box<dyn Read> = if packed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut reader = BufReader::new(bytes);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(LINE_MAX).read_line(&mut line).with_context(|| format!("could not read {}", path.display()))?;
        if read == 0 {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let case: Case = serde_json::from_str(&line).map_err(|bad| Fault::new(format!("{}:{number} is no case: {bad}", path.display())))?;
        if let Some(wrong) = case.fault() {
            return Err(Fault::new(format!("{}:{number} ({}) is no case: {wrong}", path.display(), case.id)).into());
        }
        progress.at(taken.get());
        each(case)?;
    }
    Ok(())
}

/// A file, and how much of it was read.
struct Counted {
    file: File,
    taken: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(into)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}

fn write(sink: &mut impl Write, case: &Case, judged: &Judged) -> anyhow::Result<()> {
    let strongest =
        |of: fn(&belay_core::model::verdict::Numbers) -> Option<f64>| judged.look.findings.iter().filter_map(move |f| of(&f.numbers));
    let p = strongest(|numbers| numbers.p).min_by(f64::total_cmp);
    let ln_e = strongest(|numbers| numbers.ln_e).filter(|ln_e| !ln_e.is_nan()).max_by(f64::total_cmp);
    // JSON has no infinity, and null is how no evidence is written: the strongest would read as none.
    let e = ln_e.map(|ln_e| ln_e.exp().min(f64::MAX));
    let line = Line { id: &case.id, verdict: judged.outcome.word(), t: judged.at, p, e };
    serde_json::to_writer(&mut *sink, &line).context("could not write a verdict")?;
    sink.write_all(b"\n").context("could not write a verdict")
}

/// The reasons in plain words, those that weigh most first.
fn explanation(case: &Case, judged: &Judged) -> String {
    let when = judged.at.map_or_else(String::new, |step| format!(", decided {step} steps after the change"));
    let mut text = format!("{}: {}{when}\n", case.id, judged.outcome);
    reasons(&judged.look).for_each(|reason| {
        text.push_str("  ");
        text.push_str(&reason);
        text.push('\n');
    });
    inert_lines(&text)
}

fn reasons(look: &Look) -> impl Iterator<Item = String> + '_ {
    let findings = look.findings.iter().map(|finding| format!("{:<10} {:<14} {}", finding.says.word(), finding.check.code(), finding.text));
    let lacks = look.lacks.iter().map(|lack| format!("{:<10} {:<14} {}: {}", "lack", lack.signal, lack.hosts.len(), lack.why.words()));
    findings.chain(lacks)
}
