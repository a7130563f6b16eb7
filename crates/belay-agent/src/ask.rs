//! The gate, asked on the host: may this run go ahead? The answer is the core's; here it is put
//! together what it depends on, from files. The server is asked only where the files do not suffice.

mod offer;

pub use offer::CATALOG_MAX;

use std::path::PathBuf;
use std::time::Duration;

use belay_core::host::gate::{Server, gate_by};
use belay_core::host::policy::{HostPolicy, Stand};
use belay_core::host::talk::{Asked, Happened, Poll};
use belay_core::model::gate::{Enforce, Gate, GateAnswer, HoldOrder, Why};
use belay_core::model::ids::{Environment, Release};
use belay_core::model::time::{Span, Timestamp};

use crate::bound::Bound;
use crate::clock;
use crate::config::Config;
use crate::kept::{Kept, LastGood};
use crate::server::Client;
use crate::{look, words};

/// How long the server may take to answer a gate.
const SERVER_LIMIT: Duration = Duration::from_secs(2);
/// How long a command that tells the release may take while a run waits.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// The run may go ahead.
pub const GO: u8 = 0;
/// Somebody holds the host.
pub const HELD: u8 = 10;
/// It is refused, or its wave has not come.
pub const REFUSED: u8 = 11;
/// What would have to be known cannot be asked for.
pub const UNREACHABLE: u8 = 12;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The run is a rehearsal.
    pub noop: bool,
    /// The environment it will take, where that is known.
    pub environment: Option<Environment>,
    /// The catalog it will apply; the one the tool keeps, where the gate is asked by a run.
    pub catalog: Option<PathBuf>,
    /// The command line that is to be started.
    pub argv: Vec<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The answer itself.
    pub gate: Gate,
    /// As an exit code.
    pub code: u8,
    /// Why, in one sentence.
    pub why: String,
    /// What to do about a no.
    pub remedy: Option<String>,
    /// Until when it stands, where that is known.
    pub until: Option<Timestamp>,
    /// Somebody has to be told that it was let through.
    pub pages: bool,
    /// The policy it rests on.
    pub stand: Option<Stand>,
    /// How long the server has been away; none while it is not.
    pub away: Option<Span>,
    /// What could not be read, and was done without.
    pub notes: Vec<String>,
}

/// Everything an answer depends on but the policy.
struct Case<'a> {
    config: &'a Config,
    kept: &'a Kept,
    bound: &'a Bound,
    release: Option<Release>,
    glass: Option<String>,
    /// What is offered, as far as it could be told without a policy.
    offer: offer::Offer,
    /// By the host's clock.
    now: Timestamp,
    /// The same moment as the server has it.
    server_time: Timestamp,
}

/// Asks the gate.
pub fn ask(config: &Config, kept: &Kept, bound: &Bound, question: &Question) -> Answered {
    let now = clock::now();
    let mut notes = Vec::new();
    let release = look::release(config, kept, RELEASE_LIMIT).unwrap_or_else(|why| {
        notes.push(format!("the release cannot be read, the server's word counts: {why:#}"));
        None
    });
    let glass = kept.glass(now).map(|glass| glass.reason);
    let offer = offer::of(bound, kept, question, &config.host, &mut notes);
    let case = Case { config, kept, bound, release, glass, offer, now, server_time: kept.server_time() };
    let mut answered = case.answer(&mut notes);
    answered.notes = notes;
    answered
}

impl Case<'_> {
    fn answer(&self, notes: &mut Vec<String>) -> Answered {
        let last = self.kept.last_good(&self.config.host, &self.config.host);
        let server = self.kept.server();
        match last {
            LastGood::Never => never(),
            LastGood::Good(held) => {
                let stand = held.policy.stand;
                let policy = self.fought_for(held.into_effective());
                let answer = self.weigh(&policy, server);
                if server == Server::Fresh || !depends(&answer) || !self.asked_server(Some(stand), &policy.holds, notes) {
                    return self.answered(answer, &policy, server);
                }
                self.again(server, notes)
            }
            LastGood::Corrupt(why) => {
                notes.push(format!("the last policy cannot be read: {why}"));
                if self.offer.noop || self.glass.is_some() || !self.asked_server(None, &[], notes) {
                    return self.blind(server);
                }
                self.again(server, notes)
            }
        }
    }

    /// After the server has answered.
    fn again(&self, server: Server, notes: &mut Vec<String>) -> Answered {
        match self.kept.last_good(&self.config.host, &self.config.host) {
            LastGood::Good(held) => {
                let policy = self.fought_for(held.into_effective());
                self.answered(self.weigh(&policy, Server::Fresh), &policy, Server::Fresh)
            }
            LastGood::Never | LastGood::Corrupt(_) => {
                notes.push("the server's answer could not be kept".to_owned());
                self.blind(server)
            }
        }
    }

    /// Holds whose lock was removed twice by hand are not fought for, here no more than there.
    fn fought_for(&self, policy: HostPolicy) -> HostPolicy {
        if policy.holds.is_empty() {
            return policy;
        }
        policy.without_holds(&self.kept.notes(self.now).memory.yielded)
    }

    fn weigh(&self, policy: &HostPolicy, server: Server) -> GateAnswer {
        let offered = self.offer.by(policy);
        gate_by(policy, self.release.as_ref(), self.glass.as_deref(), &offered, server, self.server_time)
    }

    fn answered(&self, answer: GateAnswer, policy: &HostPolicy, server: Server) -> Answered {
        let code = match answer.gate {
            Gate::Go => GO,
            Gate::Held => HELD,
            Gate::Refused => REFUSED,
            Gate::Deferred if answer.is_unreachable() => UNREACHABLE,
            Gate::Deferred => REFUSED,
        };
        Answered {
            gate: answer.gate,
            code,
            why: words::sentence(&answer, self.server_time),
            remedy: words::remedy(&answer),
            until: answer.until,
            // That this host's own glass is broken was told when it was broken.
            pages: answer.pages && self.glass.is_none(),
            stand: Some(policy.stand),
            away: away(server),
            notes: Vec::new(),
        }
    }

    /// There was a policy, and it is lost: what was held or rejected is not known any more. Closed
    /// as if the server could not be reached, for as long as that stays closed.
    fn blind(&self, server: Server) -> Answered {
        let since = away(server).unwrap_or(Span::ZERO);
        let contact = self.kept.contact();
        let observed = contact.as_ref().is_some_and(|contact| contact.enforce == Enforce::Off.word() && contact.holds == 0);
        let (gate, code, why, pages) = if self.offer.noop {
            (Gate::Go, GO, "a rehearsal applies nothing".to_owned(), false)
        } else if let Some(reason) = self.glass.as_ref().or(self.offer.break_glass()) {
            (Gate::Go, GO, format!("the glass is broken: {reason}"), self.glass.is_none())
        } else if observed {
            (
                Gate::Go,
                GO,
                "the last policy cannot be read; when it could, this class only observed and nobody held this host".to_owned(),
                false,
            )
        } else if since >= self.kept.max_closed() {
            (Gate::Go, GO, format!("the last policy cannot be read, and the server has been away for {since}: it goes all the same"), true)
        } else {
            let why = "the last policy cannot be read and the server cannot be asked: what is held or rejected here is not known";
            (Gate::Deferred, UNREACHABLE, why.to_owned(), false)
        };
        let remedy = (gate != Gate::Go).then(|| format!("see that `belay-agent run` reaches the server; in need: {}", words::GLASS));
        Answered { gate, code, why, remedy, until: None, pages, stand: None, away: Some(since), notes: Vec::new() }
    }

    /// Asks the server for a fresh policy; says whether it gave one.
    fn asked_server(&self, have: Option<Stand>, holds: &[HoldOrder], notes: &mut Vec<String>) -> bool {
        let Some(server) = &self.config.server else { return false };
        let asked = (|| -> Result<(), String> {
            let status = look::status(self.kept, self.bound, self.bound.schedule(), self.now);
            let poll = Poll {
                agent: crate::AGENT.to_owned(),
                have,
                sent_at: self.now,
                release: self.release.clone(),
                facts: None,
                status,
                holds: holds.to_vec(),
                events: Vec::new(),
                results: Vec::new(),
                lines: Vec::new(),
            };
            let body = belay_api::agent::PollBody::of(&self.config.host, &poll);
            let client = Client::open(server).map_err(|why| format!("{why:#}"))?;
            let reply = client.poll(&body, SERVER_LIMIT).map_err(|failed| failed.text)?;
            let guard = self.kept.guard().map_err(|why| format!("{why:#}"))?;
            self.kept.take(&guard, &self.config.host, &reply, false).map_err(|why| format!("{why:#}"))?;
            Ok(())
        })();
        if let Err(why) = &asked {
            notes.push(why.clone());
        }
        asked.is_ok()
    }
}

/// Whether somebody who knows more than the last policy could answer otherwise.
fn depends(answer: &GateAnswer) -> bool {
    answer.gate == Gate::Deferred || answer.why.iter().any(|why| matches!(why, Why::Away { .. } | Why::AwayTooLong { .. }))
}

fn away(server: Server) -> Option<Span> {
    match server {
        Server::Fresh => None,
        Server::Away(since) => Some(since),
    }
}

/// No policy was ever received: observing is the default.
fn never() -> Answered {
    Answered {
        gate: Gate::Go,
        code: GO,
        why: "no policy was ever received for this host, so it is only observed".to_owned(),
        remedy: None,
        until: None,
        pages: false,
        stand: None,
        away: None,
        notes: Vec::new(),
    }
}

/// Keeps the answer for the next poll, and what somebody has to know of. That a person without the
/// right to write asked is no reason to fail.
pub fn remember(kept: &Kept, answered: &Answered, now: Timestamp) {
    let why: String = answered.why.chars().take(1_000).collect();
    let asked = Asked { at: now, answer: answered.gate, why: why.clone() };
    if kept.make().is_err() || kept.note_asked(&asked).is_err() || !answered.pages {
        return;
    }
    if let Ok(guard) = kept.guard() {
        let mut notes = kept.notes(now);
        notes.add(now, Happened::LetThrough(why));
        _ = kept.remember(&guard, &notes);
    }
}
