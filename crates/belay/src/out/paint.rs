//! Colour and signs: only where somebody looks, never the only bearer of a meaning.

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::ValueEnum;
use owo_colors::OwoColorize;

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Also into a pipe.
    Always,
    /// Not at all.
    Never,
}

impl Colour {
    /// What these arguments say, before they are understood: help and complaints about them are painted as well.
    pub fn asked_for(mut arguments: impl Iterator<Item = OsString>) -> Self {
        let mut found = Self::default();
        while let Some(argument) = arguments.next() {
            let value = match argument.to_str() {
                Some("--") => break,
                Some("--color") => arguments.next().unwrap_or_default(),
                Some(text) => text.strip_prefix("--color=").unwrap_or_default().into(),
                None => continue,
            };
            found = value.to_str().and_then(|word| Self::from_str(word, false).ok()).unwrap_or(found);
        }
        found
    }

    /// The same for clap's own texts.
    pub const fn of_help(self) -> clap::ColorChoice {
        match self {
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }
}

/// What a text says by its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Harm, or a failure.
    Bad,
    /// Somebody should look.
    Warn,
    /// Going on.
    Busy,
    /// Of less weight.
    Faint,
    /// A heading.
    Strong,
    /// Nothing.
    Plain,
}

/// How texts are painted on one stream.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    colour: bool,
    signs: bool,
}

impl Paint {
    /// For what is written to stdout.
    pub fn stdout(colour: Colour) -> Self {
        Self::of(colour, std::io::stdout().is_terminal())
    }

    /// For what is written to stderr.
    pub fn stderr(colour: Colour) -> Self {
        Self::of(colour, std::io::stderr().is_terminal())
    }

    fn of(colour: Colour, terminal: bool) -> Self {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let colour = match colour {
            Colour::Auto => terminal && env("NO_COLOR").is_none() && env("TERM").is_none_or(|term| term != "dumb"),
            Colour::Always => true,
            Colour::Never => false,
        };
        let locale = env("LC_ALL").or_else(|| env("LC_CTYPE")).or_else(|| env("LANG")).unwrap_or_default().to_ascii_lowercase();
        Self { colour, signs: locale.contains("utf-8") || locale.contains("utf8") }
    }

    /// Neither colour nor signs beyond ASCII, wherever the test runs.
    #[cfg(test)]
    pub const fn plain() -> Self {
        Self { colour: false, signs: false }
    }

    /// Whether there is colour at all.
    pub const fn coloured(self) -> bool {
        self.colour
    }

    /// The text in the tone's colour.
    pub fn tone(self, text: &str, tone: Tone) -> String {
        if !self.colour {
            return text.to_owned();
        }
        match tone {
            Tone::Good => text.green().to_string(),
            Tone::Bad => text.red().bold().to_string(),
            Tone::Warn => text.yellow().to_string(),
            Tone::Busy => text.cyan().to_string(),
            Tone::Faint => text.dimmed().to_string(),
            Tone::Strong => text.bold().to_string(),
            Tone::Plain => text.to_owned(),
        }
    }

    /// The sign, or what stands for it where the terminal's character set is not known to hold it.
    pub const fn sign(self, sign: Sign) -> &'static str {
        let (sign, ascii) = sign.texts();
        if self.signs { sign } else { ascii }
    }
}

/// A sign before a line: one character wide, the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The whole: a Change with its trial.
    Whole,
    /// Waiting for its turn.
    Waiting,
    /// Going on.
    Going,
    /// Well.
    Good,
    /// Harm, or a failure.
    Bad,
    /// Somebody should look.
    Warn,
    /// Held.
    Held,
    /// Not known.
    Unknown,
}

impl Sign {
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Whole => ("\u{27f3}", "@"),
            Self::Waiting => ("\u{25f7}", "."),
            Self::Going => ("\u{25cc}", "o"),
            Self::Good => ("\u{2714}", "+"),
            Self::Bad => ("\u{2716}", "x"),
            Self::Warn => ("\u{26a0}", "!"),
            Self::Held => ("\u{2016}", "="),
            Self::Unknown => ("?", "?"),
        }
    }

    /// The tone that goes with it.
    pub const fn tone(self) -> Tone {
        match self {
            Self::Whole | Self::Going => Tone::Busy,
            Self::Waiting | Self::Held | Self::Unknown => Tone::Faint,
            Self::Good => Tone::Good,
            Self::Bad => Tone::Bad,
            Self::Warn => Tone::Warn,
        }
    }
}

/// The sign of a standing or of a run's kind, by its word.
pub fn sign_of(word: &str) -> Sign {
    match word {
        "accepted" | "unchanged" => Sign::Good,
        "changed" => Sign::Whole,
        "rejected" | "failed" | "failed-compile" | "no-catalog" | "aborted" | "refused" => Sign::Bad,
        "on trial" | "on-trial" => Sign::Going,
        "suspect" | "inconclusive" | "cached-catalog" | "partial" => Sign::Warn,
        "noop-would-change" | "noop-unchanged" => Sign::Held,
        _ => Sign::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_kept_off_what_is_not_a_terminal_unless_asked_for() {
        assert_eq!(Paint::of(Colour::Auto, false).tone("x", Tone::Bad), "x");
        assert_eq!(Paint::of(Colour::Never, true).tone("x", Tone::Bad), "x");
        assert!(Paint::of(Colour::Always, false).tone("x", Tone::Bad).starts_with('\u{1b}'));
    }

    #[test]
    fn what_is_asked_for_is_known_before_the_command_line_is_understood() {
        let of = |words: &[&str]| Colour::asked_for(words.iter().map(|word| (*word).into()));
        assert_eq!(of(&["bogus", "--color=always"]), Colour::Always);
        assert_eq!(of(&["--color", "never", "status", "--help"]), Colour::Never);
        assert_eq!(of(&["--", "--color=never"]), Colour::Auto);
        assert_eq!(of(&["--color"]), Colour::Auto);
        assert_eq!(of(&["--color=loud"]), Colour::Auto);
    }

    #[test]
    fn signs_have_an_ascii_twin_of_their_own() {
        let all = [Sign::Whole, Sign::Waiting, Sign::Going, Sign::Good, Sign::Bad, Sign::Warn, Sign::Held, Sign::Unknown]
            .map(|sign| sign.texts().1);
        let distinct: std::collections::BTreeSet<&str> = all.into_iter().collect();
        assert!(distinct.len() == all.len() && all.iter().all(|ascii| ascii.len() == 1 && ascii.is_ascii()));
    }
}
