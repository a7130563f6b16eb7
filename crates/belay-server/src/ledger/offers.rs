//! What hosts were offered, and the texts behind contents: kept for people, who want to see what would
//! come. Nothing is decided by them, and they may be forgotten at any time.

use axum::body::Bytes;
use belay_core::model::ids::{Digest, HostId};
use belay_core::model::item::{ItemKey, Items};
use belay_core::model::time::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::error::Doing;
use super::rows::{Reader, gzip, inflate};
use super::{LedgerError, int};

/// Items of one offer that are kept.
const ITEMS_MAX: usize = 10_000;

/// What a host was offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The host.
    pub host: HostId,
    /// When it was received.
    pub at: Timestamp,
    /// The environment it was made from.
    pub environment: Option<String>,
    /// Provenance of its content.
    pub version: Option<String>,
    /// The tool's own id of the run that asked for it.
    pub run: Option<String>,
    /// What it sets.
    pub items: Items,
}

/// A text, to be kept under the digest of the content it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The content.
    pub digest: Digest,
    /// Bytes of the text.
    pub size: u64,
    /// The text, gzipped.
    pub gzip: Bytes,
}

impl Text {
    /// The text of a content, ready to be kept.
    pub fn new(digest: Digest, text: &str) -> Self {
        Self { digest, size: text.len() as u64, gzip: gzip(text.as_bytes()).unwrap_or_default() }
    }
}

pub(super) fn keep(tx: &Transaction<'_>, offer: &Offer, texts: &[Text]) -> Result<(), LedgerError> {
    let insert = "INSERT INTO texts (digest, at, size, stored, body) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (digest) DO UPDATE SET at = excluded.at";
    for text in texts {
        let row = params![text.digest.to_string(), offer.at.ms(), int(text.size), int(text.gzip.len() as u64), &text.gzip[..]];
        tx.prepare_cached(insert).and_then(|mut statement| statement.execute(row)).doing("keep a text")?;
    }
    let upsert = "INSERT INTO offers (host, at, environment, version, run, items) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
        ON CONFLICT (host) DO UPDATE SET at = excluded.at, environment = excluded.environment, version = excluded.version, \
        run = excluded.run, items = excluded.items WHERE excluded.at >= offers.at";
    let items = gzip(&written(&offer.items)).unwrap_or_default();
    let row = params![offer.host.as_str(), offer.at.ms(), offer.environment, offer.version, offer.run, &items[..]];
    tx.prepare_cached(upsert).and_then(|mut statement| statement.execute(row)).map(drop).doing("keep an offer")
}

fn written(items: &Items) -> Vec<u8> {
    let list: Vec<[String; 4]> = items
        .iter()
        .take(ITEMS_MAX)
        .map(|(key, content)| [key.kind.to_string(), key.title.to_string(), key.parameter.to_string(), content.to_string()])
        .collect();
    serde_json::to_vec(&list).unwrap_or_default()
}

fn read(json: &[u8]) -> Items {
    let list: Vec<[String; 4]> = serde_json::from_slice(json).unwrap_or_default();
    let item = |[kind, title, parameter, digest]: [String; 4]| Some((ItemKey::new(&kind, &title, &parameter), Digest::parse(&digest)?));
    list.into_iter().filter_map(item).collect()
}

impl Reader {
    /// The text of a content, while it is kept.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn text(&self, content: Digest) -> Result<Option<String>, LedgerError> {
        let sql = "SELECT body FROM texts WHERE digest = ?1";
        let mut statement = self.conn.prepare_cached(sql).doing("read a text")?;
        let gzip: Option<Vec<u8>> = statement.query_row([content.to_string()], |row| row.get(0)).optional().doing("read a text")?;
        gzip.map(|gzip| Ok(String::from_utf8_lossy(&inflate(&gzip)?).into_owned())).transpose()
    }

    /// What a host was offered last.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn offer(&self, host: &HostId) -> Result<Option<Offer>, LedgerError> {
        let sql = "SELECT at, environment, version, run, items FROM offers WHERE host = ?1";
        let row = self.conn.query_row(sql, [host.as_str()], |row| {
            let at = Timestamp::from_ms(row.get(0)?);
            Ok((at, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, Vec<u8>>(4)?))
        });
        let Some((at, environment, version, run, gzip)) = row.optional().doing("read an offer")? else { return Ok(None) };
        Ok(Some(Offer { host: host.clone(), at, environment, version, run, items: read(&inflate(&gzip)?) }))
    }
}
