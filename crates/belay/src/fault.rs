//! What went wrong, for a person: one line that says it, one that says what to do next, and the code the process ends with.

use std::fmt;

/// Exit codes, as the manual lists them.
pub mod code {
    /// It was done; of a verdict: accepted.
    pub const OK: u8 = 0;
    /// It could not be done, or not be asked.
    pub const ERROR: u8 = 1;
    /// The Change was rejected.
    pub const REJECTED: u8 = 2;
    /// The Change's trial could not tell.
    pub const INCONCLUSIVE: u8 = 3;
    /// The Change is still on trial.
    pub const ON_TRIAL: u8 = 4;
    /// The gate: a hold.
    pub const HELD: u8 = 10;
    /// The gate: refused or deferred.
    pub const REFUSED: u8 = 11;
    /// The command line was not understood.
    pub const USAGE: u8 = 64;
}

/// Something that could not be done, with the next step.
#[derive(Debug)]
pub struct Fault {
    text: String,
    help: Option<String>,
    code: u8,
    passing: bool,
}

impl Fault {
    /// A fault with its text: what could not be done, to what, and why.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), help: None, code: code::ERROR, passing: false }
    }

    /// The same, from the command line.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: code::USAGE, ..Self::new(text) }
    }

    /// The exact next command, or the step to take.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same, of a kind that passes: whoever has time may try again.
    #[must_use]
    pub fn passing(self) -> Self {
        Self { passing: true, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

/// A fault as an error.
pub fn fault(text: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
    Fault::new(text).help(help).into()
}

/// An error as it is told: its text with its causes, its help, its exit code.
pub fn told(error: &anyhow::Error) -> (String, Option<String>, u8) {
    let text = causes(error);
    match error.chain().find_map(|cause| cause.downcast_ref::<Fault>()) {
        Some(fault) => (text, fault.help.clone(), fault.code),
        None => (text, None, code::ERROR),
    }
}

/// An error with its causes, each once: some texts hold their cause already.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Whether it may well work a little later: the server was away, or busy.
pub fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<Fault>().is_some_and(|fault| fault.passing))
}

/// Whether it is only that nobody reads the output any more (`belay changes | head -1`).
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |io: &std::io::Error| io.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(closed))
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn help_and_code_survive_added_context() {
        let error = Err::<(), _>(Fault::usage("no such thing").help("belay changes")).context("showing c-9").unwrap_err();
        assert_eq!(told(&error), ("showing c-9: no such thing".to_owned(), Some("belay changes".to_owned()), code::USAGE));
        assert_eq!(told(&anyhow::anyhow!("plain")).2, code::ERROR);
        let twice = Err::<(), _>(anyhow::anyhow!("no such file")).context("could not read x: no such file").unwrap_err();
        assert_eq!(told(&twice).0, "could not read x: no such file");
    }
}
