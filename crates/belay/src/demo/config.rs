//! The configuration the demo's server runs with: an ordinary one, but for its short times.

/// The configuration, for a receiver of alerts at this address. Which environment belongs to which release is left out on purpose:
/// the evidence decides, as on the night when nobody had declared anything.
pub fn text(alerts: &str) -> String {
    format!(
        r#"# The demo's configuration. A real one says minutes where this says seconds.

[[class]]
name = "web"
hosts = ["web*"]
release = {{ reported = true }}
grace = "1s"          # a restart is expected to take so long
bake = "5s"           # a trial lasts at least so long
horizon = "10s"       # and at most so long
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
        let config = belay_api::config::parse("belay.toml", &text("http://127.0.0.1:1/alerts")).unwrap();
        assert!(config.policy.classes[0].environments.is_empty() && config.policy.signals.iter().any(|signal| signal.must_have));
    }
}
