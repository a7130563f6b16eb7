//! The server as a host speaks to it: a handful of requests, each with an end and a bound on the
//! answer. Connections go outwards only.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use belay_api::agent::{DeploymentsBody, PoliciesAnswer, PoliciesAsk, PollAnswer, PollBody, Relayed, Reply};

use crate::config::ServerConfig;
use crate::durable;
use crate::tell;

/// The largest secret, in bytes.
const TOKEN_MAX: u64 = 4_096;
/// The largest file of certificates or of a key, in bytes.
const PEM_MAX: u64 = 1 << 20;
/// The largest policy that is taken, in bytes.
const POLICY_MAX: u64 = crate::kept::POLICY_MAX;
/// The largest of the other answers, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;
/// A report may take this long: it is up to 64 MiB.
const REPORT_LIMIT: Duration = Duration::from_secs(60);
/// Samples may take this long.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// The server.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    secret: Option<String>,
}

/// Why a request was not answered as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The status; none when there was no answer.
    pub status: Option<u16>,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// In plain words.
    pub text: String,
}

impl Client {
    /// The server of a configuration. Opens no connection yet.
    ///
    /// # Errors
    /// The secret, the key or the certificates cannot be read or used.
    pub fn open(config: &ServerConfig) -> Result<Self> {
        let secret = config.proof.token_file.as_deref().map(secret).transpose()?;
        let ca = config.ca.as_deref().map(pem).transpose()?;
        let own = match &config.proof.certificate {
            Some((certificate, key)) => Some(tell::own(&pem(certificate)?, &pem(key)?).with_context(|| {
                format!("certificate = {:?}, key = {:?}", certificate.display().to_string(), key.display().to_string())
            })?),
            None => None,
        };
        let server = tell::Server { url: config.url.clone(), secret: secret.clone(), ca, own };
        Ok(Self { agent: tell::agent(&server)?, url: config.url.clone(), secret })
    }

    /// Tells how the host stands and asks for its policy.
    ///
    /// # Errors
    /// There is no answer within `limit`, it is a refusal, or it cannot be understood.
    pub fn poll(&self, body: &PollBody, limit: Duration) -> Result<Reply, Failed> {
        let json = serde_json::to_vec(body).map_err(|error| Failed::of(error.to_string()))?;
        let bytes = self.post("/api/v1/agent/poll", &[("content-type", "application/json")], &json, limit, POLICY_MAX)?;
        let answer: PollAnswer = serde_json::from_slice(&bytes)
            .map_err(|error| Failed::of(format!("{} answered what is no answer to a poll: {error}", self.url)))?;
        answer.reply().map_err(|error| Failed::of(format!("{}: {}: {}", self.url, error.pointer, error.detail)))
    }

    /// Asks for the policies of the hosts that the secret speaks for.
    ///
    /// # Errors
    /// As [`Self::poll`].
    pub fn policies(&self, ask: &PoliciesAsk, limit: Duration) -> Result<Relayed, Failed> {
        let json = serde_json::to_vec(ask).map_err(|error| Failed::of(error.to_string()))?;
        let bytes = self.post("/api/v1/agent/policies", &[("content-type", "application/json")], &json, limit, POLICY_MAX)?;
        let answer: PoliciesAnswer = serde_json::from_slice(&bytes)
            .map_err(|error| Failed::of(format!("{} answered what is no list of policies: {error}", self.url)))?;
        answer.relayed().map_err(|error| Failed::of(format!("{}: {}: {}", self.url, error.pointer, error.detail)))
    }

    /// Tells what is deployed on a relay's machine.
    ///
    /// # Errors
    /// It was not taken.
    pub fn deployed(&self, body: &DeploymentsBody, limit: Duration) -> Result<(), Failed> {
        let json = serde_json::to_vec(body).map_err(|error| Failed::of(error.to_string()))?;
        self.post("/api/v1/agent/deployments", &[("content-type", "application/json")], &json, limit, ANSWER_MAX).map(|_| ())
    }

    /// Sends a report of a tool.
    ///
    /// # Errors
    /// It was not taken.
    pub fn send_report(&self, tool: &str, report: &[u8]) -> Result<(), Failed> {
        let path = format!("/api/v1/runs/{tool}");
        self.post(&path, &[("content-type", "application/octet-stream")], report, REPORT_LIMIT, ANSWER_MAX).map(|_| ())
    }

    /// Writes samples.
    ///
    /// # Errors
    /// They were not taken.
    pub fn write(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Failed> {
        self.post(path, headers, body, WRITE_LIMIT, ANSWER_MAX).map(|_| ())
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8], limit: Duration, max: u64) -> Result<Vec<u8>, Failed> {
        let url = format!("{}{path}", self.url);
        let mut request = self.agent.post(&url);
        if let Some(secret) = &self.secret {
            request = request.header("authorization", &format!("Bearer {secret}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = request.config().timeout_global(Some(limit)).build().send(body);
        let answer = sent.map_err(|error| Failed::of(format!("cannot reach {url}: {error}")))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let success = answer.status().is_success();
        let read = answer.into_body().into_with_config().limit(if success { max } else { ANSWER_MAX }).read_to_vec();
        if success {
            return read.map_err(|error| Failed::of(format!("{url}: the answer broke off: {error}")));
        }
        let text = format!("{url} answered {status}: {}", detail(&read.unwrap_or_default()));
        Err(Failed { status: Some(status), retry_after: retry_after.map(Duration::from_secs), text })
    }
}

fn secret(path: &Path) -> Result<String> {
    let secret = durable::read(path, TOKEN_MAX)?;
    let secret = secret.with_context(|| format!("there is no {}: put this host's secret there", path.display()))?;
    let secret = String::from_utf8(secret).ok().map(|text| text.trim().to_owned()).unwrap_or_default();
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{} holds no secret: one line of printable characters", path.display());
    }
    Ok(secret)
}

fn pem(path: &Path) -> Result<Vec<u8>> {
    durable::read(path, PEM_MAX)?.with_context(|| format!("there is no {}", path.display()))
}

impl Failed {
    fn of(text: String) -> Self {
        Self { status: None, retry_after: None, text }
    }
}

/// The server's own words, from a problem document.
fn detail(body: &[u8]) -> String {
    let problem = serde_json::from_slice::<serde_json::Value>(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    detail.map_or("no reason given".to_owned(), |detail| detail.chars().take(400).collect())
}
