//! The gate as a pure function: what is known and what is offered in, an answer out. A host asks it
//! with its last-known-good policy, the server with its state.
//!
//! The worst reason decides: a hold, a release mismatch, rejected content, content that has to
//! wait. A rehearsal always goes, and so does a run that would change nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::HostPolicy;
use crate::model::closed::Closed;
use crate::model::gate::{Enforce, Gate, GateAnswer, HoldOrder, Known, Offered, Why};
use crate::model::ids::{ChangeId, Environment, Release};
use crate::model::item::{Content, ItemKey, Items, branch, environment_content};
use crate::model::time::{Span, Timestamp};

/// The most items an answer names.
const NAMED_MAX: usize = 6;

/// What the answer depends on, apart from what is offered.
pub struct Rules<'a> {
    /// How far the gate goes.
    pub enforce: Enforce,
    /// The holds on the host.
    pub holds: &'a [HoldOrder],
    /// The release the host runs, as it is known now.
    pub release: Option<&'a Release>,
    /// The environment each release needs.
    pub environments: &'a BTreeMap<Release, Environment>,
    /// Content that is not accepted may come: the wave of the host is open.
    pub wave_open: bool,
    /// The class of the host is closed for what is new, or was until it should have opened.
    pub closed: Option<&'a Closed>,
    /// How long content that is not known here stays closed while the server is away.
    pub max_closed: Span,
    /// Whether somebody who knows more could be asked.
    pub server: Server,
    /// The glass was broken on this host: why.
    pub break_glass: Option<&'a str>,
}

/// Whether whoever answers knows all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// It does: the server itself, or a host with a fresh policy.
    Fresh,
    /// It does not: the server has been away for so long.
    Away(Span),
}

/// May this run go ahead?
pub fn gate(rules: &Rules<'_>, known: &dyn Fn(&ItemKey, &Content) -> Known, offered: &Offered, now: Timestamp) -> GateAnswer {
    if offered.noop {
        return GateAnswer::go(Why::Noop);
    }
    if let Some(reason) = rules.break_glass.or(offered.break_glass.as_deref()) {
        return GateAnswer { pages: true, ..GateAnswer::go(Why::BreakGlass(reason.to_owned())) };
    }
    if !rules.holds.is_empty() {
        let until = rules.holds.iter().map(|hold| hold.until).max().filter(|until| *until > now);
        let why = rules.holds.iter().cloned().map(Why::Hold).collect();
        return GateAnswer { gate: Gate::Held, why, until, pages: false };
    }
    match rules.enforce {
        Enforce::Off => {
            let stricter = weigh(rules, Enforce::Rejected, known, offered, now);
            if stricter.gate == Gate::Go { stricter } else { GateAnswer::go(Why::Observing(Box::new(stricter))) }
        }
        level => weigh(rules, level, known, offered, now),
    }
}

/// What a host answers by itself from its last-known-good policy. `release` is the one read on the
/// host now; where the policy was made for another, nothing is known of items. A hold whose lock was
/// removed twice by hand is not fought for here either: the caller leaves it out
/// ([`HostPolicy::without_holds`]).
pub fn gate_by(
    policy: &HostPolicy,
    release: Option<&Release>,
    glass: Option<&str>,
    offered: &Offered,
    server: Server,
    now: Timestamp,
) -> GateAnswer {
    let release = release.or(policy.release.as_ref());
    let fits = release == policy.release.as_ref();
    let closed = policy.closed_at(now);
    let rules = Rules {
        enforce: policy.enforce,
        holds: &policy.holds,
        release,
        environments: &policy.environments,
        wave_open: policy.wave_open && closed.is_none(),
        closed,
        max_closed: policy.max_closed,
        server,
        break_glass: glass,
    };
    gate(&rules, &|key, content| if fits { policy.known(key, content) } else { Known::Unseen }, offered, now)
}

/// What the offered items are, by what is known of them.
#[derive(Default)]
struct Sorted {
    rejected: BTreeMap<ChangeId, Vec<ItemKey>>,
    on_trial: BTreeMap<ChangeId, u32>,
    unseen: u32,
    good: u32,
}

fn weigh(rules: &Rules<'_>, level: Enforce, known: &dyn Fn(&ItemKey, &Content) -> Known, offered: &Offered, now: Timestamp) -> GateAnswer {
    if offered.delta.as_ref().is_some_and(Items::is_empty) && offered.opaque == 0 && mismatch(rules, offered).is_none() {
        return GateAnswer::go(Why::EmptyDelta);
    }
    if let Some(mismatch) = mismatch(rules, offered).filter(|_| level >= Enforce::ReleaseMatch) {
        return refused(vec![mismatch]);
    }
    let sorted = sort(known, offered);
    if level >= Enforce::Rejected && !sorted.rejected.is_empty() {
        return refused(sorted.rejected.into_iter().map(|(change, items)| Why::Rejected { change, items: named(items) }).collect());
    }
    let open = sorted.unseen + sorted.on_trial.values().sum::<u32>();
    if open == 0 {
        return GateAnswer::go(if offered.delta.is_none() && sorted.good == 0 { Why::NothingAgainst } else { Why::AllAccepted });
    }
    let change = sorted.on_trial.keys().next_back().copied();
    let waits = level >= Enforce::Waves && !rules.wave_open;
    match (rules.server, rules.closed) {
        // What people closed until a certain time stays closed until then, whoever is away.
        (_, Some(closed)) if waits && closed.until.is_some_and(|until| now < until) => shut(closed, open),
        (Server::Away(since), _) if level >= Enforce::Rejected && sorted.unseen > 0 => away(rules, since, sorted.unseen),
        (_, Some(closed)) if waits && closed.until.is_none() => shut(closed, open),
        _ if waits => GateAnswer { gate: Gate::Deferred, why: vec![Why::WaveNotOpen { items: open, change }], until: None, pages: false },
        _ => GateAnswer::go(Why::MayCome { items: open }),
    }
}

fn shut(closed: &Closed, items: u32) -> GateAnswer {
    let why = vec![Why::Closed { items, closed: closed.clone() }];
    GateAnswer { gate: Gate::Deferred, why, until: closed.until, pages: false }
}

fn refused(why: Vec<Why>) -> GateAnswer {
    GateAnswer { gate: Gate::Refused, why, until: None, pages: false }
}

fn named(mut items: Vec<ItemKey>) -> Vec<ItemKey> {
    items.truncate(NAMED_MAX);
    items
}

/// Content that nobody here knows, while nobody who might can be asked: closed for a while, then
/// open and told, because the catch must not become the outage.
fn away(rules: &Rules<'_>, since: Span, items: u32) -> GateAnswer {
    if since >= rules.max_closed {
        return GateAnswer { pages: true, ..GateAnswer::go(Why::AwayTooLong { since }) };
    }
    GateAnswer { gate: Gate::Deferred, why: vec![Why::Away { items, since }], until: None, pages: false }
}

/// Whether the environment offered belongs to another release than the host runs.
fn mismatch(rules: &Rules<'_>, offered: &Offered) -> Option<Why> {
    let (release, environment) = (rules.release?, offered.environment.as_ref()?);
    let due = rules.environments.get(release)?;
    if branch(due.as_str()) == branch(environment.as_str()) {
        return None;
    }
    Some(Why::ReleaseMismatch { environment: environment.clone(), release: release.clone(), due: due.clone() })
}

/// What a report leaves out of a resource that is made, and a catalog names: whose it is and who may
/// use it. Only these come with accepted content. What a resource *is* (its content, that it is
/// there, what it runs) never does: somebody has to have seen it.
const COMES_WITH_CONTENT: [&str; 3] = ["owner", "group", "mode"];

/// Resources of which some parameter of this delta is known to be good.
fn vouched_for<'o>(known: &dyn Fn(&ItemKey, &Content) -> Known, offered: &'o Offered) -> BTreeSet<(&'o str, &'o str)> {
    let good = offered.delta.iter().flatten().filter(|(key, content)| matches!(known(key, content), Known::Accepted | Known::Adopted));
    good.map(|(key, _)| (&*key.kind, &*key.title)).collect()
}

/// The environment is content like any other, except that one nobody has seen is no reason to wait:
/// what it brings is.
fn sort(known: &dyn Fn(&ItemKey, &Content) -> Known, offered: &Offered) -> Sorted {
    let mut sorted = Sorted::default();
    let environment = offered.environment.as_ref().map(|name| (ItemKey::environment(), environment_content(name)));
    if let Some((key, content)) = environment
        && let Known::Rejected(change) = known(&key, &content)
    {
        sorted.rejected.entry(change).or_default().push(key);
    }
    let vouched: BTreeSet<(&str, &str)> = vouched_for(known, offered);
    for (key, content) in offered.delta.iter().flatten() {
        match known(key, content) {
            Known::Unseen if COMES_WITH_CONTENT.contains(&&*key.parameter) && vouched.contains(&(&*key.kind, &*key.title)) => {
                sorted.good += 1;
            }
            Known::Rejected(change) => sorted.rejected.entry(change).or_default().push(key.clone()),
            Known::OnTrial(change) => *sorted.on_trial.entry(change).or_default() += 1,
            Known::Unseen => sorted.unseen += 1,
            Known::Adopted | Known::Accepted => sorted.good += 1,
        }
    }
    sorted
}
