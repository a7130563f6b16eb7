//! A line cut into words, and what the words mean.

use std::str::FromStr;

use belay_core::model::ids::{ChangeId, ClassName, Environment, HostId, Release};
use belay_core::model::item::ItemKey;
use belay_core::model::time::Span;

use crate::fleet::Fleet;
use crate::fleet::branch::parse_item;

/// Cuts a line into words; what stands in double quotes is one word.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    if line.matches('"').count() % 2 == 1 { Err("a quote is never closed".to_owned()) } else { Ok(words) }
}

/// The words of a line, read from left to right.
pub(super) struct Words<'w> {
    words: &'w [String],
}

impl<'w> Words<'w> {
    pub(super) fn new(words: &'w [String]) -> Self {
        Self { words }
    }

    /// The next word, which must be there.
    pub(super) fn next(&mut self, what: &str) -> Result<&'w str, String> {
        let (first, rest) = self.words.split_first().ok_or_else(|| format!("the line ends where {what} should stand"))?;
        self.words = rest;
        Ok(first)
    }

    /// The next word, if there is one.
    pub(super) fn more(&mut self) -> Option<&'w str> {
        self.next("").ok()
    }

    /// Takes the next word if it is this one.
    pub(super) fn take_if(&mut self, word: &str) -> bool {
        let found = self.words.first().is_some_and(|next| next == word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    /// The words left, all of them.
    pub(super) fn rest(&mut self) -> &'w [String] {
        std::mem::take(&mut self.words)
    }

    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), String> {
        match self.words {
            [] => Ok(()),
            left => Err(format!("what does `{}` mean here?", left.join(" "))),
        }
    }

    /// A word that is a fixed one.
    pub(super) fn must(&mut self, word: &str) -> Result<(), String> {
        match self.next(&format!("`{word}`"))? {
            found if found == word => Ok(()),
            found => Err(format!("`{word}` should stand where `{found}` does")),
        }
    }

    /// The value behind a word, where the word is there: `splay 10m`.
    pub(super) fn option(&mut self, word: &str) -> Result<Option<&'w str>, String> {
        if self.take_if(word) { self.next(&format!("a value of `{word}`")).map(Some) } else { Ok(None) }
    }

    /// A length of time.
    pub(super) fn span(&mut self, what: &str) -> Result<Span, String> {
        span(self.next(what)?)
    }

    /// A length of time behind a word; none at all where the word is not there.
    pub(super) fn span_option(&mut self, word: &str) -> Result<Option<Span>, String> {
        self.option(word)?.map(span).transpose()
    }

    /// A time after the start: `+2h`.
    pub(super) fn after_start(&mut self) -> Result<Span, String> {
        let word = self.next("a time after the start, as `+2h`")?;
        span(word.strip_prefix('+').ok_or_else(|| format!("`{word}` should begin with a `+`"))?)
    }

    /// A number.
    pub(super) fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.next(what)?;
        word.parse().map_err(|_| format!("`{word}` is no number"))
    }

    /// A Change.
    pub(super) fn change(&mut self) -> Result<ChangeId, String> {
        let word = self.next("a Change")?;
        ChangeId::parse(word).ok_or_else(|| format!("`{word}` is no Change; write for example c-1"))
    }

    /// A class.
    pub(super) fn class(&mut self) -> Result<ClassName, String> {
        ClassName::parse(self.next("a class")?).map_err(|bad| bad.to_string())
    }

    /// A release; `-` is none.
    pub(super) fn release(&mut self) -> Result<Option<Release>, String> {
        match self.next("a release")? {
            "-" => Ok(None),
            word => Release::parse(word).map(Some).map_err(|bad| bad.to_string()),
        }
    }

    /// An environment.
    pub(super) fn environment(&mut self) -> Result<Environment, String> {
        environment(self.next("an environment")?)
    }

    /// An item, in quotes.
    pub(super) fn item(&mut self) -> Result<ItemKey, String> {
        let word = self.next("an item")?;
        parse_item(word).ok_or_else(|| format!("`{word}` is no item; write for example \"File[/etc/app.conf] content\""))
    }

    /// Hosts: a class, a name, a range of names, or several of them with commas.
    pub(super) fn hosts(&mut self, fleet: &Fleet) -> Result<Vec<HostId>, String> {
        let word = self.next("hosts")?;
        let mut all = Vec::new();
        for part in word.split(',') {
            let hosts = hosts(fleet, part);
            if hosts.is_empty() {
                return Err(format!("there are no hosts `{part}`"));
            }
            all.extend(hosts);
        }
        Ok(all)
    }

    /// `on` or `off`.
    pub(super) fn on(&mut self) -> Result<bool, String> {
        match self.next("`on` or `off`")? {
            "on" => Ok(true),
            "off" => Ok(false),
            other => Err(format!("`on` or `off` should stand where `{other}` does")),
        }
    }
}

pub(super) fn environment(word: &str) -> Result<Environment, String> {
    Environment::parse(word).map_err(|bad| bad.to_string())
}

/// The hosts of a class, of a range `web01..web15`, or of one name.
fn hosts(fleet: &Fleet, word: &str) -> Vec<HostId> {
    let (first, last) = word.split_once("..").unwrap_or((word, word));
    let within = |id: &HostId| id.as_str() >= first && id.as_str() <= last;
    fleet.hosts.values().filter(|host| host.class.as_str() == word || within(&host.id)).map(|host| host.id.clone()).collect()
}

/// A length of time: `90s`, `1h30m`, `2d`; `-10m` lies before.
fn span(text: &str) -> Result<Span, String> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut total: i64 = 0;
    let bad = || format!("`{text}` is no length of time; write for example 90s, 10m, 2h or 3d");
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, after) = rest.split_at(digits);
        let unit = match after.chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            Some(_) | None => return Err(bad()),
        };
        total += number.parse::<i64>().map_err(|_| bad())? * unit;
        rest = &after[1..];
    }
    if text.is_empty() { Err(bad()) } else { Ok(Span::from_s(sign * total)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_quotes_is_one_word() {
        assert_eq!(split(r#"content r142 web "File[/etc/a b] content" "x""#).unwrap().len(), 5);
        assert!(split("a \"b").is_err());
    }

    #[test]
    fn lengths_of_time_read_as_people_write_them() {
        assert_eq!(span("1h30m"), Ok(Span::from_min(90)));
        assert_eq!(span("-10m"), Ok(Span::from_min(-10)));
        for bad in ["", "10", "m", "5x", "1h3"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_may_be_left_of_a_line() {
        let words = split("wait 1m nonsense").unwrap();
        let mut words = Words::new(&words);
        words.must("wait").unwrap();
        words.span("").unwrap();
        assert!(words.finish().unwrap_err().contains("nonsense"));
    }
}
