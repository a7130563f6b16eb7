//! `belay fsck`: is what is on disk what was written? It looks, and changes nothing unless it is told to.

use std::path::PathBuf;

use belay_server::fsck::{FsckError, Looked, Stage, look};
use belay_server::ledger::{self, Finding, LedgerError, repair};
use serde::Serialize;

use crate::fault::{Fault, code, fault};
use crate::out::inert::{inert, inert_json};
use crate::out::paint::{Colour, Paint, Sign, Tone};
use crate::out::progress::{Progress, Unit};
use crate::out::told::{count, told};
use crate::out::{self, Output};
use crate::session::STATE_DIR;

/// Something is damaged.
const DAMAGED: u8 = 2;

/// What to look at.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
It folds every fact, compares snapshots and tables with that fold and evidence with its hash, and checks every frame of samples. A server
may work there meanwhile. --repair makes indexes again, and forgets snapshots and evidence that are damaged: nothing that facts tell is lost.
Exit codes: 0 sound, 1 could not look, 2 something is damaged, 64 usage.")]
pub struct Args {
    /// The state directory
    #[arg(long, visible_alias = "state-dir", value_name = "DIR", env = "BELAY_STATE", default_value = STATE_DIR, hide_env_values = true)]
    pub state: PathBuf,
    /// Repair what can be repaired without losing what is known; no server may work there
    #[arg(long)]
    pub repair: bool,
    /// table for people; json for programs, also as jsonl
    #[arg(short, long, value_enum, value_name = "FORM", default_value = "table", hide_possible_values = true)]
    pub output: Output,
}

/// What was found, for programs.
#[derive(Serialize)]
struct Report {
    sound: bool,
    facts: u64,
    snapshots: u64,
    evidence: u64,
    segments: usize,
    sample_bytes: u64,
    torn_bytes: u64,
    findings: Vec<Line>,
    more: u64,
    repaired: Vec<String>,
}

#[derive(Serialize)]
struct Line {
    what: String,
    remedy: String,
    repairable: bool,
}

/// Looks, and repairs where that is asked for.
///
/// # Errors
/// Why it could not look.
pub fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    if !args.state.join(ledger::FILE).is_file() {
        let help = "name the server's state directory: --state DIR";
        return Err(fault(format!("there is no ledger in {}", args.state.display()), help));
    }
    let mut looked = looking(args, colour)?;
    let mut repaired = Vec::new();
    if args.repair && looked.findings().iter().any(|finding| finding.repair.is_some()) {
        repaired = repair(&args.state, &looked.findings()).map_err(not_repaired)?;
        looked = looking(args, colour)?;
    }
    let (findings, paint) = (looked.findings(), Paint::stdout(colour));
    match args.output {
        Output::Table => out::put(&shown(&looked, &findings, &repaired, paint))?,
        Output::Json | Output::Jsonl => {
            out::put(&format!("{}\n", inert_json(&serde_json::to_string(&report(&looked, &findings, repaired))?)))?
        }
    }
    Ok(if findings.is_empty() { code::OK } else { DAMAGED })
}

fn looking(args: &Args, colour: Colour) -> anyhow::Result<Looked> {
    let mut facts = Progress::new("Folding", Unit::Pieces, None, colour);
    let mut samples = Progress::new("Reading", Unit::Bytes, None, colour);
    let looked = look(&args.state, &mut |stage| match stage {
        Stage::Facts(done, all) => facts.of(done, all),
        Stage::Samples(bytes) => samples.step(bytes),
    });
    looked.map_err(|error| {
        let text = format!("{} could not be looked at: {error}", args.state.display());
        match error {
            FsckError::Ledger(LedgerError::Newer { .. } | LedgerError::Foreign { .. } | LedgerError::Altered { .. }) => {
                Fault::new(text).into()
            }
            _ => fault(text, "may this user read it? Use `sudo`, or the server's user"),
        }
    })
}

fn not_repaired(error: LedgerError) -> anyhow::Error {
    match error {
        LedgerError::Locked { .. } => fault(format!("nothing was repaired: {error}"), "stop the server first; looking needs no stop"),
        other => Fault::new(format!("nothing was repaired: {other}")).into(),
    }
}

fn report(looked: &Looked, findings: &[Finding], repaired: Vec<String>) -> Report {
    let line =
        |finding: &Finding| Line { what: finding.what.clone(), remedy: finding.remedy.clone(), repairable: finding.repair.is_some() };
    Report {
        sound: findings.is_empty(),
        facts: looked.ledger.facts,
        snapshots: looked.ledger.snapshots,
        evidence: looked.ledger.evidence,
        segments: looked.signals.segments,
        sample_bytes: looked.signals.bytes,
        torn_bytes: looked.signals.torn_bytes,
        findings: findings.iter().map(line).collect(),
        more: looked.ledger.more,
        repaired,
    }
}

fn shown(looked: &Looked, findings: &[Finding], repaired: &[String], paint: Paint) -> String {
    let mut text: String = repaired.iter().map(|done| format!("{}\n", told(paint, Tone::Good, "Repaired", done))).collect();
    let sign = |sound: bool| if sound { Sign::Good } else { Sign::Bad };
    let mut line = |sound: bool, what: &str| {
        let sign = sign(sound);
        text.push_str(&format!("{} {what}\n", paint.tone(paint.sign(sign), sign.tone())));
    };
    let (ledger, signals) = (&looked.ledger, &looked.signals);
    let (facts, snapshots, evidence) = (count(ledger.facts, "fact"), count(ledger.snapshots, "snapshot"), ledger.evidence);
    line(
        ledger.findings.is_empty(),
        &format!("ledger: {facts} folded, {snapshots} alike, {evidence} pieces of evidence as they were kept"),
    );
    let torn = match signals.torn_bytes {
        0 => String::new(),
        bytes => format!("; the last ends in a write of {bytes} bytes that did not come to its end, which does no harm"),
    };
    let mib = signals.bytes as f64 / f64::from(1 << 20);
    line(signals.is_whole(), &format!("samples: {} of {mib:.1} MiB{torn}", count(signals.segments as u64, "segment")));
    for finding in findings {
        let mark = paint.tone(paint.sign(Sign::Bad), Tone::Bad);
        text.push_str(&format!("\n{mark} {}\n{} {}\n", inert(&finding.what), paint.tone("help:", Tone::Busy), finding.remedy));
    }
    if looked.ledger.more > 0 {
        text.push_str(&format!("\nand {} more\n", looked.ledger.more));
    }
    text
}

#[cfg(test)]
mod tests {
    use belay_server::fsck::Checked;
    use belay_server::ledger::{LedgerChecked, Repair};

    use super::*;

    #[test]
    fn what_is_wrong_comes_with_its_remedy() {
        let finding = |what: &str, repair: Option<Repair>| Finding { what: what.to_owned(), remedy: "restore".to_owned(), repair };
        let ledger = LedgerChecked {
            format: 2,
            facts: 41,
            snapshots: 1,
            evidence: 3,
            findings: vec![
                finding("fact 42 is damaged: \x1b", None),
                finding("the snapshot of fact 40 is damaged", Some(Repair::ForgetSnapshot(40))),
            ],
            more: 2,
        };
        let looked = Looked { ledger, signals: Checked { segments: 2, bytes: 3 << 20, torn_bytes: 7, ..Checked::default() } };
        insta::assert_snapshot!(shown(&looked, &looked.findings(), &["made the indexes again".to_owned()], Paint::plain()));
        let report = serde_json::to_value(report(&looked, &looked.findings(), vec![])).unwrap();
        assert_eq!((&report["sound"], &report["findings"][1]["repairable"]), (&false.into(), &true.into()), "{report}");
    }
}
