//! Differences between texts: what came or is offered, beside what was there. Texts are kept without their
//! secrets, under the digest of the content they are.

use std::time::Duration;

use belay_adapters::tools::redact::inert;
use belay_api::http::{HostDiffView, OfferedItemView};
use belay_core::model::change::Change;
use belay_core::model::host::Host;
use belay_core::model::ids::Digest;
use belay_core::model::item::{Content, ItemKey, Mark};
use belay_core::state::{Scope, State};
use similar::TextDiff;

use crate::ledger::{LedgerError, Offer, Reader};

/// Lines of one difference.
const LINES_MAX: usize = 200;
/// Items of one Change or host whose difference is shown.
const SHOWN_MAX: usize = 20;
/// Items of one host that are named.
const NAMED_MAX: usize = 200;
/// Lines around each difference.
const CONTEXT: usize = 3;
/// Two texts with nothing in common are not compared line by line for longer.
const PATIENCE: Duration = Duration::from_millis(200);
/// The parameter whose contents are texts.
const CONTENT: &str = "content";

/// Two contents whose texts are to be compared; nothing was there before where the first is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    old: Option<Content>,
    new: Content,
}

/// What is to be compared of a Change: by the place of the item in it.
pub fn pairs_of(change: &Change) -> Vec<(usize, Pair)> {
    let texts = change.items.iter().enumerate().filter(|(_, (key, _))| &*key.parameter == CONTENT);
    let pair = |(place, (key, new)): (usize, (&ItemKey, &Content))| {
        let old = change.words.get(key).map(|words| words.old.as_str()).filter(|old| !old.is_empty());
        (place, Pair { old: old.map(|old| Digest::of(old.as_bytes())), new: *new })
    };
    texts.map(pair).take(SHOWN_MAX).collect()
}

/// Compares what is kept of the texts; none where one of them is not.
///
/// # Errors
/// When the ledger cannot be read.
pub fn compared(reader: &Reader, pair: Pair) -> Result<Option<String>, LedgerError> {
    let Some(new) = reader.text(pair.new)? else { return Ok(None) };
    let old = match pair.old {
        None => Some(String::new()),
        Some(old) => reader.text(old)?,
    };
    Ok(old.map(|old| unified(&old, &new)))
}

/// The lines that differ, as `diff -u` writes them.
fn unified(old: &str, new: &str) -> String {
    let mut config = TextDiff::configure();
    config.timeout(PATIENCE);
    let diff = config.diff_lines(old, new);
    let text = diff.unified_diff().context_radius(CONTEXT).missing_newline_hint(false).to_string();
    let mut lines: Vec<String> = text.lines().take(LINES_MAX).map(|line| inert(line).into_owned()).collect();
    let more = text.lines().count().saturating_sub(LINES_MAX);
    if more > 0 {
        lines.push(format!("... and {more} lines more"));
    }
    lines.join("\n")
}

/// How each item that differs is to be shown, with what is to be compared of it.
pub fn offered(state: &State, host: &Host, offer: &Offer) -> (HostDiffView, Vec<(usize, Pair)>) {
    let scope = Scope { class: host.class.clone(), release: host.release.clone() };
    let (mut differs, mut pairs, mut unknown) = (Vec::new(), Vec::new(), 0_u32);
    for (key, content) in &offer.items {
        let Some(carried) = host.items.get(key) else {
            unknown += 1;
            continue;
        };
        if carried.content == *content || differs.len() >= NAMED_MAX {
            continue;
        }
        if &*key.parameter == CONTENT && pairs.len() < SHOWN_MAX {
            pairs.push((differs.len(), Pair { old: Some(carried.content), new: *content }));
        }
        let mark = state.acceptance.mark(&scope, key, content).map(word);
        let (has, offered) = (carried.content.to_string(), content.to_string());
        differs.push(OfferedItemView { item: key.to_string(), has, offered, mark: mark.map(str::to_owned), diff: None });
    }
    let view = HostDiffView {
        host: host.id.to_string(),
        offered: offer.at.to_string(),
        environment: offer.environment.clone(),
        version: offer.version.clone(),
        run: offer.run.clone(),
        items: offer.items.len().try_into().unwrap_or(u32::MAX),
        unknown,
        differs,
    };
    (view, pairs)
}

const fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Adopted => "adopted",
        Mark::OnTrial(_) => "on trial",
        Mark::Accepted(_) => "accepted",
        Mark::Rejected(_) => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_written_as_people_know_it_inert_and_with_an_end() {
        let said = unified("a\nb\nc\n", "a\nB\u{1b}[2J\nc\n");
        assert_eq!(said, "@@ -1,3 +1,3 @@\n a\n-b\n+B\\u{1b}[2J\n c");
        assert_eq!(unified("same\n", "same\n"), "");
        let long: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
        let said = unified("", &long);
        assert_eq!(said.lines().count(), LINES_MAX + 1);
        assert!(said.ends_with("... and 801 lines more"), "{}", said.lines().last().unwrap());
    }
}
