//! Whose hand it was that removed the lock: what the kernel saw where it keeps a log, else who is logged in now. It is looked at
//! once, when the lock is found gone, within bounds; what cannot be read is not known.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use belay_adapters::people::{HOMES, Session, audit, sessions, utmp};
use belay_core::host::hand::Hand;
use belay_core::model::time::{Span, Timestamp};

use crate::durable;

/// How much of the end of the kernel's log is looked at, in bytes.
const TAIL: u64 = 256 * 1024;
/// The largest list of terminals or accounts that is read, in bytes.
const LIST_MAX: u64 = 4 << 20;
/// The largest file of a session, in bytes.
const SESSION_MAX: u64 = 16 * 1024;
/// The most files of sessions that are read.
const SESSIONS_MAX: usize = 256;
/// What clocks of the kernel and of files may differ by.
const MARGIN: Span = Span::from_s(2);
/// Where it is not known when the lock was written, the kernel's word counts for this long.
const LATELY: Span = Span::from_min(60);

/// Where it is looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleConfig {
    /// The terminals and who is on them.
    pub terminals: PathBuf,
    /// A folder with a file a session.
    pub sessions: PathBuf,
    /// The log of what the kernel saw.
    pub audit: PathBuf,
    /// The accounts.
    pub accounts: PathBuf,
}

impl Default for PeopleConfig {
    fn default() -> Self {
        Self {
            terminals: HOMES.terminals.into(),
            sessions: HOMES.sessions.into(),
            audit: HOMES.audit.into(),
            accounts: HOMES.accounts.into(),
        }
    }
}

/// What is known of who removed this file, in words; `written` is when the file was last written. Nothing where nothing can be
/// read.
pub fn seen(people: &PeopleConfig, file: &Path, written: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let after = written.unwrap_or(now - LATELY) - MARGIN;
    observed(people, file, after).or_else(|| logged_in(people)).map(|hand| hand.words())
}

fn observed(people: &PeopleConfig, file: &Path, after: Timestamp) -> Option<Hand> {
    let log = tail(&people.audit)?;
    let accounts = durable::read(&people.accounts, LIST_MAX).ok().flatten().unwrap_or_default();
    audit::remover(&String::from_utf8_lossy(&log), file.to_str()?, after, &String::from_utf8_lossy(&accounts))
}

/// The end of a log, which may be of any size.
fn tail(path: &Path) -> Option<Vec<u8>> {
    // Neither a pipe nor a device is opened: that could wait.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Who is logged in: by the terminals, and by the sessions where no terminal names anybody (newer systems keep only those).
fn logged_in(people: &PeopleConfig) -> Option<Hand> {
    let terminals = durable::read(&people.terminals, LIST_MAX).ok().flatten();
    let terminals = terminals.map(|bytes| alive(utmp::sessions(&bytes, utmp::Layout::HERE)));
    let found = match terminals {
        Some(found) if !found.is_empty() => Some(found),
        other => by_session(&people.sessions).map(alive).or(other),
    }?;
    let mut logins: Vec<_> = found.into_iter().map(|session| session.login).collect();
    // Those who came last are named first, where not all can be.
    logins.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.user.cmp(&b.user)));
    logins.dedup();
    Some(Hand::LoggedIn(logins))
}

fn by_session(folder: &Path) -> Option<Vec<Session>> {
    let entries = std::fs::read_dir(folder).ok()?.take(2 * SESSIONS_MAX).filter_map(Result::ok);
    // Beside each file lies a pipe with a point in its name.
    let files = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric())));
    let read = |path: PathBuf| durable::read(&path, SESSION_MAX).ok().flatten();
    let texts = files.take(SESSIONS_MAX).filter_map(|entry| read(entry.path()));
    Some(texts.filter_map(|bytes| sessions::session(&String::from_utf8_lossy(&bytes))).collect())
}

/// Sessions whose first process is there; what ended badly leaves its record behind.
fn alive(sessions: Vec<Session>) -> Vec<Session> {
    let there = |session: &Session| session.leader.is_none_or(|pid| Path::new("/proc").join(pid.to_string()).exists());
    sessions.into_iter().filter(there).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(dir: &Path) -> PeopleConfig {
        PeopleConfig {
            terminals: dir.join("utmp"),
            sessions: dir.join("sessions"),
            audit: dir.join("audit.log"),
            accounts: dir.join("passwd"),
        }
    }

    fn session(dir: &Path, name: &str, user: &str, leader: u32) {
        std::fs::create_dir_all(dir.join("sessions")).unwrap();
        let text = format!("USER={user}\nCLASS=user\nSTATE=active\nTTY=pts/{name}\nREMOTE_HOST=10.0.0.7\nLEADER={leader}\n");
        std::fs::write(dir.join("sessions").join(name), text).unwrap();
    }

    fn seen_in(dir: &Path) -> Option<String> {
        seen(&people(dir), Path::new("/state/lock"), None, Timestamp::from_ms(1_700_000_010_000))
    }

    #[test]
    fn who_is_logged_in_is_told_by_sessions_where_no_terminal_names_anybody() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(seen_in(dir.path()), None, "nothing can be read");
        std::fs::write(dir.path().join("utmp"), [0; 384]).unwrap();
        assert_eq!(seen_in(dir.path()).as_deref(), Some("nobody was logged in then"));
        session(dir.path(), "3", "bob", std::process::id());
        session(dir.path(), "4", "gone", 4_194_305);
        std::fs::write(dir.path().join("sessions/5.ref"), "USER=pipe\n").unwrap();
        assert_eq!(seen_in(dir.path()).as_deref(), Some("logged in then: bob (pts/3 from 10.0.0.7)"));
    }

    #[test]
    fn what_the_kernel_saw_goes_before_who_is_logged_in_and_a_long_log_is_read_from_its_end() {
        let dir = tempfile::tempdir().unwrap();
        session(dir.path(), "3", "bob", std::process::id());
        let event = "type=SYSCALL msg=audit(1700000005.000:7): success=yes auid=1000 uid=0 exe=\"/usr/bin/rm\" key=\"belay-lock\"\n\
            type=PATH msg=audit(1700000005.000:7): item=0 name=\"/state/lock\" nametype=DELETE\n";
        let other = "type=SYSCALL msg=audit(1700000001.000:6): success=yes auid=1000 uid=0\n".repeat(6_000);
        std::fs::write(dir.path().join("audit.log"), format!("{other}{event}")).unwrap();
        std::fs::write(dir.path().join("passwd"), "carol:x:1000:1000::/srv/carol:/bin/sh\n").unwrap();
        assert_eq!(seen_in(dir.path()).as_deref(), Some("observed: carol (as #0, with /usr/bin/rm)"));
        std::fs::write(dir.path().join("audit.log"), format!("{event}{other}")).unwrap();
        assert!(seen_in(dir.path()).unwrap().starts_with("logged in then: bob"), "too long ago to be looked at");
    }
}
