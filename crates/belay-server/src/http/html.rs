//! Pages for whoever is not known, or was refused: the login, and why. Every text is escaped by the templates.

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::form::escaped;
use super::refusal::Refusal;

/// What a page may do in a browser where it does not say so itself: nothing but send its forms back.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    title: &'static str,
    hash: &'static str,
    next: &'a str,
    onward: String,
    issuer: Option<&'a str>,
    wrong: Option<&'a str>,
}

/// What the login offers.
pub struct Ask<'a> {
    /// Where to go afterwards.
    pub next: &'a str,
    /// The identity provider, as people call it.
    pub issuer: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    title: &'a str,
    hash: &'static str,
    detail: &'a str,
}

/// A page without anything around it. Where it cannot be made, which would be a mistake in Belay, the status still says what it was.
fn bare(status: StatusCode, template: &impl Template) -> Response<Body> {
    let html = template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page could not be made");
        String::new()
    });
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// The headers of every page, where it does not set them itself. The referrer stays on this site but is not hidden from
/// it: a browser that hides it hides as well where a form comes from.
pub fn framed(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    response
}

/// Go and look there.
pub fn see_other(place: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    // A place that no header can hold leads to the beginning.
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, place);
    response
}

/// A refusal, for people.
pub fn refused(refusal: &Refusal) -> Response<Body> {
    let title = refusal.status.canonical_reason().unwrap_or("Error");
    let mut response = bare(refusal.status, &Refused { title, hash: hash(), detail: &refusal.detail });
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The login: where to go afterwards, and what was wrong, where something was.
pub fn login(status: StatusCode, ask: &Ask<'_>, wrong: Option<&str>) -> Response<Body> {
    bare(status, &Login { title: "Sign in", hash: hash(), next: ask.next, onward: escaped(ask.next), issuer: ask.issuer, wrong })
}

fn hash() -> &'static str {
    crate::web::assets::HASH.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_would_break_out_of_the_header_leads_to_the_beginning() {
        assert_eq!(see_other("/x\r\nset-cookie: a=b").headers()[header::LOCATION], "/");
    }
}
