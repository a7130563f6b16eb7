//! What is printed: results on stdout, progress and advice on stderr, everything inert.

pub mod inert;
pub mod paint;
pub mod progress;
pub mod screen;
pub mod table;
pub mod told;
pub mod typed;
pub mod when;

use std::cell::RefCell;
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

thread_local! {
    /// What is kept instead of written, while it is.
    static KEPT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does something, and keeps what it prints: it can be drawn when it is whole. One thread runs a command, so what is done is all
/// that prints.
pub async fn keep<T>(what: &mut impl AsyncFnMut() -> T) -> (String, T) {
    KEPT.set(Some(String::new()));
    let done = what().await;
    (KEPT.take().unwrap_or_default(), done)
}

/// Whether a text was kept.
fn kept(text: &str) -> bool {
    KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.push_str(text)).is_some())
}

/// Writes a result to stdout.
///
/// # Errors
/// When stdout cannot be written to; see [`crate::fault::is_closed_pipe`].
pub fn put(text: &str) -> anyhow::Result<()> {
    if kept(text) {
        return Ok(());
    }
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes progress or advice to stderr. That nobody can read it is no reason to stop.
pub fn note(text: &str) {
    if kept(&format!("{text}\n")) {
        return;
    }
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}
