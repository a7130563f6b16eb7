//! How a host's application fared over time, and how well it was heard: what the samples of a time
//! are made from, whenever somebody asks for them.

use belay_core::model::time::{Span, Timestamp};

use super::application::Health;

/// What comes in place of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Dirt {
    /// The values themselves.
    #[default]
    None,
    /// Not a number.
    NotANumber,
    /// Infinite.
    Infinite,
    /// The mark that a series has ended.
    Stale,
}

/// How things stand on a host from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Condition {
    /// How the application fares.
    pub health: Health,
    /// What exports its signals is silent.
    pub silent: bool,
    /// What comes in place of values.
    pub dirt: Dirt,
    /// Samples travel this long.
    pub lag: Span,
    /// When the application was last started: its counter began at zero then.
    pub born: Timestamp,
}

/// Conditions, each from its time on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline(Vec<(Timestamp, Condition)>);

impl Timeline {
    /// How things stand last.
    pub fn last(&self) -> Condition {
        self.0.last().map_or(Condition::default(), |(_, condition)| *condition)
    }

    /// From `at` on it is so; never before what is known already.
    pub fn push(&mut self, at: Timestamp, condition: Condition) {
        if self.last() == condition && !self.0.is_empty() {
            return;
        }
        let at = self.0.last().map_or(at, |(last, _)| at.max(*last));
        match self.0.last_mut() {
            Some((last, known)) if *last == at => *known = condition,
            Some(_) | None => self.0.push((at, condition)),
        }
    }

    /// How it was at a time; nothing before the host was.
    pub fn at(&self, time: Timestamp) -> Option<&Condition> {
        let next = self.0.partition_point(|(from, _)| *from <= time);
        next.checked_sub(1).map(|index| &self.0[index].1)
    }

    /// The pieces up to `now`, the latest first: start, end and condition of each.
    pub fn backwards(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp, &Condition)> {
        let ends = self.0.iter().skip(1).map(|(next, _)| *next - Span::from_ms(1)).chain([now]);
        let pieces: Vec<_> = self.0.iter().zip(ends).map(|((from, condition), end)| (*from, end.min(now), condition)).collect();
        pieces.into_iter().rev()
    }

    /// The pieces of `[from, to)` with the condition of each.
    pub fn pieces(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp, &Condition)> {
        let first = self.0.partition_point(|(start, _)| *start <= from).saturating_sub(1);
        self.0[first.min(self.0.len())..].iter().enumerate().map_while(move |(offset, (start, condition))| {
            let end = self.0.get(first + offset + 1).map_or(to, |(next, _)| (*next).min(to));
            (*start < to).then_some(((*start).max(from), end, condition))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_time_are_whole_and_in_order() {
        let at = Timestamp::from_ms;
        let silent = Condition { silent: true, ..Condition::default() };
        let mut timeline = Timeline::default();
        timeline.push(at(10), Condition::default());
        timeline.push(at(20), silent);
        timeline.push(at(15), Condition::default());
        let pieces: Vec<(i64, i64, bool)> = timeline.pieces(at(12), at(30)).map(|(a, b, c)| (a.ms(), b.ms(), c.silent)).collect();
        assert_eq!(pieces, [(12, 20, false), (20, 30, false)], "what comes late replaces what began at the same time");
        assert_eq!(timeline.at(at(9)), None);
    }
}
