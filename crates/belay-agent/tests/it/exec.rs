//! `belay-agent exec -- CMD`: the gate, and then the command itself.

use belay_core::model::gate::Enforce;

use crate::lab::{Lab, hold, policy};

#[test]
fn it_becomes_the_command_and_keeps_its_code() {
    let lab = Lab::new(None, "");
    let (code, said) = lab.says(&["exec", "--", "sh", "-c", "echo out; exit 42"]);
    assert_eq!((code, said.as_str()), (42, "out\n"));
    assert_eq!(lab.says(&["exec", "--", "/no/such/program"]).0, 127);
}

#[test]
fn a_hold_stops_it_also_where_the_tool_ignores_the_lock() {
    let lab = Lab::new(None, "");
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    lab.keep(&held);
    lab.program("");
    let program = lab.path("tool/puppet").display().to_string();
    std::fs::copy(lab.path("tool/program"), &program).unwrap();
    let (code, said) = lab.says(&["exec", "--", &program, "apply", "site.pp"]);
    assert_eq!(code, 10, "{said}");
    assert!(lab.argv().is_empty(), "nothing was started");
    assert_eq!(lab.says(&["exec", "--", &program, "apply", "--noop", "site.pp"]).0, 0, "a rehearsal goes");
    assert_eq!(lab.argv(), ["apply --noop site.pp"]);
}

#[test]
fn the_environment_of_the_command_line_counts() {
    let lab = Lab::new(None, "");
    lab.keep(&policy(1, Enforce::ReleaseMatch));
    lab.program("exit 3");
    let program = lab.path("tool/puppet").display().to_string();
    std::fs::copy(lab.path("tool/program"), &program).unwrap();
    assert_eq!(lab.says(&["exec", "--", &program, "agent", "-t", "--environment", "production"]).0, 11);
    assert_eq!(lab.says(&["exec", "--", &program, "agent", "-t", "--environment", "r142"]).0, 3);
}

#[test]
fn an_upgrade_of_belay_does_not_wait_for_its_own_gate_and_a_hold_stands_all_the_same() {
    let lab = Lab::new(None, "");
    lab.keep(&policy(1, Enforce::ReleaseMatch));
    lab.program("");
    let program = lab.path("tool/puppet").display().to_string();
    std::fs::copy(lab.path("tool/program"), &program).unwrap();
    let run = |tags: &str| lab.says(&["exec", "--", &program, "agent", "-t", "--environment", "production", "--tags", tags]);
    assert_eq!(run("belay,app").0, 11, "not with anything else beside it");
    assert_eq!(run("belay").0, 0);
    let mut held = policy(2, Enforce::ReleaseMatch);
    held.holds.push(hold(3));
    lab.keep(&held);
    assert_eq!(run("belay").0, 10);
    assert_eq!(lab.argv().len(), 1);
}
