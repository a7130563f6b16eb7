//! Feeds: doors at which the server of a tool tells what it tells others too, in their words. Such a
//! sender waits for the answer and loses what is not taken, so that a door of this kind acknowledges
//! before anything is read; what a message says is found out later, and is never refused to the sender.

use std::collections::BTreeMap;

use belay_core::model::ids::HostId;
use belay_core::model::item::{Content, ItemKey};
use belay_core::model::report::{Complaint, Decoded, Unreadable};

use super::host::OfferedCatalog;

/// A door at which messages of a feed come in over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedDoor {
    /// Path of the request, at the root that the sender insists on.
    pub path: &'static str,
    /// Name of the feed whose [`Feed::read`] reads what comes.
    pub feed: &'static str,
    /// Media types senders are known to use, for the manual.
    pub content: &'static [&'static str],
}

/// A feed.
pub trait Feed: Sync {
    /// Its name, which is no tool's.
    fn name(&self) -> &'static str;

    /// The doors its messages come in by.
    fn doors(&self) -> &'static [FeedDoor];

    /// Reads one message: the query of its request, and its body (inflated).
    ///
    /// # Errors
    /// [`Unreadable`] when it is not a whole message of a kind that is known.
    fn read(&self, query: &str, body: &[u8]) -> Result<Told, Unreadable>;

    /// What the sender wants to hear: `id` is unique among messages.
    fn acknowledgement(&self, id: &str) -> String;
}

/// A message that was read, with what was odd about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What it says.
    pub message: Message,
    /// What was odd.
    pub complaints: Vec<Complaint>,
    /// It tells of what was before Belay was there: history, of which nothing is to follow.
    pub past: bool,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A run is over.
    Report(Box<Decoded>),
    /// The facts of a host, as it is spelled, each under its path: `os.release.major`.
    Facts {
        /// The host.
        host: String,
        /// Its facts, at most [`FACTS_READ`].
        facts: BTreeMap<String, String>,
    },
    /// What a host was offered. Whether it is applied, only a report tells.
    Offered(Box<Offer>),
    /// Nothing that is kept: why.
    Nothing(String),
}

/// What a host was offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The host.
    pub host: HostId,
    /// The tool's own id of the run that asked for it.
    pub run: Option<String>,
    /// What it sets.
    pub catalog: OfferedCatalog,
    /// Texts of contents, at most [`TEXTS_BYTES`] of them.
    pub texts: Vec<OfferedText>,
    /// Texts that were too long, or too many.
    pub texts_left_out: u32,
}

/// The text of a content: what [`OfferedCatalog::items`] has only the digest of. Secrets are taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedText {
    /// The item.
    pub item: ItemKey,
    /// Its content.
    pub content: Content,
    /// The text.
    pub text: String,
}

/// Bytes of one message, inflated; larger ones are refused unread.
pub const MESSAGE_BYTES: usize = super::puppet::BODY_MAX;
/// Facts read of one host.
pub const FACTS_READ: usize = 1_000;
/// Bytes of one text that are kept; longer ones are left out, because half a text compares to nothing.
pub const TEXT_BYTES: usize = 128 << 10;
/// Bytes of all texts of one offer.
pub const TEXTS_BYTES: usize = 8 << 20;

/// All feeds.
pub fn all_feeds() -> &'static [&'static dyn Feed] {
    &[&super::puppet::PuppetDb, &super::puppet::PuppetDbPulled]
}

/// The feed of this name, exactly as [`Feed::name`] says it.
pub fn feed_by_name(name: &str) -> Option<&'static dyn Feed> {
    all_feeds().iter().copied().find(|feed| feed.name() == name)
}
