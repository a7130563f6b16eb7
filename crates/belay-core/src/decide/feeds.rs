//! The health of feeds: a road that has brought reports and falls silent while it should speak is told
//! of once, and again when it is back. What is usual is learnt from the feed itself.

use super::Answer;
use super::draft::Draft;
use super::notify::{self, Pace};
use crate::model::alert::Subject;
use crate::model::feed::{FEEDS_MAX, Feed, FeedId, PAUSES_KEPT};
use crate::model::principal::{Actor, Principal};
use crate::model::time::{Span, Timestamp};
use crate::state::{Fact, NoteKind, State};

/// That something came is taken note of this often at most: each note is a record.
pub const NOTED_EVERY: Span = Span::from_s(30);
/// A shorter silence says nothing.
pub const SILENCE_MIN: Span = Span::from_min(10);
/// So many usual gaps of silence are no chance.
const GAPS: i64 = 20;
/// A feed is known well enough once it was listened to for so long.
const KNOWN_AFTER: Span = Span::from_min(60);
/// And once so many of its messages were taken note of.
const KNOWN_TIMES: u64 = 5;
/// Days of which a feed's longest pause has to be known before it counts as its rhythm.
const RHYTHM_DAYS: usize = 3;
/// A feed that was silent for so long is forgotten.
const FORGOTTEN_AFTER: Span = Span::from_min(14 * 24 * 60);
/// One gap in so many decides what is usual.
const MEMORY: i64 = 8;
const DAY_MS: i64 = 86_400_000;

/// How long a feed may be silent: twenty of its usual gaps, and twice the pause it makes on most days (a
/// fleet whose runs are all at night), but never less than ten minutes.
pub fn patience(feed: &Feed) -> Span {
    SILENCE_MIN.max(feed.gap.times(GAPS)).max(rhythm(feed).times(2))
}

/// The pause that a feed makes on most days.
fn rhythm(feed: &Feed) -> Span {
    let mut pauses = feed.pauses.clone();
    pauses.sort_unstable();
    if pauses.len() < RHYTHM_DAYS { Span::ZERO } else { pauses[pauses.len() / 2] }
}

/// Whether word of a feed is worth being taken note of; asked before anything is decided, so that the
/// writer hears of few of them.
pub fn is_news(state: &State, principal: &Principal, door: &str, at: Timestamp) -> bool {
    match state.feeds.get(&FeedId::of(&principal.actor(), door)) {
        Some(feed) => feed.silent.is_some() || at.since(feed.last) >= NOTED_EVERY,
        None => state.feeds.len() < FEEDS_MAX && !matches!(principal, Principal::Host(_)),
    }
}

pub(super) fn heard(draft: &mut Draft<'_>, principal: &Principal, door: &str, at: Timestamp) -> Answer {
    if !is_news(draft.state, principal, door, at) {
        return Answer::Done;
    }
    let at = at.min(draft.now);
    let id = FeedId::of(&principal.actor(), door);
    let Some(known) = draft.state.feeds.get(&id) else {
        if let Some(feed) = Feed::begun(principal, door, at) {
            draft.push(Fact::FeedSet { id, feed: Some(Box::new(feed)) });
        }
        return Answer::Done;
    };
    let mut feed = Feed { last: at.max(known.last), times: known.times + 1, ..known.clone() };
    if draft.state.listening <= known.last {
        learn(&mut feed, known, at);
    }
    let back = feed.silent.take();
    draft.push(Fact::FeedSet { id: id.clone(), feed: Some(Box::new(feed)) });
    if let Some(since) = back {
        let text = format!("{id} speaks again, after {}", at.since(since));
        draft.note(NoteKind::Info, &Actor("belay".to_owned()), None, text);
        notify::tell_of(draft, &Subject::Feed(id), &[], Pace::AtOnce);
    }
    Answer::Done
}

/// Learns from a gap in which somebody listened. One that was told of is not usual.
fn learn(feed: &mut Feed, known: &Feed, at: Timestamp) {
    let gap = at.since(known.last);
    if gap <= Span::ZERO {
        return;
    }
    if known.silent.is_none() {
        let usual = feed.gap.ms();
        let new = if known.times == 1 { gap.ms() } else { usual + (gap.ms() - usual) / MEMORY };
        feed.gap = Span::from_ms(new);
    }
    let day = |at: Timestamp| at.ms().div_euclid(DAY_MS);
    if feed.pauses.is_empty() || day(at) != day(known.last) {
        feed.pauses.push(Span::ZERO);
        let surplus = feed.pauses.len().saturating_sub(PAUSES_KEPT);
        feed.pauses.drain(..surplus);
    }
    if let Some(longest) = feed.pauses.last_mut() {
        *longest = gap.max(*longest);
    }
}

/// Feeds that fall silent, and those that are silent for so long that nobody expects them any more.
pub(super) fn silence(draft: &mut Draft<'_>) {
    let now = draft.now;
    for (id, feed) in &draft.state.feeds {
        // What did not come while nobody listened says nothing of the feed.
        let quiet = now.since(feed.last.max(draft.state.listening));
        if quiet > FORGOTTEN_AFTER {
            draft.push(Fact::FeedSet { id: id.clone(), feed: None });
        } else if feed.silent.is_none() && is_known(feed) && quiet > patience(feed) {
            let silent = Feed { silent: Some(feed.last), ..feed.clone() };
            draft.push(Fact::FeedSet { id: id.clone(), feed: Some(Box::new(silent)) });
            let text = format!("{id} is silent: nothing came by it for {}", now.since(feed.last));
            draft.note(NoteKind::Warning, &Actor("belay".to_owned()), None, text);
            notify::tell_of(draft, &Subject::Feed(id.clone()), &[], Pace::AtOnce);
        }
    }
}

fn is_known(feed: &Feed) -> bool {
    feed.times >= KNOWN_TIMES && feed.last.since(feed.since) >= KNOWN_AFTER
}
