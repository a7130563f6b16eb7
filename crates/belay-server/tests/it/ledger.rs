//! Faults 18 and 19: whatever happens in the middle of a commit, it is there whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use belay_core::model::ids::Digest;
use belay_core::state::State;
use belay_server::ledger::{Batch, Blob, Deposit, Hook, Ledger, LedgerError, RawCopy, RunFilter, open_reader, pack};

use super::story;

/// What one commit of the story leaves behind.
#[derive(Clone, Debug, PartialEq)]
struct Stand {
    state: Vec<(belay_core::model::time::Timestamp, belay_core::state::Fact)>,
    inbox: usize,
}

/// The batches of the story: each with a deposit, which is done with by the batch after the next.
fn batches() -> Vec<(Batch, State)> {
    let mut state = State::default();
    let mut out = Vec::new();
    for (n, (now, input)) in story::inputs().iter().enumerate() {
        let mut batch = Batch { facts: story::step(&mut state, *now, input), ..Batch::default() };
        let body = format!("body {n}").into_bytes();
        let deposit =
            Deposit { received: *now, tool: "tool", head: format!("n={n}"), principal: story::admin(), body: body.clone().into() };
        batch.deposits.push(deposit);
        batch.raw.push(RawCopy { digest: Digest::of(&body), tool: "tool".into(), size: 6, gzip: body.clone().into() });
        batch.blobs.push(Blob { digest: Digest::of(b"same evidence"), gzip: body.into() });
        out.push((batch, state.clone()));
    }
    out
}

fn stand(state: &State, inbox: usize) -> Stand {
    Stand { state: state.to_facts(), inbox }
}

/// The stands before the first batch and after each.
fn stands() -> Vec<Stand> {
    let batches = batches();
    let after = batches.iter().enumerate().map(|(n, (_, state))| stand(state, n + 1));
    std::iter::once(stand(&State::default(), 0)).chain(after).collect()
}

fn reopened(dir: &Path) -> Stand {
    let ledger = Ledger::open(dir, None).unwrap();
    let (state, last) = ledger.load().unwrap();
    assert_eq!(last, ledger.last());
    let reader = open_reader(ledger.path()).unwrap();
    let runs = reader.runs(&RunFilter::default(), None, 100).unwrap();
    assert_eq!(runs.items.len() as u64, state.counters.runs, "the table of runs and the state disagree");
    let changes = reader.changes(&Default::default(), None, 100).unwrap();
    assert!(changes.items.iter().rev().eq(state.changes.values()), "the table of Changes and the state disagree");
    assert_eq!(reader.inbox(100).unwrap().len(), ledger.waiting().len());
    stand(&state, ledger.waiting().len())
}

fn counting(at: usize, then: impl Fn() -> rusqlite::Result<()> + Send + Sync + 'static) -> (Hook, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    (Arc::new(move |_| if counted.fetch_add(1, Ordering::Relaxed) == at { then() } else { Ok(()) }), count)
}

#[test]
fn a_commit_that_fails_at_any_operation_is_there_whole_or_not_at_all() {
    let stands = stands();
    for at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let (hook, count) = counting(at, || Err(rusqlite::Error::InvalidQuery));
        let mut ledger = Ledger::open(dir.path(), Some(hook)).unwrap();
        let mut done = 0;
        for (batch, after) in batches() {
            if ledger.commit(&batch, &after).is_err() {
                break;
            }
            done += 1;
        }
        drop(ledger);
        let found = reopened(dir.path());
        assert!(found == stands[done] || stands.get(done + 1) == Some(&found), "operation {at} left half of commit {done}");
        if count.load(Ordering::Relaxed) <= at {
            assert_eq!(done + 1, stands.len());
            return;
        }
    }
}

#[test]
fn a_process_killed_at_any_operation_leaves_whole_commits() {
    let stands = stands();
    let (hook, count) = counting(usize::MAX, || Ok(()));
    let all = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(all.path(), Some(hook)).unwrap();
    batches().iter().for_each(|(batch, after)| drop(ledger.commit(batch, after).unwrap()));
    let operations = count.load(Ordering::Relaxed);
    for at in 0..operations {
        let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (dir.path().to_owned(), copy.path().to_owned());
        let (hook, _) = counting(at, move || {
            copy_files(&from, &to, u64::MAX);
            Ok(())
        });
        let mut ledger = Ledger::open(dir.path(), Some(hook)).unwrap();
        batches().iter().for_each(|(batch, after)| drop(ledger.commit(batch, after).unwrap()));
        assert!(stands.contains(&reopened(copy.path())), "killed at operation {at}");
    }
}

#[test]
fn a_journal_cut_anywhere_by_a_power_loss_leaves_whole_commits() {
    let stands = stands();
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), None).unwrap();
    batches().iter().for_each(|(batch, after)| drop(ledger.commit(batch, after).unwrap()));
    let journal = std::fs::metadata(journal(dir.path())).unwrap().len();
    assert!(journal > 100_000, "the journal was checkpointed too early for this test");
    let mut last = 0;
    for length in (0..=journal).step_by(3_001).chain([journal]) {
        let copy = tempfile::tempdir().unwrap();
        copy_files(dir.path(), copy.path(), length);
        let found = reopened(copy.path());
        let at = stands.iter().position(|stand| *stand == found).unwrap_or_else(|| panic!("a journal of {length} bytes"));
        assert!(at >= last, "a longer journal holds no less");
        last = at;
    }
    assert_eq!(last + 1, stands.len());
}

fn journal(dir: &Path) -> PathBuf {
    dir.join("ledger.db-wal")
}

fn copy_files(from: &Path, to: &Path, journal_bytes: u64) {
    std::fs::copy(from.join("ledger.db"), to.join("ledger.db")).unwrap();
    if let Ok(mut bytes) = std::fs::read(journal(from)) {
        bytes.truncate(usize::try_from(journal_bytes).unwrap_or(usize::MAX));
        std::fs::write(journal(to), bytes).unwrap();
    }
}

#[test]
fn a_snapshot_and_later_facts_give_the_same_state_and_a_damaged_one_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), None).unwrap();
    let batches = batches();
    for (n, (batch, after)) in batches.iter().enumerate() {
        let done = ledger.commit(batch, after).unwrap();
        if n == 4 || n == 7 {
            ledger.keep_snapshot(done.last, &pack(after).unwrap()).unwrap();
        }
    }
    let expected = batches.last().unwrap().1.to_facts();
    assert_eq!(ledger.load().unwrap().0.to_facts(), expected);
    let path = ledger.path().to_owned();
    drop(ledger);
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute("UPDATE snapshots SET body = x'00' WHERE seq = (SELECT max(seq) FROM snapshots)", []).unwrap();
    assert_eq!(Ledger::open(dir.path(), None).unwrap().load().unwrap().0.to_facts(), expected);
}

#[test]
fn a_fact_that_was_changed_on_disk_is_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), None).unwrap();
    batches().iter().for_each(|(batch, after)| drop(ledger.commit(batch, after).unwrap()));
    let path = ledger.path().to_owned();
    drop(ledger);
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute("UPDATE facts SET body = replace(body, 'web02', 'web03') WHERE kind = 'run-recorded'", []).unwrap();
    let refused = Ledger::open(dir.path(), None).unwrap().load().unwrap_err();
    assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
    conn.execute("DELETE FROM runs", []).unwrap();
    conn.execute("DELETE FROM facts WHERE seq = 3", []).unwrap();
    let refused = Ledger::open(dir.path(), None).unwrap().load().unwrap_err();
    assert!(matches!(refused, LedgerError::Gap { found: 4, expected: 3 }), "{refused}");
}

#[test]
fn a_ledger_of_a_newer_build_is_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = Ledger::open(dir.path(), None).unwrap().path().to_owned();
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 7).unwrap();
    let Err(refused) = Ledger::open(dir.path(), None) else { panic!("it was opened") };
    let text = refused.to_string();
    assert!(text.contains("ledger format 7 was written by a newer Belay; this build understands 3"), "{text}");
    assert!(text.contains("before-004"), "{text}");
    conn.pragma_update(None, "user_version", 3).unwrap();
    Ledger::open(dir.path(), None).unwrap();
}

#[test]
fn pruning_forgets_what_is_beyond_the_limits_and_nothing_else() {
    use belay_core::model::time::Span;
    use belay_server::ledger::Retention;
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), None).unwrap();
    let batches = batches();
    batches.iter().for_each(|(batch, after)| drop(ledger.commit(batch, after).unwrap()));
    let reader = open_reader(ledger.path()).unwrap();
    let (now, kept) = (batches.last().unwrap().1.now, Digest::of(b"body 3"));
    assert_eq!(ledger.prune(now, &Retention::default()).unwrap().rows, 0);
    assert!(reader.raw(kept).is_err(), "the story's bytes are no gzip, but they are there");
    assert_eq!(reader.quarantined().unwrap(), 1);
    let later = now + Span::from_min(31 * 24 * 60);
    assert_eq!(ledger.prune(later, &Retention::default()).unwrap().rows, batches.len() + 1);
    assert_eq!(reader.raw(kept).unwrap(), None);
    assert_eq!(reader.quarantined().unwrap(), 0);
    assert!(reader.evidence(Digest::of(b"same evidence")).is_err(), "evidence stays longer");
    let tight = Retention { raw_bytes: 1, ..Retention::default() };
    assert_eq!(ledger.prune(now, &tight).unwrap().rows, 0);
}
