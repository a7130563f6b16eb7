//! Taking reports from files while no server runs: the same reading, deciding and committing, by
//! the same writer.

use std::path::{Path, PathBuf};

use belay_adapters::tools;
use belay_core::decide::{Answer, Input};
use belay_core::model::ids::RunId;
use belay_core::model::principal::Principal;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::drive::{Keep, Limits, Work, Writer, intake};
use crate::ledger::{Deposit, Ledger, LedgerError};

/// A file with one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineFile {
    /// Where it lies.
    pub path: PathBuf,
    /// The tool that wrote it.
    pub tool: String,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// The file.
    pub path: PathBuf,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is recorded, or had been.
    Run {
        /// The run's number.
        run: RunId,
        /// It had been recorded before.
        duplicate: bool,
    },
    /// It was put aside, or not taken at all; the text says why.
    NotTaken(String),
}

/// Takes reports from files into the ledger of a state directory, as this principal.
///
/// # Errors
/// When the ledger cannot be opened (a server may be running) or written. What was taken before
/// stays taken.
pub fn ingest_offline(state_dir: &Path, files: &[OfflineFile], principal: &Principal, clock: &Clock) -> Result<Vec<Ingested>, LedgerError> {
    let ledger = Ledger::open(state_dir, None)?;
    let mut writer = Writer::new(ledger, Clock::clone(clock), Limits::default())?;
    files.iter().map(|file| Ok(Ingested { path: file.path.clone(), outcome: ingest(&mut writer, file, principal, clock)? })).collect()
}

fn ingest(writer: &mut Writer, file: &OfflineFile, principal: &Principal, clock: &Clock) -> Result<Outcome, LedgerError> {
    let Some(tool) = tools::by_name(&file.tool) else {
        let names: Vec<_> = tools::all().iter().map(|tool| tool.name()).collect();
        return Ok(Outcome::NotTaken(format!("there is no tool called {}; there are {}", file.tool, names.join(", "))));
    };
    let body = match std::fs::read(&file.path) {
        Ok(body) => axum::body::Bytes::from(body),
        Err(error) => return Ok(Outcome::NotTaken(format!("it could not be read: {error}"))),
    };
    let received = clock();
    let deposit = Deposit { received, tool: tool.name(), head: String::new(), principal: principal.clone(), body: body.clone() };
    let (reply, mut answer) = oneshot::channel();
    writer.turn(Work::Deposit { deposit, reply }, || None)?;
    let inbox = match answer.try_recv() {
        Ok(Ok(id)) => Some(id),
        Ok(Err(refused)) => return Ok(Outcome::NotTaken(refused.to_string())),
        Err(_) => None,
    };
    let (result, digest, raw) = intake::read_alone(tool, &body);
    let input = match result {
        Ok(decoded) => Input::Report { principal: principal.clone(), decoded, received, inbox, earlier: None, before: None, past: false },
        Err(bad) => Input::Unreadable { principal: principal.clone(), inbox, host: bad.host.clone(), digest, reason: bad.to_string() },
    };
    let (reply, mut answer) = oneshot::channel();
    writer.turn(Work::Input { input: Box::new(input), keep: Keep { raw, ..Keep::default() }, reply }, || None)?;
    Ok(match answer.try_recv() {
        Ok(Answer::Run { run, duplicate }) => Outcome::Run { run, duplicate },
        Ok(other) => Outcome::NotTaken(other.refusal().unwrap_or("nothing was to be done").to_owned()),
        Err(_) => Outcome::NotTaken("no answer came".to_owned()),
    })
}
