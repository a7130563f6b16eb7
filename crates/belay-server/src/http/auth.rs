//! Who asks, and whether they may. Identity comes from the credential, never from what is sent.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use belay_core::model::ids::Digest;
use belay_core::model::principal::{Principal, Role};
use belay_core::model::time::Timestamp;
use belay_core::model::user::SEEN_EVERY;
use belay_core::state::State;

use super::App;
use super::cookie::{self, Travel, Which};
use super::refusal::Refusal;
use crate::tls::Certified;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Anyone, without a credential.
    Anyone,
    /// Persons who may look.
    Viewer,
    /// Persons who may act on hosts.
    Operator,
    /// Persons who may decide on Changes.
    Approver,
    /// Persons who may do everything.
    Admin,
    /// Whoever may speak for some host: hosts, relays, and persons who may act on hosts. For which
    /// one is decided with what is sent.
    Reporter,
    /// Sources of signals, hosts (of their own only: that is decided with what is sent), and persons who
    /// may act on hosts.
    SourceOfSignals,
}

/// Where a connection comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The network: only a credential says who asks.
    Network,
    /// The unix socket: the operating system says who asks.
    Local(Principal),
    /// The network, and a certificate says who asks.
    Certified(Certified),
    /// The network, with a certificate that says it no more, or never did: why.
    Unfit(String),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// No credential.
    Nobody,
    /// A credential that is not known.
    Unknown,
    /// No credential but a certificate that does not count: why.
    Unfit(String),
    /// Known.
    Known(Principal),
}

impl May {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Anyone, Self::Viewer, Self::Operator, Self::Approver, Self::Admin, Self::Reporter, Self::SourceOfSignals];

    /// Whether whoever asks may go on.
    ///
    /// # Errors
    /// The refusal to send.
    pub fn check(self, who: &Who) -> Result<(), Refusal> {
        if self == Self::Anyone {
            return Ok(());
        }
        let principal = match who {
            Who::Nobody => {
                return Err(Refusal::unauthenticated(
                    "a credential is needed: `Authorization: Bearer SECRET`, or the secret as the password of Basic",
                ));
            }
            Who::Unknown => {
                return Err(Refusal::unauthenticated("this credential is not known; it may have been revoked. Ask for a new one"));
            }
            Who::Unfit(why) => return Err(Refusal::unauthenticated(why.clone())),
            Who::Known(principal) => principal,
        };
        if self.allows(principal) {
            Ok(())
        } else {
            Err(Refusal::forbidden(format!("this needs {}; the credential is {}", self.words(), principal.actor())))
        }
    }

    fn allows(self, principal: &Principal) -> bool {
        match self {
            Self::Anyone => true,
            Self::Viewer => principal.has(Role::Viewer),
            Self::Operator => principal.has(Role::Operator),
            Self::Approver => principal.has(Role::Approver),
            Self::Admin => principal.has(Role::Admin),
            Self::Reporter => principal.has(Role::Operator) || matches!(principal, Principal::Host(_) | Principal::Relay(_)),
            Self::SourceOfSignals => principal.has(Role::Operator) || matches!(principal, Principal::Source(_) | Principal::Host(_)),
        }
    }

    /// In plain words, as the end of "this needs ...".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Anyone => "no credential",
            Self::Viewer => "a person's credential (viewer or more)",
            Self::Operator => "a person's credential with the role operator or more",
            Self::Approver => "a person's credential with the role approver or more",
            Self::Admin => "a person's credential with the role admin",
            Self::Reporter => "the credential of a host, of a relay, or of an operator",
            Self::SourceOfSignals => "the credential of a source of signals, of a host, or of an operator",
        }
    }
}

/// By what it is known who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A secret that only whoever sends it could have put there.
    Bearer,
    /// A secret that browsers remember and send by themselves.
    Basic,
    /// The cookie of a session, which browsers send by themselves.
    Cookie,
    /// The connection, or nothing.
    Connection,
}

/// The session by whose cookie somebody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// The person.
    pub user: String,
    /// What a page of the session has to send along with whatever acts: as the field `csrf` of a form, or as the header
    /// `x-belay-csrf`.
    pub csrf: String,
    /// The hash of what it is known by.
    pub id: Digest,
    /// When it ends if it is not used any more.
    pub ends: Timestamp,
    /// It is time to take note that it is used.
    pub(super) noticed: bool,
}

/// Who asks, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub who: Who,
    /// By what.
    pub by: By,
    /// By which session.
    pub session: Option<SessionInfo>,
    /// By what that may end while something goes on.
    pub credential: Credential,
}

/// What a request was let in by, for what goes on after it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A secret of this hash.
    Token(Digest),
    /// A session of this hash.
    Session(Digest),
    /// The connection itself.
    Connection,
}

impl Credential {
    /// Whether it still holds.
    pub fn holds(self, app: &App) -> bool {
        let now = app.drive.now();
        app.drive.read(|state| match self {
            Self::Token(hash) => state.tokens.iter().any(|token| token.hash == hash),
            Self::Session(id) => state.session(id, now).is_some(),
            Self::Connection => true,
        })
    }
}

/// What a request shows of who asks.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Where it comes from.
    pub peer: &'a Peer,
    /// How a cookie would have travelled.
    pub travel: Travel,
}

/// Who asks this route: by the secret that was sent, else by the cookie of a session, else by the connection. A
/// certificate counts also beside a secret that is not known: it makes nobody more than the host it was issued to, or
/// its relay.
pub fn asked(state: &State, shown: Shown<'_>, may: May, now: Timestamp) -> Asked {
    let presented = secret(shown.headers);
    let by = match presented {
        Presented::Basic(_) => By::Basic,
        Presented::Bearer(_) | Presented::Unreadable => By::Bearer,
        Presented::Nothing => By::Connection,
    };
    let known = |who: Who, by: By| Asked { who, by, session: None, credential: Credential::Connection };
    if let Presented::Bearer(secret) | Presented::Basic(secret) = &presented {
        let hash = Digest::of(secret.as_bytes());
        // What is compared is a hash: how long it takes says nothing of the secret.
        if let Some(token) = state.tokens.iter().find(|token| token.hash == hash) {
            return Asked { credential: Credential::Token(hash), ..known(Who::Known(token.principal.clone()), by) };
        }
    }
    let sent = cookie::read(shown.headers, shown.travel, Which::Session).filter(|_| by == By::Connection);
    if let Some(asked) = sent.and_then(|secret| by_session(state, secret, now)) {
        return asked;
    }
    match (by, shown.peer) {
        (_, Peer::Certified(certified)) => known(Who::Known(certified_as(certified, may)), By::Connection),
        (By::Bearer | By::Basic, _) => known(Who::Unknown, by),
        (_, Peer::Local(principal)) => known(Who::Known(principal.clone()), By::Connection),
        (_, Peer::Unfit(why)) => known(Who::Unfit(why.clone()), By::Connection),
        (_, Peer::Network) => known(Who::Nobody, By::Connection),
    }
}

fn by_session(state: &State, secret: &str, now: Timestamp) -> Option<Asked> {
    let (session, principal) = state.session(session_id(secret), now)?;
    let info = SessionInfo {
        user: session.name().to_owned(),
        csrf: csrf(secret),
        id: session.id,
        ends: session.ends(),
        noticed: now.since(session.seen) >= SEEN_EVERY,
    };
    let credential = Credential::Session(session.id);
    Some(Asked { who: Who::Known(principal), by: By::Cookie, session: Some(info), credential })
}

/// By what a session is kept whose cookie holds this.
pub fn session_id(secret: &str) -> Digest {
    Digest::of_parts(["belay session", secret])
}

/// What follows from the cookie and tells nothing of it.
fn csrf(secret: &str) -> String {
    Digest::of_parts(["belay csrf", secret]).to_string()
}

/// Never a person. A relay passes on reports; samples are its own, as a host.
fn certified_as(certified: &Certified, may: May) -> Principal {
    match &certified.relay {
        Some(hosts) if may != May::SourceOfSignals => Principal::Relay(hosts.clone()),
        _ => Principal::Host(certified.host.clone()),
    }
}

enum Presented {
    Nothing,
    Unreadable,
    Bearer(String),
    Basic(String),
}

/// Senders that can only be given a URL put the secret into it: as the password, or alone.
fn secret(headers: &HeaderMap) -> Presented {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Presented::Nothing };
    let Some((scheme, rest)) = value.to_str().ok().and_then(|text| text.trim().split_once(' ')) else { return Presented::Unreadable };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Presented::Bearer(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Presented::Unreadable;
    }
    let pair = BASE64_STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match pair.as_deref().map(|pair| pair.split_once(':').unwrap_or((pair, ""))) {
        Some((user, "")) => Presented::Basic(user.to_owned()),
        Some((_, password)) => Presented::Basic(password.to_owned()),
        None => Presented::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::ids::HostId;
    use belay_core::model::policy::Pattern;
    use belay_core::model::principal::Token;

    fn state() -> State {
        let token = Token {
            hash: Digest::of(b"belay_abc"),
            name: "t".into(),
            principal: Principal::Source("p1".into()),
            issued: Timestamp::from_ms(0),
        };
        State { tokens: vec![token], ..State::default() }
    }

    fn ask_as(headers: &HeaderMap, peer: &Peer, may: May) -> Who {
        asked(&state(), Shown { headers, peer, travel: Travel::Clear }, may, Timestamp::from_ms(0)).who
    }

    fn ask(value: Option<&str>, peer: &Peer) -> Who {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        ask_as(&headers, peer, May::Reporter)
    }

    #[test]
    fn a_secret_is_taken_as_bearer_as_password_and_as_user() {
        let known = Who::Known(Principal::Source("p1".into()));
        for (user, fits) in [("x:belay_abc", true), ("belay_abc:", true), ("belay_abc", true), ("belay_abc:x", false)] {
            let value = format!("Basic {}", BASE64_STANDARD.encode(user));
            assert_eq!(ask(Some(&value), &Peer::Network) == known, fits, "{user}");
        }
        assert_eq!(ask(Some("bearer belay_abc"), &Peer::Network), known);
        for bad in ["Bearer belay_abd", "Bearer", "Basic ***", "Digest x", ""] {
            assert_eq!(ask(Some(bad), &Peer::Network), Who::Unknown, "{bad:?}");
        }
    }

    #[test]
    fn the_local_socket_counts_only_where_no_credential_is_sent() {
        let local = Peer::Local(Principal::person("root", Role::Admin));
        assert_eq!(ask(Some("Bearer nonsense"), &local), Who::Unknown);
        assert!(matches!(ask(None, &local), Who::Known(_)));
        assert_eq!(ask(None, &Peer::Network), Who::Nobody);
    }

    #[test]
    fn a_certificate_is_a_host_or_its_relay_and_a_secret_that_is_known_goes_before_it() {
        let host = HostId::parse("ps1").unwrap();
        let own = Certified { host: host.clone(), relay: None };
        let relay = Certified { relay: Some(Pattern::new("web*")), ..own.clone() };
        let (known, host) = (Who::Known(Principal::Source("p1".into())), Who::Known(Principal::Host(host)));
        for bad in [None, Some("Bearer nonsense"), Some("Digest x")] {
            assert_eq!(ask(bad, &Peer::Certified(own.clone())), host, "{bad:?}");
            assert_eq!(ask(bad, &Peer::Certified(relay.clone())), Who::Known(Principal::Relay(Pattern::new("web*"))), "{bad:?}");
        }
        assert_eq!(ask(Some("Bearer belay_abc"), &Peer::Certified(relay.clone())), known);
        assert_eq!(ask_as(&HeaderMap::new(), &Peer::Certified(relay), May::SourceOfSignals), host, "samples are its own");
        let unfit = Peer::Unfit("it has ended".into());
        assert_eq!(ask(Some("Bearer belay_abc"), &unfit), known);
        assert_eq!(May::Reporter.check(&ask(None, &unfit)).unwrap_err().detail, "it has ended");
    }

    #[test]
    fn nobody_but_a_person_can_do_what_persons_do() {
        let machines = [Principal::Host(HostId::parse("a").unwrap()), Principal::Relay(Pattern::new("*")), Principal::Source("s".into())];
        for may in [May::Viewer, May::Operator, May::Approver, May::Admin] {
            assert!(machines.iter().all(|principal| may.check(&Who::Known(principal.clone())).is_err()), "{may:?}");
        }
    }
}
