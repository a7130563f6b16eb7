//! State is the fold of its facts: from the journal, and from a snapshot.

use belay_core::decide::Ruling;
use belay_core::model::principal::Role;
use belay_core::model::time::Span;
use belay_core::model::verdict::Outcome;
use belay_core::state::State;

use crate::lab::{FILE, Lab, told};

#[test]
fn a_snapshot_folds_to_the_same_state_and_so_does_the_journal() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3", "web4"], "141", "production");
    lab.release("web1", "142");
    lab.report(told("web1", "r142").file(FILE, "b").version("v2"));
    lab.conclude(1, Outcome::Accepted);
    lab.pass(Span::from_min(5));
    lab.report(told("web1", "production").file(FILE, "a").version("v1"));
    lab.conclude(2, Outcome::Rejected);
    lab.report(told("web2", "production").file(FILE, "c").file("/x", "y").version("v3"));
    lab.rule(Role::Admin, 3, Ruling::Reject, "no");
    let fold = |facts: &[(belay_core::model::time::Timestamp, belay_core::state::Fact)]| {
        let mut state = State::default();
        facts.iter().for_each(|(at, fact)| state.apply(*at, fact));
        format!("{state:#?}")
    };
    let live = format!("{:#?}", lab.state);
    assert_eq!(fold(&lab.journal), live);
    assert_eq!(fold(&lab.state.to_facts()), live);
}
