//! How the demo is told: a verb, the seconds since it began, what happened. On a terminal a last line says what is waited for.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use crate::out::inert::{clip, inert};
use crate::out::paint::{Paint, Tone};

/// Longest line of waiting, in characters: it has to fit on one line of any terminal to be taken back.
const WAITING_MAX: usize = 60;
const SPIN: [&str; 4] = ["|", "/", "-", "\\"];

/// Where the story goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// It is the result.
    Stdout,
    /// The result is something else.
    Stderr,
}

/// Tells the story.
pub struct Teller {
    begun: Instant,
    stream: Stream,
    paint: Paint,
    animated: bool,
    spun: usize,
    waiting: bool,
}

impl Teller {
    /// A teller; the clock begins now. Only a terminal is animated, and only where that is wanted.
    pub fn new(stream: Stream, paint: Paint, headless: bool) -> Self {
        let terminal = match stream {
            Stream::Stdout => std::io::stdout().is_terminal(),
            Stream::Stderr => std::io::stderr().is_terminal(),
        };
        Self { begun: Instant::now(), stream, paint, animated: terminal && !headless, spun: 0, waiting: false }
    }

    /// How it is painted.
    pub const fn paint(&self) -> Paint {
        self.paint
    }

    /// Seconds since it began.
    pub fn elapsed_s(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// One thing that happened.
    pub fn tell(&mut self, tone: Tone, verb: &str, what: &str) {
        let verb = self.paint.tone(&format!("{verb:>12}"), tone);
        let time = self.paint.tone(&format!("{:>5.1} s", self.elapsed_s()), Tone::Faint);
        self.write(&format!("{verb} {time}  {}\n", inert(what)));
    }

    /// More of what was told last, under it.
    pub fn more(&mut self, what: &str) {
        self.write(&format!("{:>21}{}\n", "", inert(what)));
    }

    /// A text of several lines, each already inert and painted.
    pub fn block(&mut self, lines: &str) {
        self.write(lines);
    }

    /// What is waited for, where somebody looks.
    pub fn wait(&mut self, what: &str) {
        if !self.animated {
            return;
        }
        self.spun += 1;
        let text = format!("\r{:>12} {:>5.1} s  {}\x1b[K", SPIN[self.spun % SPIN.len()], self.elapsed_s(), clip(what, WAITING_MAX));
        self.waiting = true;
        self.put(&text);
    }

    fn write(&mut self, text: &str) {
        if std::mem::take(&mut self.waiting) {
            self.put(&format!("\r\x1b[K{text}"));
        } else {
            self.put(text);
        }
    }

    /// The story goes on also when nobody listens: its end is the exit code.
    fn put(&self, text: &str) {
        let _ = match self.stream {
            Stream::Stdout => std::io::stdout().lock().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()),
            Stream::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
        };
    }
}
