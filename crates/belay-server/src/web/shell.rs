//! What every page has around it: where one is, who one is, what is so grave that no page may leave it out.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use belay_core::model::principal::Role;
use belay_core::model::time::Timestamp;
use belay_core::state::State;

use super::{assets, words};
use crate::http::auth::Who;
use crate::http::refusal::Refusal;
use crate::http::route::Call;

/// What pages may load, run and send to: nothing but ourselves, nothing written into a page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The pages in the menu, in its order.
pub const MENU: [(&str, &str); 9] = [
    ("/", "Now"),
    ("/changes", "Changes"),
    ("/matrix", "Matrix"),
    ("/hosts", "Hosts"),
    ("/holds", "Holds"),
    ("/signals", "Signals"),
    ("/alerts", "Alerts"),
    ("/audit", "Audit"),
    ("/settings", "Settings"),
];

/// What stands around a page.
pub struct Shell {
    /// The page's title.
    pub title: String,
    /// The address of the menu's page it belongs to.
    pub here: &'static str,
    /// The page itself, with its query.
    pub path: String,
    /// Who looks at it.
    pub who: String,
    /// What whoever looks may do.
    may: Option<Role>,
    /// Whoever looks is signed in by a session, and can sign out.
    pub session: bool,
    /// What forms have to send back, where there is a session.
    pub csrf: String,
    /// The number of the last commit it shows.
    pub seq: u64,
    /// When it was made.
    pub now: Timestamp,
    /// The theme, where it is not the system's: `light` or `dark`.
    pub theme: Option<&'static str>,
    /// What is grave.
    pub grave: Vec<String>,
    /// It is kept fresh. Pages with a form that somebody fills in are not.
    pub live: bool,
}

impl Shell {
    /// Around the page that is called for.
    pub fn of(call: &Call, here: &'static str, title: impl Into<String>) -> Self {
        let (who, may) = match &call.who {
            Who::Known(principal) => (principal.actor().to_string(), Role::ALL.into_iter().rev().find(|role| principal.has(*role))),
            Who::Nobody | Who::Unknown | Who::Unfit(_) => ("nobody".to_owned(), None),
        };
        let query = if call.raw_query.is_empty() { String::new() } else { format!("?{}", call.raw_query) };
        let csrf = call.csrf();
        Self {
            title: title.into(),
            here,
            path: format!("{}{query}", call.path),
            who,
            may,
            session: csrf.is_some(),
            csrf: csrf.unwrap_or_default(),
            seq: *call.app.drive.committed().borrow(),
            now: call.app.drive.now(),
            theme: theme(&call.headers),
            grave: call.app.drive.read(grave),
            live: true,
        }
    }

    /// The same, for a page in which somebody fills in something.
    pub fn still(self) -> Self {
        Self { live: false, ..self }
    }

    /// Whether whoever looks may act on hosts.
    pub fn operates(&self) -> bool {
        self.may >= Some(Role::Operator)
    }

    /// Whether whoever looks may decide on Changes.
    pub fn approves(&self) -> bool {
        self.may >= Some(Role::Approver)
    }

    /// Whether whoever looks may do everything.
    pub fn administers(&self) -> bool {
        self.may >= Some(Role::Admin)
    }

    /// The menu.
    pub fn menu(&self) -> [(&'static str, &'static str); 9] {
        MENU
    }

    /// The address of what is loaded.
    pub fn asset(&self, name: &str) -> String {
        format!("/assets/{}/{name}", assets::HASH.as_str())
    }

    /// A time, as the API writes it, as HTML.
    pub fn time(&self, text: &str) -> String {
        words::parsed(text).map_or_else(|| super::inert::escaped(text), |at| words::time(at, self.now))
    }

    /// A time as HTML, or a dash.
    pub fn time_or(&self, text: &Option<String>) -> String {
        text.as_deref().map_or_else(|| "–".to_owned(), |text| self.time(text))
    }

    /// A time as HTML.
    pub fn at(&self, at: &Timestamp) -> String {
        words::time(*at, self.now)
    }

    /// A word with its sign, as HTML.
    pub fn tag(&self, word: &str) -> String {
        words::tag(word)
    }

    /// The class of colours of a word.
    pub fn tone(&self, word: &str) -> &'static str {
        words::tone(word)
    }

    /// A number, or a dash.
    pub fn figure(&self, value: impl words::Figure) -> String {
        words::figure(value.value())
    }

    /// A value for an address.
    pub fn encoded(&self, text: &str) -> String {
        words::encoded(text)
    }

    /// Whether two texts are the same.
    pub fn same(&self, one: impl AsRef<str>, other: impl AsRef<str>) -> bool {
        one.as_ref() == other.as_ref()
    }

    /// The version of Belay.
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// The theme that was chosen; none where the system's is to be used.
fn theme(headers: &HeaderMap) -> Option<&'static str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    match pairs.find(|(name, _)| *name == "belay-theme")?.1 {
        "dark" => Some("dark"),
        "light" => Some("light"),
        _ => None,
    }
}

/// What no page may leave out: Belay itself in the way, holds broken by hand.
fn grave(state: &State) -> Vec<String> {
    let breaker = state.breaker.map(|breaker| {
        let (refused, asked) = (breaker.refused, breaker.asked);
        format!("Belay itself is stopping configuration management: {refused} of {asked} hosts that asked within the hour were refused")
    });
    let broken = state.holds.values().filter(|hold| hold.stands() && !hold.broken.is_empty());
    let broken = broken.map(|hold| format!("hold {} of {} was broken by hand on {}", hold.id, hold.owner, words::hosts(hold.broken.len())));
    breaker.into_iter().chain(broken).collect()
}

/// A page as it is sent.
///
/// # Errors
/// When it cannot be made, which would be a mistake in Belay.
pub fn page(template: &impl askama::Template) -> Result<Response<Body>, Refusal> {
    page_with(StatusCode::OK, template)
}

/// A page with another status.
///
/// # Errors
/// When it cannot be made, which would be a mistake in Belay.
pub fn page_with(status: StatusCode, template: &impl askama::Template) -> Result<Response<Body>, Refusal> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be made");
        Refusal::internal()
    })?;
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Forms check where they come from: a policy that sends nothing at all would make them all look foreign.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_theme_is_one_of_two_or_the_systems() {
        let of = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, cookie.parse().unwrap());
            theme(&headers)
        };
        assert_eq!(of("a=b; belay-theme=dark"), Some("dark"));
        assert_eq!(of("belay-theme=light"), Some("light"));
        assert_eq!(of("belay-theme=\"><script>"), None);
        assert_eq!(of("belay=dark"), None);
    }
}
