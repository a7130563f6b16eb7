//! The plan: what it foretells is what then happens.

use std::collections::BTreeSet;

use belay_core::decide::plan::{HOSTS_MAX, Planned, Wait, plan};
use belay_core::explain::plan as words;
use belay_core::model::gate::Gate;
use belay_core::model::ids::{ChangeId, ClassName};
use belay_core::model::time::Span;
use belay_core::model::verdict::Outcome;

use crate::lab::{FILE, Lab, told};
use crate::waves::{HOSTS, fleet, may, names, round};

fn planned(lab: &Lab) -> Planned {
    let mut all: Vec<Planned> = plan(&lab.state, None, None, lab.now).map(|(_, planned)| planned).collect();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn hosts(of: &[(belay_core::model::ids::HostId, belay_core::model::gate::GateAnswer)]) -> BTreeSet<String> {
    of.iter().map(|(host, _)| host.to_string()).collect()
}

#[test]
fn the_hosts_of_the_next_wave_are_those_that_get_it_when_it_opens() {
    let mut lab = fleet(|_| {});
    assert_eq!(plan(&lab.state, None, None, lab.now).count(), 0, "nothing is on its way yet");
    let mut came = round(&mut lab, "new");
    for _ in 0..3 {
        let before = planned(&lab);
        assert_eq!((before.now.count, before.next.hosts.len()), (0, before.next.count), "all of this wave have it");
        assert!(before.next.hosts.iter().all(|(host, answer)| answer.gate == Gate::Deferred && !may(&lab, host.as_str(), "new")));
        let Some(Wait::Verdict { from, ends }) = before.waits.first() else { panic!("{:?}", before.waits) };
        assert!(before.next_from == Some(*from) && from < ends, "{before:?}");
        lab.pass(from.since(lab.now));
        lab.conclude(1, Outcome::Accepted);
        let opened = planned(&lab);
        assert_eq!(hosts(&opened.now.hosts), hosts(&before.next.hosts));
        let waits_for_runs = matches!(opened.waits[0], Wait::Hosts { .. });
        assert!(waits_for_runs == (opened.next.count > 0) && opened.next_from.is_none(), "{opened:?}");
        let all = round(&mut lab, "new");
        let new: BTreeSet<String> = all.difference(&came).cloned().collect();
        assert_eq!(new, hosts(&before.next.hosts), "whom the plan named came, and nobody else");
        came = all;
    }
    let last = planned(&lab);
    assert_eq!((came.len() as u64, last.next.count, last.now.count, last.next_from), (HOSTS, 0, 0, None));
}

#[test]
fn so_many_runs_as_are_waited_for_bring_the_next_wave() {
    let mut lab = fleet(|_| {});
    round(&mut lab, "new");
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    let due = planned(&lab);
    let Wait::Hosts { more } = due.waits[0] else { panic!("{:?}", due.waits) };
    assert!(more > 0 && more < due.now.count + 1 && words::wait(&due.waits[0], lab.now).starts_with("run"), "{due:?}");
    for (index, (host, answer)) in due.now.hosts.iter().take(more).enumerate() {
        assert_eq!(answer.gate, Gate::Go);
        assert!(matches!(planned(&lab).waits[0], Wait::Hosts { more: left } if left == more - index));
        lab.report(told(host.as_str(), "production").file(FILE, "new").version("v2"));
    }
    assert!(!planned(&lab).waits.iter().any(|wait| matches!(wait, Wait::Hosts { .. })));
}

#[test]
fn without_waves_every_host_that_has_it_not_may_get_it_and_a_class_that_is_not_asked_for_is_left_out() {
    let mut lab = fleet(|class| class.enforce = belay_core::model::gate::Enforce::Rejected);
    lab.report(told("web03", "production").file(FILE, "new").version("v2"));
    let planned = planned(&lab);
    let expected: BTreeSet<String> = names().into_iter().filter(|host| host != "web03").collect();
    assert_eq!((hosts(&planned.now.hosts), planned.next.count), (expected, 0));
    let of = |class: &str| plan(&lab.state, Some(&ClassName::parse(class).unwrap()), None, lab.now).count();
    assert_eq!((of("web"), of("other")), (1, 0));
    assert_eq!(plan(&lab.state, None, Some(ChangeId(1)), lab.now).count(), 0, "after the last one there is none");
    assert!(planned.now.hosts.len() <= HOSTS_MAX);
}
