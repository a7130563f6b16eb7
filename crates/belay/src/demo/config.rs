//! The configuration the demo's server runs with: an ordinary one, but for its short times.

/// How far the gate goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It refuses what was rejected. Which environment belongs to which release is left out on purpose: the evidence decides, as on
    /// the night when nobody had declared anything.
    Rejected,
    /// It refuses an environment that does not belong to the release, which is declared now.
    ReleaseMatch,
}

impl Level {
    const fn lines(self) -> &'static str {
        match self {
            Self::Rejected => "enforce = \"rejected\"  # what was rejected goes to no further host",
            Self::ReleaseMatch => "enforce = \"release-match\"\nenvironments = { \"141\" = \"production\", \"142\" = \"r142\" }",
        }
    }
}

/// The configuration, for a receiver of alerts at this address.
pub fn text(alerts: &str, level: Level) -> String {
    let level = level.lines();
    format!(
        r#"# The demo's configuration. A real one says minutes where this says seconds.

[[class]]
name = "web"
hosts = ["web*"]
release = {{ reported = true }}
grace = "1s"          # a restart is expected to take so long
bake = "5s"           # a trial lasts at least so long
horizon = "10s"       # and at most so long
stale = "9s"          # tell of hosts to which nothing was applied for so long
{level}
past_steps = 240      # the own past a host is compared with

[[signal]]
name = "requests"
class = "web"
kind = "flow"         # it must not stop
select = "sitemonitor_requests_total"
must_have = true
step = "1s"

[[signal]]
name = "memory"
class = "web"
kind = "gauge"
select = "sitemonitor_memory_bytes"
step = "1s"

[[alert]]
name = "demo"
url = "{alerts}"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_order() {
        let read = |level| belay_api::config::parse("belay.toml", &text("http://127.0.0.1:1/alerts", level)).unwrap().policy;
        let (first, then) = (read(Level::Rejected), read(Level::ReleaseMatch));
        assert!(first.classes[0].environments.is_empty() && first.signals.iter().any(|signal| signal.must_have));
        assert_eq!(then.classes[0].environments.len(), 2);
    }
}
