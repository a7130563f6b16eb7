//! Telling the server: one request, one answer, no retry. Whoever deploys calls it again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use belay_core::model::ids::{HostId, Release};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use ureq::tls::{Certificate, ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};

/// The longest time one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 * 1024;

/// Where the server is and how to speak to it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its address, for example `http://127.0.0.1:7878`; no slash at the end.
    pub url: String,
    /// The secret of the credential that speaks for the host; none where its certificate does.
    pub secret: Option<String>,
    /// PEM certificates that the server's certificate must chain to, for `https`.
    pub ca: Option<Vec<u8>>,
    /// The host's own certificate and key, to be shown.
    pub own: Option<ClientCert>,
}

/// Tells the server the release and the facts of a host.
///
/// # Errors
/// When the server cannot be reached, or says no; the text is the server's own.
pub fn facts(server: &Server, host: &HostId, release: Option<&Release>, facts: &BTreeMap<String, String>) -> Result<()> {
    let url = format!("{}/api/v1/hosts/{host}/facts", server.url.trim_end_matches('/'));
    let body = serde_json::json!({ "release": release.map(Release::as_str), "facts": facts });
    let mut request = agent(server)?.put(&url);
    if let Some(secret) = &server.secret {
        request = request.header("authorization", &format!("Bearer {secret}"));
    }
    let answer = request.content_type("application/json").send(body.to_string()).with_context(|| format!("cannot reach {url}"))?;
    let status = answer.status();
    let text = answer.into_body().into_with_config().limit(ANSWER_MAX).read_to_string().unwrap_or_default();
    if status.is_success() {
        return Ok(());
    }
    let detail =
        serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|problem| problem.get("detail")?.as_str().map(str::to_owned));
    bail!("{url} answered {status}: {}", detail.unwrap_or_else(|| "no reason given".to_owned()))
}

/// The one way this crate speaks HTTP.
pub(crate) fn agent(server: &Server) -> Result<ureq::Agent> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(ring).client_cert(server.own.clone());
    if let Some(pem) = &server.ca {
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates(pem)?));
    } else if server.url.starts_with("https:") {
        bail!("{}: https needs --ca FILE, the certificate that the server's chains to", server.url);
    }
    let config =
        ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0).http_status_as_error(false).tls_config(tls.build());
    Ok(config.build().into())
}

/// The host's own certificate and the key it was issued for.
///
/// # Errors
/// What is wrong with them, and what to do.
pub(crate) fn own(certificate: &[u8], key_pem: &[u8]) -> Result<ClientCert> {
    let (mut chain, mut keys) = (Vec::new(), Vec::new());
    for item in parse_pem(certificate) {
        if let PemItem::Certificate(one) = item.context("the certificate is not readable as PEM")? {
            chain.push(one.to_owned());
        }
    }
    for item in parse_pem(key_pem) {
        if let PemItem::PrivateKey(one) = item.context("the key is not readable as PEM")? {
            keys.push(one);
        }
    }
    if chain.is_empty() {
        bail!("there is no certificate in the file of the certificate");
    }
    let key = match (keys.pop(), keys.len()) {
        (Some(key), 0) => key,
        (Some(_), others) => bail!("there are {} private keys in the file of the key: leave only this host's", others + 1),
        (None, _) => bail!("there is no private key in the file of the key; one with a passphrase cannot be used"),
    };
    fits(&chain, key_pem)?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Tried here: in a handshake nobody would say what is wrong.
fn fits(chain: &[Certificate<'_>], key: &[u8]) -> Result<()> {
    let key = PrivateKeyDer::from_pem_slice(key).context("the key is not readable as PEM")?;
    let chain = chain.iter().map(|one| one.der().to_vec().into()).collect();
    let tried = rustls::sign::CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider());
    tried.context("certificate and key do not belong together, or cannot be used")?;
    Ok(())
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.context("--ca: not readable as PEM")? {
            found.push(certificate.to_owned());
        }
    }
    if found.is_empty() {
        bail!("--ca: there is no certificate in the file");
    }
    Ok(found)
}
