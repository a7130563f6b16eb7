//! The audit, the outbox and the quarantine.

use belay_core::explain::{gate as explain, selfcheck};
use belay_core::host::policy::Pin;
use belay_core::model::alert::{Effect, Task};
use belay_core::model::closed::Closed;
use belay_core::model::deployment::Deployed;
use belay_core::model::ids::{ClassName, Environment, HostId};
use belay_core::model::principal::{Principal, Token};
use belay_core::model::time::Timestamp;
use belay_core::model::user::{Proof, Session};
use belay_core::model::verdict::{Judge, Verdict};
use belay_core::state::{Breaker, Fact, NoteKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::printed;

/// Something to be done in the world: a row of the outbox, given-up ones (`dead`) included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EffectRow {
    /// Its number, for example `e-3`.
    pub id: String,
    /// What is to be done: `notify`.
    pub task: String,
    /// Where to.
    pub receiver: String,
    /// What it tells of: a Change (`c-17`), a hold (`h-3`), `stale:CLASS`, `foreign:CLASS`,
    /// `ailing:AILMENT:CLASS`, `observed:CLASS`, `feed:NAME`, `glass:HOST` or `breaker`.
    pub about: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first asked for.
    pub asked: String,
    /// When it is to be tried next; `null` when it was given up.
    pub next_try: Option<String>,
    /// What the last attempt said.
    pub last_error: Option<String>,
    /// Given up.
    pub dead: bool,
}

/// A line of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoteRow {
    /// Number of the journal's record.
    pub seq: u64,
    /// When.
    pub at: String,
    /// How serious it is: `security`, `warning` or `info`.
    pub kind: String,
    /// The kind of the journal's record.
    pub fact: String,
    /// Who did it.
    pub actor: String,
    /// The host it is about.
    pub host: Option<String>,
    /// In plain words.
    pub text: String,
}

/// Bytes that could not be taken as a report, and are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineRow {
    /// Number of the journal's record.
    pub seq: u64,
    /// When they were put aside.
    pub at: String,
    /// The row of the inbox that holds them.
    pub inbox: Option<String>,
    /// The host named in them, when it is one of ours.
    pub host: Option<String>,
    /// Hash of the bytes.
    pub digest: String,
    /// How many they are, where they are kept.
    pub bytes: Option<u64>,
    /// Why, in plain words.
    pub reason: String,
}

impl From<&Effect> for EffectRow {
    fn from(effect: &Effect) -> Self {
        let Task::Notify { receiver, about } = &effect.task;
        Self {
            id: effect.id.to_string(),
            task: "notify".to_owned(),
            receiver: receiver.to_string(),
            about: about.to_string(),
            attempts: effect.attempts,
            asked: effect.asked.to_string(),
            next_try: (!effect.dead).then(|| effect.next_try.to_string()),
            last_error: effect.last_error.clone(),
            dead: effect.dead,
        }
    }
}

/// Who and what of an audit line.
struct Line {
    kind: NoteKind,
    actor: String,
    host: Option<HostId>,
    text: String,
}

impl Line {
    fn info(actor: impl ToString, text: String) -> Self {
        Self { kind: NoteKind::Info, actor: actor.to_string(), host: None, text }
    }
}

impl NoteRow {
    /// The audit's line of a fact; none for facts that nobody has to answer for.
    pub fn of(seq: u64, at: Timestamp, fact: &Fact) -> Option<Self> {
        let Line { kind, actor, host, text } = line(fact)?;
        Some(Self {
            seq,
            at: at.to_string(),
            kind: note_kind(kind).to_owned(),
            fact: fact.kind().to_owned(),
            actor,
            host: printed(host.as_ref()),
            text,
        })
    }
}

impl QuarantineRow {
    /// The row of bytes that were put aside; none for other facts.
    pub fn of(seq: u64, at: Timestamp, fact: &Fact, bytes: Option<u64>) -> Option<Self> {
        let Fact::Quarantined { inbox, host, digest, reason } = fact else { return None };
        Some(Self {
            seq,
            at: at.to_string(),
            inbox: printed(inbox.as_ref()),
            host: printed(host.as_ref()),
            digest: digest.to_string(),
            bytes,
            reason: reason.clone(),
        })
    }
}

fn line(fact: &Fact) -> Option<Line> {
    match fact {
        Fact::PolicyLoaded { policy, actor, moved } => {
            let (classes, signals, alerts) = (policy.classes.len(), policy.signals.len(), policy.receivers.len());
            let text = format!(
                "configuration loaded: classes {classes}, signals {signals}, alerts {alerts}; hosts in another class {}",
                moved.len()
            );
            Some(Line::info(actor, text))
        }
        Fact::FactsSet { host, release, facts, actor, .. } => {
            let release = release.as_ref().map_or("no release".to_owned(), |release| format!("release {release}"));
            Some(Line { host: Some(host.clone()), ..Line::info(actor, format!("facts of {host} set: {release}, facts {}", facts.len())) })
        }
        Fact::Quarantined { host, reason, .. } => {
            Some(Line { kind: NoteKind::Warning, actor: "belay".to_owned(), host: host.clone(), text: format!("put aside: {reason}") })
        }
        Fact::WaveOpened { change, open } => Some(Line::info("belay", format!("wave {open} of {change} was opened"))),
        Fact::Decided { change, verdict } => Some(decided(&change.to_string(), verdict)),
        Fact::TokenIssued { token, actor } => Some(Line::info(actor, issued(token))),
        Fact::TokenRevoked { name, actor } => Some(Line::info(actor, format!("credential {name} ended"))),
        Fact::SessionOpened { session } => Some(Line::info(session.person.actor(), opened(session))),
        Fact::HoldSet { actor, what, .. }
        | Fact::PublishedSet { actor, what, .. }
        | Fact::RevertSet { actor, what, .. }
        | Fact::UserSet { actor, what, .. }
        | Fact::UserRemoved { actor, what, .. }
        | Fact::SessionEnded { actor, what, .. } => Some(Line::info(actor, what.clone())),
        Fact::PinSet { host, pin, actor } => Some(Line { host: Some(host.clone()), ..Line::info(actor, pinned(host, pin.as_ref())) }),
        Fact::DeployedSet { place, environment, deployed } => Some(Line::info(place, put_there(environment, deployed))),
        Fact::ClosedSet { class, closed } => Some(Line::info("belay", turned(class, closed.as_ref()))),
        Fact::SelfChecked { check, actor } => Some(Line::info(actor, selfcheck::summary(check))),
        Fact::BreakerSet { breaker } => Some(tripped(breaker.as_ref())),
        Fact::IncarnationBegun { incarnation } => {
            Some(Line::info("belay", format!("history {incarnation} begins: this server was restored from a backup")))
        }
        Fact::Noted(note) => {
            Some(Line { kind: note.kind, actor: note.actor.to_string(), host: note.host.clone(), text: note.text.clone() })
        }
        Fact::HostEnrolled { .. }
        | Fact::RunRecorded { .. }
        | Fact::InboxDone { .. }
        | Fact::ItemsMarked { .. }
        | Fact::HostTold { .. }
        | Fact::LineTold { .. }
        | Fact::WouldHaveRefused { .. }
        | Fact::StaleSet { .. }
        | Fact::ForeignSet { .. }
        | Fact::AilingSet { .. }
        | Fact::PulledSet { .. }
        | Fact::SpreadSet { .. }
        | Fact::FeedSet { .. }
        | Fact::OutpostSet { .. }
        | Fact::TableMade { .. }
        | Fact::TableInForce { .. }
        | Fact::AlertedRestored { .. }
        | Fact::ChangeOpened { .. }
        | Fact::ChangeJoined { .. }
        | Fact::Looked { .. }
        | Fact::SessionSeen { .. }
        | Fact::EffectAsked { .. }
        | Fact::EffectTried { .. }
        | Fact::EffectDone { .. }
        | Fact::CountersRestored { .. }
        | Fact::HostRestored(_)
        | Fact::ChangeRestored { .. } => None,
    }
}

/// A credential was issued.
fn issued(token: &Token) -> String {
    let within = match &token.principal {
        Principal::Person { within, .. } if within.limits() => format!(", within {}", within.words()),
        _ => String::new(),
    };
    format!("credential {} issued; it stands for {}{within}", token.name, token.principal.actor())
}

/// A person logged in.
fn opened(session: &Session) -> String {
    let by = match &session.by {
        Proof::Password => "with a password".to_owned(),
        Proof::Token(name) => format!("with the credential {name}"),
        Proof::Issuer => "through the identity provider".to_owned(),
    };
    let from = session.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    format!("{} logged in {by}{from}", session.name())
}

/// Belay itself is stopping configuration management, or does no more.
fn tripped(breaker: Option<&Breaker>) -> Line {
    match breaker {
        Some(Breaker { refused, asked, .. }) => {
            let text = format!("Belay itself is stopping configuration management: {refused} of {asked} hosts that asked were refused");
            Line { kind: NoteKind::Warning, ..Line::info("belay", text) }
        }
        None => Line::info("belay", "Belay does not stop configuration management any more".to_owned()),
    }
}

/// A host was fixed to an environment, or is no more.
fn pinned(host: &HostId, pin: Option<&Pin>) -> String {
    match pin {
        Some(pin) => format!("{host} pinned to environment {} until {}: {}", pin.environment, pin.until, pin.reason),
        None => format!("{host} is pinned no more"),
    }
}

/// What was deployed on a machine.
fn put_there(environment: &Environment, deployed: &[Deployed]) -> String {
    match deployed.last() {
        Some(Deployed { version: Some(version), .. }) => format!("{environment} was deployed at version {version}"),
        Some(_) => format!("{environment} was deployed"),
        None => format!("{environment} is gone"),
    }
}

/// A class was closed for what is new, or opened.
fn turned(class: &ClassName, closed: Option<&Closed>) -> String {
    match closed {
        Some(closed) => format!("class {class} is closed: {}", explain::closed(closed)),
        None => format!("class {class} is open for what is new"),
    }
}

fn decided(change: &str, verdict: &Verdict) -> Line {
    match &verdict.by {
        Judge::Belay => Line::info("belay", format!("{change} {}", verdict.outcome)),
        Judge::Person { actor, reason } => Line::info(actor, format!("{change} {}: {reason}", verdict.outcome)),
        Judge::Successor(successor) => Line::info("belay", format!("{change} {}: {successor} took its place", verdict.outcome)),
    }
}

const fn note_kind(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Security => "security",
        NoteKind::Warning => "warning",
        NoteKind::Info => "info",
    }
}
