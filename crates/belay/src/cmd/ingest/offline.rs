//! Straight into a state directory, by the server's own writer, while no server runs there.

use std::path::{Path, PathBuf};

use belay_core::model::ids::RunId;
use belay_core::model::principal::{Principal, Role};
use belay_server::clock;
use belay_server::ledger::{self, LedgerError, Readers};
use belay_server::{Ingested, OfflineFile, Outcome, ingest_offline};

use super::{Line, Told};
use crate::fault::{Fault, fault};

/// Files that are taken before their lines are printed.
const AT_ONCE: usize = 500;

pub(super) async fn run(files: &[PathBuf], tool: &str, state: &Path, told: &mut Told) -> anyhow::Result<()> {
    let (principal, clock) = (whoever_runs_this(), clock::system());
    let readers = Readers::new(&state.join(ledger::FILE), 1);
    for part in files.chunks(AT_ONCE) {
        let part: Vec<OfflineFile> = part.iter().map(|path| OfflineFile { path: path.clone(), tool: tool.to_owned() }).collect();
        let taken = ingest_offline(state, &part, &principal, &clock).map_err(not_opened)?;
        for ingested in &taken {
            told.line(&line(&readers, ingested).await?)?;
        }
    }
    Ok(())
}

/// Who may write these files may act on all hosts; the audit says who it was.
fn whoever_runs_this() -> Principal {
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok().filter(|name| !name.is_empty());
    Principal::person(name.unwrap_or_else(|| "offline".to_owned()), Role::Operator)
}

fn not_opened(error: LedgerError) -> anyhow::Error {
    match error {
        LedgerError::Locked { dir, pid } => fault(
            format!("a server runs on {} (process {pid}): nothing was taken", dir.display()),
            "leave out --offline, and the running server takes them",
        ),
        other => Fault::new(other.to_string()).into(),
    }
}

async fn line(readers: &Readers, ingested: &Ingested) -> anyhow::Result<Line> {
    match &ingested.outcome {
        Outcome::NotTaken(why) => Ok(Line::refused(&ingested.path, why.as_str())),
        Outcome::Run { run, duplicate } => {
            let (id, duplicate): (RunId, bool) = (*run, *duplicate);
            let found = readers.ask(move |reader| reader.run(id)).await?;
            let (kind, host) = found.map(|run| (run.kind.word().to_owned(), run.host.to_string())).unzip();
            Ok(Line { run: Some(id.to_string()), kind, host, duplicate, ..Line::of(&ingested.path) })
        }
    }
}
