//! News: what happened that is worth showing to people as it happens.

use belay_core::explain::alert::alert;
use belay_core::explain::{change as explain, gate};
use belay_core::model::alert::{Effect, Subject, Task};
use belay_core::model::change::Change;
use belay_core::model::gate::Gate;
use belay_core::model::hold::{Hold, Told};
use belay_core::model::ids::{ChangeId, ClassName, HostId};
use belay_core::model::principal::Actor;
use belay_core::model::report::RunKind;
use belay_core::model::run::Run;
use belay_core::model::time::Timestamp;
use belay_core::model::verdict::{Judge, Look, Standing, Verdict};
use belay_core::state::{Fact, NoteKind, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::printed;

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewsView {
    /// Number of the journal's record; whoever goes on from here is told of everything later.
    pub seq: u64,
    /// When.
    pub at: String,
    /// What kind: `change-opened`, `wave-opened`, `suspect`, `verdict`, `hold-placed`, `hold-altered`, `hold-broken`,
    /// `hold-expired`, `hold-ended`, `revert`, `pin`, `alert`, `alert-given-up`, `run-refused`, `feed-silent`, `feed-back`,
    /// `class-closed`, `class-opened`, `breaker` or `warning`.
    pub kind: String,
    /// The class it is about, where it is about one.
    pub class: Option<String>,
    /// The host it is about.
    pub host: Option<String>,
    /// The Change it is about.
    pub change: Option<String>,
    /// The hold it is about.
    pub hold: Option<String>,
    /// In plain words.
    pub text: String,
}

impl NewsView {
    /// What a fact has to tell, if it has. `after` is the state with it applied.
    pub fn of(after: &State, seq: u64, at: Timestamp, fact: &Fact) -> Option<Self> {
        let told = of_change(after, fact).or_else(|| of_hosts(after, fact)).or_else(|| of_people(after, at, fact))?;
        Some(Self { seq, at: at.to_string(), ..told })
    }

    fn new(kind: &str, text: String) -> Self {
        Self { kind: kind.to_owned(), text, ..Self::default() }
    }

    fn on_change(kind: &str, id: ChangeId, class: Option<&ClassName>, text: String) -> Self {
        Self { change: Some(id.to_string()), class: printed(class), ..Self::new(kind, text) }
    }

    fn on_host(kind: &str, host: &HostId, class: Option<&ClassName>, text: String) -> Self {
        Self { host: Some(host.to_string()), class: printed(class), ..Self::new(kind, text) }
    }

    fn on_class(kind: &str, class: &ClassName, text: String) -> Self {
        Self { class: Some(class.to_string()), ..Self::new(kind, text) }
    }
}

fn of_change(after: &State, fact: &Fact) -> Option<NewsView> {
    let known = |id: &ChangeId| after.changes.get(id);
    let class = |id: &ChangeId| known(id).map(|change| &change.class);
    match fact {
        Fact::ChangeOpened { change } => {
            let now: &Change = known(&change.id).unwrap_or(change);
            let text = format!("{} opened: {} came to {}", now.id, explain::what(now), explain::place(now));
            Some(NewsView::on_change("change-opened", now.id, Some(&now.class), text))
        }
        Fact::WaveOpened { change, open } => {
            Some(NewsView::on_change("wave-opened", *change, class(change), format!("wave {open} of {change} was opened")))
        }
        Fact::Looked { change, look } => {
            let text = suspicion(look)?;
            Some(NewsView::on_change("suspect", *change, class(change), format!("{change} is suspect: {text}")))
        }
        Fact::Decided { change, verdict } => {
            Some(NewsView::on_change("verdict", *change, class(change), format!("{change} {}", ruled(verdict))))
        }
        Fact::RevertSet { revert, what, .. } => Some(NewsView::on_change("revert", revert.change, class(&revert.change), what.clone())),
        _ => None,
    }
}

fn suspicion(look: &Look) -> Option<String> {
    if look.standing != Standing::Suspect {
        return None;
    }
    Some(look.findings.first().map_or_else(|| "something looks wrong".to_owned(), explain::finding))
}

fn ruled(verdict: &Verdict) -> String {
    match &verdict.by {
        Judge::Belay => match verdict.findings.first() {
            Some(finding) => format!("{}: {}", verdict.outcome, explain::finding(finding)),
            None => verdict.outcome.to_string(),
        },
        Judge::Person { actor, reason } => format!("{} by {actor}: {reason}", verdict.outcome),
        Judge::Successor(successor) => format!("{}: {successor} took its place", verdict.outcome),
    }
}

fn of_hosts(after: &State, fact: &Fact) -> Option<NewsView> {
    let class = |host: &HostId| after.hosts.get(host).map(|host| &host.class);
    match fact {
        Fact::RunRecorded { run, .. } => refused(run),
        Fact::HostTold { host, agent } => {
            let asked = agent.status.gate.as_ref().filter(|asked| asked.answer == Gate::Refused)?;
            let text = format!("the gate of {host} refused a run: {}", asked.why);
            Some(NewsView::on_host("run-refused", host, class(host), text))
        }
        Fact::PinSet { host, pin, actor } => {
            let text = match pin {
                Some(pin) => format!("{actor} pinned {host} to environment {} until {}: {}", pin.environment, pin.until, pin.reason),
                None => format!("{host} is pinned no more"),
            };
            Some(NewsView::on_host("pin", host, class(host), text))
        }
        Fact::Noted(note) if note.kind == NoteKind::Warning => {
            let host = note.host.as_ref();
            Some(NewsView { host: printed(host), class: printed(host.and_then(class)), ..NewsView::new("warning", note.text.clone()) })
        }
        Fact::FeedSet { id, feed } => {
            let silent = feed.as_ref()?.silent;
            // Whoever is heard again and again is no news; that it was silent is known from what people were told.
            let told = after.alerted.contains_key(&Subject::Feed(id.clone()));
            match silent {
                Some(since) => Some(NewsView::new("feed-silent", format!("nothing came by {id} since {since}"))),
                None if told => Some(NewsView::new("feed-back", format!("{id} speaks again"))),
                None => None,
            }
        }
        Fact::ClosedSet { class, closed: Some(closed) } => {
            Some(NewsView::on_class("class-closed", class, format!("class {class} is closed for what is new: {}", gate::closed(closed))))
        }
        Fact::ClosedSet { class, closed: None } => {
            Some(NewsView::on_class("class-opened", class, format!("class {class} is open for what is new")))
        }
        Fact::BreakerSet { breaker } => {
            let text = match breaker {
                Some(breaker) => format!(
                    "Belay itself is stopping configuration management: {} of {} hosts that asked were refused",
                    breaker.refused, breaker.asked
                ),
                None => "Belay does not stop configuration management any more".to_owned(),
            };
            Some(NewsView::new("breaker", text))
        }
        _ => None,
    }
}

fn refused(run: &Run) -> Option<NewsView> {
    let RunKind::Refused(why) = &run.kind else { return None };
    Some(NewsView::on_host("run-refused", &run.host, Some(&run.class), format!("a run on {} was refused: {why}", run.host)))
}

fn of_people(after: &State, at: Timestamp, fact: &Fact) -> Option<NewsView> {
    match fact {
        Fact::HoldSet { hold, actor, what } => {
            let mut classes = after.hosts.values().filter(|host| hold.is_about(host)).map(|host| &host.class);
            let first = classes.next();
            let class = first.filter(|first| classes.all(|class| class == *first));
            let news = NewsView::new(of_hold(hold, actor), what.clone());
            Some(NewsView { hold: Some(hold.id.to_string()), class: printed(class), ..news })
        }
        Fact::EffectAsked { effect } => Some(told(after, at, "alert", effect, "")),
        Fact::EffectTried { effect } if effect.dead => {
            let why = effect.last_error.as_deref().unwrap_or("it could not be sent");
            Some(told(after, at, "alert-given-up", effect, &format!(" was given up: {why}")))
        }
        _ => None,
    }
}

/// What became of a hold.
fn of_hold(hold: &Hold, actor: &Actor) -> &'static str {
    let by_host = actor.0.starts_with("host:") || actor.0.starts_with("relay:");
    match () {
        () if hold.end.is_some() => "hold-ended",
        () if by_host && !hold.broken.is_empty() => "hold-broken",
        () if hold.told >= Told::Expired => "hold-expired",
        () if hold.revision <= 1 && hold.told == Told::Nothing => "hold-placed",
        () => "hold-altered",
    }
}

fn told(after: &State, at: Timestamp, kind: &str, effect: &Effect, then: &str) -> NewsView {
    let Task::Notify { receiver, about } = &effect.task;
    let title = alert(after, about, at).map_or_else(|| about.to_string(), |alert| alert.title);
    let news = NewsView::new(kind, format!("alert to {receiver}{then}: {title}"));
    let of_class = |class: &ClassName| Some(class.to_string());
    match about {
        Subject::Change(id) => {
            NewsView { change: Some(id.to_string()), class: printed(after.changes.get(id).map(|change| &change.class)), ..news }
        }
        Subject::Hold(id) => NewsView { hold: Some(id.to_string()), ..news },
        Subject::Stale(class) | Subject::Foreign(class) | Subject::Observed(class) => NewsView { class: of_class(class), ..news },
        Subject::Glass(host) => {
            NewsView { host: Some(host.to_string()), class: printed(after.hosts.get(host).map(|host| &host.class)), ..news }
        }
        Subject::Feed(_) | Subject::Breaker => news,
    }
}
