//! A bar on stderr, as cargo draws it, where somebody looks and it takes long. It is a few lines: a crate for it would bring its own
//! ideas of terminals, colours and time.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::paint::{Colour, Paint, Tone};

/// How wide the bar is.
const BAR: usize = 30;
/// It is drawn no more often than this.
const EVERY: Duration = Duration::from_millis(60);
/// What is done sooner than this gets no bar.
const SHORT: Duration = Duration::from_millis(300);

/// In what progress is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Pieces.
    Pieces,
    /// Bytes.
    Bytes,
}

/// How far a long work is.
pub struct Progress {
    paint: Paint,
    verb: &'static str,
    unit: Unit,
    shown: bool,
    done: u64,
    /// None where it is not known beforehand.
    all: Option<u64>,
    begun: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// A bar for so much; nothing is drawn unless stderr is a terminal.
    pub fn new(verb: &'static str, unit: Unit, all: Option<u64>, colour: Colour) -> Self {
        let shown = std::io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb");
        Self { paint: Paint::stderr(colour), verb, unit, shown, done: 0, all, begun: Instant::now(), drawn: None }
    }

    /// So much more is done.
    pub fn step(&mut self, more: u64) {
        self.at(self.done.saturating_add(more));
    }

    /// So much is done in all.
    pub fn at(&mut self, done: u64) {
        self.done = done;
        let due = self.drawn.map_or(self.begun.elapsed() >= SHORT, |drawn| drawn.elapsed() >= EVERY);
        if self.shown && due {
            self.drawn = Some(Instant::now());
            draw(&self.bar());
        }
    }

    /// So much is done, of so much.
    pub fn of(&mut self, done: u64, all: u64) {
        self.all = Some(all);
        self.at(done);
    }

    /// Takes the bar away, so that a line can be printed.
    pub fn clear(&mut self) {
        if self.drawn.is_some() {
            draw("");
        }
    }

    fn bar(&self) -> String {
        let verb = self.paint.tone(&format!("{:>12}", self.verb), Tone::Busy);
        let Some(all) = self.all.map(|all| all.max(self.done).max(1)) else { return format!("{verb} {}", self.said(self.done)) };
        let full = usize::try_from(u128::from(self.done) * BAR as u128 / u128::from(all)).unwrap_or(BAR).min(BAR);
        format!("{verb} [{}{}] {}/{}", "=".repeat(full), " ".repeat(BAR - full), self.said(self.done), self.said(all))
    }

    fn said(&self, number: u64) -> String {
        match self.unit {
            Unit::Pieces => number.to_string(),
            Unit::Bytes => format!("{:.1} MiB", number as f64 / f64::from(1 << 20)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn draw(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // A bar that cannot be drawn is no reason to stop.
    let _ = write!(stderr, "\r{text}\x1b[K").and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(unit: Unit, done: u64, all: Option<u64>) -> String {
        let begun = Instant::now();
        Progress { paint: Paint::plain(), verb: "Ingesting", unit, shown: false, done, all, begun, drawn: None }.bar()
    }

    #[test]
    fn the_bar_fills_as_work_is_done_and_never_overflows() {
        let half = format!("   Ingesting [{}{}] ", "=".repeat(15), " ".repeat(15));
        assert_eq!(bar(Unit::Pieces, 50, Some(100)), format!("{half}50/100"));
        assert_eq!(bar(Unit::Bytes, 3 << 19, Some(3 << 20)), format!("{half}1.5 MiB/3.0 MiB"));
        assert_eq!(bar(Unit::Pieces, 7, Some(5)), format!("   Ingesting [{}] 7/7", "=".repeat(30)));
        assert_eq!(bar(Unit::Pieces, 0, Some(0)), format!("   Ingesting [{}] 0/1", " ".repeat(30)));
        assert_eq!(bar(Unit::Pieces, 7, None), "   Ingesting 7");
    }
}
