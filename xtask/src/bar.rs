//! How far a long work is, on stderr, where somebody looks.

use std::io::{IsTerminal, Write};

/// How wide it is drawn.
const WIDE: usize = 30;

/// A bar for a number of pieces.
pub struct Bar {
    verb: &'static str,
    all: usize,
    done: usize,
    shown: bool,
}

impl Bar {
    /// Nothing is drawn unless stderr is a terminal.
    pub fn new(verb: &'static str, all: usize) -> Self {
        Self { verb, all: all.max(1), done: 0, shown: std::io::stderr().is_terminal() }
    }

    /// One more piece is done.
    pub fn step(&mut self) {
        self.done += 1;
        if self.shown {
            // That nobody can read it is no reason to stop.
            let _ = write!(std::io::stderr(), "\r{}", self.line());
        }
    }

    fn line(&self) -> String {
        let full = (self.done * WIDE / self.all).min(WIDE);
        format!("{:>12} [{}{}] {}/{}", self.verb, "=".repeat(full), " ".repeat(WIDE - full), self.done, self.all)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.shown && self.done > 0 {
            let _ = write!(std::io::stderr(), "\r{}\r", " ".repeat(self.line().chars().count()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done_and_never_fuller() {
        let bar = |done| Bar { verb: "Asking", all: 4, done, shown: false }.line();
        assert_eq!(bar(2), "      Asking [===============               ] 2/4");
        assert_eq!(bar(9).matches('=').count(), WIDE);
    }
}
