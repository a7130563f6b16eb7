//! Where alerts arrive: a webhook that keeps what came, and looks in it for the cause.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::http::Server;

/// An alert as it came.
#[derive(Clone, Debug)]
pub struct Alert {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// All its texts.
    pub text: String,
    /// Its title, and the whole in plain words, as people read it.
    pub letter: String,
}

/// What a person who is woken needs to read.
#[derive(Clone, Debug)]
pub struct Cause<'a> {
    /// Each thing, and the words for it that an alert has to hold.
    pub named: Vec<(&'static str, Vec<&'a str>)>,
}

impl Cause<'_> {
    /// The things an alert does not name.
    pub fn missing(&self, alert: &Alert) -> Vec<&'static str> {
        let lacks = |words: &[&str]| !words.iter().all(|word| alert.text.contains(word));
        self.named.iter().filter(|(_, words)| lacks(words)).map(|(thing, _)| *thing).collect()
    }
}

/// The webhook.
pub struct Receiver {
    alerts: Arc<Mutex<Vec<Alert>>>,
    server: Server,
}

impl Receiver {
    /// Starts it.
    pub fn start() -> anyhow::Result<Self> {
        let alerts = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&alerts);
        let server = Server::start(move |request| {
            let at_ms = super::tale::now_ms();
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let part = |name: &str| body["data"][name].as_str().unwrap_or_default();
            let letter = format!("{}\n{}", part("title"), part("text"));
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(Alert { at_ms, text: texts(&body).join("\n"), letter });
            200
        })?;
        Ok(Self { alerts, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What came, oldest first.
    pub fn alerts(&self) -> Vec<Alert> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::http;
    use super::*;

    #[test]
    fn an_alert_is_read_whatever_its_form_and_what_it_does_not_name_is_said() {
        let receiver = Receiver::start().expect("a receiver");
        let body = br#"{"data":{"title":"one","text":"two","more":[{"lines":["a.conf content","environment r142 -> production"]}]}}"#;
        assert_eq!(http::send(receiver.address(), "POST", "/alerts", &[], body).expect("an answer").status, 200);
        let alerts = receiver.alerts();
        let cause = Cause { named: vec![("file", vec!["a.conf"]), ("switch", vec!["r142", "production"]), ("hosts", vec!["web04"])] };
        assert_eq!(cause.missing(&alerts[0]), ["hosts"]);
        assert_eq!(alerts[0].letter, "one\ntwo");
    }
}
