//! `belay-agent gate` as a process, from files: its answers and exit codes.

use std::time::{Duration, Instant};

use belay_adapters::tools::host_tool_by_name;
use belay_core::host::policy::HostPolicy;
use belay_core::model::closed::{Closed, ClosedBy, Closing};
use belay_core::model::gate::{Enforce, Known};
use belay_core::model::ids::ChangeId;
use belay_core::model::time::{Span, Timestamp};

use crate::lab::{Lab, catalog, hold, knowing, policy};
use crate::server::Server;

/// Where nobody listens.
const NOBODY: &str = "127.0.0.1:9";

/// A lab with a policy and a catalog that is about to be applied.
fn lab(server: &str, policy: &belay_core::host::policy::HostPolicy, catalog: &str) -> Lab {
    let lab = Lab::new(Some(server), "");
    lab.keep(policy);
    std::fs::write(lab.path("catalog"), catalog).unwrap();
    lab
}

fn gate(lab: &Lab, more: &[&str]) -> (i32, String) {
    let catalog = lab.path("catalog").display().to_string();
    lab.says(&[&["gate", "--catalog", &catalog], more].concat())
}

#[test]
fn without_any_policy_it_goes_and_says_so() {
    let lab = Lab::new(None, "");
    let (code, said) = lab.says(&["gate"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("no policy was ever received"), "{said}");
}

#[test]
fn accepted_content_goes_also_while_the_server_is_away() {
    let catalog = catalog("r142", "new");
    let lab = lab(NOBODY, &knowing(policy(1, Enforce::Waves), &catalog, Known::Accepted), &catalog);
    for away in [Span::ZERO, Span::from_min(10_000)] {
        lab.away(away);
        let (code, said) = gate(&lab, &[]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("go: all that would change is accepted"), "{said}");
    }
}

#[test]
fn a_freeze_that_it_was_told_of_stays_closed_until_its_end_however_long_the_server_is_away() {
    let (known, catalog) = (catalog("r142", "known"), catalog("r142", "unseen"));
    let base = || knowing(policy(1, Enforce::Waves), &known, Known::Accepted);
    let freeze = |from: i64, until: i64| {
        let by = ClosedBy::Freeze("end of the year".to_owned());
        Closing { at: Timestamp::from_ms(from), closed: Closed { by, until: Some(Timestamp::from_ms(until)) } }
    };
    let far = 4_000_000_000_000;
    let frozen = HostPolicy { wave_open: true, closed: vec![freeze(1, far)], ..base() };
    let closed = lab(NOBODY, &frozen, &catalog);
    for away in [Span::ZERO, Span::from_min(10_000)] {
        closed.away(away);
        let (code, said) = gate(&closed, &[]);
        assert_eq!(code, 11, "{said}");
        assert!(said.contains("deferred: 1 contents are not accepted yet, and nothing new comes before 2096-10-02T07:06:40Z"), "{said}");
        assert!(said.contains("a freeze, end of the year"), "{said}");
    }
    assert!(gate(&closed, &["-o", "json"]).1.contains("\"until\":\"2096-10-02T07:06:40Z\""));
    let over = HostPolicy { wave_open: true, closed: vec![freeze(1, 2)], ..base() };
    let over = lab(NOBODY, &over, &catalog);
    over.away(Span::ZERO);
    assert_eq!(gate(&over, &[]).0, 11, "opening takes a word of the server");
    over.away(Span::from_min(10_000));
    assert_eq!(gate(&over, &[]).0, 0, "once it should be over, `max_closed` counts again");
}

#[test]
fn a_hold_is_10_at_every_level_and_a_rehearsal_goes() {
    for enforce in Enforce::ALL {
        let mut held = policy(1, enforce);
        held.holds.push(hold(3));
        let lab = lab(NOBODY, &held, &catalog("r142", "new"));
        let (code, said) = gate(&lab, &[]);
        assert_eq!(code, 10, "{said}");
        assert!(said.starts_with("belay gate: held: held by alice until"), "{said}");
        assert!(said.contains("release 142 needs new files") && said.contains("ask alice, room 4"), "{said}");
        assert!(said.contains("help: "), "{said}");
        assert_eq!(gate(&lab, &["--noop"]).0, 0);
    }
}

#[test]
fn an_environment_of_another_release_and_rejected_content_are_11() {
    let old = catalog("production", "old");
    let mismatch = lab(NOBODY, &policy(1, Enforce::ReleaseMatch), &old);
    let (code, said) = gate(&mismatch, &[]);
    assert_eq!(code, 11, "{said}");
    assert!(said.starts_with("belay gate: refused: environment production does not belong to release 142"), "{said}");
    std::fs::write(mismatch.path("release"), "141\n").unwrap();
    assert_eq!(gate(&mismatch, &[]).0, 0, "the release that is read now counts");

    let catalog = catalog("r142", "bad");
    let rejected = lab(NOBODY, &knowing(policy(1, Enforce::Rejected), &catalog, Known::Rejected(ChangeId(2))), &catalog);
    let (code, said) = gate(&rejected, &[]);
    assert_eq!(code, 11, "{said}");
    assert!(said.contains("File[/etc/app.conf]") && said.contains("rejected") && said.contains("belay why c-2"), "{said}");
    let observing = knowing(policy(2, Enforce::Off), &catalog, Known::Rejected(ChangeId(2)));
    rejected.keep(&observing);
    let (code, said) = gate(&rejected, &[]);
    assert!(code == 0 && said.contains("only observes; enforcing, it would have been refused"), "{said}");
}

#[test]
fn unseen_content_is_12_while_nobody_can_be_asked_and_goes_in_the_end() {
    let known = catalog("r142", "known");
    let lab = lab(NOBODY, &knowing(policy(1, Enforce::Rejected), &known, Known::Accepted), &catalog("r142", "unseen"));
    lab.away(Span::from_min(30));
    let (code, said) = gate(&lab, &[]);
    assert_eq!(code, 12, "{said}");
    assert!(said.contains("not known here, and the server has been away for 30 min"), "{said}");
    assert!(said.contains("cannot reach"), "{said}");
    lab.away(Span::from_min(240));
    let (code, said) = gate(&lab, &[]);
    assert_eq!(code, 0, "{said}");
    let notes = lab.kept().notes(belay_agent::clock::now());
    assert_eq!(notes.events.len(), 1, "that it went is told");
    assert_eq!(gate(&lab, &[]).0, 0);
    assert_eq!(lab.kept().notes(belay_agent::clock::now()).events.len(), 1, "once");
}

#[test]
fn a_server_that_can_be_asked_is_asked_for_what_is_not_known() {
    let offered = catalog("r142", "unseen");
    let server = Server::start(Some(knowing(policy(2, Enforce::Waves), &offered, Known::Accepted)));
    let known = catalog("r142", "known");
    let lab = lab(&server.address, &knowing(policy(1, Enforce::Waves), &known, Known::Accepted), &offered);
    lab.away(Span::from_min(30));
    let (code, said) = gate(&lab, &[]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(server.known.lock().unwrap().polls.len(), 1);
    assert_eq!(gate(&lab, &[]).0, 0);
    assert_eq!(server.known.lock().unwrap().polls.len(), 1, "what is fresh is not asked for again");
}

#[test]
fn closed_times_go_by_the_servers_clock_whatever_the_hosts_clock_says() {
    let (known, catalog) = (catalog("r142", "known"), catalog("r142", "unseen"));
    let now = belay_agent::clock::now();
    let by = ClosedBy::Freeze("end of the year".to_owned());
    let freeze = Closing { at: now + Span::from_min(5), closed: Closed { by, until: Some(now + Span::from_min(60)) } };
    let soon = HostPolicy { wave_open: true, closed: vec![freeze], ..knowing(policy(1, Enforce::Waves), &known, Known::Accepted) };
    let lab = lab(NOBODY, &soon, &catalog);
    for (ahead, code) in [(0, 0), (4, 0), (6, 11), (-6, 0)] {
        lab.server_ahead(Span::from_min(ahead));
        assert_eq!(gate(&lab, &[]).0, code, "{ahead} min");
    }
}

#[test]
fn a_last_policy_that_cannot_be_read_is_12_for_as_long_as_that_stays_closed() {
    let lab = lab(NOBODY, &policy(1, Enforce::Rejected), &catalog("r142", "new"));
    std::fs::write(lab.path("state/policy.json"), "{").unwrap();
    let (code, said) = gate(&lab, &[]);
    assert_eq!(code, 12, "{said}");
    assert!(said.contains("the last policy cannot be read"), "{said}");
    assert_eq!(gate(&lab, &["--noop"]).0, 0);
    std::fs::remove_file(lab.path("state/policy.json")).unwrap();
    assert_eq!(gate(&lab, &[]).0, 12, "to remove it opens nothing");
    lab.away(Span::from_min(241));
    let (code, said) = gate(&lab, &[]);
    assert!(code == 0 && said.contains("all the same"), "{said}");
    let server = Server::start(Some(policy(2, Enforce::Rejected)));
    lab.configure(Some(&server.address));
    lab.away(Span::ZERO);
    assert_eq!(gate(&lab, &[]).0, 0, "a server that answers heals it");
}

#[test]
fn a_class_that_only_observed_is_not_stopped_by_a_damaged_file() {
    let lab = lab(NOBODY, &policy(1, Enforce::Off), &catalog("r142", "new"));
    std::fs::write(lab.path("state/policy.json"), "{").unwrap();
    let (code, said) = gate(&lab, &[]);
    assert!(code == 0 && said.contains("only observed"), "{said}");
}

#[test]
fn whatever_is_wrong_the_code_is_one_that_timers_understand() {
    let lab = Lab::new(Some(NOBODY), "");
    assert_eq!(lab.says(&["gate", "--environment", "a b"]).0, 12);
    std::fs::write(lab.path("agent.toml"), "servre = 1\n").unwrap();
    let (code, said) = lab.says(&["gate"]);
    assert!(code == 12 && said.contains("unknown field `servre`") && said.contains("break-glass"), "{said}");
}

#[test]
fn it_has_a_deadline_of_its_own() {
    let lab = Lab::new(None, "");
    std::fs::remove_file(lab.path("release")).unwrap();
    let text = std::fs::read_to_string(lab.path("agent.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("release")).unwrap();
    std::fs::write(lab.path("agent.toml"), text.replace(line, "release = { command = [\"/bin/sleep\", \"60\"] }")).unwrap();
    let since = Instant::now();
    let (code, said) = lab.says(&["gate", "--deadline-ms", "200"]);
    assert!(code == 12 && said.contains("no answer within 200ms"), "{said}");
    assert!(since.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_answer_is_kept_for_the_next_poll_and_printed_for_programs() {
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    let lab = lab(NOBODY, &held, &catalog("r142", "new"));
    let (code, said) = gate(&lab, &["-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, json["answer"].as_str(), json["exit_code"].as_i64()), (10, Some("held"), Some(10)));
    assert_eq!(lab.kept().asked().unwrap().answer.word(), "held");
}

#[test]
fn only_a_run_that_asks_is_asked_about_the_catalog_that_lies_there() {
    let lab = Lab::new(Some(NOBODY), "");
    let bad = catalog("r142", "bad");
    lab.keep(&knowing(policy(1, Enforce::Rejected), &bad, Known::Rejected(ChangeId(2))));
    std::fs::write(lab.path("tool/catalog"), &bad).unwrap();
    assert_eq!(lab.says(&["gate"]).0, 0, "before a run, it is the catalog of the one before");
    std::fs::write(lab.path("tool/running"), std::process::id().to_string()).unwrap();
    assert_eq!(lab.says(&["gate"]).0, 11, "within a run, it is the one to be applied");
}

#[test]
fn only_what_differs_from_the_catalog_last_applied_is_asked_about() {
    let bad = catalog("r142", "bad");
    let lab = lab(NOBODY, &knowing(policy(1, Enforce::Rejected), &bad, Known::Rejected(ChangeId(2))), &bad);
    assert_eq!(gate(&lab, &[]).0, 11, "nothing is known of what was applied");
    let applied = |content: &str| {
        let kept = lab.kept();
        let parted =
            host_tool_by_name("puppet").unwrap().parted(catalog("r142", content).as_bytes(), &policy(1, Enforce::Off).host).unwrap();
        kept.note_applied(&kept.guard().unwrap(), &parted).unwrap();
    };
    applied("bad");
    assert_eq!(gate(&lab, &[]).0, 0, "it is there already");
    applied("good");
    assert_eq!(gate(&lab, &[]).0, 11);
    applied("bad");
    let path = lab.path("state/applied.json");
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("[[\"ensure", "{[\"ensure")).unwrap();
    std::fs::write(lab.path("catalog"), bad.replace("\"file\"", "\"present\"")).unwrap();
    assert_eq!(gate(&lab, &[]).0, 11, "what is needed of it cannot be read, so it is not known");
}

#[test]
fn after_a_go_a_hook_of_the_site_is_run() {
    let lab = Lab::new(None, "");
    let (code, said) = lab.says(&["gate", "--then", "sh", "-c", "echo mine; exit 7"]);
    assert!(code == 7 && said.contains("mine"), "{said}");
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    lab.keep(&held);
    let (code, said) = lab.says(&["gate", "--then", "sh", "-c", "echo mine; exit 7"]);
    assert!(code == 10 && !said.contains("mine"), "{said}");
}

#[test]
fn a_hold_whose_lock_was_removed_twice_is_not_fought_for_here_either() {
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    let lab = lab(NOBODY, &held, &catalog("r142", "new"));
    let kept = lab.kept();
    let mut notes = kept.notes(belay_agent::clock::now());
    notes.memory.yielded.insert(held.holds[0].id);
    kept.remember(&kept.guard().unwrap(), &notes).unwrap();
    assert_eq!(gate(&lab, &[]).0, 0);
}
