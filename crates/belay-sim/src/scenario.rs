//! Scenarios: stories in Markdown that are run as tests.
//!
//! Prose is for people. A block fenced as `toml` is a configuration, loaded where it stands; a
//! block fenced as `belay` holds commands, one a line, carried out in order on a simulated fleet
//! in virtual time (`orders` and `expect` list them). Whatever goes otherwise than told names the
//! file and the line.

mod document;
mod expect;
mod orders;
mod words;

use std::fmt;

use belay_core::model::time::{Span, Timestamp};

use crate::world::World;
use document::Block;
use words::Words;

/// Where a story went otherwise than told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// What happened instead, or what is wrong with the line.
    pub text: String,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

impl std::error::Error for Deviation {}

/// A story being told.
struct Stage {
    world: World,
    began: Timestamp,
}

/// Tells a story and answers with the world as it is at its end.
///
/// # Errors
/// The first [`Deviation`].
pub fn tell(file: &str, text: &str) -> Result<World, Deviation> {
    let mut stage = Stage { world: World::new(1), began: crate::world::BEGINNING };
    let blocks = document::blocks(text).map_err(|(line, text)| Deviation { file: file.to_owned(), line, text })?;
    for block in &blocks {
        stage.play(file, block).map_err(|(line, text)| Deviation { file: file.to_owned(), line, text })?;
    }
    Ok(stage.world)
}

impl Stage {
    fn play(&mut self, file: &str, block: &Block<'_>) -> Result<(), (usize, String)> {
        match block {
            Block::Config { line, text } => {
                let config = belay_api::config::parse(file, text).map_err(|errors| {
                    let first = errors.first().map_or(0, |error| error.line);
                    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
                    (line + first, format!("no valid configuration: {}", all.join("; ")))
                })?;
                self.world.load(config.policy);
                Ok(())
            }
            Block::Commands { lines } => {
                lines.iter().try_for_each(|(line, text)| self.carry_out(text).map_err(|said| (*line, format!("`{text}`: {said}"))))
            }
        }
    }

    /// Carries out one line.
    fn carry_out(&mut self, text: &str) -> Result<(), String> {
        let words = words::split(text)?;
        self.command(&mut Words::new(&words))
    }

    fn command(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        match words.next("a command")? {
            "wait" => {
                let span = words.span("how long")?;
                self.world.run_for(span);
            }
            "at" => {
                let at = self.began + words.after_start()?;
                if at < self.world.clock {
                    return Err(format!("it is {} after the start already", self.world.clock.since(self.began)));
                }
                self.world.run_until(at);
                return self.command(words);
            }
            "expect" => self.expect(words)?,
            order => self.order(order, words)?,
        }
        words.finish()
    }

    /// Expects something, now or within a time.
    fn expect(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let deadline = match words.take_if("within") {
            true => self.world.clock + words.span("how long")?,
            false => return expect::expect(&self.world, words),
        };
        let rest = words.rest();
        let step = Span::from_s(5);
        loop {
            let said = expect::expect(&self.world, &mut Words::new(rest));
            if said.is_ok() || self.world.clock >= deadline {
                return said;
            }
            self.world.run_until((self.world.clock + step).min(deadline));
        }
    }
}
