//! TLS as a client: whom it trusts, and what a failed handshake means.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::place::Place;
use crate::fault::{Fault, fault};

/// Trusts the authorities in this file; without one, those of the web.
///
/// # Errors
/// When the file cannot be used, with its name.
pub fn trust(ca: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let roots = match ca {
        Some(path) => authorities(path)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let mut config = builder.context("TLS could not be set up")?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn authorities(path: &Path) -> anyhow::Result<RootCertStore> {
    let bytes = std::fs::read(path).with_context(|| format!("could not read the authorities in {} (--ca, BELAY_CA)", path.display()))?;
    let wrong = |why: String| {
        let help = "--ca (BELAY_CA) has to name the certificate of whoever signed the server's, as PEM";
        Fault::usage(format!("{} holds no authority to trust: {why}", path.display())).help(help)
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| wrong(format!("it is no well-formed PEM: {error}")))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()).into());
    }
    Ok(roots)
}

/// Does the handshake with a server that has to be called so.
///
/// # Errors
/// Why not; [`untrusted`] tells what it means.
pub(super) async fn handshake(config: &Arc<ClientConfig>, host: &str, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// What a failed handshake means, and what to do; nothing when it failed for another reason than TLS.
pub(super) fn untrusted(place: &Place, error: &std::io::Error) -> Option<anyhow::Error> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(error) => uncertified(place, error),
        Error::InvalidMessage(_) => fault(
            format!("{place} does not speak TLS"),
            "write http:// if the server has no certificate ([server] certificate in its configuration); is the port right?",
        ),
        error => fault(format!("no TLS with {place}: {error}"), "`belay doctor` on the server's own machine tells how its certificate is"),
    })
}

fn uncertified(place: &Place, error: &CertificateError) -> anyhow::Error {
    match error {
        CertificateError::UnknownIssuer => fault(
            format!("the certificate of {place} was signed by nobody who is trusted here"),
            "--ca FILE (or BELAY_CA) with the certificate of whoever signed it",
        ),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => fault(
            format!("the certificate of {place} names no host (subjectAltName); a common name (CN) does not count"),
            "have it issued anew with the server's names as subjectAltName",
        ),
        CertificateError::NotValidForNameContext { presented, .. } => fault(
            format!("{place} has a certificate for {}, and not for the name it was asked by", presented.join(", ")),
            "use one of its names in --server, or have it issued anew with this name",
        ),
        CertificateError::ExpiredContext { not_after, .. } => fault(
            format!("the certificate of {place} ended at {}", moment(*not_after)),
            "renew it on the server, then send the server a SIGHUP; if it is not so, this machine's clock is wrong",
        ),
        CertificateError::NotValidYetContext { not_before, .. } => {
            fault(format!("the certificate of {place} begins only at {}", moment(*not_before)), "is the clock of this machine right?")
        }
        error if format!("{error:?}").contains("CaUsedAsEndEntity") => fault(
            format!("the certificate of {place} is an authority's (CA:TRUE), not a server's"),
            "have it issued anew as a server's: `openssl req -x509` needs `-addext basicConstraints=critical,CA:FALSE`",
        ),
        error => {
            fault(format!("the certificate of {place} cannot be trusted: {error}"), "`belay doctor` on the server's machine tells more")
        }
    }
}

fn moment(at: UnixTime) -> String {
    let at = i64::try_from(at.as_secs()).ok().and_then(|second| Timestamp::from_second(second).ok());
    at.map_or_else(|| "a time that cannot be told".to_owned(), |at| at.to_string())
}
