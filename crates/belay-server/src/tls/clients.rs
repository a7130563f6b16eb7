//! Whose certificates count as a client's: the authorities that sign them, what those have revoked, and what a good one
//! proves. No certificate is asked of whoever shows none: a secret goes on being enough.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use belay_api::config::{RelayConfig, ServerConfig};
use belay_core::model::ids::HostId;
use belay_core::model::policy::Pattern;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use webpki::{BorrowedCertRevocationList, CertRevocationList, EndEntityCert};

use super::name;
use super::read::{Unusable, Wrong, wrong};

/// The largest file, in bytes: some hundred thousand revoked certificates.
const FILE_MAX: u64 = 16 << 20;
/// The most authorities in a file.
const AUTHORITIES_MAX: usize = 100;
const CA: &str = "server.client_ca";
const CRL: &str = "server.client_crl";
const CA_CONTENT: &str = "name the PEM file with the authorities that sign the hosts' certificates, the root and those between";
const CRL_CONTENT: &str = "name the PEM file with the revocation lists of those authorities, one of each, or leave out client_crl";

/// What the configuration says of clients' certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The file with the authorities.
    pub ca: PathBuf,
    /// The file with the revocation lists.
    pub crl: Option<PathBuf>,
    /// Hosts that speak for others.
    pub relays: Vec<RelayConfig>,
}

/// What a good certificate proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The host it was issued to.
    pub host: HostId,
    /// The hosts it speaks for, where it is a relay's.
    pub relay: Option<Pattern>,
}

/// A file as it was when it was looked at: another one has another mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    modified: (i64, i64),
    bytes: u64,
    inode: u64,
}

/// Whose certificates count, as it was read.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(super) wanted: Wanted,
    /// The files as they were when they were read.
    pub(super) marks: Vec<Option<Mark>>,
    pub(super) verifier: Arc<Verifier>,
    /// Authorities in the file.
    pub(super) authorities: usize,
    /// What will keep hosts away.
    pub(super) doubts: Vec<String>,
}

impl Wanted {
    /// What is wanted; nothing where no certificate is to be asked for.
    pub fn of(server: &ServerConfig) -> Option<Self> {
        let ca = server.client_ca.as_deref()?;
        Some(Self { ca: ca.into(), crl: server.client_crl.as_deref().map(PathBuf::from), relays: server.relays.clone() })
    }

    /// The files as they are.
    pub(super) fn marks(&self) -> Vec<Option<Mark>> {
        std::iter::once(&self.ca).chain(&self.crl).map(|path| mark(path)).collect()
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let about = std::fs::metadata(path).ok()?;
    Some(Mark { modified: (about.mtime(), about.mtime_nsec()), bytes: about.len(), inode: about.ino() })
}

impl Clients {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub(super) fn read(wanted: &Wanted, crypto: &Arc<CryptoProvider>) -> Result<Self, Unusable> {
        // Marked before they are read: what is written meanwhile is read again.
        let marks = wanted.marks();
        let unusable = |what, path: &Path, (why, help): Wrong| Unusable { what, path: path.to_owned(), why, help };
        let at_ca = |wrong| unusable(CA, &wanted.ca, wrong);
        let bytes = bytes_of(&wanted.ca, CA_CONTENT).map_err(at_ca)?;
        let (ends, between) = authorities(&bytes).map_err(at_ca)?;
        let names: Vec<(Vec<u8>, String)> = ends.iter().chain(&between).filter_map(|one| subject(one)).collect();
        let (mut lists, mut doubts) = (Vec::new(), Vec::new());
        if let Some(path) = &wanted.crl {
            let at_crl = |wrong| unusable(CRL, path, wrong);
            lists = revoked(&bytes_of(path, CRL_CONTENT).map_err(at_crl)?).map_err(at_crl)?;
            doubts = without_list(&names, &lists, path);
        }
        let authorities = names.len();
        let verifier = Verifier::new(ends, between, lists, crypto).map_err(at_ca)?;
        Ok(Self { wanted: wanted.clone(), marks, verifier: Arc::new(verifier), authorities, doubts })
    }

    /// What this chain proves now.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub(crate) fn certified(&self, chain: &[CertificateDer<'_>]) -> Result<Certified, String> {
        let (first, others) = chain.split_first().ok_or("there is no certificate")?;
        self.verifier.verify_client_cert(first, others, UnixTime::now()).map_err(|error| why(&error))?;
        let host = name::host(first)?;
        let relay = self.wanted.relays.iter().find(|relay| relay.name == host).map(|relay| relay.hosts.clone());
        Ok(Certified { host, relay })
    }
}

/// Why a client's certificate is refused, and what to do.
pub(crate) fn why(error: &Error) -> String {
    let Error::InvalidCertificate(error) = error else { return format!("the client's certificate is not understood: {error}") };
    match error {
        CertificateError::Revoked => "the client's certificate was revoked (server.client_crl): have the host enrolled anew".to_owned(),
        CertificateError::UnknownIssuer => {
            "the client's certificate was signed by no authority in server.client_ca: add the one that signed it, or those between"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the client's certificate has ended: renew it on the host".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the client's certificate has not begun: is a clock wrong?".to_owned()
        }
        CertificateError::UnknownRevocationStatus => {
            "server.client_crl has no list of the authority that signed the client's certificate, or of one above it: add it".to_owned()
        }
        error => format!("the client's certificate cannot be trusted: {error}"),
    }
}

fn bytes_of(path: &Path, content: &'static str) -> Result<Vec<u8>, Wrong> {
    let unread = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong("there is no such file", content),
        std::io::ErrorKind::PermissionDenied => wrong("this user may not read it", "let the user the server runs as read it"),
        _ => wrong(error.to_string(), content),
    };
    let len = std::fs::metadata(path).map_err(unread)?.len();
    if len > FILE_MAX {
        return Err(wrong(format!("it has {len} bytes; at most {FILE_MAX} are read"), content));
    }
    std::fs::read(path).map_err(unread)
}

/// Where chains end, and the authorities between: one that another in the file has signed is no end of its own, so that
/// it can be revoked.
fn authorities(bytes: &[u8]) -> Result<(Vec<CertificateDer<'static>>, Vec<CertificateDer<'static>>), Wrong> {
    let mut all = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(bytes) {
        all.push(certificate.map_err(|error| wrong(format!("it is no well-formed PEM: {error}"), CA_CONTENT))?);
    }
    if all.is_empty() || all.len() > AUTHORITIES_MAX {
        return Err(wrong(format!("there are {} certificates in it; 1 to {AUTHORITIES_MAX} are taken", all.len()), CA_CONTENT));
    }
    let mut subjects = Vec::new();
    for certificate in &all {
        let parsed = EndEntityCert::try_from(certificate);
        subjects
            .push(parsed.map_err(|error| wrong(format!("a certificate in it is not understood: {error}"), CA_CONTENT))?.subject().to_vec());
    }
    let signed_here = |certificate: &CertificateDer<'static>| {
        EndEntityCert::try_from(certificate).is_ok_and(|parsed| {
            let issuer = parsed.issuer();
            issuer != parsed.subject() && subjects.iter().any(|subject| subject == issuer)
        })
    };
    let (between, ends) = all.into_iter().partition(signed_here);
    Ok((ends, between))
}

fn subject(certificate: &CertificateDer<'_>) -> Option<(Vec<u8>, String)> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    Some((parsed.subject().to_vec(), name::called(parsed.subject())))
}

fn revoked(bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, Wrong> {
    let mut lists = Vec::new();
    for list in CertificateRevocationListDer::pem_slice_iter(bytes) {
        let list = list.map_err(|error| wrong(format!("it is no well-formed PEM: {error}"), CRL_CONTENT))?;
        if let Err(error) = BorrowedCertRevocationList::from_der(&list) {
            return Err(wrong(format!("a list in it is not understood: {error}"), CRL_CONTENT));
        }
        lists.push(list);
    }
    if lists.is_empty() { Err(wrong("there is no revocation list in it", CRL_CONTENT)) } else { Ok(lists) }
}

/// Authorities of which there is no list: what cannot be known not to be revoked is refused.
fn without_list(names: &[(Vec<u8>, String)], lists: &[CertificateRevocationListDer<'_>], path: &Path) -> Vec<String> {
    let lists: Vec<CertRevocationList<'_>> =
        lists.iter().filter_map(|list| BorrowedCertRevocationList::from_der(list).ok().map(CertRevocationList::from)).collect();
    let missing = names.iter().filter(|(subject, _)| !lists.iter().any(|list| list.issuer() == subject.as_slice()));
    missing.map(|(_, name)| format!("{} has no list of {name:?}: whatever it signed is refused", path.display())).collect()
}

/// Verifies as the library does, with the authorities between that clients need not send.
#[derive(Debug)]
pub(super) struct Verifier {
    library: Arc<dyn ClientCertVerifier>,
    between: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(
        ends: Vec<CertificateDer<'static>>,
        between: Vec<CertificateDer<'static>>,
        lists: Vec<CertificateRevocationListDer<'static>>,
        crypto: &Arc<CryptoProvider>,
    ) -> Result<Self, Wrong> {
        let mut roots = RootCertStore::empty();
        for end in ends {
            roots.add(end).map_err(|error| wrong(format!("a certificate in it is no authority's: {error}"), CA_CONTENT))?;
        }
        // Named to clients as well: one that was signed by them would not be offered otherwise.
        let hints = between.iter().filter_map(|one| subject(one)).map(|(name, _)| DistinguishedName::in_sequence(&name));
        let library = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(crypto))
            .add_root_hint_subjects(hints)
            .with_crls(lists)
            .allow_unauthenticated()
            .build();
        Ok(Self { library: library.map_err(|error| wrong(error.to_string(), CA_CONTENT))?, between })
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.library.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.library.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        first: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let others: Vec<CertificateDer<'_>> = others.iter().chain(&self.between).map(|one| CertificateDer::from(one.as_ref())).collect();
        self.library.verify_client_cert(first, &others, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.library.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.library.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.library.supported_verify_schemes()
    }
}
