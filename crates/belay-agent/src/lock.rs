//! The tool's lock as the holds want it: what is to be done is decided in the core, kept in memory
//! first, and then done.

use anyhow::{Result, bail};
use belay_api::agent::HoldBody;
use belay_core::host::lock::{Act, Found, LockEvent, reconcile, written};
use belay_core::host::talk::{Happened, Lock};
use belay_core::model::gate::HoldOrder;
use belay_core::model::ids::Digest;
use belay_core::model::time::Timestamp;

use crate::bound::Bound;
use crate::config::Config;
use crate::durable::{self, Guard, Sync};
use crate::hand::{self, PeopleConfig};
use crate::kept::{Kept, Notes};

/// The largest banner that is compared, in bytes.
const BANNER_MAX: u64 = 1 << 20;
/// How often somebody else may put a lock there while we look, before it is left for the next time.
const ROUNDS: usize = 4;

/// Makes the lock what the holds want, and says what stands there now. While the glass is broken,
/// give no holds.
///
/// # Errors
/// The lock cannot be read, or the memory or the lock cannot be written.
pub fn settle(kept: &Kept, guard: &Guard, bound: &Bound, people: &PeopleConfig, holds: &[HoldOrder], now: Timestamp) -> Result<Lock> {
    for _ in 0..ROUNDS {
        let found = bound.lock()?;
        let before = kept.notes(now);
        let mut notes = before.clone();
        let step = reconcile(&notes.memory, &found, holds, now);
        notes.memory = step.memory;
        let event = step.event.map(|event| match event {
            LockEvent::Broken { by: None, holds, put_back } => {
                LockEvent::Broken { by: hand::seen(people, &bound.places.lock, notes.written, now), holds, put_back }
            }
            event => event,
        });
        told(&mut notes, &found, event, now);
        let act = match step.act {
            // It stands for the right holds; does it also say what they say now?
            Act::Leave if matches!(found, Found::Ours(_)) && notes.text != text_of(holds, now) => Act::Write(notes.memory.wrote.clone()),
            act => act,
        };
        if matches!(act, Act::Write(_)) {
            notes.text = text_of(holds, now);
        }
        if notes != before {
            kept.remember(guard, &notes)?;
        }
        if !done(bound, &act, &found, holds, now)? {
            continue;
        }
        if matches!(act, Act::Write(_)) {
            notes.memory = written(&notes.memory);
            notes.written = Some(now);
            kept.remember(guard, &notes)?;
        }
        return Ok(match (act, found) {
            (Act::Write(ids), _) => Lock::Ours(ids),
            (Act::Remove, _) | (Act::Leave, Found::Absent) => Lock::Absent,
            (Act::Leave, Found::Ours(ids)) => Lock::Ours(ids),
            (Act::Leave, Found::Foreign { message, since }) => Lock::Foreign { message, since },
        });
    }
    bail!("{} is altered by somebody else all the time: it was left as it is", bound.places.lock.display())
}

/// Does it; says whether it was done. What somebody else put there meanwhile is not touched.
fn done(bound: &Bound, act: &Act, found: &Found, holds: &[HoldOrder], now: Timestamp) -> Result<bool> {
    let path = &bound.places.lock;
    match act {
        Act::Leave => Ok(true),
        Act::Remove => durable::remove(path).map(|()| true),
        Act::Write(_) => {
            let bytes = bound.tool.write_lock(holds, now);
            if *found == Found::Absent {
                return durable::write_new(path, &bytes, 0o644);
            }
            durable::write(path, &bytes, 0o644, Sync::Yes).map(|()| true)
        }
    }
}

/// Notes what is to be told. A lock of somebody else's is told once for what it says.
fn told(notes: &mut Notes, found: &Found, event: Option<LockEvent>, now: Timestamp) {
    let said = match found {
        Found::Foreign { message, .. } => Some(message.clone()),
        Found::Absent | Found::Ours(_) => None,
    };
    if let Some(event) = event.filter(|_| said.is_none() || said != notes.foreign) {
        notes.add(now, Happened::Lock(event));
    }
    notes.foreign = said;
}

/// By which the text of a lock is known: it alters when a hold is extended or expires.
fn text_of(holds: &[HoldOrder], now: Timestamp) -> String {
    let holds = holds.iter().map(|hold| (HoldBody::from(hold), now >= hold.until));
    let text: String = holds.map(|(hold, over)| format!("{hold:?}{over}")).collect();
    Digest::of(text.as_bytes()).to_string()
}

/// Makes the banner what the holds (or the broken glass) want.
///
/// # Errors
/// It cannot be written.
pub fn banner(config: &Config, kept: &Kept, bound: &Bound, holds: &[HoldOrder], now: Timestamp) -> Result<()> {
    let Some(path) = &config.banner else { return Ok(()) };
    let text = match kept.glass(now) {
        Some(glass) if !holds.is_empty() => {
            format!("Belay: the glass is broken on this host until {}, by {}: {}\n", glass.until, inert(&glass.by), inert(&glass.reason))
        }
        _ => bound.tool.banner(holds, now),
    };
    let there = durable::read(path, BANNER_MAX)?;
    if text.is_empty() {
        return if there.is_some() { durable::remove(path) } else { Ok(()) };
    }
    if there.as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        durable::folder(folder, 0o755)?;
    }
    durable::write(path, text.as_bytes(), 0o644, Sync::No)
}

/// A text of somebody's as it may be shown on a terminal.
pub fn inert(text: &str) -> String {
    belay_adapters::tools::redact::inert(text).into_owned()
}
