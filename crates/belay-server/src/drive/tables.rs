//! Tables as they are given: what all hosts are classified by, from one moment, kept while it is given. And
//! what outposts said last. Neither outlives the process: how far the tables came is in the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use belay_core::decide::host_policy::{relayed, stand};
use belay_core::decide::tables::{self, Due, Heard, Word};
use belay_core::decide::{Input, tables::due};
use belay_core::host::policy::{HostPolicy, Stand};
use belay_core::model::ids::HostId;
use belay_core::model::principal::{Principal, Role};
use belay_core::model::table::{OutpostId, TableId};
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use tokio::sync::Mutex;

use super::{Drive, DriveError, Keep};

/// Steps at one turn: an outpost enters, a table goes in force, another is made, which goes in force.
const STEPS_MAX: usize = 8;

/// A table: the policies of all hosts, as far as the classifier needs them, from one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// Which.
    pub table: TableId,
    /// The stand it was made at.
    pub stand: Stand,
    policies: Vec<HostPolicy>,
}

/// The tables of a server, and what outposts said.
#[derive(Debug, Default)]
pub struct Desk {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    words: BTreeMap<OutpostId, Word>,
    force: Option<Arc<Snapshot>>,
    pending: Option<Arc<Snapshot>>,
    /// The stand up to which it is known that a new table would say nothing new.
    seen: Option<Stand>,
    /// When the pending one was made.
    made: Option<Timestamp>,
}

/// What is known of outposts, for those who show it.
#[derive(Debug, Default)]
pub struct Shown {
    /// What they said.
    pub heard: Heard,
    /// When the last table was made.
    pub made: Option<Timestamp>,
}

/// What an outpost is to be told, with the tables that can be given.
#[derive(Debug)]
pub struct Turn {
    /// What.
    pub due: Due,
    /// The table that it is to store.
    pub given: Option<Arc<Snapshot>>,
    /// A table waits for outposts: whoever asks is to ask again soon.
    pub pending: bool,
}

impl Snapshot {
    /// The policies of the hosts that a principal speaks for, after this one, at most `most`; and whether there are more.
    pub fn page(&self, principal: &Principal, after: Option<&HostId>, most: usize) -> (Vec<&HostPolicy>, bool) {
        let from = after.map_or(0, |after| self.policies.partition_point(|policy| policy.host <= *after));
        let mut rest = self.policies[from..].iter().filter(|policy| principal.speaks_for(&policy.host));
        let page: Vec<&HostPolicy> = rest.by_ref().take(most).collect();
        (page, rest.next().is_some())
    }

    /// Whether another says the same. When it was given and where it stands says nothing to a host.
    fn says(&self, policies: &[HostPolicy]) -> bool {
        let same = |(one, other): (&HostPolicy, &HostPolicy)| {
            let moment = HostPolicy { stand: one.stand, issued: one.issued, ..other.clone() };
            *one == moment
        };
        self.policies.len() == policies.len() && self.policies.iter().zip(policies).all(same)
    }
}

impl Desk {
    /// An outpost asks: its word is taken, and what follows from it is committed before it is told.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn asked(&self, drive: &Drive, id: &OutpostId, word: &Word) -> Result<Turn, DriveError> {
        let mut inner = self.inner.lock().await;
        inner.words.insert(id.clone(), word.clone());
        inner.advance(drive).await?;
        Ok(drive.read(|state| inner.turn(state, word)))
    }

    /// What an outpost is to be told by now; it is not heard by that.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn waited(&self, drive: &Drive, word: &Word) -> Result<Turn, DriveError> {
        let mut inner = self.inner.lock().await;
        inner.advance(drive).await?;
        Ok(drive.read(|state| inner.turn(state, word)))
    }

    /// A table that can still be given.
    pub async fn snapshot(&self, table: TableId) -> Option<Arc<Snapshot>> {
        self.inner.lock().await.held(table).cloned()
    }

    /// The table in force, for a relay that knows none and answers by what it is given as it comes; none where this
    /// server cannot give it. Somebody has to see to it that tables go on, also where nobody else asks.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn in_force(&self, drive: &Drive) -> Result<Option<Arc<Snapshot>>, DriveError> {
        let mut inner = self.inner.lock().await;
        inner.advance(drive).await?;
        Ok(inner.force.clone())
    }

    /// What is known of outposts.
    pub async fn shown(&self) -> Shown {
        let inner = self.inner.lock().await;
        Shown { heard: inner.heard(false), made: inner.made }
    }
}

impl Inner {
    fn heard(&self, news: bool) -> Heard {
        Heard { words: self.words.clone(), held: self.pending.as_ref().map(|pending| pending.table), news }
    }

    fn held(&self, table: TableId) -> Option<&Arc<Snapshot>> {
        [&self.force, &self.pending].into_iter().flatten().find(|held| held.table == table)
    }

    fn turn(&self, state: &State, word: &Word) -> Turn {
        let due = due(state, |table| self.held(table).is_some(), word);
        let given = due.give.and_then(|table| self.held(table)).cloned();
        Turn { due, given, pending: state.tables.pending().is_some() }
    }

    /// Has decided what is to be decided, until nothing more follows.
    async fn advance(&mut self, drive: &Drive) -> Result<(), DriveError> {
        for _ in 0..STEPS_MAX {
            let (heard, now) = (self.heard(false), drive.now());
            if drive.read(|state| tables::is_due(state, &heard, now)) {
                drive.decide(Input::Tables { heard: Box::new(heard) }, Keep::default()).await?;
                self.settle(drive);
            } else if !self.make(drive, &heard, now).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes a table, where one may be made and would say something new. Says whether it did.
    async fn make(&mut self, drive: &Drive, heard: &Heard, now: Timestamp) -> Result<bool, DriveError> {
        let candidate = drive.read(|state| {
            let (stand, made) = (stand(state), state.tables.made);
            let wanted = tables::may_make(state, heard, now) && self.seen != Some(stand) && !state.outposts.is_empty();
            wanted.then(|| (stand, made, relayed(state, &everybody(), None, usize::MAX, now)))
        });
        let Some((stand, made, policies)) = candidate else { return Ok(false) };
        self.seen = Some(stand);
        if self.force.as_ref().is_some_and(|force| force.says(&policies)) {
            return Ok(false);
        }
        let heard = Heard { news: true, ..heard.clone() };
        drive.decide(Input::Tables { heard: Box::new(heard) }, Keep::default()).await?;
        // A number that was given before belongs to something else.
        let Some(table) = drive.read(|state| state.tables.pending()).filter(|table| made != Some(*table)) else { return Ok(false) };
        self.pending = Some(Arc::new(Snapshot { table, stand, policies }));
        self.made = Some(now);
        Ok(true)
    }

    /// What was put in force is pending no more.
    fn settle(&mut self, drive: &Drive) {
        let (force, known) = drive.read(|state| {
            let known = self.words.keys().filter(|id| state.outposts.contains_key(*id)).cloned().collect::<Vec<_>>();
            (state.tables.force, known)
        });
        if let Some(pending) = self.pending.take_if(|pending| force.is_some_and(|force| force.table == pending.table)) {
            self.force = Some(pending);
        }
        self.words.retain(|id, _| known.contains(id));
    }
}

/// A table is of all hosts: what an outpost gets of it depends on the hosts it speaks for.
fn everybody() -> Principal {
    Principal::person("belay", Role::Admin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::host::Host;
    use belay_core::model::policy::{Pattern, default_class};

    #[test]
    fn a_page_is_of_the_hosts_spoken_for_and_says_whether_there_are_more() {
        let names = ["a1", "b1", "a2", "a3"].map(|name| HostId::parse(name).unwrap());
        let host = |id: HostId| (id.clone(), Host::new(id, default_class(), Timestamp::from_ms(0)));
        let state = State { hosts: names.into_iter().map(host).collect(), ..State::default() };
        let made = |now| relayed(&state, &everybody(), None, usize::MAX, Timestamp::from_ms(now));
        let table = TableId { incarnation: 1, number: 1 };
        let snapshot = Snapshot { table, stand: Stand::default(), policies: made(0) };
        let page = |after: Option<&str>, most| {
            let after = after.map(|after| HostId::parse(after).unwrap());
            let (page, more) = snapshot.page(&Principal::Relay(Pattern::new("a*")), after.as_ref(), most);
            (page.iter().map(|policy| policy.host.to_string()).collect::<Vec<_>>(), more)
        };
        assert_eq!(page(None, 2), (vec!["a1".to_owned(), "a2".to_owned()], true));
        assert_eq!(page(Some("a2"), 2), (vec!["a3".to_owned()], false));
        assert!(!page(None, 3).1);
        assert!(snapshot.says(&made(5)), "when it was given says nothing");
        assert!(!snapshot.says(&made(0)[1..]));
    }
}
