//! The delta of a run: what is new on the host, told apart from what was only put back.

use std::collections::BTreeMap;

use crate::model::change::ItemWords;
use crate::model::host::Host;
use crate::model::ids::Digest;
use crate::model::item::{COMPILE_KIND, Content, ItemKey, Items, Mark, environment_content};
use crate::model::report::{Event, EventOutcome, Report, RunKind, Version};
use crate::model::time::Timestamp;
use crate::state::{Acceptance, Scope};

/// What a run says about the contents of its host.
#[derive(Default)]
pub(super) struct Delta {
    /// Items whose content is new to the host.
    pub(super) items: Items,
    /// Items that were tried and failed: new, but not carried by the host.
    pub(super) attempted: Items,
    /// The release that came with it.
    pub(super) arrived: Option<(ItemKey, Content)>,
    /// Items that were only put back.
    pub(super) restored: Items,
    /// Those of them that are seen for the first time: they were there at enrolment.
    pub(super) adopt: Items,
    /// Text of the items for people.
    pub(super) words: BTreeMap<ItemKey, ItemWords>,
    /// Events that only put something back.
    pub(super) drift: u32,
    /// When the first new content was applied, by the host's clock.
    pub(super) onset: Option<Timestamp>,
    /// The error for which no configuration could be made, without the host's name.
    pub(super) compile_error: Option<String>,
}

/// Why an event counts as it does.
enum Reading {
    New,
    PutBack,
    PutBackUnknown,
    /// The report came late, and a newer one has already said what the host carries now.
    Past,
}

/// Where a report comes to.
pub(super) struct Place<'a> {
    pub(super) acceptance: &'a Acceptance,
    pub(super) host: &'a Host,
    pub(super) scope: &'a Scope,
    /// When the run was, in server time.
    pub(super) started: Timestamp,
    /// Nothing was ever applied to the host before.
    pub(super) first: bool,
}

pub(super) fn of(place: &Place<'_>, report: &Report) -> Delta {
    let mut delta = Delta::default();
    for event in &report.events {
        let (Some(key), Some(content)) = (&event.item, event.content) else { continue };
        match (event.outcome, reading(place, report, key, content)) {
            (EventOutcome::WouldApply | EventOutcome::Audited, _) | (_, Reading::Past) => {}
            (EventOutcome::Applied, Reading::New) => {
                delta.items.insert(key.clone(), content);
                take_words(&mut delta, key, event);
            }
            (EventOutcome::Failed, Reading::New) => {
                delta.attempted.insert(key.clone(), content);
                take_words(&mut delta, key, event);
            }
            (EventOutcome::Applied, Reading::PutBack) => put_back(&mut delta, key, content),
            (EventOutcome::Applied, Reading::PutBackUnknown) => {
                put_back(&mut delta, key, content);
                delta.adopt.insert(key.clone(), content);
            }
            (EventOutcome::Failed, Reading::PutBack | Reading::PutBackUnknown) => {}
        }
    }
    environment(place, report, &mut delta);
    compile_error(place.host, report, &mut delta);
    delta
}

fn put_back(delta: &mut Delta, key: &ItemKey, content: Content) {
    delta.drift += 1;
    delta.restored.insert(key.clone(), content);
}

fn take_words(delta: &mut Delta, key: &ItemKey, event: &Event) {
    delta.words.insert(key.clone(), ItemWords { old: event.old.clone(), new: event.new.clone() });
    if let Some(at) = event.at {
        delta.onset = Some(delta.onset.map_or(at, |known| known.min(at)));
    }
}

/// An event whose content the host already carried puts something back. One on an item nothing is
/// known of is new, unless the version says that content cannot have changed since the last run.
fn reading(place: &Place<'_>, report: &Report, key: &ItemKey, content: Content) -> Reading {
    match place.host.items.get(key) {
        Some(carried) if carried.at > place.started => Reading::Past,
        Some(carried) if carried.content == content => Reading::PutBack,
        Some(_) => Reading::New,
        None if place.first => Reading::New,
        None => match (place.acceptance.mark(place.scope, key, &content), &report.version, &place.host.version) {
            (Some(Mark::OnTrial(_) | Mark::Rejected(_)), _, _) => Reading::New,
            (Some(Mark::Adopted | Mark::Accepted(_)), _, _) => Reading::New,
            (None, Version::Named(new), Some(Version::Named(last))) if new == last => Reading::PutBackUnknown,
            (None, _, _) => Reading::New,
        },
    }
}

fn environment(place: &Place<'_>, report: &Report, delta: &mut Delta) {
    let Some(environment) = report.environment.as_ref().filter(|_| report.kind.applied()) else { return };
    let (key, content) = (ItemKey::environment(), environment_content(environment));
    match place.host.items.get(&key) {
        Some(carried) if carried.at > place.started => return,
        Some(carried) if carried.content == content => {
            delta.restored.insert(key, content);
            return;
        }
        Some(_) | None => {}
    }
    let old = place.host.environment.as_ref().map_or("", |known| known.as_str());
    delta.words.insert(key.clone(), ItemWords { old: old.to_owned(), new: environment.as_str().to_owned() });
    delta.items.insert(key, content);
}

/// The same error on many hosts is one error: the host's own name is taken out of it.
fn compile_error(host: &Host, report: &Report, delta: &mut Delta) {
    let RunKind::FailedCompile(text) = &report.kind else { return };
    let error = text.replace(host.id.as_str(), "HOST");
    let environment = report.environment.as_ref().map_or("", |name| name.as_str());
    let key = ItemKey::new(COMPILE_KIND, environment, "error");
    delta.words.insert(key.clone(), ItemWords { old: String::new(), new: error.clone() });
    delta.attempted.insert(key, Digest::of_parts(["compile", environment, &error]));
    delta.compile_error = Some(error);
}
