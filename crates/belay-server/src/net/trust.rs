//! Whom the client trusts, and what it shows of itself: files of PEM, read when a client is made, so that a new one goes by new files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// The largest file, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// The files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The authorities that sign the certificates of who is asked.
    pub ca: PathBuf,
    /// The certificate to show, and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} cannot be used: {why}", path.display())]
pub struct Untrusted {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

impl Trust {
    pub(super) fn config(&self) -> Result<ClientConfig, Untrusted> {
        let wrong = |path: &Path, why: String| Untrusted { path: path.to_owned(), why };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.ca)? {
            roots.add(authority).map_err(|error| wrong(&self.ca, error.to_string()))?;
        }
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| wrong(&self.ca, format!("TLS cannot be set up: {error}")))?.with_root_certificates(roots);
        let Some((certificate, key)) = &self.own else { return Ok(builder.with_no_client_auth()) };
        let private = PrivateKeyDer::from_pem_slice(&bytes(key)?);
        let private = private.map_err(|error| wrong(key, format!("there is no private key in it that can be read: {error}")))?;
        builder.with_client_auth_cert(certificates(certificate)?, private).map_err(|error| wrong(certificate, error.to_string()))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Untrusted> {
    let wrong = |why: String| Untrusted { path: path.to_owned(), why };
    let bytes = bytes(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| wrong(format!("it is no well-formed PEM: {error}")))?;
    if found.is_empty() { Err(wrong("there is no certificate in it".to_owned())) } else { Ok(found) }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Untrusted> {
    let wrong = |why: String| Untrusted { path: path.to_owned(), why };
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > FILE_MAX {
        return Err(wrong(format!("it has {size} bytes; at most {FILE_MAX} are read")));
    }
    std::fs::read(path).map_err(|error| wrong(error.to_string()))
}
