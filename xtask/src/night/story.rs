//! The story, act by act. Each act ends when Belay or the flow says what it has to say, or fails after a limit.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::belay::Belay;
use super::lab::{self, Lab, PRODUCTION, R142, STAY, UPGRADED};
use super::puppet::{Puppet, Saw};
use super::receiver::{Alert, Cause, Receiver};
use super::sitemonitor::Flows;
use super::tale::{Tale, ms_of, wait_for};

/// Requests of every host before anything happens: about 40 s of an own past to compare with.
const PAST: u64 = 160;
const VERDICT_LIMIT: Duration = Duration::from_secs(150);
const FLOW_LIMIT: Duration = Duration::from_secs(90);
const ALERT_LIMIT: Duration = Duration::from_secs(60);
/// Nothing for so long is a flow that stopped; four requests a second are usual.
const SILENCE: Duration = Duration::from_secs(2);

/// Everything that plays.
pub struct Night<'n> {
    /// Who tells it.
    pub tale: &'n Tale,
    /// The fleet.
    pub lab: &'n Lab,
    /// The runs.
    pub puppet: &'n Puppet<'n>,
    /// What the sitemonitor counts.
    pub flows: &'n Flows,
    /// Who judges.
    pub belay: &'n Belay,
    /// Who is woken.
    pub receiver: &'n Receiver,
}

impl Night<'_> {
    /// Plays all of it. The answer is the line that machines read.
    pub fn play(&self) -> anyhow::Result<Value> {
        self.steady()?;
        let good = self.good_change()?;
        let (bad, alert) = self.bad_run(&good)?;
        self.put_right()?;
        self.sum_up(&bad, &alert)
    }

    /// Release 141 everywhere: the hosts become known, and run without changes.
    fn steady(&self) -> anyhow::Result<()> {
        self.tale.say("-- six hosts run release 141, configured by puppet from environment production");
        let hosts = lab::hosts();
        for host in &hosts {
            self.belay.runs_release(host, "141")?;
        }
        self.puppet.apply(self.tale, &hosts, PRODUCTION, Saw::Changed)?;
        self.puppet.apply(self.tale, &hosts, PRODUCTION, Saw::Unchanged)?;
        let known = self.belay.list("/api/v1/hosts")?;
        let settled = |host: &Value| host["class"] == "web" && host["release"] == "141" && host["environment"] == PRODUCTION;
        let as_expected = known.len() == hosts.len() && known.iter().all(settled);
        ensure!(as_expected, "belay does not know the six hosts as they are: {}", json!(known));
        let changes = self.changes()?;
        ensure!(changes.is_empty(), "nothing changed, and yet belay sees changes: {}", json!(changes));
        wait_for("an own past of every flow", FLOW_LIMIT, || {
            let least = self.flows.now().values().map(|flow| flow.requests).min().unwrap_or(0);
            Ok(if least >= PAST { Ok(()) } else { Err(format!("{least} requests")) })
        })?;
        self.tale.say(&format!("belay knows the hosts and saw no change; requests so far: {}", self.counts()));
        Ok(())
    }

    /// Half of the hosts get release 142 and its environment: a change that does no harm.
    fn good_change(&self) -> anyhow::Result<Vec<Value>> {
        self.tale.say("-- code 142 is deployed on web04, web05 and web06, with `puppet apply --environment r142`");
        let deploy = |host: &str| {
            self.lab.deploy(host, "142")?;
            self.belay.runs_release(host, "142")
        };
        self.puppet.apply_each(self.tale, &UPGRADED, R142, Saw::Changed, deploy)?;
        let changes = wait_for("the verdict on release 142", VERDICT_LIMIT, || {
            let changes = self.changes()?;
            let decided = !changes.is_empty() && changes.iter().all(|change| !change["outcome"].is_null());
            Ok(if decided { Ok(changes) } else { Err(standings(&changes)) })
        })?;
        changes.iter().for_each(|change| self.tale.say(&format!("belay: {}", standing(change))));
        ensure!(changes.iter().all(|change| change["outcome"] == "accepted"), "the good change was not accepted: {}", json!(changes));
        let newest = self.belay.get(&path(&changes[0]))?;
        ensure!(hosts_of(&newest) == UPGRADED, "it did not come to the three hosts: {newest}");
        let whole = changes.len() == 1 && newest["items"].to_string().contains("sitemonitor.conf");
        ensure!(whole, "puppet took longer than the trial of the release, which was judged without its configuration: {}", json!(changes));
        self.flows_again()?;
        Ok(changes)
    }

    /// Somebody who knows nothing of this starts cron's runs again: 141's files on hosts that run 142.
    fn bad_run(&self, before: &[Value]) -> anyhow::Result<(Value, Alert)> {
        self.tale.say("-- 'puppet has not run': somebody starts it again on web04, web05 and web06, as cron does it");
        self.puppet.apply(self.tale, &UPGRADED, PRODUCTION, Saw::Changed)?;
        wait_for("the flows of the three hosts to stop", FLOW_LIMIT, || {
            let going: Vec<&str> = UPGRADED.into_iter().filter(|host| !self.flows.silent(host, SILENCE)).collect();
            Ok(if going.is_empty() { Ok(()) } else { Err(format!("{} still sends", going.join(", "))) })
        })?;
        let stopped: Vec<&str> = STAY.into_iter().filter(|host| self.flows.silent(host, SILENCE)).collect();
        ensure!(stopped.is_empty(), "{} stopped as well, though nothing was done to them", stopped.join(", "));
        self.tale.say("no requests from web04, web05 and web06 any more; web01, web02 and web03 go on. To puppet all is well");
        let log = self.lab.last_error(UPGRADED[0]).context("the application logged no error")?;
        self.tale.say(&format!("log of web04: {log}"));
        let bad = self.verdict(before)?;
        for line in bad["explanation"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.tale.say(&format!("belay: {line}"));
        }
        let alert = self.alert(&bad)?;
        Ok((bad, alert))
    }

    /// The new change, once it is rejected on all three hosts.
    fn verdict(&self, before: &[Value]) -> anyhow::Result<Value> {
        let found = wait_for("the verdict on the bad run", VERDICT_LIMIT, || {
            let changes = self.changes()?;
            let new: Vec<&Value> = changes.iter().filter(|change| !before.iter().any(|known| known["id"] == change["id"])).collect();
            let done = new.iter().find(|change| change["outcome"] == "rejected" && change["hosts_changed"] == UPGRADED.len());
            Ok(done.map(|change| (*change).clone()).ok_or_else(|| standings(&changes)))
        })?;
        let change = self.belay.get(&path(&found))?;
        ensure!(hosts_of(&change) == UPGRADED, "it was rejected on other hosts: {change}");
        Ok(change)
    }

    /// The first alert with the cause, once there is one that names all hosts as well.
    fn alert(&self, bad: &Value) -> anyhow::Result<Alert> {
        let id = bad["id"].as_str().unwrap_or_default();
        let cause = Cause {
            named: vec![
                ("the change", vec![id]),
                ("the file", vec!["sitemonitor.conf"]),
                ("the switch of the environment", vec!["environment", "r142 -> production"]),
                ("the hosts", UPGRADED.to_vec()),
                ("the flow", vec!["requests stopped"]),
            ],
        };
        let (first, whole) = wait_for("an alert that names the cause", ALERT_LIMIT, || {
            let alerts = self.receiver.alerts();
            let lacking = |alert: &Alert| format!("without {}:\n{}", cause.missing(alert).join(", "), alert.letter);
            // The first one may be sent before the last host has changed.
            let first = alerts.iter().find(|alert| cause.missing(alert).iter().all(|thing| *thing == "the hosts"));
            let whole = alerts.iter().find(|alert| cause.missing(alert).is_empty());
            Ok(first.cloned().zip(whole.cloned()).ok_or_else(|| alerts.last().map_or("no alert".to_owned(), lacking)))
        })?;
        self.tale.say("the alert that names the cause:");
        whole.letter.lines().for_each(|line| println!("             | {line}"));
        Ok(first)
    }

    /// What was accepted for release 142 comes back.
    fn put_right(&self) -> anyhow::Result<()> {
        self.tale.say("-- put right: environment r142 again on the three hosts");
        self.puppet.apply(self.tale, &UPGRADED, R142, Saw::Changed)?;
        self.flows_again()?;
        self.tale.say("all six hosts send again");
        Ok(())
    }

    fn sum_up(&self, bad: &Value, alert: &Alert) -> anyhow::Result<Value> {
        let time = |value: &Value| ms_of(value.as_str().unwrap_or_default());
        let began = bad["began_ms"].as_i64().context("a change without a beginning")?;
        // The API gives whole seconds: what is measured is at most this, and an alert is never before its verdict.
        let verdict = (time(&bad["verdict"]["at"]).context("verdict.at")? + 999).min(alert.at_ms);
        let harm =
            bad["findings"].as_array().into_iter().flatten().filter(|finding| finding["says"] == "harm" && finding["since"].is_string());
        let evidence = harm.map(|finding| time(&finding["since"])).collect::<anyhow::Result<Vec<i64>>>()?;
        let evidence = evidence.into_iter().min().context("a rejection without any harm in the data")?;
        let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
        Ok(json!({
            "story": "ok",
            "hosts": lab::hosts().len(),
            "changed_hosts": bad["hosts_changed"],
            "verdict": bad["outcome"],
            "seconds_from_first_run_to_verdict": seconds(began, verdict),
            "seconds_from_evidence_to_verdict": seconds(evidence, verdict),
            "seconds_from_first_run_to_alert": seconds(began, alert.at_ms),
            "alert_names_cause": true,
            "good_change_verdict": "accepted",
            "seconds": self.tale.elapsed().as_secs(),
        }))
    }

    fn flows_again(&self) -> anyhow::Result<()> {
        wait_for("requests from all six hosts", FLOW_LIMIT, || {
            let silent: Vec<&str> = lab::hosts().into_iter().filter(|host| self.flows.silent(host, SILENCE)).collect();
            Ok(if silent.is_empty() { Ok(()) } else { Err(format!("nothing from {}", silent.join(", "))) })
        })
    }

    fn counts(&self) -> String {
        let counts: Vec<String> = self.flows.now().iter().map(|(host, flow)| format!("{host} {}", flow.requests)).collect();
        counts.join(", ")
    }

    fn changes(&self) -> anyhow::Result<Vec<Value>> {
        self.belay.list("/api/v1/changes")
    }
}

fn path(change: &Value) -> String {
    format!("/api/v1/changes/{}", change["id"].as_str().unwrap_or_default())
}

fn hosts_of(change: &Value) -> Vec<&str> {
    change["hosts"].as_array().into_iter().flatten().filter_map(|host| host["host"].as_str()).collect()
}

fn standing(change: &Value) -> String {
    let word = |key: &str| change[key].as_str().unwrap_or("?").to_owned();
    format!("{} ({}) on {} hosts is {}", word("id"), word("what"), change["hosts_changed"], word("standing"))
}

fn standings(changes: &[Value]) -> String {
    if changes.is_empty() { "no change".to_owned() } else { changes.iter().map(standing).collect::<Vec<_>>().join("; ") }
}
