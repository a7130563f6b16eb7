//! Where the tables of an outpost lie, and by which it answers. What it answers by is one table for all
//! hosts at any moment, also where it is ended between two steps: what lies in the base counts until the
//! one beside it holds, and then that one counts before the base, however much of it was moved there.

use crate::model::table::{InForce, TableId};
use crate::model::time::Timestamp;

/// What an outpost has. It is kept in one small file, which is replaced whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// The table whose policies the base holds; none before the first, or where they are of no table.
    pub base: Option<TableId>,
    /// The table that lies beside the base, all of it.
    pub next: Option<Next>,
}

/// A table that lies beside the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Which.
    pub table: TableId,
    /// From when it holds, server time; none where that is not known yet.
    pub from: Option<Timestamp>,
    /// Its policies are being moved into the base: it holds, whatever a clock says from now on.
    pub moving: bool,
}

impl Shelf {
    /// The table beside the base that is looked into first now; none where only the base counts.
    pub fn beside(&self, now: Timestamp) -> Option<TableId> {
        self.next.filter(|next| next.moving || next.from.is_some_and(|from| now >= from)).map(|next| next.table)
    }

    /// The newest table that lies here whole.
    pub fn stored(&self) -> Option<TableId> {
        self.next.map(|next| next.table).or(self.base)
    }

    /// The newest table of which it is known that it holds, or from when.
    pub fn in_force(&self) -> Option<TableId> {
        self.next.filter(|next| next.moving || next.from.is_some()).map(|next| next.table).or(self.base)
    }

    /// Whether it waits to hear from when a table holds.
    pub fn waits(&self) -> bool {
        self.next.is_some_and(|next| next.from.is_none() && !next.moving)
    }

    /// Whether this table may be put beside the base: there is room, it is later than what holds, and it does not lie
    /// there already.
    pub fn takes(&self, table: TableId) -> bool {
        let free = self.next.is_none_or(|next| next.table != table) && (self.next.is_none() || self.waits());
        free && self.base.is_none_or(|base| base < table)
    }

    /// After this table was put beside the base, whole and durably.
    #[must_use]
    pub fn with(self, table: TableId) -> Self {
        Self { next: Some(Next { table, from: None, moving: false }), ..self }
    }

    /// After it was told what is in force. What lies here already, or does not lie here, alters nothing.
    #[must_use]
    pub fn told(self, force: InForce) -> Self {
        match self.next {
            Some(next) if next.table == force.table && next.from.is_none() => {
                Self { next: Some(Next { from: Some(force.from), ..next }), ..self }
            }
            _ => self,
        }
    }

    /// Before the policies of the table beside the base are moved into it; none where none holds yet.
    pub fn moving(self, now: Timestamp) -> Option<Self> {
        self.beside(now)?;
        Some(Self { next: self.next.map(|next| Next { moving: true, ..next }), ..self })
    }

    /// After all of them were moved.
    #[must_use]
    pub fn moved(self) -> Self {
        Self { base: self.next.map(|next| next.table).or(self.base), next: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(number: u64) -> TableId {
        TableId { incarnation: 1, number }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_table_counts_from_its_time_on_and_what_is_being_moved_counts_at_any_time() {
        let stored = Shelf::default().with(table(1));
        assert_eq!((stored.beside(at(i64::MAX)), stored.stored(), stored.in_force()), (None, Some(table(1)), None));
        assert_eq!(stored.moving(at(9)), None, "nobody said that it holds");
        let told = stored.told(InForce { table: table(1), from: at(5) });
        assert_eq!((told.beside(at(4)), told.beside(at(5)), told.in_force()), (None, Some(table(1)), Some(table(1))));
        let moving = told.moving(at(5)).unwrap();
        assert_eq!(moving.beside(at(0)), Some(table(1)), "a clock that was set back does not take it back");
        assert_eq!(moving.moved(), Shelf { base: Some(table(1)), next: None });
    }

    #[test]
    fn a_table_that_holds_makes_no_room_and_an_earlier_one_is_not_taken() {
        let shelf = Shelf { base: Some(table(3)), next: None };
        assert!(shelf.takes(table(4)) && !shelf.takes(table(3)) && !shelf.takes(table(2)));
        assert!(shelf.takes(TableId { incarnation: 2, number: 1 }), "a restored server's is later");
        let waits = shelf.with(table(4));
        assert!(waits.takes(table(5)), "one that never held gives its place");
        assert!(!waits.takes(table(4)), "it is there");
        assert!(!waits.told(InForce { table: table(4), from: at(5) }).takes(table(5)));
        assert_eq!(waits.told(InForce { table: table(3), from: at(0) }), waits);
    }
}
