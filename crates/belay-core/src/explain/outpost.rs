//! Outposts and their tables in plain words.

use crate::decide::tables::{self, Heard, PATIENCE};
use crate::model::table::{Outpost, OutpostId, TableId};
use crate::model::time::{Span, Timestamp};
use crate::state::State;

/// A table that is waited for longer than this, or a switch of which an outpost did not hear for so long, is told of.
const SLOW: Span = Span::from_min(1);
/// The most outposts in one text.
const NAMED_MAX: usize = 20;

/// How the tables stand, on one line, and whether that is in order; none where nobody classifies. `since` is when
/// the last table was made, where this server made it.
pub fn line(state: &State, heard: &Heard, since: Option<Timestamp>, now: Timestamp) -> Option<Result<String, String>> {
    if state.outposts.is_empty() {
        return None;
    }
    let force = match state.tables.force {
        Some(force) if now < force.from => format!("table {} is in force from {}", force.table, force.from),
        Some(force) => format!("table {} is in force since {}", force.table, force.from),
        None => "no table is in force yet".to_owned(),
    };
    let pending = pending(state, heard, since, now);
    let posts = state.outposts.iter().take(NAMED_MAX).map(|(id, outpost)| post(state, id, outpost, heard, now));
    let posts: Vec<Result<String, String>> = posts.collect();
    let sick = posts.iter().any(Result::is_err) || pending.as_ref().is_some_and(Result::is_err);
    let both = |found: Result<String, String>| found.unwrap_or_else(|text| text);
    let more = state.outposts.len().saturating_sub(NAMED_MAX);
    let more = (more > 0).then(|| format!("{more} more"));
    let parts = [force].into_iter().chain(pending.map(both)).chain(posts.into_iter().map(both)).chain(more);
    let text = parts.collect::<Vec<_>>().join("; ");
    Some(if sick { Err(text) } else { Ok(text) })
}

fn pending(state: &State, heard: &Heard, since: Option<Timestamp>, now: Timestamp) -> Option<Result<String, String>> {
    let table = state.tables.pending()?;
    if heard.held != Some(table) {
        return Some(Ok(format!("table {table} was made before the restart, and another takes its place")));
    }
    let lacking: Vec<&str> = tables::lacking(state, heard, table, now).map(OutpostId::as_str).take(NAMED_MAX).collect();
    let long = since.map_or(Span::ZERO, |since| now.since(since));
    let text = match lacking.len() {
        0 => format!("table {table} is made, and all have it"),
        _ => format!("table {table} waits for {} for {long}", lacking.join(", ")),
    };
    Some(if lacking.is_empty() || long <= SLOW { Ok(text) } else { Err(text) })
}

fn post(state: &State, id: &OutpostId, outpost: &Outpost, heard: &Heard, now: Timestamp) -> Result<String, String> {
    if let Some(left) = outpost.left {
        return Err(format!(
            "{id} is not waited for since {left}: it was silent for {PATIENCE}, and classifies by an older table if it still runs"
        ));
    }
    let Some(word) = heard.words.get(id) else { return Ok(format!("{id} was not heard since the start")) };
    let known = |table: Option<TableId>| table.map_or_else(|| "none".to_owned(), |table| table.to_string());
    let mut text = format!("{id} has table {}, heard {} ago", known(word.in_force), now.since(word.at));
    if word.stored.is_some() && word.stored != word.in_force {
        text.push_str(&format!(", {} stored", known(word.stored)));
    }
    let late = state.tables.force.filter(|force| word.in_force != Some(force.table) && now.since(force.from) > SLOW);
    match late {
        Some(force) => Err(format!("{text}: it does not know that table {} is in force", force.table)),
        None => Ok(text),
    }
}
