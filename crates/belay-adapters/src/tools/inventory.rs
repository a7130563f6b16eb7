//! Inventories: programs that know a fleet already, with its facts and what its runs did. They are asked now and then and
//! never told anything. What to ask next and what an answer means is planned here; whoever moves the bytes keeps the [`Mark`].
//!
//! A round asks for hosts and their facts first, then for the past (once), then for what came since the round before. Every answer
//! is turned into messages of a feed, so that what comes by this road is read, kept and told apart like what is sent.

use belay_core::model::report::Unreadable;
use belay_core::model::time::{Span, Timestamp};
use serde_json::{Value, json};

/// An inventory.
pub trait Inventory: Sync {
    /// Its name, as the configuration says it.
    fn name(&self) -> &'static str;

    /// The feed whose messages its answers are turned into.
    fn feed(&self) -> &'static str;

    /// The path, with its query, of what is to be asked next, for at most so many rows.
    fn ask(&self, mark: &Mark, rows: u32) -> String;

    /// Reads the answer to that question.
    ///
    /// # Errors
    /// [`Unreadable`] when it is no whole answer.
    fn read(&self, mark: &Mark, rows: u32, answer: &[u8]) -> Result<Page, Unreadable>;
}

/// How far an inventory was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When it was first asked: what it received before is the past.
    pub since: Timestamp,
    /// What is asked next.
    pub turn: Turn,
    /// Facts up to here are known.
    pub facts: Edge,
    /// The past up to here is known; nothing once all of it is.
    pub past: Option<Edge>,
    /// What came since is known up to here.
    pub news: Edge,
}

/// What is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Hosts and their facts.
    Facts,
    /// Runs from before it was first asked.
    Past,
    /// Runs since.
    News,
}

/// A place in an order by time: so many entries of exactly this time were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The time.
    pub at: Timestamp,
    /// Entries of it that were taken.
    pub taken: u32,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Its entries, as messages.
    pub messages: Vec<Pulled>,
    /// Entries that were passed over, because they are not of a kind that is known.
    pub passed_over: u32,
    /// How far it was read with this.
    pub mark: Mark,
    /// Whether there is more to ask in this round.
    pub more: bool,
}

/// An entry of an answer, as a message of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// By which it is known again, when it comes once more.
    pub key: String,
    /// The host it is about, as it is spelled.
    pub host: String,
    /// What stands before the message: see [`Feed::read`](super::Feed::read).
    pub head: String,
    /// The message.
    pub body: Vec<u8>,
}

/// What was received so shortly before the last entry may have become visible after it.
const OVERLAP: Span = Span::from_min(1);

/// All inventories.
pub fn all_inventories() -> &'static [&'static dyn Inventory] {
    &[&super::puppet::PuppetDb]
}

/// The inventory of this name.
pub fn inventory_by_name(name: &str) -> Option<&'static dyn Inventory> {
    all_inventories().iter().copied().find(|inventory| inventory.name() == name)
}

impl Edge {
    /// The beginning of this time.
    pub const fn of(at: Timestamp) -> Self {
        Self { at, taken: 0 }
    }

    /// The place behind entries of these times, which are in order and begin here.
    pub fn behind(self, times: &[Timestamp]) -> Self {
        let Some(last) = times.last().copied() else { return self };
        let same = u32::try_from(times.iter().filter(|at| **at == last).count()).unwrap_or(u32::MAX);
        if last == self.at { Self { at: last, taken: self.taken.saturating_add(same) } } else { Self { at: last, taken: same } }
    }
}

impl Mark {
    /// The mark of an inventory that was never asked; so much of its past is wanted.
    pub fn begin(now: Timestamp, past: Span) -> Self {
        let past = (past > Span::ZERO).then(|| Edge::of(now - past));
        Self { since: now, turn: Turn::Facts, facts: Edge::of(Timestamp::from_ms(0)), past, news: Edge::of(now) }
    }

    /// The mark with which the next round begins.
    #[must_use]
    pub fn next_round(&self) -> Self {
        let back = |edge: Edge, not_before: Timestamp| Edge::of((edge.at - OVERLAP).max(not_before));
        let facts = if self.facts.at.ms() == 0 { self.facts } else { back(self.facts, Timestamp::from_ms(0)) };
        Self { turn: Turn::Facts, facts, news: back(self.news, self.since), ..self.clone() }
    }

    /// The mark behind a page of entries of these times; `full` where the page had as many as were asked for. And whether
    /// there is more to ask in this round.
    pub fn behind(&self, times: &[Timestamp], full: bool) -> (Self, bool) {
        let mut mark = self.clone();
        match (self.turn, self.past) {
            (Turn::Facts, _) => mark.facts = self.facts.behind(times),
            (Turn::Past, past) => mark.past = past.map(|edge| edge.behind(times)).filter(|_| full),
            (Turn::News, _) => mark.news = self.news.behind(times),
        }
        if full {
            return (mark, true);
        }
        mark.turn = match (self.turn, mark.past) {
            (Turn::Facts, Some(_)) => Turn::Past,
            (Turn::Facts, None) | (Turn::Past, _) => Turn::News,
            (Turn::News, _) => return (mark, false),
        };
        (mark, true)
    }

    /// The mark behind one entry that is left out unread.
    #[must_use]
    pub fn past_one(&self) -> Self {
        let one = |edge: Edge| Edge { taken: edge.taken.saturating_add(1), ..edge };
        let mut mark = self.clone();
        match self.turn {
            Turn::Facts => mark.facts = one(self.facts),
            Turn::Past => mark.past = self.past.map(one),
            Turn::News => mark.news = one(self.news),
        }
        mark
    }

    /// As a text that is kept.
    pub fn to_text(&self) -> String {
        let edge = |edge: Edge| json!([edge.at.ms(), edge.taken]);
        json!({ "since": self.since.ms(), "facts": edge(self.facts), "past": self.past.map(edge), "news": edge(self.news) }).to_string()
    }

    /// Reads the text back; a round begins with it. `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let edge = |value: &Value| {
            let (at, taken) = (value.get(0)?.as_i64()?, value.get(1)?.as_u64()?);
            Some(Edge { at: Timestamp::from_ms(at), taken: u32::try_from(taken).ok()? })
        };
        let since = Timestamp::from_ms(value.get("since")?.as_i64()?);
        let past = match value.get("past")? {
            Value::Null => None,
            known => Some(edge(known)?),
        };
        Some(Self { since, turn: Turn::Facts, facts: edge(value.get("facts")?)?, past, news: edge(value.get("news")?)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_mark_comes_back_as_it_was_and_a_strange_text_is_none() {
        let mut mark = Mark::begin(at(5_000_000), Span::from_min(10));
        for _ in 0..2 {
            assert_eq!(Mark::parse(&mark.to_text()), Some(mark.clone()));
            mark.past = None;
        }
        for text in ["", "{}", "[]", r#"{"since":1,"facts":[1],"past":null,"news":[1,1]}"#] {
            assert_eq!(Mark::parse(text), None, "{text}");
        }
    }

    #[test]
    fn entries_of_one_time_that_fill_pages_are_all_taken() {
        let edge = Edge::of(at(1)).behind(&[at(1), at(2), at(3), at(3)]);
        assert_eq!(edge, Edge { at: at(3), taken: 2 });
        assert_eq!(edge.behind(&[at(3), at(3)]), Edge { at: at(3), taken: 4 });
        assert_eq!(edge.behind(&[]), edge);
    }

    #[test]
    fn a_round_asks_for_facts_the_past_once_and_news_and_the_next_looks_back_a_little() {
        let begin = Mark::begin(at(10_000_000), Span::from_min(60));
        let (mark, more) = begin.behind(&[at(5), at(6)], true);
        assert!(more && mark.turn == Turn::Facts && mark.facts == Edge { at: at(6), taken: 1 });
        let (mark, _) = mark.behind(&[], false);
        assert_eq!(mark.turn, Turn::Past);
        let (mark, _) = mark.behind(&[at(9_000_000)], true);
        assert_eq!((mark.turn, mark.past), (Turn::Past, Some(Edge { at: at(9_000_000), taken: 1 })));
        let (mark, more) = mark.behind(&[at(9_500_000)], false);
        assert!(more && mark.turn == Turn::News && mark.past.is_none(), "{mark:?}");
        let (mark, more) = mark.behind(&[at(10_500_000)], false);
        assert!(!more);
        let next = mark.next_round();
        assert_eq!((next.turn, next.news), (Turn::Facts, Edge::of(at(10_440_000))));
        let (next, _) = next.behind(&[], false);
        assert_eq!(next.turn, Turn::News, "the past is read once");
        let soon = Mark { news: Edge::of(at(10_000_001)), ..mark };
        assert_eq!(soon.next_round().news.at, at(10_000_000), "not before it was first asked");
    }
}
