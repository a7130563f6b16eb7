//! The acts of the night, in their order. Each begins something and watches until its end is seen in Belay's own answers.

use std::time::Duration;

use belay_api::http::{HoldPlaced, HoldView, PlanView, RevertBody, RevertView};
use belay_core::model::time::Span;
use belay_sim::live::story;
use hyper::Method;

use super::config::Level;
use super::{Play, measure};
use crate::client::{Content, read};
use crate::out::inert::clip;
use crate::out::paint::Tone;
use crate::out::told::count;

/// How long all is quiet before anything happens.
const QUIET: Duration = Duration::from_secs(1);
/// Between two looks of the hosts' agents.
const AGENTS: Duration = Duration::from_millis(400);
/// Within this time the schedule comes round on the hosts of the older release.
const SCHEDULE: Duration = Duration::from_secs(4);
/// Over which time the good change comes to its hosts.
const GOOD: Duration = Duration::from_millis(1500);
/// Over which time the schedule brings the old files round.
const BAD: Duration = Duration::from_secs(12);
/// Over which time it tries once more, when the environments are declared.
const AGAIN: Duration = Duration::from_millis(1500);
/// Over which time the change without data comes to its hosts.
const DARK: Duration = Duration::from_millis(500);
/// From when a verdict is decided to when everybody can see it: one commit.
const COMMIT: Span = Span::from_ms(50);

impl Play<'_> {
    pub(super) async fn acts(&mut self) -> anyhow::Result<()> {
        self.begin(async |fleet, tell| story::enrol(&fleet, tell).await);
        self.until("the hosts are heard of", |play| play.acts.is_empty()).await?;
        let streaming = self.fleet.stream();
        self.beside(async |fleet, tell| story::agents(&fleet, AGENTS, tell).await);
        let schedule = self.beside(async |fleet, _| story::schedule(&fleet, SCHEDULE).await);
        let calm = tokio::time::Instant::now() + QUIET;
        self.until("all is quiet", |_| tokio::time::Instant::now() >= calm).await?;
        let hosts = count(self.fleet.hosts().len() as u64, "host");
        let flowing = format!("requests flow on {} of {hosts}; every one is sampled each second", self.fleet.flowing());
        self.teller.tell(Tone::Plain, "Quiet", &flowing);

        self.good().await?;
        self.hand().await?;
        self.bad().await?;
        self.back().await?;
        self.again().await?;
        schedule.abort();
        self.dark().await?;
        drop(streaming);
        Ok(())
    }

    async fn good(&mut self) -> anyhow::Result<()> {
        self.heading(
            "Act 1",
            "the good change: half of the hosts get release 142, with the files made for it; nobody else shall touch them",
        );
        self.begin(async |fleet, tell| story::good(&fleet, GOOD, tell).await);
        self.until("the hosts run 142", |play| play.acts.is_empty()).await?;
        let (_, newer) = self.fleet.halves();
        let body = HoldPlaced {
            hosts: newer.iter().map(ToString::to_string).collect(),
            owner: Some("alice".to_owned()),
            reason: "release 142 needs new files; the schedule would bring 141's".to_owned(),
            contact: Some("alice, room 4".to_owned()),
            lasts: Some("8h".to_owned()),
            confirm: u32::try_from(newer.len()).ok(),
            ..HoldPlaced::default()
        };
        let raw = self.house.client.ask(Method::POST, "/api/v1/holds", Some(Content::json(&body)?)).await?;
        let hold: HoldView = read(&raw)?;
        let what = format!("{} of alice on {} for 8 h: {}", hold.row.id, count(hold.row.hosts, "host"), hold.row.reason);
        self.teller.tell(Tone::Plain, "Held", &what);
        let all = newer.len();
        self.until("the locks", |play| play.fleet.locked() == all).await?;
        self.teller.tell(
            Tone::Plain,
            "Locked",
            &format!("the tool's own lock stands on {}, with owner, reason and end", count(all as u64, "host")),
        );
        self.until("the trial of the good change, and what is told of hosts that do not run", |play| {
            measure::decided(play.watcher.changes.good()) && play.watcher.stale
        })
        .await
    }

    async fn hand(&mut self) -> anyhow::Result<()> {
        self.heading("Act 2", "a hand: bob reads \"nothing was applied\", does not read on, and removes the locks; then once more");
        let (_, newer) = self.fleet.halves();
        let begun = tokio::time::Instant::now();
        self.fleet.remove_lock(&newer);
        self.broken(newer.len(), true).await?;
        let seen = begun.elapsed().as_secs_f64();
        self.until("the locks are put back", |play| play.fleet.locked() == newer.len()).await?;
        if self.house.state().holds.values().next().is_some_and(|hold| hold.broken.len() == newer.len()) {
            self.caught.hold_broken_seen_s = Some((seen * 100.0).round() / 100.0);
        }
        let (_, newer) = self.fleet.halves();
        self.fleet.remove_lock(&newer);
        self.broken(newer.len(), false).await
    }

    /// Waits until the server knows of a hand on the lock of so many hosts.
    async fn broken(&mut self, hosts: usize, put_back: bool) -> anyhow::Result<()> {
        let state = self.house.drive();
        let known = move |_: &Play<'_>| {
            state.read(|state| {
                let broken = state.holds.values().flat_map(|hold| hold.broken.values());
                broken.filter(|broken| broken.put_back == put_back).count() >= hosts
            })
        };
        self.until("the server knows of it", known).await
    }

    async fn bad(&mut self) -> anyhow::Result<()> {
        self.heading("Act 3", "the night: the schedule goes on and puts 141's files on hosts that run 142. Every run is a success");
        self.begin(async |fleet, tell| story::bad(&fleet, BAD, tell).await);
        self.until("the trial of the bad change, the alert, and the rest of the hosts", |play| {
            measure::decided(play.watcher.changes.bad()) && play.watcher.alert.is_some() && play.acts.is_empty()
        })
        .await?;
        let verdict = self.watcher.changes.bad().and_then(|bad| measure::decided_at(&self.house.state(), &bad.row.id));
        let came = self.fleet.came_back();
        let late = came.iter().filter(|(_, asked)| verdict.is_none_or(|at| *asked > at + COMMIT)).count();
        self.caught.propagated_to = u32::try_from(late).unwrap_or(u32::MAX);
        let (_, newer) = self.fleet.halves();
        let what = format!("it had come to {} of {}; after the verdict to {late}", came.len(), count(newer.len() as u64, "host"));
        self.teller.tell(if late == 0 { Tone::Good } else { Tone::Bad }, "Stopped", &what);
        Ok(())
    }

    async fn back(&mut self) -> anyhow::Result<()> {
        self.heading("Act 4", "back: to what was last accepted for release 142, first as a dry run");
        let Some(bad) = self.watcher.changes.bad().map(|bad| bad.row.id.clone()) else { return Ok(()) };
        let path = format!("/api/v1/changes/{bad}/revert");
        let plan: PlanView = self.house.client.get(&path).await?;
        let restored: Vec<String> = plan.restored.iter().map(|(item, to)| format!("{item} to {}", clip(to, 24))).collect();
        self.teller.tell(Tone::Plain, "Dry run", &format!("{}: {}", count(plan.hosts.len() as u64, "host"), restored.join("; ")));
        let body = Content::json(&RevertBody { reason: "the flow stopped".to_owned() })?;
        let raw = self.house.client.ask(Method::POST, &path, Some(body)).await?;
        let revert: RevertView = read(&raw)?;
        self.teller.tell(Tone::Busy, "Reverting", &format!("{} takes back {bad}: each host is pinned to r142 and runs once", revert.id));
        let hosts = self.fleet.hosts().len();
        self.until("the flow is back, and the trial of the return", |play| {
            play.fleet.flowing() == hosts && measure::decided(play.watcher.changes.back())
        })
        .await?;
        let revert: RevertView = self.house.client.get(&format!("/api/v1/reverts/{}", revert.id)).await?;
        self.caught.went_back = revert.state == "done";
        self.caught.flow_restored = self.fleet.flowing() == hosts;
        self.teller.tell(Tone::Good, "Restored", &format!("requests flow on {} of {}", self.fleet.flowing(), count(hosts as u64, "host")));
        Ok(())
    }

    async fn again(&mut self) -> anyhow::Result<()> {
        self.heading("Act 5", "the same mistake once more, with the environments of the releases declared: enforce = \"release-match\"");
        self.house.enforce(Level::ReleaseMatch).await?;
        let (came, begun) = (self.fleet.came_back().len(), self.house.drive().now());
        self.begin(async |fleet, tell| story::bad(&fleet, AGAIN, tell).await);
        self.until("all of them", |play| play.acts.is_empty()).await?;
        let (_, newer) = self.fleet.halves();
        let refused = self.house.refused_since(begun);
        let written = self.fleet.came_back().len() - came;
        self.caught.refused = written == 0 && refused == newer.len();
        let what =
            format!("{} of {} were refused before anything was written; {written} files were", refused, count(newer.len() as u64, "run"));
        self.teller.tell(if self.caught.refused { Tone::Good } else { Tone::Bad }, "Kept out", &what);
        Ok(())
    }

    async fn dark(&mut self) -> anyhow::Result<()> {
        self.heading("Act 6", "in the dark: another change comes to some hosts of release 141, and their signals go missing");
        self.begin(async |fleet, tell| story::dark(&fleet, DARK, tell).await);
        self.until("the trial without data", |play| measure::decided(play.watcher.changes.missing())).await
    }
}
