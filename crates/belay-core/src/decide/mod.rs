//! Deciding: state and an input in, facts out. All policy is here; nothing here acts.

mod accounts;
mod aftermath;
mod again;
pub mod ailing;
mod assigned;
mod backup;
pub mod caution;
mod changes;
mod closed;
mod delta;
mod deployed;
pub mod deployments;
mod draft;
mod drift;
mod facts;
mod fed;
pub mod feeds;
pub mod health;
mod holds;
pub mod host_policy;
mod intake;
mod lines;
mod look;
mod notify;
mod people;
mod pins;
pub mod plan;
mod polled;
mod pulled;
mod reach;
pub mod reverts;
pub mod selfcheck;
mod sessions;
mod slots;
mod spoilt;
pub mod tables;
pub mod trial;
pub mod wake;
mod waves;
mod within;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use accounts::{UserAsk, UserEdit};
pub use aftermath::waiting_for;
pub use facts::{FACT_BYTES_MAX, FACTS_MAX};
pub use fed::Fed;
pub use holds::{HoldAsk, HoldEdit};
pub use pins::PinAsk;
pub use selfcheck::Tally;

use crate::host::talk::Poll;

use crate::model::alert::Attempt;
use crate::model::deployment::Deployed;
use crate::model::ids::{ChangeId, ClassName, Digest, EffectId, Environment, HoldId, HostId, InboxId, Release, RevertId, RunId};
use crate::model::policy::Policy;
use crate::model::principal::{Actor, Principal, Token};
use crate::model::report::Decoded;
use crate::model::run::Run;
use crate::model::time::Timestamp;
use crate::model::user::Session;
use crate::model::verdict::Look;
use crate::state::{Fact, Lead, State};

/// Everything that can happen.
#[derive(Clone, Debug)]
pub enum Input {
    /// A configuration was read and found valid.
    Policy {
        /// The configuration.
        policy: Arc<Policy>,
        /// Who asked for it to be loaded.
        actor: Actor,
    },
    /// A report was decoded.
    Report {
        /// Who brought it, by credential.
        principal: Principal,
        /// What it says.
        decoded: Box<Decoded>,
        /// When its bytes were received.
        received: Timestamp,
        /// The row of the inbox that holds its bytes.
        inbox: Option<InboxId>,
        /// The run already recorded under the same host and tool's id, if the ledger knows one.
        earlier: Option<(RunId, Digest)>,
        /// That run in full, where it came of other bytes: by another road, the same run is told of in
        /// other words.
        before: Option<Box<Run>>,
        /// It tells of what was before Belay was there: history, of which nothing follows.
        past: bool,
    },
    /// A message of a feed that is no report was read.
    Fed {
        /// Who brought it, by credential.
        principal: Principal,
        /// The row of the inbox that holds its bytes.
        inbox: Option<InboxId>,
        /// Hash of the bytes.
        digest: Digest,
        /// What it says.
        message: Fed,
    },
    /// An inventory was read up to here, and what it told was taken.
    Pulled {
        /// What it is called.
        inventory: String,
        /// How far it was read, in words of its own.
        mark: String,
        /// Whether all of its past is told with this: what hosts carry now is what was there at first contact.
        told: bool,
    },
    /// A deployment is to be offered to the hosts of its branch, or no more.
    Publish {
        /// Who asks, by credential.
        principal: Principal,
        /// The environment that it is.
        environment: Environment,
        /// It is to be offered no more.
        withdraw: bool,
        /// Why, where it is said.
        reason: String,
    },
    /// A machine that makes configurations tells what it has.
    Deployed {
        /// Who says so, by credential.
        principal: Principal,
        /// The machine, as it calls itself.
        host: HostId,
        /// All that it has whose deployment is known, each with the newest one.
        environments: BTreeMap<Environment, Deployed>,
    },
    /// Something came by a feed.
    Heard {
        /// By whose credential.
        principal: Principal,
        /// By which door.
        door: &'static str,
        /// When it was received.
        at: Timestamp,
    },
    /// Bytes could not be read as a report.
    Unreadable {
        /// Who brought them.
        principal: Principal,
        /// The row of the inbox that holds them.
        inbox: Option<InboxId>,
        /// The host named in them, as spelled.
        host: Option<String>,
        /// Hash of the bytes.
        digest: Digest,
        /// Why, with the place and the remedy.
        reason: String,
    },
    /// A host's facts were reported.
    Facts {
        /// Who says so, by credential.
        principal: Principal,
        /// The host.
        host: HostId,
        /// The release it runs, when reported as such.
        release: Option<Release>,
        /// Its facts.
        facts: BTreeMap<String, String>,
    },
    /// A trial was looked at.
    Looked {
        /// The Change on trial.
        change: ChangeId,
        /// What was found.
        look: Box<Look>,
        /// Where the windows are kept.
        evidence: Digest,
    },
    /// A person gives a verdict.
    Override {
        /// Who, by credential.
        principal: Principal,
        /// On which Change.
        change: ChangeId,
        /// Which.
        ruling: Ruling,
        /// The mark of the evidence that was seen, where the one who decides says it.
        seen: Option<String>,
        /// Why; mandatory.
        reason: String,
    },
    /// A credential is to be issued.
    IssueToken {
        /// Who asks, by credential.
        principal: Principal,
        /// The credential.
        token: Token,
    },
    /// A credential is to end.
    RevokeToken {
        /// Who asks, by credential.
        principal: Principal,
        /// Its name.
        name: String,
    },
    /// An account is to be made.
    AddUser {
        /// Who asks, by credential.
        principal: Principal,
        /// The account.
        ask: Box<UserAsk>,
    },
    /// An account is to be altered.
    EditUser {
        /// Who asks, by credential.
        principal: Principal,
        /// Its name.
        name: String,
        /// How.
        edit: UserEdit,
        /// Why, where it is said.
        reason: String,
    },
    /// An account is to get another password.
    SetPassword {
        /// Who asks, by credential.
        principal: Principal,
        /// Its name.
        name: String,
        /// The hash of the new one.
        hash: String,
        /// The hash that the present password was found to fit, where who asks proved to know it.
        proved: Option<String>,
    },
    /// An account is to be removed.
    RemoveUser {
        /// Who asks, by credential.
        principal: Principal,
        /// Its name.
        name: String,
        /// Why, where it is said.
        reason: String,
    },
    /// A person proved who it is, and begins a session.
    OpenSession {
        /// The session.
        session: Box<Session>,
        /// The hash that the password was found to fit; none where it was no password.
        proved: Option<String>,
    },
    /// A session is used.
    SessionSeen {
        /// Which.
        id: Digest,
    },
    /// A session is to end.
    EndSession {
        /// Who asks, by credential.
        principal: Principal,
        /// Which.
        id: Digest,
    },
    /// Somebody tried to log in and could not.
    LoginRefused {
        /// As whom, as it was typed; shortened.
        name: String,
        /// From where, where it is known.
        from: Option<String>,
    },
    /// A hold is to be placed.
    PlaceHold {
        /// Who asks, by credential.
        principal: Principal,
        /// What is asked for.
        ask: Box<HoldAsk>,
    },
    /// A hold is to be altered.
    EditHold {
        /// Who asks, by credential.
        principal: Principal,
        /// Which.
        hold: HoldId,
        /// The revision that was seen, where the one who asks says it.
        seen: Option<u32>,
        /// How.
        edit: HoldEdit,
        /// Why; mandatory for an end.
        reason: String,
    },
    /// Hosts are to be fixed to an environment, or no more.
    Pin {
        /// Who asks, by credential.
        principal: Principal,
        /// What is asked for.
        ask: Box<PinAsk>,
    },
    /// A Change is to be taken back.
    Revert {
        /// Who asks, by credential.
        principal: Principal,
        /// Which.
        change: ChangeId,
        /// Why; mandatory.
        reason: String,
    },
    /// A revert is to stop where it is.
    StopRevert {
        /// Who asks, by credential.
        principal: Principal,
        /// Which.
        revert: RevertId,
        /// Why.
        reason: String,
    },
    /// A host's agent asked for its policy and told what stands there.
    Polled {
        /// Who, by credential.
        principal: Principal,
        /// The host.
        host: HostId,
        /// What it told.
        poll: Box<Poll>,
    },
    /// The judge was asked about trials of a class in which nothing changed.
    SelfChecked {
        /// Who asked for it.
        actor: Actor,
        /// The class.
        class: ClassName,
        /// What it said.
        tally: Box<Tally>,
    },
    /// Outposts asked for what they classify by.
    Tables {
        /// What is known of them beside the state.
        heard: Box<tables::Heard>,
    },
    /// A backup is to be taken.
    BackUp {
        /// Who asks, by credential.
        principal: Principal,
    },
    /// The state comes from a backup.
    Restored {
        /// Who put it back.
        actor: Actor,
        /// When the backup was taken.
        taken: Timestamp,
    },
    /// Time went by.
    Wake,
    /// It is time to look at the run health of the fleet, and how far deployments have come. Asked seldom, because it looks
    /// at every host.
    RunHealth,
    /// An effect was tried.
    Tried {
        /// Which.
        effect: EffectId,
        /// How it went.
        attempt: Attempt,
    },
}

/// A person's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruling {
    /// It is good.
    Accept,
    /// It is bad.
    Reject,
}

/// What the one who asked is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The run was recorded, or had been.
    Run {
        /// Its number.
        run: RunId,
        /// It had been recorded before.
        duplicate: bool,
    },
    /// Done.
    Done,
    /// Done, on so many hosts.
    Counted(u32),
    /// The hold, and its revision now.
    Hold {
        /// Its number.
        hold: HoldId,
        /// Its revision.
        revision: u32,
    },
    /// The revert that was begun.
    Revert(RevertId),
    /// What a host told was taken.
    Polled {
        /// The number of the last event that was taken.
        ack: u64,
    },
    /// It was decided on what is no longer so; the text says what to look at.
    Outdated(String),
    /// The credential does not allow it; the text says what it would take.
    Forbidden(String),
    /// There is no such thing.
    NotFound(String),
    /// What was sent cannot be taken; the text names the place and the remedy. Its bytes are kept
    /// in quarantine where there were any.
    Unprocessable(String),
    /// It contradicts what is known; the text says what.
    Conflict(String),
}

impl Answer {
    /// Why it was not done; none when it was.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Forbidden(text) | Self::NotFound(text) | Self::Unprocessable(text) | Self::Conflict(text) | Self::Outdated(text) => {
                Some(text)
            }
            Self::Run { .. } | Self::Done | Self::Counted(_) | Self::Hold { .. } | Self::Revert(_) | Self::Polled { .. } => None,
        }
    }
}

/// Decides what an input means. The facts are to be committed together, then applied in order,
/// then the answer is given. A replica that does not lead decides nothing: its facts could not be
/// committed, and a wave must not open where the rejection of the one before cannot be heard of.
pub fn decide(state: &State, now: Timestamp, input: &Input) -> (Vec<Fact>, Answer) {
    if state.lead == Lead::Follows {
        return (Vec::new(), Answer::Conflict("this server does not lead, and decides nothing: ask the one that does".to_owned()));
    }
    let now = now.max(state.now);
    let mut draft = draft::Draft::new(state, now);
    if let Some(refused) = within::refuse(&mut draft, input) {
        return (draft.into_facts(), refused);
    }
    let answer = match input {
        Input::Policy { policy, actor } => facts::policy(&mut draft, policy, actor),
        Input::Report { principal, decoded, received, inbox, earlier, before, past } => {
            let (received, inbox, earlier, before, past) = (*received, *inbox, *earlier, before.as_deref(), *past);
            intake::report(&mut draft, &intake::Arrival { principal, decoded, received, inbox, earlier, before, past })
        }
        Input::Fed { principal, inbox, digest, message } => fed::fed(&mut draft, principal, *inbox, *digest, message),
        Input::Pulled { inventory, mark, told } => pulled::pulled(&mut draft, inventory, mark, *told),
        Input::Publish { principal, environment, withdraw, reason } => {
            deployments::publish(&mut draft, principal, environment, *withdraw, reason)
        }
        Input::Deployed { principal, host, environments } => deployed::told(&mut draft, principal, host, environments),
        Input::Heard { principal, door, at } => feeds::heard(&mut draft, principal, door, *at),
        Input::Unreadable { principal, inbox, host, digest, reason } => {
            intake::unreadable(&mut draft, principal, *inbox, host.as_deref(), *digest, reason)
        }
        Input::Facts { principal, host, release, facts } => facts::facts(&mut draft, principal, host, release.as_ref(), facts),
        Input::Looked { change, look, evidence } => look::looked(&mut draft, *change, look, *evidence),
        Input::Override { principal, change, ruling, seen, reason } => {
            people::rule(&mut draft, principal, *change, *ruling, seen.as_deref(), reason)
        }
        Input::IssueToken { principal, token } => people::issue(&mut draft, principal, token),
        Input::RevokeToken { principal, name } => people::revoke(&mut draft, principal, name),
        Input::AddUser { principal, ask } => accounts::add(&mut draft, principal, ask),
        Input::EditUser { principal, name, edit, reason } => accounts::edit(&mut draft, principal, name, edit, reason),
        Input::SetPassword { principal, name, hash, proved } => accounts::password(&mut draft, principal, name, hash, proved.as_deref()),
        Input::RemoveUser { principal, name, reason } => accounts::remove(&mut draft, principal, name, reason),
        Input::OpenSession { session, proved } => sessions::open(&mut draft, session, proved.as_deref()),
        Input::SessionSeen { id } => sessions::seen(&mut draft, *id),
        Input::EndSession { principal, id } => sessions::end(&mut draft, principal, *id),
        Input::LoginRefused { name, from } => sessions::refused(&mut draft, name, from.as_deref()),
        Input::PlaceHold { principal, ask } => holds::place(&mut draft, principal, ask),
        Input::EditHold { principal, hold, seen, edit, reason } => holds::edit(&mut draft, principal, *hold, *seen, edit, reason),
        Input::Pin { principal, ask } => pins::set(&mut draft, principal, ask),
        Input::Revert { principal, change, reason } => reverts::ask(&mut draft, principal, *change, reason),
        Input::StopRevert { principal, revert, reason } => reverts::stop(&mut draft, principal, *revert, reason),
        Input::Polled { principal, host, poll } => polled::polled(&mut draft, principal, host, poll),
        Input::SelfChecked { actor, class, tally } => caution::checked(&mut draft, actor, class, tally),
        Input::Tables { heard } => tables::step(&mut draft, heard),
        Input::BackUp { principal } => backup::taken(&mut draft, principal),
        Input::Restored { actor, taken } => backup::restored(&mut draft, actor, *taken),
        Input::Wake => wake::wake(&mut draft),
        Input::RunHealth => {
            deployments::spread(&mut draft);
            ailing::look(&mut draft)
        }
        Input::Tried { effect, attempt } => notify::tried(&mut draft, *effect, attempt),
    };
    (draft.into_facts(), answer)
}
