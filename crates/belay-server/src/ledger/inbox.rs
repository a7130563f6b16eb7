//! The inbox: bytes that were acknowledged before anybody knew what they say.

use std::collections::BTreeMap;

use belay_core::model::ids::{HostId, InboxId};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Principal, Role, Within};
use belay_core::model::time::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::error::Doing;
use super::{Ledger, LedgerError, int};

/// Bytes to be made durable.
#[derive(Clone, Debug)]
pub struct Deposit {
    /// When they were received.
    pub received: Timestamp,
    /// The tool whose door they came by.
    pub tool: &'static str,
    /// The query of the request by which they came.
    pub head: String,
    /// Who brought them, by credential.
    pub principal: Principal,
    /// The bytes.
    pub body: axum::body::Bytes,
}

/// A row of the inbox that waits to be understood.
#[derive(Clone, Debug)]
pub struct Left {
    /// Its number.
    pub id: InboxId,
    /// When its bytes were received.
    pub received: Timestamp,
    /// The tool whose door they came by.
    pub tool: String,
    /// The query of the request by which they came.
    pub head: String,
    /// Who brought them; `None` when this build cannot tell any more.
    pub principal: Option<Principal>,
    /// The bytes.
    pub body: Vec<u8>,
    /// How often somebody began to read it.
    pub tries: u32,
}

impl Ledger {
    /// Takes note that somebody begins to read these rows, before it is done: bytes that bring the
    /// server down are known by it at the next start.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn begin_to_read(&mut self, ids: &[InboxId]) -> Result<(), LedgerError> {
        let tx = self.conn.transaction().doing("begin to mark the inbox")?;
        for id in ids {
            let mark = "UPDATE inbox SET state = state + 1 WHERE id = ?1";
            tx.prepare_cached(mark).and_then(|mut s| s.execute([int(id.0)])).doing("mark the inbox")?;
        }
        tx.commit().doing("commit the inbox's marks")
    }
}

/// Which rows wait, and how many bytes they hold.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    rows: BTreeMap<InboxId, u64>,
    bytes: u64,
}

impl Waiting {
    pub(super) fn read(conn: &Connection) -> Result<Self, LedgerError> {
        let mut statement = conn.prepare("SELECT id, length(body) FROM inbox").doing("look through the inbox")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).doing("look through the inbox")?;
        let mut waiting = Self::default();
        for row in rows {
            let (id, size) = row.doing("look through the inbox")?;
            waiting.add(InboxId(id.unsigned_abs()), size.unsigned_abs());
        }
        Ok(waiting)
    }

    /// How many rows wait.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many bytes they hold.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether this row waits.
    pub fn has(&self, id: InboxId) -> bool {
        self.rows.contains_key(&id)
    }

    pub(super) fn add(&mut self, id: InboxId, bytes: u64) {
        self.rows.insert(id, bytes);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn done(&mut self, id: InboxId) {
        if let Some(bytes) = self.rows.remove(&id) {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

/// A principal as a row of the inbox writes it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wire {
    Person {
        name: String,
        role: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        within: Vec<String>,
    },
    Host(String),
    Relay(String),
    Source(String),
}

pub(super) fn principal_to_text(principal: &Principal) -> String {
    let wire = match principal {
        Principal::Person { name, role, within } => {
            let within = within.0.iter().map(|pattern| pattern.as_str().to_owned()).collect();
            Wire::Person { name: name.clone(), role: role.word().to_owned(), within }
        }
        Principal::Host(host) => Wire::Host(host.to_string()),
        Principal::Relay(pattern) => Wire::Relay(pattern.as_str().to_owned()),
        Principal::Source(name) => Wire::Source(name.clone()),
    };
    serde_json::to_string(&wire).unwrap_or_default()
}

pub(super) fn principal_from_text(text: &str) -> Option<Principal> {
    Some(match serde_json::from_str(text).ok()? {
        Wire::Person { name, role, within } => {
            let within = Within(within.iter().map(|text| Pattern::new(text)).collect());
            Principal::Person { name, role: Role::parse(&role)?, within }
        }
        Wire::Host(host) => Principal::Host(HostId::parse(&host).ok()?),
        Wire::Relay(pattern) => Principal::Relay(Pattern::new(&pattern)),
        Wire::Source(name) => Principal::Source(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_reads_back() {
        for principal in [
            Principal::person("alice", Role::Approver),
            Principal::Person { name: "bob".into(), role: Role::Operator, within: Within(vec![Pattern::new("web*")]) },
            Principal::Host(HostId::parse("web01").unwrap()),
            Principal::Relay(Pattern::new("web*")),
            Principal::Source("p1".into()),
        ] {
            assert_eq!(principal_from_text(&principal_to_text(&principal)), Some(principal));
        }
        assert_eq!(principal_from_text("{\"person\":{\"name\":\"x\",\"role\":\"god\"}}"), None);
    }
}
