//! The least there is of HTML: the login, and refusals for people. Every text is escaped.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::refusal::Refusal;

/// What a page may do in a browser where it does not say so itself: nothing but send its forms back.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A text as it may stand anywhere in a page, in attributes as well.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A page with this title and what it holds, both HTML already.
pub fn page(status: StatusCode, title: &str, body: &str) -> Response<Body> {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} - Belay</title></head><body><main><h1>{title}</h1>{body}</main></body></html>\n"
    );
    let mut response = Response::new(Body::from(text));
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
    let mut response =
        page(refusal.status, title, &format!("<p>{}</p><p><a href=\"/\">Back to the beginning</a></p>", escaped(&refusal.detail)));
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The login: where to go afterwards, and what was wrong, where something was.
pub fn login(status: StatusCode, next: &str, wrong: Option<&str>) -> Response<Body> {
    let wrong = wrong.map(|wrong| format!("<p role=\"alert\">{}</p>", escaped(wrong))).unwrap_or_default();
    let next = escaped(next);
    let body = format!(
        "{wrong}<form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"next\" value=\"{next}\">\
         <p><label>Name <input name=\"name\" autocomplete=\"username\" autofocus></label></p>\
         <p><label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\"></label></p>\
         <p><button>Log in</button></p></form>\
         <form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"next\" value=\"{next}\">\
         <p><label>Or a credential <input name=\"token\" type=\"password\" autocomplete=\"off\"></label></p>\
         <p><button>Log in with it</button></p></form>"
    );
    page(status, "Log in", &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_escaped_can_leave_its_place() {
        assert_eq!(escaped("<img src='x' onerror=\"a&b\">"), "&lt;img src=&#39;x&#39; onerror=&quot;a&amp;b&quot;&gt;");
    }

    #[test]
    fn a_place_that_would_break_out_of_the_header_leads_to_the_beginning() {
        assert_eq!(see_other("/x\r\nset-cookie: a=b").headers()[header::LOCATION], "/");
    }
}
