//! Requests with a key: begun once, answered once, and answered the same when they are sent again.

use belay_core::model::time::{Span, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::error::Doing;
use super::{Ledger, LedgerError, int};

/// How long a key is remembered.
pub const KEPT: Span = Span::from_min(24 * 60);
/// The most keys of one who asks that are remembered at a time.
pub const KEYS_MAX: u64 = 10_000;

/// A request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub who: String,
    /// The key.
    pub key: String,
    /// The digest of what is asked; none where it holds a secret.
    pub digest: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The status.
    pub status: u16,
    /// The body; none where it is not kept.
    pub body: Option<Vec<u8>>,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: from now on it is this request's.
    Yours,
    /// It was used for something else.
    Other,
    /// It was begun then, and there is no answer.
    Begun(Timestamp),
    /// It was answered then.
    Answered(Timestamp, Kept),
    /// Who asks has too many keys.
    TooMany,
}

impl Ledger {
    /// Claims a key for a request, if it is free. The claim is durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn claim(&mut self, request: &Request) -> Result<Claim, LedgerError> {
        let tx = self.conn.transaction().doing("begin to claim a key")?;
        let gone = "DELETE FROM once WHERE who = ?1 AND key = ?2 AND at < ?3";
        tx.execute(gone, params![request.who, request.key, (request.at - KEPT).ms()]).doing("forget a key")?;
        let sql = "SELECT at, request, status, body FROM once WHERE who = ?1 AND key = ?2";
        let known = tx.query_row(sql, params![request.who, request.key], known).optional().doing("look for a key")?;
        if let Some((at, digest, answer)) = known {
            let same = digest.is_none() || digest == request.digest;
            return Ok(match answer {
                _ if !same => Claim::Other,
                Some(kept) => Claim::Answered(at, kept),
                None => Claim::Begun(at),
            });
        }
        let count: i64 = tx.query_row("SELECT count(*) FROM once WHERE who = ?1", [&request.who], |row| row.get(0)).doing("count keys")?;
        if count >= int(KEYS_MAX) {
            return Ok(Claim::TooMany);
        }
        let insert = "INSERT INTO once (who, key, at, request) VALUES (?1, ?2, ?3, ?4)";
        tx.execute(insert, params![request.who, request.key, request.at.ms(), request.digest]).doing("claim a key")?;
        tx.commit().doing("commit a claim")?;
        Ok(Claim::Yours)
    }

    /// Keeps the answer to a claimed request; without one the key is free again.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn settle_claim(&mut self, request: &Request, answer: Option<&Kept>) -> Result<(), LedgerError> {
        let done = match answer {
            Some(kept) => {
                let update = "UPDATE once SET status = ?3, body = ?4 WHERE who = ?1 AND key = ?2";
                self.conn.execute(update, params![request.who, request.key, kept.status, kept.body])
            }
            None => self.conn.execute("DELETE FROM once WHERE who = ?1 AND key = ?2", params![request.who, request.key]),
        };
        done.map(drop).doing("keep the answer to a request")
    }
}

type Known = (Timestamp, Option<String>, Option<Kept>);

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    let status: Option<u16> = row.get(2)?;
    let body = row.get(3)?;
    Ok((Timestamp::from_ms(row.get(0)?), row.get(1)?, status.map(|status| Kept { status, body })))
}
