//! The one place where it is checked who may: whoever asks, from which page, and for what.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::RawPathParams;
use axum::http::{self, HeaderValue, Method, Response, StatusCode, header};
use belay_core::decide::Input;

use super::auth::{self, Asked, By, May, Peer, Shown};
use super::origin::{self, Origin};
use super::refusal::Refusal;
use super::route::{Call, Handler, Kind};
use super::{App, html};
use crate::drive::Keep;

/// What a script of a page sends along with whatever acts.
const CSRF_HEADER: &str = "x-belay-csrf";

/// What a route demands.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) may: May,
    pub(super) kind: Kind,
}

/// The one place where it is checked who may.
pub(super) async fn guard(
    app: Arc<App>,
    rules: Rules,
    params: RawPathParams,
    request: http::Request<Body>,
    handler: Handler,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let (id, path) = (app.requests.next(), parts.uri.path().to_owned());
    let peer = parts.extensions.get::<Peer>().cloned().unwrap_or(Peer::Network);
    let from = parts.extensions.get::<SocketAddr>().map(SocketAddr::ip);
    let (now, travel) = (app.drive.now(), app.travel(&parts.headers));
    let shown = Shown { headers: &parts.headers, peer: &peer, travel };
    let asked = app.drive.read(|state| auth::asked(state, shown, rules.may, now));
    let from_page = app.drive.read(|state| origin::of(&parts.headers, state.policy.public_url.as_deref()));
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let query = super::form::pairs(&raw_query);
    let Asked { who, by, session, credential } = asked;
    let (method, headers) = (parts.method, parts.headers);
    let (path_of, body) = (path.clone(), body.into());
    let certified = match &peer {
        Peer::Certified(certified) => Some(certified.host.clone()),
        Peer::Network | Peer::Local(_) | Peer::Unfit(_) => None,
    };
    let app_of = Arc::clone(&app);
    let call =
        Call { app: app_of, method, who, session, credential, certified, from, path: path_of, params, query, raw_query, headers, body };
    let answered = match rules.check(&call, by, from_page) {
        Err(refusal) => {
            let login = Some(login_instead(rules.kind, &call, &path)).filter(|_| refusal.status == StatusCode::UNAUTHORIZED);
            Err((refusal, login.flatten()))
        }
        Ok(()) => {
            notice(&call);
            handler(call).await.map_err(|refusal| (refusal, None))
        }
    };
    let mut response = answered.unwrap_or_else(|(refusal, login)| {
        tracing::info!(request_id = id, %path, status = refusal.status.as_u16(), detail = refusal.detail, "refused");
        refused(rules.kind, refusal, login.as_deref(), &path, &id)
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

impl Rules {
    /// Whether a call may go on.
    fn check(self, call: &Call, by: By, from_page: Origin) -> Result<(), Refusal> {
        self.may.check(&call.who)?;
        if matches!(call.method, Method::GET | Method::HEAD | Method::OPTIONS) || by == By::Bearer {
            return Ok(());
        }
        let foreign = || Refusal::new(StatusCode::FORBIDDEN, "origin", "this was sent by a page of another site, and is not done");
        match (from_page, by) {
            (Origin::Foreign, _) => return Err(foreign()),
            (Origin::Unsaid, By::Cookie) if self.may != May::Anyone => return Err(foreign()),
            (Origin::Own | Origin::Unsaid, _) => {}
        }
        if self.kind != Kind::Api || self.may == May::Anyone {
            return Ok(());
        }
        let sent = call.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        call.check_csrf(sent, "the header x-belay-csrf")
    }
}

/// Where whoever is not known has to go first.
fn login_instead(kind: Kind, call: &Call, path: &str) -> Option<String> {
    match kind {
        Kind::Page => {
            let query = if call.raw_query.is_empty() { String::new() } else { format!("?{}", call.raw_query) };
            Some(format!("/login?next={}", super::form::escaped(&format!("{path}{query}"))))
        }
        Kind::Form => Some("/login".to_owned()),
        Kind::Api => None,
    }
}

/// Takes note now and then that a session is used; nobody waits for it, and it is tried again with the next request.
fn notice(call: &Call) {
    // A page that is left open listens on by itself: that is no use by a person.
    let listens = call.headers.get(header::ACCEPT).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    let Some(session) = call.session.as_ref().filter(|session| session.noticed && !listens) else { return };
    let (drive, input) = (call.app.drive.clone(), Input::SessionSeen { id: session.id });
    tokio::spawn(async move { drop(drive.decide(input, Keep::default()).await) });
}

fn refused(kind: Kind, refusal: Refusal, login: Option<&str>, path: &str, id: &str) -> Response<Body> {
    match (kind, login) {
        (_, Some(login)) => html::see_other(login),
        (Kind::Api, None) => refusal.into_response(path, id),
        (Kind::Page | Kind::Form, None) => html::framed(html::refused(&refusal)),
    }
}
