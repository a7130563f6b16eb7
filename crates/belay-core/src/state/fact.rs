//! Facts: what was decided, in the past tense. A fact holds its consequences in full, so that
//! applying it needs no policy, and old facts mean the same under new code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Scope;
use crate::host::policy::Pin;
use crate::model::ailment::Ailment;
use crate::model::alert::{Effect, Subject};
use crate::model::change::{Change, ItemWords, Treated};
use crate::model::closed::Closed;
use crate::model::deployment::{Deployed, Published};
use crate::model::feed::{Feed, FeedId};
use crate::model::hold::Hold;
use crate::model::host::{Agent, Host};
use crate::model::ids::{ChangeId, ClassName, Digest, EffectId, Environment, HostId, InboxId, Release};
use crate::model::item::{ItemKey, Items, Mark};
use crate::model::log::Line;
use crate::model::policy::Policy;
use crate::model::principal::{Actor, Token};
use crate::model::revert::Revert;
use crate::model::run::Run;
use crate::model::selfcheck::SelfCheck;
use crate::model::table::{Outpost, OutpostId, TableId};
use crate::model::time::Timestamp;
use crate::model::user::{Session, User};
use crate::model::verdict::{Look, Verdict};

/// Numbers given out so far. Numbers are never given out twice, not even after a restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Runs.
    pub runs: u64,
    /// Changes.
    pub changes: u64,
    /// Effects.
    pub effects: u64,
    /// Holds.
    pub holds: u64,
    /// Reverts.
    pub reverts: u64,
    /// Facts applied: where in this history the state stands.
    pub facts: u64,
    /// The last of them that may have altered the policy of a host.
    pub steered: u64,
    /// Restores from a backup: each begins a history of its own.
    pub incarnation: u64,
}

/// What an audit reader should know of, without any bearing on later decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// Somebody tried what the credential does not allow.
    Security,
    /// Something odd that may need a hand.
    Warning,
    /// For the record.
    Info,
}

/// A line of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How serious it is.
    pub kind: NoteKind,
    /// Who did it.
    pub actor: Actor,
    /// The host it is about, if any.
    pub host: Option<HostId>,
    /// In plain words.
    pub text: String,
}

/// Something that happened or was decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A configuration was loaded; classes of hosts follow from it at once.
    PolicyLoaded {
        /// The configuration.
        policy: Arc<Policy>,
        /// Who loaded it.
        actor: Actor,
        /// The class of each host that moves to another class by it.
        moved: BTreeMap<HostId, ClassName>,
    },
    /// A host was heard of for the first time.
    HostEnrolled {
        /// The host.
        host: HostId,
        /// Its class.
        class: ClassName,
    },
    /// A host's facts were set.
    FactsSet {
        /// The host.
        host: HostId,
        /// Its class by these facts.
        class: ClassName,
        /// Its release by these facts.
        release: Option<Release>,
        /// The facts.
        facts: BTreeMap<String, String>,
        /// Who set them.
        actor: Actor,
    },
    /// A run was recorded; or one that had been is told of more fully by another road, and is recorded
    /// again under its number, as it is known now.
    RunRecorded {
        /// The run.
        run: Box<Run>,
        /// The row of the inbox it came from, which is done with.
        inbox: Option<InboxId>,
        /// Who brought the report.
        actor: Actor,
    },
    /// Bytes could not be read as a report, or were refused, and were put aside.
    Quarantined {
        /// The row of the inbox, which is done with; its bytes are kept.
        inbox: Option<InboxId>,
        /// The host named in them, when it is one of ours.
        host: Option<HostId>,
        /// Hash of the bytes.
        digest: Digest,
        /// Why, in plain words.
        reason: String,
    },
    /// A row of the inbox is done with, without anything new (a repeated report).
    InboxDone {
        /// The row.
        inbox: InboxId,
    },
    /// Items got a mark in a class and release.
    ItemsMarked {
        /// Where.
        scope: Scope,
        /// Which contents.
        items: Items,
        /// The mark.
        mark: Mark,
    },
    /// A Change was opened.
    ChangeOpened {
        /// The Change, as yet without hosts.
        change: Box<Change>,
    },
    /// Hosts and items joined a Change.
    ChangeJoined {
        /// The Change.
        change: ChangeId,
        /// Hosts that got it, or got more of it.
        treated: BTreeMap<HostId, Treated>,
        /// Items that were not known to be part of it.
        items: Items,
        /// Text of these items.
        words: BTreeMap<ItemKey, ItemWords>,
        /// The hosts came after it had been rejected.
        after_rejection: bool,
    },
    /// The next wave of a Change was opened.
    WaveOpened {
        /// The Change.
        change: ChangeId,
        /// How many of its waves are open now.
        open: u32,
    },
    /// A look at a trial found something else than the look before.
    Looked {
        /// The Change.
        change: ChangeId,
        /// The look.
        look: Box<Look>,
    },
    /// A Change got a verdict.
    Decided {
        /// The Change.
        change: ChangeId,
        /// The verdict.
        verdict: Box<Verdict>,
    },
    /// Something is to be done in the world.
    EffectAsked {
        /// What.
        effect: Effect,
    },
    /// An effect was tried.
    EffectTried {
        /// The effect, with its new attempts, next try and last error.
        effect: Effect,
    },
    /// An effect is done with.
    EffectDone {
        /// Which.
        effect: EffectId,
        /// Done (`true`), or discarded because a newer one says it all (`false`).
        delivered: bool,
    },
    /// A credential was issued; a former one of the same name ends.
    TokenIssued {
        /// The credential.
        token: Token,
        /// Who issued it.
        actor: Actor,
    },
    /// A credential ended.
    TokenRevoked {
        /// Its name.
        name: String,
        /// Who ended it.
        actor: Actor,
    },
    /// An account was made or altered: how it is now, in full.
    UserSet {
        /// The account.
        user: Box<User>,
        /// Who did it.
        actor: Actor,
        /// What happened, in plain words.
        what: String,
    },
    /// An account was removed.
    UserRemoved {
        /// Its name.
        name: String,
        /// Who did it.
        actor: Actor,
        /// What happened, in plain words.
        what: String,
    },
    /// A person logged in.
    SessionOpened {
        /// The session.
        session: Box<Session>,
    },
    /// A session was used.
    SessionSeen {
        /// Which.
        id: Digest,
    },
    /// A session ended.
    SessionEnded {
        /// Which.
        id: Digest,
        /// Who ended it.
        actor: Actor,
        /// What happened, in plain words.
        what: String,
    },
    /// A hold was placed or altered: how it is now, in full.
    HoldSet {
        /// The hold.
        hold: Box<Hold>,
        /// Who did it.
        actor: Actor,
        /// What happened, in plain words.
        what: String,
    },
    /// A host was fixed to an environment, or is no more.
    PinSet {
        /// The host.
        host: HostId,
        /// The pin; none when it ended.
        pin: Option<Pin>,
        /// Who did it.
        actor: Actor,
    },
    /// A host's agent told something new.
    HostTold {
        /// The host.
        host: HostId,
        /// What stands there now.
        agent: Box<Agent>,
    },
    /// A revert was asked for or went on: how it is now, in full.
    RevertSet {
        /// The revert.
        revert: Box<Revert>,
        /// Who did it.
        actor: Actor,
        /// What happened, in plain words.
        what: String,
    },
    /// A host wrote to a log what is evidence about a Change.
    LineTold {
        /// The Change.
        change: ChangeId,
        /// The host.
        host: HostId,
        /// It is one of those that changed; else one they are compared with.
        treated: bool,
        /// The line, its times in server time.
        line: Line,
    },
    /// A run was applied that a stricter level of enforcement would have refused, or people were told
    /// of such runs.
    WouldHaveRefused {
        /// The class of its host.
        class: ClassName,
        /// How many so far, with this one.
        would: super::Would,
    },
    /// Other hosts of a class than before have had nothing applied for too long.
    StaleSet {
        /// The class.
        class: ClassName,
        /// The hosts; empty when it is over.
        hosts: BTreeSet<HostId>,
    },
    /// Other hosts of a class than before have had somebody else's lock on them for too long.
    ForeignSet {
        /// The class.
        class: ClassName,
        /// The hosts; empty when it is over.
        hosts: BTreeSet<HostId>,
    },
    /// Other hosts of a class than before have an ailment, or people are told of it.
    AilingSet {
        /// The class.
        class: ClassName,
        /// The ailment.
        ailment: Ailment,
        /// The hosts that have it from now on.
        began: BTreeSet<HostId>,
        /// The hosts that had it and have it no more.
        ended: BTreeSet<HostId>,
        /// How many hosts people are told of, from now on.
        told: u32,
    },
    /// An inventory was read up to here.
    PulledSet {
        /// What it is called.
        inventory: String,
        /// How far, in words of its own.
        mark: String,
    },
    /// What a pipeline published of a branch, or took back: how it is now, in full.
    PublishedSet {
        /// The branch.
        branch: Environment,
        /// What is offered of it, the newest last.
        published: Vec<Published>,
        /// Who did it.
        actor: Actor,
        /// What happened, in plain words.
        what: String,
    },
    /// A machine that makes configurations has something else under the name of an environment.
    DeployedSet {
        /// The machine.
        place: String,
        /// The environment.
        environment: Environment,
        /// What was deployed there, the newest last; empty when the environment is gone.
        deployed: Vec<Deployed>,
    },
    /// A published deployment that brings nothing new may come to more hosts.
    SpreadSet {
        /// The class and release.
        scope: Scope,
        /// The deployment; none when none is on its way any more.
        environment: Option<Environment>,
        /// How many waves are open for it.
        open: u32,
    },
    /// A class was closed for what is new, for another reason or time than before, or opened.
    ClosedSet {
        /// The class.
        class: ClassName,
        /// Why and until when; none when it opened.
        closed: Option<Closed>,
    },
    /// The judge was asked about trials of a class in which nothing changed: what it said, and what follows.
    SelfChecked {
        /// The self-check, in full.
        check: Box<SelfCheck>,
        /// Who asked for it.
        actor: Actor,
    },
    /// Something came by a feed, it fell silent, or is forgotten.
    FeedSet {
        /// Which.
        id: FeedId,
        /// How it is now; none when it is forgotten.
        feed: Option<Box<Feed>>,
    },
    /// An outpost is known, was heard, is not waited for, or is forgotten.
    OutpostSet {
        /// Which.
        id: OutpostId,
        /// How it is now; none when it is forgotten.
        outpost: Option<Box<Outpost>>,
    },
    /// A table was made, to be stored by all outposts.
    TableMade {
        /// Which.
        table: TableId,
    },
    /// All outposts that are waited for have a table: it holds.
    TableInForce {
        /// Which.
        table: TableId,
        /// From when.
        from: Timestamp,
    },
    /// Belay itself is stopping configuration management, or does no more.
    BreakerSet {
        /// Since when and how many; none when it is over.
        breaker: Option<super::Breaker>,
    },
    /// A new history began: this server was restored from a backup.
    IncarnationBegun {
        /// Its number.
        incarnation: u64,
    },
    /// Part of a snapshot: when people were last told of something that is no Change.
    AlertedRestored {
        /// Of what.
        about: Subject,
        /// When.
        at: Timestamp,
    },
    /// A line of the audit.
    Noted(Note),
    /// Part of a snapshot: numbers given out so far, and the clock.
    CountersRestored {
        /// The numbers.
        counters: Counters,
        /// The writer's clock.
        now: Timestamp,
    },
    /// Part of a snapshot: a host.
    HostRestored(Box<Host>),
    /// Part of a snapshot: a Change, with the time of its last alert.
    ChangeRestored {
        /// The Change.
        change: Box<Change>,
        /// When it was last alerted of.
        alerted: Option<Timestamp>,
    },
}

impl Fact {
    /// The stable name of its kind, as the journal writes it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PolicyLoaded { .. } => "policy-loaded",
            Self::HostEnrolled { .. } => "host-enrolled",
            Self::FactsSet { .. } => "facts-set",
            Self::RunRecorded { .. } => "run-recorded",
            Self::Quarantined { .. } => "quarantined",
            Self::InboxDone { .. } => "inbox-done",
            Self::ItemsMarked { .. } => "items-marked",
            Self::ChangeOpened { .. } => "change-opened",
            Self::ChangeJoined { .. } => "change-joined",
            Self::WaveOpened { .. } => "wave-opened",
            Self::Looked { .. } => "looked",
            Self::Decided { .. } => "decided",
            Self::EffectAsked { .. } => "effect-asked",
            Self::EffectTried { .. } => "effect-tried",
            Self::EffectDone { .. } => "effect-done",
            Self::TokenIssued { .. } => "token-issued",
            Self::TokenRevoked { .. } => "token-revoked",
            Self::UserSet { .. } => "user-set",
            Self::UserRemoved { .. } => "user-removed",
            Self::SessionOpened { .. } => "session-opened",
            Self::SessionSeen { .. } => "session-seen",
            Self::SessionEnded { .. } => "session-ended",
            Self::HoldSet { .. } => "hold-set",
            Self::PinSet { .. } => "pin-set",
            Self::HostTold { .. } => "host-told",
            Self::RevertSet { .. } => "revert-set",
            Self::LineTold { .. } => "line-told",
            Self::WouldHaveRefused { .. } => "would-have-refused",
            Self::StaleSet { .. } => "stale-set",
            Self::ForeignSet { .. } => "foreign-set",
            Self::AilingSet { .. } => "ailing-set",
            Self::PulledSet { .. } => "pulled-set",
            Self::PublishedSet { .. } => "published-set",
            Self::DeployedSet { .. } => "deployed-set",
            Self::SpreadSet { .. } => "spread-set",
            Self::ClosedSet { .. } => "closed-set",
            Self::SelfChecked { .. } => "self-checked",
            Self::FeedSet { .. } => "feed-set",
            Self::OutpostSet { .. } => "outpost-set",
            Self::TableMade { .. } => "table-made",
            Self::TableInForce { .. } => "table-in-force",
            Self::BreakerSet { .. } => "breaker-set",
            Self::IncarnationBegun { .. } => "incarnation-begun",
            Self::AlertedRestored { .. } => "alerted-restored",
            Self::Noted(_) => "noted",
            Self::CountersRestored { .. } => "counters-restored",
            Self::HostRestored(_) => "host-restored",
            Self::ChangeRestored { .. } => "change-restored",
        }
    }
}
