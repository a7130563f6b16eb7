//! Properties of the ledger of acceptance, over random histories.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::model::ids::{ChangeId, HostId};
use belay_core::model::item::Mark;
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Gap, Outcome};
use belay_core::state::{Fact, Scope};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use crate::lab::{Lab, told};

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Release { host: u8, release: u8 },
    Run { host: u8, version: u8, file: u8, text: u8, late_min: u16 },
    Conclude { outcome: u8 },
    Pass { minutes: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let host = 0..6_u8;
    proptest::prop_oneof![
        (host.clone(), 0..3_u8).prop_map(|(host, release)| Step::Release { host, release }),
        (host, any::<u8>(), 0..4_u8, 0..5_u8, prop::sample::select(vec![0_u16, 0, 0, 1, 90]))
            .prop_map(|(host, version, file, text, late_min)| Step::Run { host, version, file, text, late_min }),
        (0..3_u8).prop_map(|outcome| Step::Conclude { outcome }),
        (1..60_u8).prop_map(|minutes| Step::Pass { minutes }),
    ]
}

fn name(host: u8) -> String {
    if host < 4 { format!("web{host}") } else { format!("db{host}") }
}

fn live(steps: &[Step]) -> Lab {
    let mut lab = Lab::new();
    for step in steps {
        match step {
            Step::Release { host, release } => {
                lab.release(&name(*host), &format!("14{release}"));
            }
            Step::Run { host, version, file, text, late_min } => {
                let started = lab.now - Span::from_min(i64::from(*late_min)) - Span::from_s(10);
                let run = told(&name(*host), "production").file(&format!("/etc/{file}"), &format!("text {text}")).started(started);
                lab.report(run.version(&format!("v{}", version % 4)));
            }
            Step::Conclude { outcome } => {
                let open = lab.state.open_changes().map(|change| change.id.0).next();
                let outcome = [Outcome::Accepted, Outcome::Rejected, Outcome::Inconclusive(Gap::NoData)][usize::from(*outcome)];
                if let Some(open) = open {
                    lab.conclude(open, outcome);
                }
            }
            Step::Pass { minutes } => lab.pass(Span::from_min(i64::from(*minutes))),
        }
        lab.pass(Span::from_s(1));
    }
    lab
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Every accepted or rejected mark stems from a verdict on a Change of exactly that class and
    /// release.
    #[test]
    fn acceptance_never_spreads_to_another_release_or_class(steps in prop::collection::vec(step(), 1..60)) {
        let lab = live(&steps);
        let mut verdicts: BTreeMap<ChangeId, (Scope, BTreeSet<&'static str>)> = BTreeMap::new();
        for (_, fact) in &lab.journal {
            match fact {
                Fact::ChangeOpened { change } => {
                    let scope = Scope { class: change.class.clone(), release: change.release.clone() };
                    verdicts.insert(change.id, (scope, BTreeSet::new()));
                }
                Fact::Decided { change, verdict } => {
                    verdicts.get_mut(change).unwrap().1.insert(verdict.outcome.word());
                }
                Fact::ItemsMarked { scope, mark: Mark::Accepted(change), .. } => {
                    let (own, words) = &verdicts[change];
                    prop_assert!(own == scope && words.contains("accepted"), "{change} accepted something in {scope:?}");
                }
                Fact::ItemsMarked { scope, mark: Mark::Rejected(change), .. } => {
                    let (own, words) = &verdicts[change];
                    prop_assert!(own == scope && words.contains("rejected"), "{change} rejected something in {scope:?}");
                }
                _ => {}
            }
        }
    }

    /// Whatever versions a host skips and in whatever order its reports come, it carries the newest
    /// content of every item it was ever given.
    #[test]
    fn skipping_versions_never_loses_an_item(steps in prop::collection::vec(step(), 1..60)) {
        let lab = live(&steps);
        let mut newest: BTreeMap<(HostId, String), (Timestamp, belay_core::model::ids::Digest)> = BTreeMap::new();
        for (_, fact) in &lab.journal {
            let Fact::RunRecorded { run, .. } = fact else { continue };
            for event in &run.events {
                let key = (run.host.clone(), event.item.as_ref().unwrap().to_string());
                let new = (run.started, event.content.unwrap());
                let known = newest.entry(key).or_insert(new);
                if known.0 <= new.0 { *known = new; }
            }
        }
        for ((host, key), (_, content)) in newest {
            let carried = lab.state.hosts[&host].items.iter().find(|(k, _)| k.to_string() == key);
            prop_assert_eq!(carried.map(|(_, c)| c.content), Some(content), "{} on {}", key, host);
        }
    }

    /// At most one open Change for a class and release, and none without hosts and items.
    #[test]
    fn there_is_one_open_change_for_a_class_and_release(steps in prop::collection::vec(step(), 1..60)) {
        let lab = live(&steps);
        let mut open = BTreeSet::new();
        for change in lab.state.open_changes() {
            prop_assert!(open.insert((change.class.clone(), change.release.clone())), "two open Changes: {:?}", change.id);
            prop_assert!(!change.treated.is_empty() && !change.items.is_empty(), "{} is empty", change.id);
        }
    }
}

/// What only a host carried for a moment, or with a clock that cannot be believed, is not accepted
/// with what was seen; a person's word is about all of it.
#[test]
fn belay_accepts_what_was_carried_long_enough_and_a_person_all_of_it() {
    use crate::lab::FILE;
    use belay_core::decide::Ruling;
    use belay_core::model::principal::Role;
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3"], "141", "production");
    lab.pass(Span::from_min(60));
    lab.report(told("web1", "production").file(FILE, "seen").version("v2"));
    lab.pass(Span::from_min(29));
    lab.report(told("web2", "production").file("/etc/late", "not seen").version("v2"));
    lab.pass(Span::from_min(1));
    lab.conclude(1, Outcome::Accepted);
    let change = ChangeId(1);
    assert_eq!(lab.mark("web", "141", FILE, "seen"), Some(Mark::Accepted(change)));
    assert_eq!(lab.mark("web", "141", "/etc/late", "not seen"), Some(Mark::OnTrial(change)));
    lab.rule(Role::Approver, 1, Ruling::Reject, "it leaks");
    assert_eq!(lab.mark("web", "141", FILE, "seen"), Some(Mark::Rejected(change)));
    assert_eq!(lab.mark("web", "141", "/etc/late", "not seen"), Some(Mark::Rejected(change)));
}
