//! Who speaks on a connection, asked anew for every request: a connection lives longer than what was known of its
//! certificate when it began.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;

use super::auth::Peer;
use crate::tls::{Clients, Tls};

/// A certificate that was good so long ago is verified again: it may have ended meanwhile.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// Who speaks on a connection.
pub(super) enum Speaks {
    /// The same for as long as it lives.
    One(Peer),
    /// Whoever bears this certificate.
    Bearer(Bearer),
}

/// A certificate as it was shown in the handshake.
pub(super) struct Bearer {
    tls: Arc<Tls>,
    chain: Vec<CertificateDer<'static>>,
    last: Mutex<Option<Verified>>,
}

struct Verified {
    by: Arc<Clients>,
    at: Instant,
    peer: Peer,
}

impl Speaks {
    /// Who speaks now.
    pub(super) fn peer(&self) -> Peer {
        match self {
            Self::One(peer) => peer.clone(),
            Self::Bearer(bearer) => bearer.peer(),
        }
    }
}

impl Bearer {
    /// Whoever did a handshake with this chain, or with none.
    pub(super) fn of(tls: Arc<Tls>, chain: Option<&[CertificateDer<'static>]>) -> Speaks {
        match chain {
            Some(chain) if !chain.is_empty() => Speaks::Bearer(Self { tls, chain: chain.to_vec(), last: Mutex::new(None) }),
            _ => Speaks::One(Peer::Network),
        }
    }

    /// Verified at the first request too: a handshake by ticket verifies nothing.
    fn peer(&self) -> Peer {
        let Some(clients) = self.tls.clients() else { return Peer::Network };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_ref().filter(|known| Arc::ptr_eq(&known.by, &clients) && known.at.elapsed() < GOOD_FOR);
        if let Some(known) = known {
            return known.peer.clone();
        }
        let peer = clients.certified(&self.chain).map_or_else(Peer::Unfit, Peer::Certified);
        *last = Some(Verified { by: clients, at: Instant::now(), peer: peer.clone() });
        peer
    }
}
