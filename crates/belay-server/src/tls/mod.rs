//! TLS of the server's own: one certificate, read at the start and again at every reload, and whose certificates count as
//! a client's. Handshakes that begin after a reload go by the new; what cannot be used changes nothing.

mod clients;
mod handshake;
mod name;
mod read;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use belay_core::model::time::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ProducesTickets, ResolvesServerCert};
use rustls::sign::SingleCertAndKey;
use tokio_rustls::TlsAcceptor;

pub use clients::{Certified, Wanted};
pub(crate) use clients::{Clients, why};
pub(crate) use handshake::{Refused, handshake};
pub use read::Unusable;
use read::{Certificate, read, wrong};

/// What is in force.
#[derive(Debug)]
pub struct Tls {
    held: RwLock<Held>,
    /// Held while files are read, so that nobody puts back what another has just replaced.
    reading: Mutex<Tried>,
    refusals: Mutex<Refusals>,
}

#[derive(Debug)]
struct Held {
    path: PathBuf,
    certificate: Certificate,
    clients: Option<Arc<Clients>>,
    /// Made of the two, and the tickets.
    serving: Arc<ServerConfig>,
}

/// The last attempt to read clients' files anew that failed.
#[derive(Debug, Default)]
struct Tried(Option<(Vec<Option<clients::Mark>>, Unusable)>);

#[derive(Clone, Debug, Default)]
struct Refusals {
    many: u64,
    last: String,
}

/// What is in force, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The file the certificate was read from.
    pub path: PathBuf,
    /// When it ends; nothing where that cannot be told.
    pub ends: Option<Timestamp>,
    /// What is to be put right with it.
    pub doubts: Vec<String>,
    /// Whose certificates count, where any do.
    pub clients: Option<ShownClients>,
}

/// Whose certificates count, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownClients {
    /// The file of the authorities.
    pub ca: PathBuf,
    /// How many there are.
    pub authorities: usize,
    /// What is to be put right, the file that could not be read anew first.
    pub doubts: Vec<String>,
    /// Handshakes that failed for the client's certificate, since the start.
    pub refused: u64,
    /// Why the last of them did.
    pub last: String,
}

impl Tls {
    /// Reads what a server that starts needs.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub fn start(path: &Path, clients: Option<&Wanted>) -> Result<Self, Unusable> {
        let certificate = checked(path)?;
        let clients = clients.map(asked).transpose()?;
        let serving = serving(path, &certificate, clients.as_deref(), None)?;
        let held = Held { path: path.to_owned(), certificate, clients, serving };
        Ok(Self { held: RwLock::new(held), reading: Mutex::default(), refusals: Mutex::default() })
    }

    /// Reads everything anew, from where it was or from what is named now: the certificate's file, and whose certificates
    /// count. Whoever is connected stays so.
    ///
    /// # Errors
    /// See [`Unusable`]; what was in force of that part stays so.
    pub fn renew(&self, path: Option<&Path>, clients: Option<Option<Wanted>>) -> Result<(), Unusable> {
        let mut tried = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let path = path.map_or_else(|| self.held.read().unwrap_or_else(PoisonError::into_inner).path.clone(), Path::to_owned);
        // Each for itself: a bad list must not keep a renewed certificate out.
        let certificate = checked(&path).and_then(|certificate| self.put(Some((path, certificate)), None));
        let wanted = clients.unwrap_or_else(|| self.clients().map(|held| held.wanted.clone()));
        let clients = self.renew_clients(wanted.as_ref(), &mut tried);
        certificate.and(clients)
    }

    /// Reads clients' files anew if they are others than before; whoever asks tells of the failure once.
    ///
    /// # Errors
    /// See [`Unusable`]; what was in force stays so.
    pub fn look_again(&self) -> Result<(), Unusable> {
        let mut tried = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = self.clients() else { return Ok(()) };
        let marks = held.wanted.marks();
        let known = tried.0.as_ref().map_or(&held.marks, |(marks, _)| marks);
        if *known == marks { Ok(()) } else { self.renew_clients(Some(&held.wanted), &mut tried) }
    }

    fn renew_clients(&self, wanted: Option<&Wanted>, tried: &mut Tried) -> Result<(), Unusable> {
        let marks = wanted.map(Wanted::marks).unwrap_or_default();
        let renewed = wanted.map(asked).transpose().and_then(|clients| self.put(None, Some(clients)));
        tried.0 = renewed.as_ref().err().map(|unusable| (marks, unusable.clone()));
        renewed
    }

    /// Puts a part, or both, in force.
    fn put(&self, certificate: Option<(PathBuf, Certificate)>, clients: Option<Option<Arc<Clients>>>) -> Result<(), Unusable> {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        // A ticket stands for a certificate that was good once: with other clients it has to be shown again.
        let tickets = if clients.is_none() { Some(Arc::clone(&held.serving.ticketer)) } else { None };
        let (path, certificate) = certificate.unwrap_or_else(|| (held.path.clone(), held.certificate.clone()));
        let clients = clients.unwrap_or_else(|| held.clients.clone());
        let serving = serving(&path, &certificate, clients.as_deref(), tickets)?;
        *held = Held { path, certificate, clients, serving };
        Ok(())
    }

    /// What is in force, to be shown.
    pub fn shown(&self) -> Shown {
        let clients = self.clients().map(|held| {
            let failed = self
                .reading
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .0
                .as_ref()
                .map(|(_, unusable)| format!("{unusable}; what was read before counts"));
            let Refusals { many, last } = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let doubts = failed.into_iter().chain(held.doubts.iter().cloned()).collect();
            ShownClients { ca: held.wanted.ca.clone(), authorities: held.authorities, doubts, refused: many, last }
        });
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        Shown { path: held.path.clone(), ends: held.certificate.ends, doubts: held.certificate.doubts.clone(), clients }
    }

    /// Whose certificates count, where any do.
    pub(crate) fn clients(&self) -> Option<Arc<Clients>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clients.clone()
    }

    /// Counts a handshake that failed for the client's certificate.
    pub(crate) fn refused(&self, why: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.many += 1;
        why.clone_into(&mut refusals.last);
    }

    /// What makes a connection of a socket now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).serving))
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

fn asked(wanted: &Wanted) -> Result<Arc<Clients>, Unusable> {
    let clients = Clients::read(wanted, &crypto())?;
    tracing::info!("hosts may show certificates of the {} authorities in {}", clients.authorities, wanted.ca.display());
    clients.doubts.iter().for_each(|doubt| tracing::warn!("{doubt}"));
    Ok(Arc::new(clients))
}

fn crypto() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What handshakes go by. The signature is what one costs; a ticket saves it for hosts that come again, and keeps nothing here.
fn serving(
    path: &Path,
    certificate: &Certificate,
    clients: Option<&Clients>,
    tickets: Option<Arc<dyn ProducesTickets>>,
) -> Result<Arc<ServerConfig>, Unusable> {
    let failed = |error: rustls::Error| {
        let (why, help) = wrong(format!("TLS could not be set up: {error}"), "see whether the system gives random bytes");
        Unusable { what: read::OWN, path: path.to_owned(), why, help }
    };
    let builder = ServerConfig::builder_with_provider(crypto()).with_safe_default_protocol_versions().map_err(failed)?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::<clients::Verifier>::clone(&clients.verifier)),
        None => builder.with_no_client_auth(),
    };
    let own: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(Arc::clone(&certificate.key)));
    let mut config = builder.with_cert_resolver(own);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = tickets.map_or_else(ring::Ticketer::new, Ok).map_err(failed)?;
    Ok(Arc::new(config))
}
