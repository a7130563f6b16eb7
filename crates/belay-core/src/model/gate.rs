//! The gate: may this run go ahead? What a run would apply, and the answer with its reasons.

use super::closed::Closed;
use super::hold::WARN_LATE;
use super::ids::{ChangeId, Environment, HoldId, Release};
use super::item::{ItemKey, Items};
use super::time::{Span, Timestamp};

/// How far a class lets Belay go. Each level includes the ones before it. Holds act at every level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Enforce {
    /// Observe; what would have been refused is counted.
    #[default]
    Off,
    /// Refuse an environment that does not belong to the host's release.
    ReleaseMatch,
    /// Also refuse content that was rejected.
    Rejected,
    /// Also defer content that is not accepted until the host's wave has come.
    Waves,
}

impl Enforce {
    /// All levels, weakest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::ReleaseMatch, Self::Rejected, Self::Waves];

    /// The word for it, as it is configured.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::ReleaseMatch => "release-match",
            Self::Rejected => "rejected",
            Self::Waves => "waves",
        }
    }
}

/// What a run is about to apply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offered {
    /// The environment it comes from, where that is known.
    pub environment: Option<Environment>,
    /// Provenance of the content, as the tool says it.
    pub version: Option<String>,
    /// What differs from what was last applied on this host: the delta. `None` when it is not known
    /// what is offered at all.
    pub delta: Option<Items>,
    /// Items whose content cannot be resolved: never refused, judged from the report afterwards.
    pub opaque: u32,
    /// Nothing is applied: a rehearsal.
    pub noop: bool,
    /// The content itself asks for the gate to be opened, everywhere: why.
    pub break_glass: Option<String>,
}

/// What is known of one content offered to a host, for its class and release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// Nothing: it was never seen there.
    Unseen,
    /// It was there at enrolment.
    Adopted,
    /// It was found good.
    Accepted,
    /// It is on trial.
    OnTrial(ChangeId),
    /// It was found bad.
    Rejected(ChangeId),
}

impl Known {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unseen => "never seen",
            Self::Adopted => "adopted",
            Self::Accepted => "accepted",
            Self::OnTrial(_) => "on trial",
            Self::Rejected(_) => "rejected",
        }
    }
}

/// A hold as a host knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldOrder {
    /// Its number.
    pub id: HoldId,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Whom to ask.
    pub contact: String,
    /// A ticket, where there is one.
    pub ticket: Option<String>,
    /// Since when.
    pub placed: Timestamp,
    /// Until when. It goes on after that, until the server hands it over.
    pub until: Timestamp,
    /// The foreign lock it was made of, by what it says: that one may be replaced.
    pub imports: Option<String>,
}

impl HoldOrder {
    /// One sentence for whoever stands before the pause: `held by alice until 2026-11-25T18:00:00Z
    /// because ...; ask ... before you enable it (h-3)`.
    pub fn sentence(&self, now: Timestamp) -> String {
        let until =
            if now >= self.until { format!("expired {}, waiting for its owner,", self.until) } else { format!("until {}", self.until) };
        let ticket = self.ticket.as_ref().map(|ticket| format!(", {ticket}")).unwrap_or_default();
        format!("held by {} {until} because {}; do not re-enable, ask {} ({}{ticket})", self.owner, self.reason, self.contact, self.id)
    }

    /// Whether it expires soon.
    pub fn expires_soon(&self, now: Timestamp) -> bool {
        now < self.until && self.until.since(now) <= WARN_LATE
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Go ahead.
    Go,
    /// Not yet: its wave has not come, or the server that would know is away.
    Deferred,
    /// No: it is known to be wrong here.
    Refused,
    /// No: somebody holds this host.
    Held,
}

impl Gate {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Deferred => "deferred",
            Self::Refused => "refused",
            Self::Held => "held",
        }
    }
}

/// Why the gate answers as it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is a rehearsal.
    Noop,
    /// The glass was broken: by whom or where, and why.
    BreakGlass(String),
    /// A hold.
    Hold(HoldOrder),
    /// The environment does not belong to the release the host runs.
    ReleaseMismatch {
        /// What is offered.
        environment: Environment,
        /// What the host runs.
        release: Release,
        /// What that release needs.
        due: Environment,
    },
    /// Content that was rejected for this class and release.
    Rejected {
        /// The Change it was rejected by.
        change: ChangeId,
        /// The items, shortened.
        items: Vec<ItemKey>,
    },
    /// Content that nobody judged yet, and the host's wave has not come.
    WaveNotOpen {
        /// How many items.
        items: u32,
        /// The Change they are on trial in, if any.
        change: Option<ChangeId>,
    },
    /// Content that nobody accepted yet, and its class is closed for what is new.
    Closed {
        /// How many items.
        items: u32,
        /// Why and until when.
        closed: Closed,
    },
    /// Content that is not known here, and the server that would know cannot be asked.
    Away {
        /// How many items.
        items: u32,
        /// How long the server has been away.
        since: Span,
    },
    /// The server has been away so long that content unknown here goes all the same.
    AwayTooLong {
        /// How long the server has been away.
        since: Span,
    },
    /// Nothing would change.
    EmptyDelta,
    /// All that would change is accepted or was there at enrolment.
    AllAccepted,
    /// It is not known what would change; nothing speaks against it.
    NothingAgainst,
    /// Content that is not accepted may come: its wave is open, or this class does not defer.
    MayCome {
        /// How many items.
        items: u32,
    },
    /// This class only observes: what a stricter level would have said.
    Observing(Box<GateAnswer>),
}

/// The answer with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateAnswer {
    /// The answer.
    pub gate: Gate,
    /// Why, the weightiest first; never empty.
    pub why: Vec<Why>,
    /// Until when it stands, where that is known.
    pub until: Option<Timestamp>,
    /// Somebody has to be told that it was let through.
    pub pages: bool,
}

impl GateAnswer {
    /// Go ahead, for one reason.
    pub fn go(why: Why) -> Self {
        Self { gate: Gate::Go, why: vec![why], until: None, pages: false }
    }

    /// Whether the answer is "not now" only because the server is away.
    pub fn is_unreachable(&self) -> bool {
        self.gate == Gate::Deferred && self.why.iter().any(|why| matches!(why, Why::Away { .. }))
    }
}
