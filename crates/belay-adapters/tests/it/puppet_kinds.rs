//! How a run ended, told apart in every recorded case and in the cases between them.

use belay_adapters::tools::Tool;
use belay_adapters::tools::host::{gate_in, gate_line};
use belay_adapters::tools::puppet::{NO_CLASS, NO_SERVER, Puppet};
use belay_core::model::gate::Gate;
use belay_core::model::report::{Decoded, RunKind};

use crate::puppet_fixtures::fixture;

pub fn decode(yaml: &str) -> Decoded {
    Puppet.decode(yaml.as_bytes()).unwrap_or_else(|unreadable| panic!("{unreadable}"))
}

fn kind(yaml: &str) -> RunKind {
    decode(yaml).report.kind
}

/// The fixture with one text in place of another, which has to be there.
pub fn with(name: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(fixture(name), |yaml, (from, to)| {
        assert!(yaml.contains(from), "{name} holds no {from:?}");
        yaml.replace(from, to)
    })
}

#[test]
fn every_recorded_case_is_of_its_kind() {
    for (word, names) in [
        ("unchanged", &["unchanged", "big200-unchanged", "big200-unchanged-excluded", "postrun-failed", "incident-7-steady-142"][..]),
        (
            "changed",
            &["changed-first-run", "changed-env-switched", "changed-corrective-drift", "package-and-sensitive", "filebucketed-local"],
        ),
        (
            "changed",
            &["filebucketed-to-server", "puppet-apply-changed", "puppetserver-changed", "big200-all-changed", "enc-overrides-agent-env"],
        ),
        ("changed", &["incident-1-steady-141", "incident-2-manual-142", "incident-4-reset-to-141", "incident-5-next-run-breaks-again"]),
        ("noop-would-change", &["noop-pending"]),
        ("failed", &["failed-resource"]),
        ("failed-compile", &["failed-compile", "failed-compile-cache-env-mismatch", "enc-strict-environment-mode"]),
        ("no-catalog", &["enc-exit1", "enc-unknown-environment", "server-down"]),
        ("cached-catalog", &["failed-compile-cached-catalog-used", "enc-exit1-cached-catalog-used", "server-down-cached-catalog-used"]),
        ("changed", &["lab-r141", "lab-r142"]),
        ("refused", &["prerun-refused", "gate-deferred"]),
        ("aborted", &["prerun-runtimeout", "failed-apply-aborted"]),
    ] {
        for name in names {
            assert_eq!(kind(&fixture(name)).word(), word, "{name}");
        }
    }
}

#[test]
fn a_failed_compile_an_aborted_run_and_a_refused_one_are_told_apart_by_their_log() {
    let compile = kind(&fixture("failed-compile"));
    assert!(
        matches!(&compile, RunKind::FailedCompile(text) if text.starts_with("Evaluation Error: ") && text.contains("missing_after_release_142"))
    );
    let aborted = kind(&fixture("failed-apply-aborted"));
    assert!(matches!(&aborted, RunKind::Aborted(text) if text.starts_with("Failed to apply catalog: Could not autoload")));
    let refused = kind(&fixture("prerun-refused"));
    assert!(
        matches!(&refused, RunKind::Refused(text) if text.starts_with("belay: REFUSED") && text.ends_with("see http://belay.example.com/r/17"))
    );
    let timeout = kind(&fixture("prerun-runtimeout"));
    assert!(matches!(&timeout, RunKind::Aborted(text) if text.contains("did not complete") && text.contains("Caching catalog")));
}

#[test]
fn the_same_compile_error_reads_the_same_on_two_hosts() {
    let one = kind(&fixture("failed-compile"));
    assert_eq!(kind(&with("failed-compile", &[("web01.example.com", "web02.example.com")])), one);
    assert_ne!(kind(&with("failed-compile", &[("missing_after_release_142", "other")])), one);
}

#[test]
fn no_server_and_no_classifier_are_not_the_configurations_fault() {
    assert!(matches!(kind(&fixture("server-down")), RunKind::NoCatalog(text) if text.starts_with(NO_SERVER)));
    for name in ["enc-exit1", "enc-unknown-environment"] {
        assert!(matches!(kind(&fixture(name)), RunKind::NoCatalog(text) if text.starts_with(NO_CLASS)), "{name}");
    }
}

#[test]
fn a_hook_that_cannot_be_run_refuses_nothing() {
    let yaml = with(
        "prerun-refused",
        &[("Execution of '/opt/belay/gate.sh' returned 75: belay: REFUSED", "Could not find command '/opt/belay/gate.sh'")],
    );
    assert!(matches!(kind(&yaml), RunKind::Aborted(text) if text.contains("Could not find command")));
    let silent = with(
        "prerun-refused",
        &[(
            "returned 75: belay: REFUSED web01.example.com: environment r142 is rejected (rollout 17); held by alice until 2026-11-22T18:00Z\n    belay-stderr: see http://belay.example.com/r/17",
            "returned 75: ",
        )],
    );
    assert_eq!(kind(&silent), RunKind::Refused("the hook refused without a word".to_owned()));
}

#[test]
fn the_gates_own_line_tells_the_kinds_of_refusal_apart() {
    let RunKind::Refused(said) = kind(&fixture("gate-deferred")) else { panic!("not refused") };
    let why = "12 items are on trial in c-17 and the wave of this host has not come";
    assert_eq!(gate_in(&said), Some((Gate::Deferred, why)), "and not the words of the site's own hook before it");
    for gate in [Gate::Refused, Gate::Held] {
        let line = gate_line(gate, why);
        let yaml = with("gate-deferred", &[(&format!("belay gate: deferred: {why}"), &line)]);
        assert_eq!(kind(&yaml), RunKind::Refused(line.clone()));
        assert_eq!(gate_in(&line), Some((gate, why)));
    }
    let RunKind::Refused(other) = kind(&fixture("prerun-refused")) else { panic!("not refused") };
    assert_eq!(gate_in(&other), None, "another hook is not our gate");
}

#[test]
fn what_a_command_prints_never_decides_how_the_run_ended() {
    let forged = with(
        "failed-compile",
        &[
            ("  source: Puppet\n  tags:\n  - warning", "  source: \"/Stage[main]/Main/Exec[x]/returns\"\n  tags:\n  - warning"),
            (
                "- level: warning\n  message: Not using cache on failed catalog",
                "- level: err\n  message: 'Could not run command from prerun_command: Execution of ''x'' returned 1: held by mallory'",
            ),
        ],
    );
    assert!(matches!(kind(&forged), RunKind::FailedCompile(_)));
}

#[test]
fn a_time_limit_that_is_named_is_an_aborted_run() {
    let yaml = with(
        "prerun-runtimeout",
        &[(
            "- level: info\n  message: Caching catalog for web01.example.com",
            "- level: err\n  message: Execution of Puppet configuration client did not complete within 10 seconds and was terminated.",
        )],
    );
    assert!(matches!(kind(&yaml), RunKind::Aborted(text) if text.contains("did not complete within 10 seconds")));
}

#[test]
fn skipped_without_a_failure_is_a_partial_run() {
    for name in ["unchanged", "changed-env-switched"] {
        let yaml = with(name, &[("    - - skipped\n      - Skipped\n      - 0", "    - - skipped\n      - Skipped\n      - 3")]);
        let decoded = decode(&yaml);
        assert_eq!((decoded.report.kind, decoded.report.skipped), (RunKind::Partial, 3), "{name}");
    }
    // Skipped because a dependency failed: failed, not partial.
    assert_eq!(kind(&fixture("failed-resource")), RunKind::Failed);
}

#[test]
fn a_rehearsal_is_never_an_applied_run() {
    assert_eq!(kind(&with("unchanged", &[("\nnoop: false", "\nnoop: true")])), RunKind::NoopUnchanged);
    assert_eq!(
        kind(&with("unchanged", &[("\nnoop: false\nnoop_pending: false", "\nnoop: true\nnoop_pending: true")])),
        RunKind::NoopWouldChange
    );
    // Old formats do not say `noop`: the events do.
    assert_eq!(kind(&with("noop-pending", &[("\nnoop: true\nnoop_pending: true", "")])), RunKind::NoopWouldChange);
    // A resource may say `noop => false`: then something was done after all.
    let decoded = decode(&with("changed-env-switched", &[("\nnoop: false", "\nnoop: true")]));
    assert_eq!(decoded.report.kind, RunKind::Changed);
    assert!(decoded.complaints.iter().any(|complaint| complaint.place == "noop"), "{:?}", decoded.complaints);
    // And one of a real run may say `noop => true`.
    let decoded = decode(&with("noop-pending", &[("\nnoop: true", "\nnoop: false")]));
    assert_eq!(decoded.report.kind, RunKind::Unchanged);
    assert!(decoded.complaints.iter().any(|complaint| complaint.place == "noop_pending"), "{:?}", decoded.complaints);
}

#[test]
fn pieces_that_contradict_one_another_get_the_worse_reading() {
    let contradicted = |name: &str, changes: &[(&str, &str)]| {
        let decoded = decode(&with(name, changes));
        assert!(!decoded.complaints.is_empty(), "{name} {changes:?}");
        decoded.report.kind.word()
    };
    assert_eq!(contradicted("changed-env-switched", &[("status: changed", "status: unchanged")]), "changed");
    assert_eq!(contradicted("failed-resource", &[("status: failed", "status: unchanged")]), "failed");
    assert_eq!(contradicted("unchanged", &[("transaction_completed: true", "transaction_completed: false")]), "aborted");
    assert_eq!(contradicted("unchanged", &[("status: unchanged", "status: changed")]), "changed");
}

#[test]
fn a_run_that_breaks_off_half_way_is_aborted_with_what_it_did() {
    let decoded = decode(&with(
        "changed-env-switched",
        &[("status: changed", "status: failed"), ("transaction_completed: true", "transaction_completed: false")],
    ));
    assert_eq!(decoded.report.kind.word(), "aborted");
    assert_eq!(decoded.report.events.len(), 3);
}

#[test]
fn a_kept_catalog_is_told_whatever_else_happened() {
    let cached = ("cached_catalog_status: not_used", "cached_catalog_status: on_failure");
    assert_eq!(kind(&with("changed-env-switched", &[cached])).word(), "cached-catalog");
    let asked = ("cached_catalog_status: not_used", "cached_catalog_status: explicitly_requested");
    assert_eq!(
        kind(&with("unchanged", &[asked])),
        RunKind::CachedCatalog("the kept catalog was asked for (use_cached_catalog)".to_owned())
    );
    // Failed is worse; the cache is complained about.
    let decoded = decode(&with("failed-resource", &[cached]));
    assert_eq!(decoded.report.kind, RunKind::Failed);
    assert_eq!(decoded.complaints.len(), 1, "{:?}", decoded.complaints);
    // Refused after the compile failed: refused.
    assert_eq!(kind(&with("prerun-refused", &[cached])).word(), "refused");
    // A kept catalog was found after the failed compile, and then the run broke off.
    assert_eq!(kind(&with("failed-compile", &[cached])).word(), "aborted");
}

#[test]
fn a_failed_postrun_hook_is_a_complaint() {
    let decoded = decode(&fixture("postrun-failed"));
    assert_eq!(decoded.report.kind, RunKind::Unchanged);
    assert_eq!(decoded.complaints.len(), 1);
    assert_eq!(decoded.complaints[0].text, "the postrun hook failed: belay postrun: could not register run");
}

#[test]
fn a_run_can_fail_without_a_failed_resource_and_still_names_one() {
    let yaml = with(
        "unchanged",
        &[
            ("status: unchanged", "status: failed"),
            (
                "- level: notice\n  message: Applied catalog in 0.15 seconds\n  source: Puppet",
                "- level: err\n  message: 'Failed to generate additional resources using ''generate'': no such directory'\n  source: \"/Stage[main]/Main/Tidy[/var/[x]/y]\"",
            ),
        ],
    );
    let report = decode(&yaml).report;
    assert_eq!(report.kind, RunKind::Failed);
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.failed[0].resource, "Tidy[/var/[x]/y]");
}
