//! The cookie of a session: its name, and how it is set and read.

use axum::http::{HeaderMap, HeaderValue, header};
use belay_core::model::time::Span;
use belay_core::model::user::SESSION_MAX;

/// How the cookie may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    /// Encrypted only. The prefix makes browsers see to it, and lets no other host set it.
    Encrypted,
    /// In the clear as well: the connection never leaves this machine, or the operator said that it may.
    Clear,
}

/// Which cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// That of a session.
    Session,
    /// That of a login which goes on at an identity provider: whoever comes back has to be the one who went.
    Going,
}

/// How long a login may go on at an identity provider.
pub const GOING_MAX: Span = Span::from_min(10);

impl Travel {
    const fn name(self, which: Which) -> &'static str {
        match (self, which) {
            (Self::Encrypted, Which::Session) => "__Host-belay",
            (Self::Clear, Which::Session) => "belay",
            (Self::Encrypted, Which::Going) => "__Host-belay-login",
            (Self::Clear, Which::Going) => "belay-login",
        }
    }

    const fn secure(self) -> &'static str {
        match self {
            Self::Encrypted => "; Secure",
            Self::Clear => "",
        }
    }
}

/// What a cookie holds, where one was sent.
pub fn read(headers: &HeaderMap, travel: Travel, which: Which) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|text| text.split(';')).filter_map(|part| part.trim().split_once('='));
    pairs.filter(|(name, value)| *name == travel.name(which) && !value.is_empty()).map(|(_, value)| value).next()
}

/// Sets the cookie to a secret of our own making.
pub fn set(travel: Travel, which: Which, secret: &str) -> Option<HeaderValue> {
    let lasts = match which {
        Which::Session => SESSION_MAX,
        Which::Going => GOING_MAX,
    };
    let age = lasts.ms() / 1000;
    let text = format!("{}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{}", travel.name(which), travel.secure());
    HeaderValue::from_str(&text).ok()
}

/// Takes the cookie away.
pub fn clear(travel: Travel, which: Which) -> Option<HeaderValue> {
    let text = format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{}", travel.name(which), travel.secure());
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_and_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; xbelay=no; belay=; belay=yes".parse().unwrap());
        headers.append(header::COOKIE, "__Host-belay=tls".parse().unwrap());
        assert_eq!(read(&headers, Travel::Clear, Which::Session), Some("yes"));
        assert_eq!(read(&headers, Travel::Encrypted, Which::Session), Some("tls"));
        assert_eq!(read(&HeaderMap::new(), Travel::Clear, Which::Going), None);
    }

    #[test]
    fn only_an_encrypted_connection_gets_the_cookie_that_demands_one() {
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            text(set(Travel::Encrypted, Which::Session, "s")),
            "__Host-belay=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure"
        );
        assert!(!text(set(Travel::Clear, Which::Session, "s")).contains("Secure"));
        assert!(text(clear(Travel::Clear, Which::Session)).contains("Max-Age=0"));
    }
}
