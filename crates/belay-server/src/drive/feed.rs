//! Messages of feeds: inflated and read on a thread of their own, after they were acknowledged. Texts that
//! are known to be kept are not packed again: a fleet is offered the same files over and over.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use belay_adapters::tools::Feed;
use belay_adapters::tools::feed::{MESSAGE_BYTES, Message, Offer as Offered, Told};
use belay_core::decide::Fed;
use belay_core::model::ids::Digest;
use belay_core::model::report::{Decoded, RunKind, Unreadable};
use belay_core::model::time::{Span, Timestamp};

use crate::ledger::{Offer, RawCopy, Text, gzip};

/// Digests of texts that are remembered as kept.
const REMEMBERED: usize = 200_000;
/// After so long a text is kept again, so that it is known to be still offered.
const AGAIN_AFTER: Span = Span::from_min(12 * 60);
/// How gzip begins.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What reading a message came to, with what is to be kept of it.
pub(super) struct Read {
    pub(super) result: Result<Meant, Unreadable>,
    pub(super) digest: Digest,
    pub(super) raw: Option<RawCopy>,
    /// The checksum that came with it did not fit.
    pub(super) unfitting: bool,
    /// It tells of what was before Belay was there.
    pub(super) past: bool,
}

/// What a message means to the drive.
pub(super) enum Meant {
    Report(Box<Decoded>),
    Other(Fed, Option<Box<(Offer, Vec<Text>)>>),
}

/// Texts that are known to be kept.
#[derive(Default)]
pub(super) struct Kept(Mutex<(Timestamp, BTreeSet<Digest>)>);

impl Kept {
    /// Whether this one has still to be kept. Whoever is told so keeps it, or the process ends.
    fn is_new(&self, content: Digest, now: Timestamp) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, known) = &mut *kept;
        if now.since(*since) >= AGAIN_AFTER || known.len() >= REMEMBERED {
            (*since, *known) = (now, BTreeSet::new());
        }
        known.insert(content)
    }
}

/// Reads a message.
pub(super) fn read(feed: &dyn Feed, head: &str, body: &Bytes, received: Timestamp, kept: &Kept) -> Read {
    let plain = match plain(body) {
        Ok(plain) => plain,
        Err(bad) => {
            let digest = Digest::of(body);
            return Read { result: Err(bad), digest, raw: raw(feed, digest, body, body), unfitting: false, past: false };
        }
    };
    let digest = Digest::of(&plain);
    let told = feed.read(head, &plain);
    let unfitting = told.as_ref().is_ok_and(|told| told.complaints.iter().any(|complaint| complaint.place == "checksum"));
    let keeps = match &told {
        Ok(Told { message: Message::Report(decoded), .. }) => !matches!(decoded.report.kind, RunKind::Unchanged | RunKind::NoopUnchanged),
        Ok(_) => false,
        Err(_) => true,
    };
    let past = told.as_ref().is_ok_and(|told| told.past);
    let raw = if keeps { raw(feed, digest, &plain, body) } else { None };
    Read { result: told.map(|told| meant(told.message, received, kept)), digest, raw, unfitting, past }
}

fn meant(message: Message, received: Timestamp, kept: &Kept) -> Meant {
    match message {
        Message::Report(decoded) => Meant::Report(decoded),
        Message::Facts { host, facts } => Meant::Other(Fed::Facts { host, facts }, None),
        Message::Nothing(_) => Meant::Other(Fed::Nothing, None),
        Message::Offered(offered) => {
            let Offered { host, run, catalog, texts, .. } = *offered;
            let texts = texts.iter().filter(|text| kept.is_new(text.content, received));
            let texts = texts.map(|text| Text::new(text.content, &text.text)).collect();
            let environment = catalog.environment.map(|environment| environment.to_string());
            let offer = Offer { host: host.clone(), at: received, environment, version: catalog.version, run, items: catalog.items };
            Meant::Other(Fed::Offered { host }, Some(Box::new((offer, texts))))
        }
    }
}

/// The bytes as they came; what came compressed is kept so.
fn raw(feed: &dyn Feed, digest: Digest, plain: &[u8], body: &Bytes) -> Option<RawCopy> {
    let packed = if body.starts_with(&MAGIC) { Some(body.clone()) } else { gzip(plain) };
    packed.map(|gzip| RawCopy { digest, tool: feed.name().to_owned(), size: plain.len() as u64, gzip })
}

/// What was compressed is told by its first bytes, whatever its sender says of it.
fn plain(body: &Bytes) -> Result<Cow<'_, [u8]>, Unreadable> {
    if !body.starts_with(&MAGIC) {
        return Ok(Cow::Borrowed(body));
    }
    let bad = |reason: String| Unreadable { offset: 0, reason, host: None };
    let mut out = Vec::new();
    let mut decoder = flate2::bufread::MultiGzDecoder::new(&body[..]).take(MESSAGE_BYTES as u64 + 1);
    decoder.read_to_end(&mut out).map_err(|error| bad(format!("it cannot be inflated: {error}")))?;
    if out.len() > MESSAGE_BYTES {
        return Err(bad(format!("it has more than {MESSAGE_BYTES} bytes when inflated")));
    }
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_again_after_a_while() {
        let kept = Kept::default();
        let (content, now) = (Digest::of(b"x"), Timestamp::from_ms(1_795_000_000_000));
        assert!(kept.is_new(content, now) && !kept.is_new(content, now + Span::from_min(60)));
        assert!(kept.is_new(content, now + AGAIN_AFTER));
    }

    #[test]
    fn a_bomb_is_no_message() {
        let bomb = gzip(&vec![b' '; MESSAGE_BYTES + 1]).unwrap();
        assert!(bomb.len() < MESSAGE_BYTES / 100);
        assert!(plain(&bomb).unwrap_err().reason.contains("when inflated"));
        assert!(plain(&bomb.slice(..bomb.len() / 2)).is_err());
        assert_eq!(&*plain(&Bytes::from_static(b"{}")).unwrap(), b"{}");
    }
}
