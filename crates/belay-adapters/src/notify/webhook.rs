//! A webhook: a POST with a JSON body and the headers of the Standard Webhooks specification
//! (`webhook-id`, `webhook-timestamp`).
//!
//! The third header of that specification, `webhook-signature`, is left out: it is an HMAC with a
//! shared secret, and there is none here yet. A receiver that has to know the sender must be given
//! an address with a password in it, over https.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belay_core::model::time::Timestamp;
use serde_json::json;
use thiserror::Error;

/// Bytes of an address.
pub const URL_MAX: usize = 2048;

/// What is to be delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// The same for every attempt to deliver this letter, so that receivers can drop repetitions.
    pub key: String,
    /// One line.
    pub title: String,
    /// The whole, in plain words, on any number of lines.
    pub text: String,
    /// The same for machines.
    pub json: serde_json::Value,
}

/// A request to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The address without user and password. It may still hold a secret in its path: print
    /// [`Endpoint`] instead.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, UTF-8.
    pub body: String,
}

impl fmt::Debug for Request {
    /// Without address and header values: both may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Request").field("headers", &names).field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// Where letters go: an address that was checked. Printing it shows scheme, host and port only,
/// since many services keep the secret in the path.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `https://host:port`.
    origin: String,
    /// From the first slash on; may be empty.
    path: String,
    /// User and password, as they stand in the address.
    user: Option<String>,
}

/// Why an address was refused. The text never repeats the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadUrl {
    /// Neither http nor https.
    #[error("the address has to start with https:// or http://")]
    Scheme,
    /// No host, or one that cannot be.
    #[error("the address names no host")]
    Host,
    /// A port that is none.
    #[error("the port in the address is not a number from 1 to 65535")]
    Port,
    /// A blank, a control character, or one that is not ASCII.
    #[error("the address holds a blank, a control character or one that is not ASCII, at byte {0}")]
    Character(usize),
    /// A fragment, which is never sent.
    #[error("the address holds a fragment (#...), which is never sent")]
    Fragment,
    /// Too long.
    #[error("the address is longer than {URL_MAX} bytes")]
    TooLong,
}

impl Endpoint {
    /// Takes an address: http or https, with or without user and password.
    ///
    /// Which hosts may be reached (not one's own metadata service, say) is for the executor to
    /// decide, which alone knows what the name resolves to.
    ///
    /// # Errors
    /// [`BadUrl`] says what is wrong without repeating the address.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        if url.len() > URL_MAX {
            return Err(BadUrl::TooLong);
        }
        if let Some(at) = url.bytes().position(|b| !b.is_ascii_graphic()) {
            return Err(BadUrl::Character(at));
        }
        if url.contains('#') {
            return Err(BadUrl::Fragment);
        }
        let lower = url.to_ascii_lowercase();
        let scheme = ["https://", "http://"].into_iter().find(|scheme| lower.starts_with(scheme)).ok_or(BadUrl::Scheme)?;
        let rest = &url[scheme.len()..];
        let (authority, path) = rest.split_at(rest.find(['/', '?', '\\']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, authority),
        };
        check_host(host)?;
        if path.starts_with('\\') {
            return Err(BadUrl::Host);
        }
        Ok(Self { origin: format!("{scheme}{}", host.to_ascii_lowercase()), path: path.to_owned(), user })
    }

    /// The request that delivers a letter.
    pub fn request(&self, now: Timestamp, letter: &Letter) -> Request {
        // Whatever stands in a key, a header has to stay one line.
        let id = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", letter.key.chars().map(id).take(200).collect()),
            ("webhook-timestamp", now.ms().div_euclid(1000).to_string()),
        ];
        if let Some(user) = &self.user {
            headers.push(("authorization", format!("Basic {}", STANDARD.encode(percent_decoded(user)))));
        }
        let body = json!({
            "type": "belay.alert",
            "timestamp": now.to_string(),
            "data": { "key": letter.key, "title": letter.title, "text": letter.text, "details": letter.json },
        });
        Request { url: format!("{}{}", self.origin, self.path), headers, body: body.to_string() }
    }
}

fn check_host(host: &str) -> Result<(), BadUrl> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']').ok_or(BadUrl::Host)?;
            if !inner.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')) {
                return Err(BadUrl::Host);
            }
            (inner, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(BadUrl::Host)?) })
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if name.is_empty() || (!host.starts_with('[') && !is_name(name)) {
        return Err(BadUrl::Host);
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(Ok(0) | Err(_)) => Err(BadUrl::Port),
    }
}

/// `%40` and the like as bytes; what is no such escape stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok()).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            key: "a-17\r\nx: y".to_owned(),
            title: "c-2 rejected".to_owned(),
            text: "flow stopped\non 15 hosts".to_owned(),
            json: json!({"change": "c-2"}),
        }
    }

    #[test]
    fn a_letter_becomes_a_request_with_the_headers_of_standard_webhooks() {
        let endpoint = Endpoint::parse("https://hooks.example.com/T1/secret?x=1").unwrap();
        let request = endpoint.request(Timestamp::from_ms(1_795_329_886_623), &letter());
        assert_eq!(request.url, "https://hooks.example.com/T1/secret?x=1");
        let headers = [("content-type", "application/json"), ("webhook-id", "a-17--x--y"), ("webhook-timestamp", "1795329886")];
        assert_eq!(request.headers, headers.map(|(name, value)| (name, value.to_owned())));
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!((&body["data"]["title"], &body["data"]["details"]["change"]), (&json!("c-2 rejected"), &json!("c-2")));
        assert_eq!(body["timestamp"], json!("2026-11-22T06:44:46Z"));
    }

    #[test]
    fn a_password_in_the_address_becomes_a_header_and_is_never_printed() {
        let endpoint = Endpoint::parse("http://bob:s%40cret@hooks.example.com:8080/path-secret").unwrap();
        let request = endpoint.request(Timestamp::from_ms(0), &letter());
        assert_eq!(request.url, "http://hooks.example.com:8080/path-secret");
        assert_eq!(request.headers[3], ("authorization", format!("Basic {}", STANDARD.encode("bob:s@cret"))));
        let printed = format!("{endpoint} {endpoint:?} {request:?}");
        assert!(printed.contains("http://hooks.example.com:8080") && !printed.contains("cret"), "{printed}");
    }

    #[test]
    fn addresses_that_are_none_are_refused_without_being_repeated() {
        for (url, bad) in [
            ("ftp://x/", BadUrl::Scheme),
            ("file:///etc/passwd", BadUrl::Scheme),
            ("javascript:alert(1)", BadUrl::Scheme),
            ("hooks.example.com", BadUrl::Scheme),
            ("", BadUrl::Scheme),
            ("https://", BadUrl::Host),
            ("https:///x", BadUrl::Host),
            ("https://user:pass@/x", BadUrl::Host),
            ("https://a\\b/", BadUrl::Host),
            ("https://[::1/", BadUrl::Host),
            ("https://[::1]x/", BadUrl::Host),
            ("https://a<b>/", BadUrl::Host),
            ("https://x:0/", BadUrl::Port),
            ("https://x:99999/", BadUrl::Port),
            ("https://x:/", BadUrl::Port),
            ("https://x/ y", BadUrl::Character(10)),
            ("https://x/\r\nhost: y", BadUrl::Character(10)),
            ("https://x/#y", BadUrl::Fragment),
        ] {
            assert_eq!(Endpoint::parse(url), Err(bad), "{url}");
        }
        for url in ["HTTPS://X", "http://10.0.0.1:9093/api", "https://[2001:db8::1]:443/x", "https://x?y=1"] {
            assert!(Endpoint::parse(url).is_ok(), "{url}");
        }
        assert_eq!(Endpoint::parse(&format!("https://x/{}", "y".repeat(3000))), Err(BadUrl::TooLong));
    }
}
