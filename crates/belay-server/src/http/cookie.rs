//! The cookie of a session: its name, and how it is set and read.

use axum::http::{HeaderMap, HeaderValue, header};
use belay_core::model::user::SESSION_MAX;

/// How the cookie may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    /// Encrypted only. The prefix makes browsers see to it, and lets no other host set it.
    Encrypted,
    /// In the clear as well: the connection never leaves this machine, or the operator said that it may.
    Clear,
}

impl Travel {
    const fn name(self) -> &'static str {
        match self {
            Self::Encrypted => "__Host-belay",
            Self::Clear => "belay",
        }
    }

    const fn secure(self) -> &'static str {
        match self {
            Self::Encrypted => "; Secure",
            Self::Clear => "",
        }
    }
}

/// What the cookie of a session holds, where one was sent.
pub fn read(headers: &HeaderMap, travel: Travel) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|text| text.split(';')).filter_map(|part| part.trim().split_once('='));
    pairs.filter(|(name, value)| *name == travel.name() && !value.is_empty()).map(|(_, value)| value).next()
}

/// Sets the cookie to a secret of our own making.
pub fn set(travel: Travel, secret: &str) -> Option<HeaderValue> {
    let age = SESSION_MAX.ms() / 1000;
    let text = format!("{}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{}", travel.name(), travel.secure());
    HeaderValue::from_str(&text).ok()
}

/// Takes the cookie away.
pub fn clear(travel: Travel) -> Option<HeaderValue> {
    let text = format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{}", travel.name(), travel.secure());
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
        assert_eq!(read(&headers, Travel::Clear), Some("yes"));
        assert_eq!(read(&headers, Travel::Encrypted), Some("tls"));
        assert_eq!(read(&HeaderMap::new(), Travel::Clear), None);
    }

    #[test]
    fn only_an_encrypted_connection_gets_the_cookie_that_demands_one() {
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(text(set(Travel::Encrypted, "s")), "__Host-belay=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure");
        assert!(!text(set(Travel::Clear, "s")).contains("Secure"));
        assert!(text(clear(Travel::Clear)).contains("Max-Age=0"));
    }
}
