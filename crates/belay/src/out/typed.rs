//! What is typed and nobody should see. From a pipe it is read as it comes, a line each.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::fault::Fault;

/// The longest line that is read, in bytes.
const LINE_MAX: u64 = 4096;

/// A secret that is to be set: on a terminal it is asked for twice.
///
/// # Errors
/// When it cannot be read, is empty, or is not typed the same again.
pub fn new_secret(what: &str) -> anyhow::Result<String> {
    let first = secret(what)?;
    if std::io::stdin().is_terminal() && secret(&format!("{what} again"))? != first {
        return Err(Fault::usage("what was typed the second time is something else").help("nothing was altered; try again").into());
    }
    Ok(first)
}

/// A secret.
///
/// # Errors
/// When it cannot be read or is empty.
pub fn secret(what: &str) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let line = if stdin.is_terminal() {
        let mut stderr = std::io::stderr();
        write!(stderr, "{what}: ").and_then(|()| stderr.flush()).context("could not ask")?;
        let _unseen = Unseen::begin().context("could not hide what is typed")?;
        let line = line();
        // The end of the line was not shown either.
        let _ = writeln!(stderr);
        line?
    } else {
        line()?
    };
    if line.is_empty() {
        return Err(Fault::usage(format!("{}: nothing came", what.to_lowercase())).help("type it, or send it by a pipe").into());
    }
    Ok(line)
}

fn line() -> anyhow::Result<String> {
    let mut text = String::new();
    let mut from = std::io::Read::take(std::io::stdin().lock(), LINE_MAX);
    from.read_line(&mut text).context("could not read what was typed")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// While this lives, the terminal does not show what is typed.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
