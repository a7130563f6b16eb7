//! Fixed answers of the API, for the tests of what is printed.

use belay_api::http::{ChangeRow, ChangeView, FindingView, ItemView, LackView, NumbersView, TreatedView, VerdictView};

/// A Change in a list, standing so.
pub fn row(id: &str, standing: &str) -> ChangeRow {
    let outcome = matches!(standing, "accepted" | "rejected" | "inconclusive").then(|| standing.to_owned());
    ChangeRow {
        id: id.to_owned(),
        class: "web".to_owned(),
        release: Some("142".to_owned()),
        what: "File[/etc/app/sitemonitor.conf] content; environment r142 \u{2192} production".to_owned(),
        brings_release: false,
        switches_environment: true,
        version: Some("9f2c1e0".to_owned()),
        environment: Some("production".to_owned()),
        opened: "2026-11-22T02:14:07Z".to_owned(),
        began: "2026-11-22T02:14:07Z".to_owned(),
        began_ms: 1_795_313_647_000,
        hosts_changed: 2,
        class_size: 30,
        standing: standing.to_owned(),
        gap: (standing == "inconclusive").then(|| "no-data".to_owned()),
        reason: (standing == "rejected").then(|| "flow-stopped:requests".to_owned()),
        outcome,
        after_rejection: 0,
        supersedes: None,
        waves: None,
    }
}

/// A Change as it is shown, standing so.
pub fn view(id: &str, standing: &str) -> ChangeView {
    let finding = finding();
    let host = |name: &str| TreatedView {
        host: name.to_owned(),
        onset: "2026-11-22T02:14:07Z".to_owned(),
        onset_ms: 1_795_313_647_000,
        run: Some("run-61".to_owned()),
        environment: Some("production".to_owned()),
        skewed: false,
        failures: Vec::new(),
        compile_error: None,
    };
    let row = row(id, standing);
    let verdict = row.outcome.clone().map(|outcome| VerdictView {
        outcome,
        gap: row.gap.clone(),
        at: "2026-11-22T02:14:19Z".to_owned(),
        judge: "belay".to_owned(),
        by: "belay".to_owned(),
        reason: None,
        findings: vec![finding.clone()],
        lacks: Vec::new(),
        evidence: None,
    });
    ChangeView {
        row,
        items: vec![ItemView {
            item: "File[/etc/app/sitemonitor.conf] content".to_owned(),
            old: "{sha256}6fd1".to_owned(),
            new: "{sha256}0ab2".to_owned(),
            content: "00".repeat(16),
            diff: None,
        }],
        hosts: vec![host("web16.example.com"), host("web17.example.com")],
        verdict,
        looked: Some("2026-11-22T02:14:18Z".to_owned()),
        findings: vec![finding],
        lacks: vec![LackView {
            signal: "latency".to_owned(),
            must_have: false,
            why: "stale".to_owned(),
            text: "the last sample is too old".to_owned(),
            hosts: vec!["web17.example.com".to_owned()],
        }],
        evidence_mark: "0f3a91bc".to_owned(),
        explanation: Vec::new(),
    }
}

fn finding() -> FindingView {
    FindingView {
        code: "flow-stopped:requests".to_owned(),
        check: "flow-stopped".to_owned(),
        signal: Some("requests".to_owned()),
        says: "harm".to_owned(),
        gap: None,
        hosts: vec!["web16.example.com".to_owned()],
        of: 2,
        peers_alike: 0,
        peers_of: 28,
        text: "requests stopped on 1 of 2 changed hosts, on none of 28 peers".to_owned(),
        numbers: NumbersView {
            treated: Some(0.0),
            own_past: Some(41.83),
            peers: Some(41.9),
            peers_past: None,
            samples: 12,
            ln_e: None,
            effect: None,
            effect_low: None,
            effect_high: None,
            p: None,
            budget: None,
        },
        since: Some("2026-11-22T02:14:09Z".to_owned()),
    }
}
