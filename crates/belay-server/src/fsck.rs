//! Looking at a whole state directory: the ledger and the log of signals. Nothing is changed unless it is asked for.

use std::path::Path;

pub use belay_signals::Checked;

use crate::ledger::{self, Finding, LedgerChecked, LedgerError};
use crate::signals;

/// How far a look is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// So many facts, of all.
    Facts(u64, u64),
    /// So many more bytes of samples.
    Samples(u64),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Of the ledger.
    pub ledger: LedgerChecked,
    /// Of the samples.
    pub signals: Checked,
}

/// Why it could not be looked.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The samples could not be read.
    #[error(transparent)]
    Signals(#[from] belay_signals::StoreError),
}

impl Looked {
    /// What is not as it should be, of everything. Damaged samples are never served: there is nothing to repair in them.
    pub fn findings(&self) -> Vec<Finding> {
        let remedy = "nothing: what they held is left out, and trials that need it say so; is the disk in order?";
        let finding = |what: String| Finding { what, remedy: remedy.to_owned(), repair: None };
        let damage =
            self.signals.damage.iter().map(|damage| {
                finding(format!("signals/{}: {} bytes from byte {} on are damaged", damage.file, damage.bytes, damage.offset))
            });
        let orphans = (self.signals.orphans > 0)
            .then(|| finding(format!("{} samples are of series whose definition is damaged", self.signals.orphans)));
        self.ledger.findings.iter().cloned().chain(damage).chain(orphans).collect()
    }
}

/// Looks at a state directory, also one that a server works in.
///
/// # Errors
/// When something cannot be read at all. Damage is no error.
pub fn look(state_dir: &Path, seen: &mut dyn FnMut(Stage)) -> Result<Looked, FsckError> {
    let ledger = ledger::check(&state_dir.join(ledger::FILE), &mut |done, all| seen(Stage::Facts(done, all)))?;
    let signals = belay_signals::check(&state_dir.join(signals::FOLDER), &mut |bytes| seen(Stage::Samples(bytes)))?;
    Ok(Looked { ledger, signals })
}
