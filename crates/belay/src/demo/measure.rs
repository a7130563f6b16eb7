//! What the story came to, measured: verdicts as the API says them, the alert as it was received.

use belay_api::http::ChangeView;
use belay_core::model::ids::ChangeId;
use belay_core::model::time::Timestamp;
use belay_core::model::verdict::{Says, Verdict};
use belay_core::state::State;
use serde::Serialize;

use super::receiver::Received;

/// The last line of `belay demo --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// `ok` when all Changes ended as they should, the alert named the cause, the hold and the gate held and the way back led back,
    /// else `failed`.
    pub story: &'static str,
    /// Hosts the server knows.
    pub hosts: u32,
    /// Hosts that got the bad change.
    pub changed_hosts: u32,
    /// The verdict on the bad change.
    pub verdict: Option<String>,
    /// From when the first host changed, server time, to the verdict.
    pub seconds_from_first_run_to_verdict: Option<f64>,
    /// From the first sign of harm in the data (the start of the first step without flow on any host) to the verdict. The steps
    /// that the judge needs before it may call the flow stopped are part of it.
    pub seconds_from_evidence_to_verdict: Option<f64>,
    /// The alert that was received names the file, the environments, the flow and the line of the log.
    pub alert_names_cause: bool,
    /// The verdict on the good change.
    pub good_change_verdict: Option<String>,
    /// The verdict on the change whose hosts' signals went missing.
    pub missing_data_verdict: Option<String>,
    /// From when the lock was removed by hand to when the server knew it of every host.
    pub hold_broken_seen_s: Option<f64>,
    /// Hosts whose gate let the bad change through after its verdict.
    pub propagated_to: u32,
    /// Every host that the bad change came to went back, and the trial of that was accepted.
    pub reverted: bool,
    /// Requests flowed again on all hosts before anything else happened.
    pub flow_restored: bool,
    /// With the environments declared, every host's gate refused the old files before anything was written.
    pub refused: bool,
}

/// What the play itself saw of the catch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Caught {
    /// From the hand on the locks to when the server knew it of every host.
    pub hold_broken_seen_s: Option<f64>,
    /// Hosts whose gate let the bad change through after its verdict.
    pub propagated_to: u32,
    /// All went back.
    pub went_back: bool,
    /// Requests flowed again on all hosts.
    pub flow_restored: bool,
    /// Every gate refused the old files.
    pub refused: bool,
}

/// The Changes of the story, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Changes(Vec<ChangeView>);

impl Changes {
    /// Takes note of how a Change stands now.
    pub fn put(&mut self, view: ChangeView) {
        match self.0.iter_mut().find(|known| known.row.id == view.row.id) {
            Some(known) => *known = view,
            None => self.0.push(view),
        }
    }

    /// The Change of this number, as it was last seen.
    pub fn known(&self, id: &str) -> Option<&ChangeView> {
        self.0.iter().find(|view| view.row.id == id)
    }

    /// The arrival of the new release.
    pub fn good(&self) -> Option<&ChangeView> {
        self.0.iter().find(|view| view.row.brings_release)
    }

    /// The old files, and the old environment, on the hosts of the new release.
    pub fn bad(&self) -> Option<&ChangeView> {
        self.0.iter().find(|view| !view.row.brings_release && view.row.switches_environment)
    }

    /// A new file on some hosts, and nothing else.
    pub fn missing(&self) -> Option<&ChangeView> {
        self.0.iter().find(|view| !view.row.brings_release && !view.row.switches_environment && !returns(view))
    }

    /// The return of the hosts that the bad change came to.
    pub fn back(&self) -> Option<&ChangeView> {
        self.0.iter().find(|view| returns(view))
    }

    /// What it came to.
    pub fn summary(&self, hosts: u32, spans: Option<Spans>, alert: Option<&Received>, caught: &Caught) -> Summary {
        let outcome = |view: Option<&ChangeView>| view?.row.outcome.clone();
        let (good, bad, missing) = (outcome(self.good()), outcome(self.bad()), outcome(self.missing()));
        let names = self.bad().zip(alert).is_some_and(|(view, alert)| names_cause(view, &alert.text));
        let reverted = caught.went_back && is(&outcome(self.back()), "accepted");
        let judged = is(&good, "accepted") && is(&bad, "rejected") && is(&missing, "inconclusive") && names;
        let held = caught.propagated_to == 0 && reverted && caught.flow_restored && caught.refused && caught.hold_broken_seen_s.is_some();
        let ok = judged && held;
        Summary {
            story: if ok { "ok" } else { "failed" },
            hosts,
            changed_hosts: self.bad().map_or(0, |view| view.row.hosts_changed),
            verdict: bad,
            seconds_from_first_run_to_verdict: spans.map(|spans| spans.from_first_run_s),
            seconds_from_evidence_to_verdict: spans.and_then(|spans| spans.from_evidence_s),
            alert_names_cause: names,
            good_change_verdict: good,
            missing_data_verdict: missing,
            hold_broken_seen_s: caught.hold_broken_seen_s,
            propagated_to: caught.propagated_to,
            reverted,
            flow_restored: caught.flow_restored,
            refused: caught.refused,
        }
    }
}

/// Whether it is the return from another one.
fn returns(view: &ChangeView) -> bool {
    view.items.iter().any(|item| item.item == "revert")
}

/// Whether a Change has come and has its verdict.
pub fn decided(view: Option<&ChangeView>) -> bool {
    view.is_some_and(|view| view.row.outcome.is_some())
}

fn is(outcome: &Option<String>, wanted: &str) -> bool {
    outcome.as_deref() == Some(wanted)
}

/// Whether a text names what came (every file), the switch of environment (from what to what), what stopped, and the line
/// that is new in the logs of exactly these hosts.
pub fn names_cause(view: &ChangeView, text: &str) -> bool {
    let files: Vec<&str> = view.items.iter().filter_map(|item| item.item.strip_prefix("File[")?.split(']').next()).collect();
    let switches: Vec<_> = view.items.iter().filter(|item| item.item == "environment").collect();
    let findings = view.verdict.as_ref().map_or(&view.findings, |verdict| &verdict.findings);
    let stopped: Vec<&str> =
        findings.iter().filter(|finding| finding.says == "harm").filter_map(|finding| finding.signal.as_deref()).collect();
    let known = !files.is_empty() && !switches.is_empty() && !stopped.is_empty();
    let switched = switches.iter().all(|item| text.contains(&item.old) && text.contains(&item.new) && !item.old.is_empty());
    // What only the changed hosts write to their log since.
    // One that has changed and not reported yet still counts as another there.
    let only_there =
        |line: &str| line.contains("on no other host") || line.contains("on 1 other host") || line.contains("on 2 other hosts");
    let log = text.lines().any(|line| line.contains("sitemonitor.conf: not a file of release") && only_there(line));
    known && switched && log && files.iter().chain(&stopped).all(|part| text.contains(part))
}

/// How long it took to a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spans {
    /// From when the first host changed.
    pub from_first_run_s: f64,
    /// From the first sign of harm.
    pub from_evidence_s: Option<f64>,
}

/// When a Change got its verdict, by the server's own record.
pub fn decided_at(state: &State, id: &str) -> Option<Timestamp> {
    state.changes.get(&ChangeId::parse(id)?)?.verdict.as_ref().map(|verdict| verdict.at)
}

/// How long it took, by the server's own record. The API says the same times in whole seconds.
pub fn spans(state: &State, id: &str) -> Option<Spans> {
    let change = state.changes.get(&ChangeId::parse(id)?)?;
    let verdict = change.verdict.as_ref()?;
    let since = |from: Timestamp| verdict.at.since(from).as_s();
    Some(Spans { from_first_run_s: since(change.began()), from_evidence_s: evidence(verdict).map(since) })
}

/// When the first sign of harm was in the data.
fn evidence(verdict: &Verdict) -> Option<Timestamp> {
    verdict.findings.iter().filter(|finding| finding.says == Says::Harm).filter_map(|finding| finding.since).min()
}

#[cfg(test)]
mod tests {
    use belay_api::http::ItemView;

    use super::*;
    use crate::cmd::samples;
    use crate::demo::receiver::Details;

    fn bad() -> ChangeView {
        let mut view = samples::view("c-2", "rejected");
        let (item, old, new) = ("environment".to_owned(), "r142".to_owned(), "production".to_owned());
        view.items.push(ItemView { item, old, new, content: String::new(), diff: None });
        view
    }

    fn other(standing: &str, brings_release: bool) -> ChangeView {
        let mut view = samples::view(if brings_release { "c-1" } else { "c-3" }, standing);
        (view.row.brings_release, view.row.switches_environment) = (brings_release, false);
        view
    }

    const TEXT: &str = "File[/etc/app/sitemonitor.conf] content; environment r142 -> production: requests stopped
app: \"sitemonitor.conf: not a file of release 142\" on 7 of 7 changed hosts, on no other host; first 2026";

    fn alert(text: &str) -> Received {
        let details = Details { key: "belay/c-2".to_owned(), status: "rejected".to_owned() };
        Received { title: String::new(), text: text.to_owned(), details }
    }

    #[test]
    fn an_alert_names_the_cause_when_file_environments_and_flow_stand_in_it() {
        assert!(names_cause(&bad(), TEXT));
        for part in ["/etc/app/sitemonitor.conf", "r142", "production", "requests", "on no other host", "not a file of release"] {
            assert!(!names_cause(&bad(), &TEXT.replace(part, "...")), "without {part}");
        }
        assert!(!names_cause(&samples::view("c-2", "rejected"), TEXT), "a Change without a switch has no such cause");
    }

    #[test]
    fn the_story_is_ok_only_when_all_three_ended_so_and_the_alert_told_it() {
        let spans = Spans { from_first_run_s: 6.5, from_evidence_s: Some(4.25) };
        let caught = Caught { hold_broken_seen_s: Some(0.5), propagated_to: 0, went_back: true, flow_restored: true, refused: true };
        let back = || {
            let mut view = other("accepted", false);
            let (item, old, new) = ("revert".to_owned(), String::new(), "of c-2".to_owned());
            view.items = vec![ItemView { item, old, new, content: String::new(), diff: None }];
            view.row.id = "c-4".to_owned();
            view
        };
        let summary = |views: &[ChangeView], text: &str| {
            let mut changes = Changes::default();
            views.iter().for_each(|view| changes.put(view.clone()));
            changes.summary(30, Some(spans), Some(&alert(text)), &caught)
        };
        let all = [other("accepted", true), bad(), back(), other("inconclusive", false)];
        insta::assert_snapshot!(serde_json::to_string(&summary(&all, TEXT)).unwrap());
        assert_eq!(summary(&all, "something happened").story, "failed");
        for without in 0..4 {
            let mut some = all.to_vec();
            some.remove(without);
            assert_eq!(summary(&some, TEXT).story, "failed", "{without}");
        }
        assert_eq!(summary(&[other("accepted", true), bad(), back(), other("accepted", false)], TEXT).story, "failed");
        let mut changes = Changes::default();
        all.iter().for_each(|view| changes.put(view.clone()));
        let with = |caught: Caught| changes.summary(30, Some(spans), Some(&alert(TEXT)), &caught).story;
        assert_eq!(with(caught), "ok");
        for wrong in [
            Caught { propagated_to: 1, ..caught },
            Caught { went_back: false, ..caught },
            Caught { flow_restored: false, ..caught },
            Caught { refused: false, ..caught },
            Caught { hold_broken_seen_s: None, ..caught },
        ] {
            assert_eq!(with(wrong), "failed", "{wrong:?}");
        }
    }
}
