//! TLS of the server's own: one certificate, read at the start and again at every reload. Handshakes
//! that begin after a reload get the new one; a new one that cannot be used changes nothing.

mod handshake;
mod read;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use belay_core::model::time::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

pub(crate) use handshake::handshake;
pub use read::Unusable;
use read::{Certificate, read};

/// The certificate in force.
#[derive(Debug)]
pub struct Tls {
    held: RwLock<(PathBuf, Certificate)>,
}

/// The certificate in force, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The file it was read from.
    pub path: PathBuf,
    /// When it ends; nothing where that cannot be told.
    pub ends: Option<Timestamp>,
    /// What is to be put right with it.
    pub doubts: Vec<String>,
}

impl Tls {
    /// Reads the certificate of a server that starts.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub fn start(path: &Path) -> Result<Self, Unusable> {
        Ok(Self { held: RwLock::new((path.to_owned(), checked(path)?)) })
    }

    /// Reads it anew, from where it was or from another file. Whoever is connected stays so.
    ///
    /// # Errors
    /// See [`Unusable`]; the old one stays in force then.
    pub fn renew(&self, path: Option<&Path>) -> Result<(), Unusable> {
        let path = path.map_or_else(|| self.shown().path, Path::to_owned);
        let certificate = checked(&path)?;
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = (path, certificate);
        Ok(())
    }

    /// What is in force.
    pub fn shown(&self) -> Shown {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        Shown { path: held.0.clone(), ends: held.1.ends, doubts: held.1.doubts.clone() }
    }

    /// What makes connections of sockets.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // The signature is what a handshake costs. A ticket saves it for hosts that come again, and keeps nothing here.
        config.ticketer = ring::Ticketer::new()?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Tls {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).1.key))
    }
}

fn checked(path: &Path) -> Result<Certificate, Unusable> {
    let certificate = read(path)?;
    let ends = certificate.ends.map_or_else(|| "a day that cannot be told".to_owned(), |ends| ends.to_string());
    tracing::info!("the certificate {} was read; it is good until {ends}", path.display());
    for doubt in &certificate.doubts {
        tracing::warn!("the certificate {}: {doubt}", path.display());
    }
    Ok(certificate)
}
