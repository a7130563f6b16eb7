//! The last-known-good policy and when the server was last heard of.

use std::path::Path;

use anyhow::{Context, Result, bail};
use belay_api::agent::{HoldBody, PolicyBody, Reply, StandBody};
use belay_core::host::gate::Server;
use belay_core::host::policy::{FRESH, HostPolicy, Stand};
use belay_core::model::gate::HoldOrder;
use belay_core::model::ids::{Digest, HostId};
use belay_core::model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::clock::Moment;
use crate::durable::{self, Guard, Sync};

/// The largest policy that is read, in bytes.
pub(crate) const POLICY_MAX: u64 = 64 * 1024 * 1024;
/// What the file begins with; the digest of the rest follows on the same line.
const HEAD: &str = "belay-policy 1 ";
/// How long content stays closed when not even that is known any more.
const MAX_CLOSED: Span = Span::from_min(4 * 60);

/// What is known of the last policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastGood {
    /// There never was one: this host only observes.
    Never,
    /// It is there.
    Good(Box<Held>),
    /// There was one, and it cannot be read: why.
    Corrupt(String),
}

/// A policy as the host holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// As the server gave it.
    pub policy: HostPolicy,
    /// Holds of an earlier incarnation that the server may have lost: they stand until it was told.
    pub orphans: Vec<HoldOrder>,
}

impl Held {
    /// The policy with all holds that stand.
    pub fn effective(&self) -> HostPolicy {
        self.clone().into_effective()
    }

    /// The same, without keeping the rest.
    pub fn into_effective(self) -> HostPolicy {
        let mut policy = self.policy;
        policy.holds.extend(self.orphans);
        policy
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    policy: PolicyBody,
    #[serde(default)]
    orphans: Vec<HoldBody>,
}

/// When the server was last heard of, and what it said of the weightiest. Kept apart from the policy
/// because it alters with every poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// When.
    pub at: Moment,
    /// The server's clock then.
    pub issued_ms: i64,
    /// Where the policy stood.
    pub stand: StandBody,
    /// How far the gate went.
    pub enforce: String,
    /// How many holds there were.
    pub holds: usize,
    /// How long content unknown here stays closed while the server is away.
    pub max_closed_ms: i64,
    /// When the server was to be asked again.
    pub poll_after_ms: i64,
}

impl Contact {
    /// Whether the server counts as away.
    pub fn server(&self, now: &Moment) -> Server {
        let since = now.since(&self.at);
        let fresh = FRESH.max(Span::from_ms(self.poll_after_ms.saturating_mul(2)));
        if since <= fresh { Server::Fresh } else { Server::Away(since) }
    }

    /// How long content unknown here stays closed.
    pub fn max_closed(&self) -> Span {
        Span::from_ms(self.max_closed_ms)
    }
}

/// What became of an answer of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Another policy took the place of the one before.
    New,
    /// The one that is kept is still the newest.
    Same,
}

impl Kept {
    /// The last policy of this host, or of another that it answers for.
    pub fn last_good(&self, own: &HostId, of: &HostId) -> LastGood {
        let path = self.policy_path((of != own).then_some(of));
        match if of == own { durable::read(&path, POLICY_MAX) } else { self.policy_of_other(of) } {
            Ok(None) => match self.contact() {
                Some(_) if of == own => LastGood::Corrupt(format!("{} is gone", path.display())),
                _ => LastGood::Never,
            },
            Ok(Some(bytes)) => match parse(&bytes) {
                Ok(held) if held.policy.host == *of => LastGood::Good(Box::new(held)),
                // The host was given another name: what was meant for the old one is not for it.
                Ok(_) if of == own => LastGood::Never,
                Ok(held) => LastGood::Corrupt(format!("{} is the policy of {}", path.display(), held.policy.host)),
                Err(why) => LastGood::Corrupt(format!("{}: {why:#}", path.display())),
            },
            Err(why) => LastGood::Corrupt(format!("{why:#}")),
        }
    }

    /// When the server was last heard of.
    pub fn contact(&self) -> Option<Contact> {
        self.load("contact.json").ok()?
    }

    /// The time as the server has it: what it said last, and what has passed since by the host's own
    /// uptime. Closed times and ends of pins are the server's; a host's clock may be minutes off.
    pub fn server_time(&self) -> Timestamp {
        let now = Moment::now();
        match self.contact() {
            Some(contact) => Timestamp::from_ms(contact.issued_ms) + now.since(&contact.at),
            None => Timestamp::from_ms(now.at_ms),
        }
    }

    /// Whether the server counts as away. Where it is not known when it was last heard of, it is so long
    /// as the policy is old: what is closed for that must not stay closed for ever.
    pub fn server(&self) -> Server {
        match self.contact() {
            Some(contact) => contact.server(&Moment::now()),
            None => {
                let written = self.path("policy.json").metadata().and_then(|about| about.modified());
                let passed = written.ok().and_then(|written| written.elapsed().ok()).unwrap_or_default();
                Server::Away(Span::from_ms(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)))
            }
        }
    }

    /// How long content unknown here stays closed, as the server last said it.
    pub fn max_closed(&self) -> Span {
        self.contact().map_or(MAX_CLOSED, |contact| contact.max_closed())
    }

    /// Takes an answer of the server. A policy that stands lower than the one that is kept is
    /// refused. `told` says that the holds of an earlier incarnation were told in the question.
    ///
    /// # Errors
    /// The answer is not for this host, or would go back in history; or it cannot be kept.
    pub fn take(&self, _: &Guard, host: &HostId, reply: &Reply, told: bool) -> Result<Taken> {
        let (before, floor) = match self.last_good(host, host) {
            LastGood::Good(held) => (Some(held.clone()), Some(held.policy.stand)),
            LastGood::Corrupt(_) => (None, self.contact().map(|contact| Stand::from(contact.stand))),
            LastGood::Never => (None, None),
        };
        if floor.is_some_and(|floor| reply.stand < floor) {
            bail!("the server's answer stands at {:?}, before {floor:?} that this host has: it was not taken", reply.stand);
        }
        let mut after = match (&reply.policy, &before) {
            (Some(policy), _) if policy.host != *host => bail!("the server answered with the policy of {}: it was not taken", policy.host),
            (Some(policy), Some(before)) => Held { policy: policy.clone(), orphans: orphans(before, policy) },
            (Some(policy), None) => Held { policy: policy.clone(), orphans: Vec::new() },
            (None, Some(before)) if before.policy.stand == reply.stand => (**before).clone(),
            (None, _) => bail!("the server says nothing new, but not to the policy this host has: it was not taken"),
        };
        if told && before.as_ref().is_some_and(|before| before.policy.stand.incarnation == after.policy.stand.incarnation) {
            after.orphans.clear();
        }
        let news = before.as_deref().map_or(News::All, |before| news(before, &after));
        match news {
            News::Nothing => {}
            // After a loss of power it may stand where it stood before: that opens nothing.
            News::Stand => durable::write(&self.policy_path(None), &bytes_of(&after)?, 0o644, Sync::No)?,
            News::All => durable::write(&self.policy_path(None), &bytes_of(&after)?, 0o644, Sync::Yes)?,
        }
        self.save("contact.json", &contact(&after, reply), Sync::No)?;
        Ok(if news == News::All { Taken::New } else { Taken::Same })
    }

    /// Keeps the policies of other hosts that this one classifies: those that say something new and
    /// are not older than what is kept. Says how many.
    ///
    /// # Errors
    /// One cannot be written; those before it are.
    pub fn keep_of_others(&self, policies: &[HostPolicy]) -> Result<usize> {
        durable::folder(&self.path("policies"), 0o755)?;
        let mut written = 0;
        for policy in policies {
            let path = self.policy_path(Some(&policy.host));
            let new = Held { policy: policy.clone(), orphans: Vec::new() };
            if is_new(&path, &new) {
                durable::write(&path, &bytes_of(&new)?, 0o644, Sync::No)?;
                written += 1;
            }
        }
        Ok(written)
    }
}

/// Whether what another host is classified by says something else than what lies there, and is not older.
pub(super) fn is_new(path: &Path, new: &Held) -> bool {
    let known = durable::read(path, POLICY_MAX).ok().flatten().and_then(|bytes| parse(&bytes).ok());
    known.is_none_or(|known| known.policy.yields_to(&new.policy) && news(&known, new) == News::All)
}

/// How a policy differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Not at all; that it was given again later says nothing.
    Nothing,
    /// Something was decided that does not concern this host.
    Stand,
    /// In what it says.
    All,
}

fn news(before: &Held, after: &Held) -> News {
    let mut given_later = before.clone();
    given_later.policy.issued = after.policy.issued;
    if given_later == *after {
        return News::Nothing;
    }
    given_later.policy.stand = after.policy.stand;
    if given_later == *after { News::Stand } else { News::All }
}

/// The holds that a server of a new incarnation does not mention: it may have lost them.
fn orphans(before: &Held, policy: &HostPolicy) -> Vec<HoldOrder> {
    let lost = |hold: &&HoldOrder| !policy.holds.iter().any(|other| other.id == hold.id);
    if policy.stand.incarnation > before.policy.stand.incarnation {
        before.effective().holds.iter().filter(lost).cloned().collect()
    } else {
        before.orphans.iter().filter(lost).cloned().collect()
    }
}

fn contact(held: &Held, reply: &Reply) -> Contact {
    Contact {
        at: Moment::now(),
        issued_ms: reply.issued.ms(),
        stand: held.policy.stand.into(),
        enforce: held.policy.enforce.word().to_owned(),
        holds: held.policy.holds.len() + held.orphans.len(),
        max_closed_ms: held.policy.max_closed.ms(),
        poll_after_ms: reply.poll_after.ms(),
    }
}

pub(super) fn bytes_of(held: &Held) -> Result<Vec<u8>> {
    let file = File { policy: (&held.policy).into(), orphans: held.orphans.iter().map(HoldBody::from).collect() };
    let json = serde_json::to_vec(&file).context("the policy cannot be written")?;
    let mut bytes = format!("{HEAD}{}\n", Digest::of(&json)).into_bytes();
    bytes.extend_from_slice(&json);
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Held> {
    let end = bytes.iter().position(|byte| *byte == b'\n').context("it is cut short")?;
    let head = std::str::from_utf8(&bytes[..end]).ok().and_then(|head| head.strip_prefix(HEAD)).context("it is no policy")?;
    let json = &bytes[end + 1..];
    if head != Digest::of(json).to_string() {
        bail!("it is not as it was written (its digest differs)");
    }
    let file: File = serde_json::from_slice(json)?;
    let wrong = |error: belay_api::http::FieldError| anyhow::anyhow!("{}: {}", error.pointer, error.detail);
    let orphans = file.orphans.iter().map(|hold| hold.order("/orphans")).collect::<Result<_, _>>();
    Ok(Held { policy: file.policy.policy().map_err(wrong)?, orphans: orphans.map_err(wrong)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use belay_core::model::gate::Enforce;
    use belay_core::model::ids::{ClassName, HoldId};

    fn hold(number: u64) -> HoldOrder {
        let at = Timestamp::from_ms(0);
        let text = || "x".to_owned();
        HoldOrder { id: HoldId(number), owner: text(), reason: text(), contact: text(), ticket: None, imports: None, placed: at, until: at }
    }

    fn policy(incarnation: u64, seq: u64, holds: &[u64]) -> HostPolicy {
        HostPolicy {
            host: host(),
            stand: Stand { incarnation, seq },
            issued: Timestamp::from_ms(0),
            class: ClassName::parse("web").unwrap(),
            release: None,
            enforce: Enforce::Rejected,
            max_closed: Span::from_min(60),
            holds: holds.iter().map(|number| hold(*number)).collect(),
            environments: BTreeMap::new(),
            items: BTreeMap::new(),
            pin: None,
            wave_open: false,
            closed: Vec::new(),
            wave: None,
            rehearse: false,
            reverts: Vec::new(),
            poll_after: Span::from_min(1),
        }
    }

    fn host() -> HostId {
        HostId::parse("web01").unwrap()
    }

    fn reply(policy: &HostPolicy, same: bool) -> Reply {
        let have = same.then_some(policy.stand);
        belay_api::agent::PollAnswer::of(policy, have, 0).reply().unwrap()
    }

    fn holds(kept: &Kept) -> Vec<u64> {
        match kept.last_good(&host(), &host()) {
            LastGood::Good(held) => held.effective().holds.iter().map(|hold| hold.id.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_policy_is_kept_and_a_lower_one_never_taken() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        let guard = kept.guard().unwrap();
        assert_eq!(kept.last_good(&host(), &host()), LastGood::Never);
        assert_eq!(kept.take(&guard, &host(), &reply(&policy(1, 5, &[1]), false), false).unwrap(), Taken::New);
        assert_eq!(kept.take(&guard, &host(), &reply(&policy(1, 5, &[]), true), false).unwrap(), Taken::Same);
        assert!(kept.take(&guard, &host(), &reply(&policy(1, 4, &[]), false), false).is_err(), "it would open what is held");
        assert!(kept.take(&guard, &host(), &reply(&policy(1, 6, &[]), true), false).is_err(), "not about the policy it has");
        assert_eq!(holds(&kept), [1]);
    }

    #[test]
    fn a_restored_server_is_told_of_holds_before_they_go() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        let guard = kept.guard().unwrap();
        kept.take(&guard, &host(), &reply(&policy(1, 50, &[1, 2]), false), false).unwrap();
        kept.take(&guard, &host(), &reply(&policy(2, 3, &[2]), false), true).unwrap();
        assert_eq!(holds(&kept), [2, 1], "it was asked before it was known that the server was restored");
        kept.take(&guard, &host(), &reply(&policy(2, 3, &[2]), true), true).unwrap();
        assert_eq!(holds(&kept), [2], "it was told, and does not mention it");
    }

    #[test]
    fn what_is_damaged_or_gone_is_not_what_never_was() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        let guard = kept.guard().unwrap();
        kept.take(&guard, &host(), &reply(&policy(1, 5, &[1]), false), false).unwrap();
        let path = kept.path("policy.json");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 20;
        bytes[at] ^= 1;
        for damaged in [bytes.as_slice(), b"", b"{}", b"belay-policy 1 x\n{}"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(matches!(kept.last_good(&host(), &host()), LastGood::Corrupt(_)));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(kept.last_good(&host(), &host()), LastGood::Corrupt(_)));
        assert!(kept.take(&guard, &host(), &reply(&policy(1, 4, &[]), false), false).is_err(), "still no lower one");
        kept.take(&guard, &host(), &reply(&policy(1, 5, &[1]), false), false).unwrap();
        assert_eq!(holds(&kept), [1]);
    }

    #[test]
    fn without_a_memory_of_the_server_it_is_away_for_as_long_as_the_policy_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        kept.take(&kept.guard().unwrap(), &host(), &reply(&policy(1, 5, &[]), false), false).unwrap();
        assert_eq!(kept.server(), Server::Fresh);
        std::fs::write(kept.path("contact.json"), "").unwrap();
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
        std::fs::File::options().write(true).open(kept.path("policy.json")).unwrap().set_modified(old).unwrap();
        assert!(matches!(kept.server(), Server::Away(since) if since >= Span::from_min(60)));
    }
}
