//! The log of auditd, `/var/log/audit/audit.log`: whom the kernel saw remove a file. It is there only where the host watches the
//! file (`-w FILE -p wa -k belay-lock`). One event has several lines with one number: the call, the folder it was made in, a line
//! a path (auditd.conf(5); RAW and ENRICHED formats).

use std::collections::BTreeMap;

use belay_core::host::hand::Hand;
use belay_core::model::time::Timestamp;

use super::account;

/// The number of nobody's login: a daemon, a timer.
const UNSET: u32 = u32::MAX;
/// The most events that are looked at.
const EVENTS_MAX: usize = 4_096;

#[derive(Default)]
struct Event<'t> {
    call: Option<&'t str>,
    folder: Option<String>,
    paths: Vec<(String, &'t str)>,
}

/// Who removed this file, by the end of the log: where the last thing that was seen of it is that it was removed, and that not
/// before `after`.
pub fn remover(log: &str, file: &str, after: Timestamp, accounts: &str) -> Option<Hand> {
    let mut events: BTreeMap<(i64, u64), Event<'_>> = BTreeMap::new();
    for line in log.lines() {
        let Some((id, kind, rest)) = parted(line) else { continue };
        if !matches!(kind, "SYSCALL" | "CWD" | "PATH") || (events.len() >= EVENTS_MAX && !events.contains_key(&id)) {
            continue;
        }
        let event = events.entry(id).or_default();
        match kind {
            "SYSCALL" => event.call = Some(rest),
            "CWD" => event.folder = field(rest, "cwd").and_then(text),
            _ => event.paths.extend(field(rest, "name").and_then(text).map(|name| (name, field(rest, "nametype").unwrap_or_default()))),
        }
    }
    let last = events.into_iter().rev().find_map(|((at, _), event)| {
        let of: Vec<&str> = event.kinds_of(file);
        let altered = of.iter().any(|kind| matches!(*kind, "DELETE" | "CREATE"));
        let done = event.call.is_some_and(|call| field(call, "success") == Some("yes"));
        (altered && done).then(|| (Timestamp::from_ms(at), of == ["DELETE"], event.call))
    });
    match last {
        // A file that takes the place of another is removed and made at once.
        Some((at, true, Some(call))) if at >= after => hand(call, accounts),
        _ => None,
    }
}

impl<'t> Event<'t> {
    /// What was done to this file.
    fn kinds_of(&self, file: &str) -> Vec<&'t str> {
        let whole = |name: &str| match (name.starts_with('/'), &self.folder) {
            (false, Some(folder)) => format!("{}/{}", folder.trim_end_matches('/'), name.trim_start_matches("./")),
            _ => name.to_owned(),
        };
        self.paths.iter().filter(|(name, _)| whole(name) == file).map(|(_, kind)| *kind).collect()
    }
}

fn hand(call: &str, accounts: &str) -> Option<Hand> {
    let number = |name: &str| field(call, name).and_then(|uid| uid.parse::<u32>().ok());
    // The enriched format says the names itself, as they were then.
    let name = |raw: &str, enriched: &str| {
        let said = field(call, enriched).and_then(text).filter(|said| said != "unset" && !said.starts_with("unknown"));
        let uid = number(raw)?;
        (uid != UNSET).then(|| said.or_else(|| account(accounts, uid).map(str::to_owned)).unwrap_or_else(|| format!("#{uid}")))
    };
    let (login, ran_as) = (name("auid", "AUID"), name("uid", "UID"));
    let user = login.clone().or_else(|| ran_as.clone())?;
    Some(Hand::Observed {
        acting: ran_as.filter(|acting| *acting != user),
        user,
        program: field(call, "exe").and_then(text).or_else(|| field(call, "comm").and_then(text)),
    })
}

/// A line's event (milliseconds, number), type and rest.
fn parted(line: &str) -> Option<((i64, u64), &str, &str)> {
    // The name of the host may stand before it.
    let line = &line[line.find("type=")?..];
    let (kind, rest) = line.strip_prefix("type=")?.split_once(' ')?;
    let (id, rest) = rest.strip_prefix("msg=audit(")?.split_once("):")?;
    let (at, number) = id.split_once(':')?;
    let (s, ms) = at.split_once('.')?;
    let at = s.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(ms.parse::<i64>().ok()?)?;
    Some(((at, number.parse().ok()?), kind, rest))
}

/// The value of a field, as it is written.
fn field<'t>(rest: &'t str, name: &str) -> Option<&'t str> {
    rest.split([' ', '\u{1d}']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// A text: quoted, or in hexadecimal digits where it holds what would break the line.
fn text(value: &str) -> Option<String> {
    if let Some(quoted) = value.strip_prefix('"') {
        return Some(quoted.trim_end_matches('"').to_owned());
    }
    let bytes: Option<Vec<u8>> = value
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2))
        .collect();
    match bytes {
        Some(bytes) if !bytes.is_empty() => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => (!value.is_empty() && value != "(null)").then(|| value.to_owned()),
    }
}

#[cfg(test)]
mod tests;
