//! One PEM file, read: the certificate chain and its private key, or what is wrong with the file and
//! what to do about it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use belay_core::model::time::Timestamp;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};
use thiserror::Error as ThisError;

/// The largest file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// A day on which every certificate has ended: the year 33658.
const FAR_OFF: u64 = 1_000_000_000_000;
/// What belongs into the file.
const CONTENT: &str =
    "write the server's own certificate into it, those that signed it, and the private key: `cat fullchain.pem privkey.pem > FILE`";

/// What the own certificate is called.
pub(super) const OWN: &str = "the certificate";

/// Why a file cannot be used, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{what} {} cannot be used: {why}", path.display())]
pub struct Unusable {
    /// What it was to be: the own certificate, or a key of the configuration.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
    /// What to do.
    pub help: String,
}

/// A certificate with its key, ready for handshakes.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Chain and key.
    pub key: Arc<CertifiedKey>,
    /// When it ends; nothing where that cannot be told.
    pub ends: Option<Timestamp>,
    /// What will keep clients away although it can be used, or should not be so.
    pub doubts: Vec<String>,
}

/// Reads a certificate and its key.
///
/// # Errors
/// See [`Unusable`].
pub fn read(path: &Path) -> Result<Certificate, Unusable> {
    let unusable = |(why, help): Wrong| Unusable { what: OWN, path: path.to_owned(), why, help };
    let (bytes, mode) = bytes_of(path).map_err(unusable)?;
    let crypto = ring::default_provider();
    let key = certified(&bytes, &crypto).map_err(unusable)?;
    let (ends, mut doubts) = looked_at(&key, &crypto);
    if mode & 0o004 != 0 {
        doubts.push(format!("every user of this machine may read the private key in it: `chmod o= {}`", path.display()));
    }
    Ok(Certificate { key: Arc::new(key), ends, doubts })
}

/// What is wrong, and what to do.
pub(super) type Wrong = (String, String);

pub(super) fn wrong(why: impl Into<String>, help: impl Into<String>) -> Wrong {
    (why.into(), help.into())
}

fn bytes_of(path: &Path) -> Result<(Vec<u8>, u32), Wrong> {
    let unread = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong("there is no such file", format!("{CONTENT}, or leave out server.certificate")),
        std::io::ErrorKind::PermissionDenied => wrong("this user may not read it", "give it to the user the server runs as"),
        _ => wrong(error.to_string(), CONTENT),
    };
    let about = std::fs::metadata(path).map_err(unread)?;
    if about.len() > FILE_MAX {
        return Err(wrong(format!("it has {} bytes; at most {FILE_MAX} are read", about.len()), CONTENT));
    }
    Ok((std::fs::read(path).map_err(unread)?, about.permissions().mode()))
}

/// Chain and key, which belong together.
fn certified(bytes: &[u8], crypto: &CryptoProvider) -> Result<CertifiedKey, Wrong> {
    // Said before anything is read: a key that an old tool encrypted is no well-formed section.
    let text = String::from_utf8_lossy(bytes);
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong("its private key is encrypted", "write it without a passphrase: `openssl pkey -in OLD -out NEW`"));
    }
    let (mut chain, mut keys) = (Vec::new(), Vec::new());
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        match section.map_err(|error| wrong(format!("it is no well-formed PEM: {error}"), CONTENT))? {
            (SectionKind::Certificate, der) => chain.push(CertificateDer::from(der)),
            (SectionKind::PrivateKey, der) => keys.push(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der))),
            (SectionKind::EcPrivateKey, der) => keys.push(PrivateKeyDer::from(PrivateSec1KeyDer::from(der))),
            (SectionKind::RsaPrivateKey, der) => keys.push(PrivateKeyDer::from(PrivatePkcs1KeyDer::from(der))),
            (_, _) => {}
        }
    }
    if chain.is_empty() {
        return Err(wrong("there is no certificate in it", CONTENT));
    }
    let many = keys.len();
    let key = match (keys.pop(), many) {
        (Some(key), 1) => key,
        (None, _) => return Err(wrong("there is no private key in it", CONTENT)),
        (Some(_), _) => return Err(wrong(format!("there are {many} private keys in it"), "leave only the one of the first certificate")),
    };
    CertifiedKey::from_der(chain, key, crypto).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => wrong(
            "the private key is not that of the first certificate",
            "the server's own certificate comes first, then those that signed it; the key is the one it was issued for",
        ),
        Error::InvalidCertificate(_) => wrong(format!("its first certificate is not understood: {error}"), CONTENT),
        // The library's word for it ("failed to parse private key as RSA, ECDSA, or EdDSA") is what there is to say.
        error => wrong(
            format!("its private key cannot be used: {error}"),
            "use an RSA key of 2048 to 4096 bits, or one of P-256, P-384 or Ed25519",
        ),
    })
}

/// When it ends, and what clients will not like about it. The library shows neither dates nor names,
/// but it says why it would refuse: so it is asked as a client would ask.
fn looked_at(key: &CertifiedKey, crypto: &CryptoProvider) -> (Option<Timestamp>, Vec<String>) {
    let Some(parsed) = key.cert.first().and_then(|first| ParsedCertificate::try_from(first).ok()) else {
        return (None, Vec::new());
    };
    let refused_at = |second: u64| {
        let (now, nobody) = (UnixTime::since_unix_epoch(std::time::Duration::from_secs(second)), RootCertStore::empty());
        let all = crypto.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], now, all).err()
    };
    let ends = match refused_at(FAR_OFF) {
        Some(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => Some(not_after.as_secs()),
        _ => None,
    };
    let mut doubts = Vec::new();
    // In its last second all is well with its dates; that its issuer is unknown is our doing.
    match ends.and_then(refused_at) {
        None | Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
        Some(error) if format!("{error:?}").contains("CaUsedAsEndEntity") => doubts.push(
            "it is an authority's certificate (CA:TRUE), which clients refuse as a server's: add `-addext basicConstraints=critical,CA:FALSE` \
             where it is made"
                .to_owned(),
        ),
        Some(error) => doubts.push(format!("clients will refuse it: {error}")),
    }
    if let Ok(name) = ServerName::try_from("nobody.invalid")
        && let Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) =
            verify_server_name(&parsed, &name)
        && presented.is_empty()
    {
        doubts.push("it names no host (subjectAltName), so clients refuse it; a common name (CN) does not count".to_owned());
    }
    let ends = ends.map(|second| Timestamp::from_ms(i64::try_from(second).unwrap_or(i64::MAX).saturating_mul(1_000)));
    (ends, doubts)
}
