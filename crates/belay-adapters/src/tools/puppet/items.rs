//! Events and the items they set.
//!
//! The same item must have the same content however Belay learns of it: from a report's events
//! now, from the catalog a host is offered later. So the rules are in one place and public:
//! [`key`] names an item, [`content`] hashes what is desired. The content of a file is always the
//! digest of the text `{sha256}HEX`, which both a report and a catalog can give.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belay_core::model::ids::Digest;
use belay_core::model::item::{Content, ItemKey};
use belay_core::model::report::{EVENTS_MAX, Event, EventOutcome};

use super::collected::{Collected, RawEvent, Resource};
use super::time::instant;
use crate::tools::mask::Masks;
use crate::tools::redact::{self, REDACTED, TEXT_MAX, clean};

/// Bytes kept of a title; a longer one keeps its beginning and a digest of the whole.
const TITLE_MAX: usize = 1024;
/// The parameter whose desired value is a checksum.
const CONTENT: &str = "content";

/// The item of a resource's parameter. Whatever is peculiar to the host is masked in the title,
/// and secrets are taken out of it: titles of commands hold both.
pub fn key(kind: &str, title: &str, parameter: &str, masks: &Masks) -> ItemKey {
    Named::of(kind, title, masks).key(parameter)
}

/// A resource as its items name it: what they have in common, made once. A catalog of a thousand
/// resources has some thousands of items, and a run waits for them.
pub(super) struct Named {
    pub(super) kind: Arc<str>,
    pub(super) title: Arc<str>,
}

impl Named {
    pub(super) fn of(kind: &str, title: &str, masks: &Masks) -> Self {
        let title = masks.apply(title);
        let title = redact::secrets(&title);
        let title = redact::inert(&title);
        let title = match title.len() > TITLE_MAX {
            true => format!("{}... ({})", &title[..title.floor_char_boundary(TITLE_MAX)], Digest::of(title.as_bytes())).into(),
            false => Arc::from(&*title),
        };
        Self { kind: word(kind), title }
    }

    pub(super) fn key(&self, parameter: &str) -> ItemKey {
        ItemKey { kind: Arc::clone(&self.kind), title: Arc::clone(&self.title), parameter: word(parameter) }
    }
}

/// A name, cleaned. Short ones of letters alone, as nearly all are, hold nothing to be cleaned.
pub(super) fn word(name: &str) -> Arc<str> {
    let plain = name.len() < redact::TOKEN_MIN && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if plain { name.into() } else { clean(name, 200).into() }
}

/// The content of a desired value: its digest after masking. `None` (opaque) when the value, or
/// the parameter by its name, is a secret, and when the value is a checksum that does not depend
/// on the content (`{mtime}`, `{ctime}`, `{none}`).
pub fn content(parameter: &str, desired: &str, masks: &Masks) -> Option<Content> {
    let opaque = is_redacted(desired)
        || redact::names_a_secret(parameter)
        || ["{mtime}", "{ctime}", "{none}"].iter().any(|sign| desired.starts_with(sign))
        || matches!(redact::secrets(desired), Cow::Owned(clean) if clean != desired);
    (!opaque).then(|| Digest::of(masks.apply(desired).as_bytes()))
}

/// `[redacted]`, `[new password hash redacted]` and the like.
fn is_redacted(value: &str) -> bool {
    value.starts_with('[') && value.ends_with("redacted]")
}

/// All events of a report, at most [`EVENTS_MAX`].
pub(super) fn events(report: &Collected, masks: &Masks) -> Vec<Event> {
    let mut events = Vec::with_capacity(report.resources.len().min(EVENTS_MAX));
    for resource in &report.resources {
        // What all events of a resource have in common is made once.
        let of = Of { resource, named: Named::of(kind(resource), title(resource), masks), shown: clean(&resource.name, TEXT_MAX) };
        for raw in &resource.events {
            let (event, contained) = event(&of, raw, masks);
            events.extend([Some(event), contained].into_iter().flatten().take(EVENTS_MAX - events.len()));
        }
    }
    events
}

/// The resource of an event.
struct Of<'r> {
    resource: &'r Resource,
    named: Named,
    /// As people are shown it.
    shown: String,
}

/// An event, and the one that stands for the content of a file that was created by it.
fn event(of: &Of<'_>, raw: &RawEvent, masks: &Masks) -> (Event, Option<Event>) {
    let outcome = outcome(raw);
    // What was only looked at sets nothing, nor does a refresh.
    let parameter = raw.property.as_deref().filter(|_| outcome != EventOutcome::Audited);
    let secret = raw.redacted || parameter.is_some_and(redact::names_a_secret);
    let desired = desired(of.resource, raw);
    let text = |value: Option<&str>| match value {
        Some(_) if secret => REDACTED.to_owned(),
        Some(value) => clean(value, TEXT_MAX),
        None => String::new(),
    };
    let event = Event {
        item: parameter.map(|parameter| of.named.key(parameter)),
        resource: of.shown.clone(),
        old: text(raw.previous.canonical().as_deref()),
        new: text(desired.as_deref()),
        content: parameter.filter(|_| !secret).zip(desired.as_deref()).and_then(|(parameter, desired)| content(parameter, desired, masks)),
        message: raw.message.clean(TEXT_MAX),
        outcome,
        at: raw.time.as_deref().and_then(instant),
    };
    let contained = (parameter == Some("ensure") && outcome == EventOutcome::Applied)
        .then(|| defined_content(&raw.message.text))
        .flatten()
        .map(|checksum| Event {
            item: Some(of.named.key(CONTENT)),
            old: String::new(),
            new: clean(checksum, TEXT_MAX),
            content: content(CONTENT, checksum, masks),
            ..event.clone()
        });
    (event, contained)
}

fn outcome(raw: &RawEvent) -> EventOutcome {
    match raw.outcome.as_deref() {
        Some("success") => EventOutcome::Applied,
        Some("noop") => EventOutcome::WouldApply,
        Some("audit") => EventOutcome::Audited,
        // The collector lets no other word pass than these and `failure`.
        Some(_) | None => EventOutcome::Failed,
    }
}

/// What is desired, as text. Some values do not say what they mean: the checksum of a file's content
/// comes in base64, `latest` stands for whatever version was installed, and an owner is a number,
/// which may differ from host to host; its name stands in the message.
fn desired<'r>(resource: &Resource, raw: &'r RawEvent) -> Option<Cow<'r, str>> {
    let desired = raw.desired.canonical()?;
    match raw.property.as_deref() {
        Some(CONTENT) => Some(checksum_in_base64(&desired).map_or(desired, Cow::Owned)),
        Some("ensure") if desired == "latest" && kind(resource) == "Package" => {
            Some(changed_to(&raw.message.text).map_or(desired, Cow::Borrowed))
        }
        Some("owner" | "group") if kind(resource) == "File" => {
            let name = changed_to(&raw.message.text).or_else(|| should_be(&raw.message.text));
            Some(name.map_or(desired, Cow::Borrowed))
        }
        Some(_) | None => Some(desired),
    }
}

/// `{sha256}HEX` out of its base64; `None` when it is anything else.
fn checksum_in_base64(text: &str) -> Option<String> {
    let compact: String = text.split_whitespace().collect();
    let decoded = String::from_utf8(STANDARD.decode(compact).ok()?).ok()?;
    is_checksum(&decoded).then_some(decoded)
}

/// `{sha256}HEX`, `{md5}HEX`, `{mtime}2026-11-22 ...`.
pub(super) fn is_checksum(text: &str) -> bool {
    text.strip_prefix('{')
        .and_then(|rest| rest.split_once('}'))
        .is_some_and(|(kind, sum)| !sum.is_empty() && !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The checksum in `defined content as '{sha256}HEX'`, which is all a report says of the content
/// of a file that was created.
fn defined_content(message: &str) -> Option<&str> {
    let (checksum, _) = message.strip_prefix("defined content as '")?.split_once('\'')?;
    is_checksum(checksum).then_some(checksum)
}

/// `1.2` in `ensure changed '1.1' to '1.2'`.
fn changed_to(message: &str) -> Option<&str> {
    let (_, rest) = message.rsplit_once(" to '")?;
    rest.split_once('\'').map(|(version, _)| version).filter(|version| !version.is_empty())
}

/// `root` in `current_value 'games', should be 'root' (noop)`.
fn should_be(message: &str) -> Option<&str> {
    let (_, rest) = message.rsplit_once("should be '")?;
    rest.split_once('\'').map(|(name, _)| name).filter(|name| !name.is_empty())
}

fn kind(resource: &Resource) -> &str {
    resource.kind.as_deref().or_else(|| resource.name.split_once('[').map(|(kind, _)| kind)).unwrap_or_default()
}

fn title(resource: &Resource) -> &str {
    let in_name = || resource.name.split_once('[').and_then(|(_, title)| title.strip_suffix(']'));
    resource.title.as_deref().or_else(in_name).unwrap_or(&resource.name)
}
