//! Puppet's lock: a JSON object whose `disabled_message` Puppet shows to whoever runs it. It takes
//! keys it does not know, so ours stands beside the message.

use std::collections::BTreeSet;

use belay_core::host::lock::Found;
use belay_core::model::gate::HoldOrder;
use belay_core::model::ids::HoldId;
use belay_core::model::time::Timestamp;
use serde_json::{Value, json};

use crate::tools::host::sentences;
use crate::tools::redact::clean;

/// The key that makes a lock one of ours.
const OURS: &str = "belay";
/// The holds it stands for.
const HOLDS: &str = "holds";
const MESSAGE: &str = "disabled_message";
/// Characters kept of somebody else's message.
const MESSAGE_MAX: usize = 300;
/// Bytes of a lock that are looked at. Ours has a few hundred a hold.
const LOCK_MAX: usize = 1024 * 1024;

/// Reads a lock. Ours is only what names our holds without doubt: anything else is not to be touched.
pub(super) fn read(lock: &[u8]) -> Found {
    let foreign = |message: &str| Found::Foreign { message: clean(message, MESSAGE_MAX), since: None };
    if lock.len() > LOCK_MAX {
        return foreign(&format!("a lock of {} bytes, which was not read", lock.len()));
    }
    if lock.trim_ascii().is_empty() {
        return foreign("no reason given (an empty lock)");
    }
    let value = match serde_json::from_slice::<Value>(lock) {
        Ok(Value::Object(value)) => value,
        Ok(_) | Err(_) => return foreign(&format!("a lock that is not what the tool writes: {}", String::from_utf8_lossy(lock))),
    };
    let said = value.get(MESSAGE).and_then(Value::as_str).map(str::trim).filter(|said| !said.is_empty());
    match value.get(OURS) {
        None => foreign(said.unwrap_or("no reason given")),
        Some(ours) => match holds(ours) {
            Some(holds) => Found::Ours(holds),
            None => foreign(&format!("a lock in our name that cannot be read: {}", said.unwrap_or("no reason given"))),
        },
    }
}

fn holds(ours: &Value) -> Option<BTreeSet<HoldId>> {
    ours.get(HOLDS)?.as_array()?.iter().map(|hold| hold.as_str().and_then(HoldId::parse)).collect()
}

/// The lock for these holds.
pub(super) fn write(holds: &[HoldOrder], now: Timestamp) -> Vec<u8> {
    let ids: Vec<String> = holds.iter().map(|hold| hold.id.to_string()).collect();
    let until = holds.iter().map(|hold| hold.until).max().map(|until| until.to_string());
    json!({ MESSAGE: sentences(holds, now), OURS: { HOLDS: ids, "until": until, "written": now.to_string() } }).to_string().into_bytes()
}

/// What people see when they log in.
pub(super) fn banner(holds: &[HoldOrder], now: Timestamp) -> String {
    if holds.is_empty() {
        return String::new();
    }
    let mut text = String::from("Puppet is held on this host. Do not run `puppet agent --enable`.\n");
    for hold in holds {
        text.push_str(&format!("  {}\n", sentences(std::slice::from_ref(hold), now)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::time::Span;

    fn hold(number: u64, reason: &str) -> HoldOrder {
        HoldOrder {
            id: HoldId(number),
            owner: "alice".to_owned(),
            reason: reason.to_owned(),
            contact: "alice, room 4".to_owned(),
            ticket: Some("OPS-7".to_owned()),
            placed: Timestamp::from_ms(0),
            until: Timestamp::from_ms(0) + Span::from_min(60),
            imports: None,
        }
    }

    fn message(lock: &[u8]) -> String {
        serde_json::from_slice::<Value>(lock).unwrap()[MESSAGE].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_lock_of_ours_reads_back_and_says_who_why_until_when_and_whom_to_ask() {
        let holds = [hold(3, "release 142"), hold(5, "a migration")];
        let lock = write(&holds, Timestamp::from_ms(0));
        assert_eq!(read(&lock), Found::Ours(BTreeSet::from([HoldId(3), HoldId(5)])));
        let said = message(&lock);
        for part in ["alice", "release 142", "1970-01-01T01:00:00Z", "room 4", "do not re-enable", "h-3", "h-5", "OPS-7", "a migration"] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        assert!(message(&write(&holds, Timestamp::from_ms(0) + Span::from_min(61))).contains("expired"));
    }

    #[test]
    fn whatever_a_reason_holds_the_message_stays_one_inert_line() {
        let lock = write(&[hold(3, "it's \"odd\"\n\u{1b}[31m'); exit\u{202e}")], Timestamp::from_ms(0));
        let said = message(&lock);
        assert!(!said.contains(char::is_control) && !said.contains('\u{202e}'), "{said:?}");
        assert_eq!(lock.iter().filter(|byte| **byte == b'\n').count(), 0);
        let banner = banner(&[hold(3, "a\nb"), hold(4, "c\r\n# d")], Timestamp::from_ms(0));
        assert_eq!(banner.lines().count(), 3, "{banner}");
    }

    #[test]
    fn any_other_lock_is_somebody_elses() {
        let said = |lock: &[u8]| match read(lock) {
            Found::Foreign { message, since: None } => message,
            other => panic!("{other:?}"),
        };
        let recorded = include_bytes!("fixtures/agent_disabled.lock");
        assert_eq!(said(recorded), "release 142 in progress on these hosts, do not enable - alice");
        assert_eq!(said(b""), "no reason given (an empty lock)");
        assert_eq!(said(b"{}"), "no reason given");
        assert!(said(b"{\"disabled_message\":\"x").contains("not what the tool writes: {\"disabled_message\""));
        assert!(said(b"\xff\xfe\x1b[2J").contains("not what the tool writes"));
        assert!(!said(b"{\"disabled_message\":\"\\u001b[2J\"}").contains('\u{1b}'));
        for torn in ["{\"belay\":1}", "{\"belay\":{\"holds\":[\"h-1\",\"x\"]}}", "{\"belay\":{\"holds\":\"h-1\"}}"] {
            assert!(said(torn.as_bytes()).starts_with("a lock in our name that cannot be read"), "{torn}");
        }
    }

    #[test]
    fn nothing_is_said_without_a_hold() {
        assert_eq!(banner(&[], Timestamp::from_ms(0)), "");
    }
}
