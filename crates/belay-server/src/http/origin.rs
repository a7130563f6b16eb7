//! From which page a browser sends something. Whatever a browser adds by itself (a cookie, a password it remembers, the
//! machine it runs on) proves nothing where another site's page made it ask.

use axum::http::{HeaderMap, header};

/// What a request says of the page that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A page of this server, or the person itself.
    Own,
    /// It says nothing: no browser, or a very old one.
    Unsaid,
    /// Another site's page, or one that hides where it is from.
    Foreign,
}

/// Reads it. `public` is the address under which people reach the server, where that is configured.
pub fn of(headers: &HeaderMap, public: Option<&str>) -> Origin {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some("same-origin" | "none"), _) => Origin::Own,
        (Some(_), _) => Origin::Foreign,
        (None, None) => Origin::Unsaid,
        (None, Some(origin)) => {
            let named = authority(origin);
            let host = text(header::HOST.as_str());
            let own = [host, public.and_then(authority)].into_iter().flatten();
            if named.is_some_and(|named| own.into_iter().any(|own| own.eq_ignore_ascii_case(named))) {
                Origin::Own
            } else {
                Origin::Foreign
            }
        }
    }
}

/// Host and port of an address; none when it is no address of the web.
pub fn authority(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|authority| !authority.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&'static str, &str)]) -> Origin {
        let headers = pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap())).collect();
        of(&headers, Some("https://belay.example.com/"))
    }

    #[test]
    fn a_page_of_this_server_is_told_from_any_other() {
        use Origin::{Foreign, Own, Unsaid};
        let host = ("host", "127.0.0.1:7878");
        for (pairs, origin) in [
            (&[host][..], Unsaid),
            (&[host, ("sec-fetch-site", "same-origin")], Own),
            (&[host, ("sec-fetch-site", "none")], Own),
            (&[host, ("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:7878")], Foreign),
            (&[host, ("sec-fetch-site", "cross-site")], Foreign),
            (&[host, ("origin", "http://127.0.0.1:7878")], Own),
            (&[host, ("origin", "https://BELAY.example.com")], Own),
            (&[host, ("origin", "http://127.0.0.1:9")], Foreign),
            (&[host, ("origin", "http://127.0.0.1:7878.evil.example")], Foreign),
            (&[host, ("origin", "https://belay.example.com.evil.example")], Foreign),
            (&[host, ("origin", "null")], Foreign),
            (&[("origin", "http://")], Foreign),
        ] {
            assert_eq!(said(pairs), origin, "{pairs:?}");
        }
    }
}
