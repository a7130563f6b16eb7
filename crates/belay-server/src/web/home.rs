//! Now: is a change hurting us?

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_api::http::{AilmentCount, ChangeRow, HoldRow, RunHealthView, SourceView, StatusView};
use belay_core::decide::health::of_fleet;

use super::shell::{Shell, page};
use super::words;
use crate::http::handlers::health::glance;
use crate::http::refusal::Refusal;
use crate::http::route::Call;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    s: Shell,
    headline: String,
    tone: &'static str,
    watched: String,
    status: StatusView,
    health: Vec<AilmentCount>,
    ailing: u32,
    holds: Vec<HoldRow>,
    silent: Vec<SourceView>,
}

/// The page.
pub async fn home(call: Call) -> Result<Response<Body>, Refusal> {
    let status = glance(&call.app).await?;
    let now = call.app.drive.now();
    let health = call.app.drive.read(|state| RunHealthView::of(state, state.hosts.len(), &of_fleet(state, None, now), now));
    let (headline, tone) = headline(&status);
    // What needs somebody comes first.
    let mut holds = status.holds.clone();
    holds.sort_by_key(|hold| (hold.broken == 0, hold.state == "active"));
    let silent = status.sources.iter().filter(|source| !source.ok).cloned().collect();
    page(&Home {
        s: Shell::of(&call, "/", "Now"),
        headline,
        tone,
        watched: watched(&status),
        health: health.counts,
        ailing: health.ailing,
        holds,
        silent,
        status,
    })
}

/// The answer in one sentence. That nothing was seen is never called good.
fn headline(status: &StatusView) -> (String, &'static str) {
    let count = |word: &str| status.open_changes.iter().filter(|change| change.standing == word).count();
    let (rejected, suspect, trial) = (status.rejected_24h.len(), count("suspect"), count("on trial"));
    let changes = |count: usize| if count == 1 { "1 Change".to_owned() } else { format!("{count} Changes") };
    if suspect > 0 {
        (format!("{} on trial shows signs of harm", changes(suspect)), "bad")
    } else if rejected > 0 {
        (format!("{} rejected within 24 hours", changes(rejected)), "bad")
    } else if trial > 0 {
        (format!("{} on trial; nothing speaks against {} so far", changes(trial), if trial == 1 { "it" } else { "them" }), "note")
    } else if status.policy.must_have == 0 {
        ("Nothing is on trial, and nothing could be accepted: no must-have signal is declared".to_owned(), "warn")
    } else {
        ("Nothing is on trial, and nothing was rejected within 24 hours".to_owned(), "ok")
    }
}

/// What Belay looks at, so that an empty page says what its silence is worth.
fn watched(status: &StatusView) -> String {
    let (signals, must) = (status.policy.signals, status.policy.must_have);
    let sources = status.sources.iter().filter(|source| source.ok).count();
    format!(
        "{} in {}; {}, {must} of them must-have; {sources} of {} send",
        words::hosts(status.hosts as usize),
        words::many(status.classes.len(), "class", "classes"),
        words::many(signals as usize, "signal", "signals"),
        words::many(status.sources.len(), "source of signals", "sources of signals")
    )
}

impl Home {
    /// Changes that want to be looked at, the gravest first.
    fn urgent(&self) -> Vec<&ChangeRow> {
        let suspect = self.status.open_changes.iter().filter(|change| change.standing == "suspect");
        let open = self.status.open_changes.iter().filter(|change| change.standing != "suspect");
        suspect.chain(self.status.rejected_24h.iter().rev()).chain(open).collect()
    }

    /// Tasks of CM that go wrong or stand still, that no other part of the page says.
    fn quiet(&self) -> bool {
        self.health.is_empty() && self.status.catch.is_empty() && self.status.dead_letters == 0 && self.status.quarantined == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::time::Timestamp;
    use belay_core::state::State;

    #[test]
    fn an_empty_fleet_is_not_called_well() {
        let status = StatusView::of(Timestamp::default(), &State::default(), "1", Timestamp::default());
        let (headline, tone) = headline(&status);
        assert!(tone == "warn" && headline.contains("nothing could be accepted"), "{headline}");
        assert_eq!(watched(&status), "0 hosts in 0 classes; 0 signals, 0 of them must-have; 0 of 0 sources of signals send");
    }
}
