//! What is printed: results on stdout, progress and advice on stderr, everything inert.

pub mod inert;
pub mod paint;
pub mod table;
pub mod told;
pub mod when;

use std::io::Write;

/// In which form a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// The API's answer.
    Json,
    /// One JSON value a line: the entries of a list, or the whole answer.
    Jsonl,
}

/// Writes a result to stdout.
///
/// # Errors
/// When stdout cannot be written to; see [`crate::fault::is_closed_pipe`].
pub fn put(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes progress or advice to stderr. That nobody can read it is no reason to stop.
pub fn note(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}
