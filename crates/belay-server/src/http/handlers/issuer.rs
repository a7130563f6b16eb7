//! Logging in through the identity provider: there, and back.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use belay_core::model::user::Proof;

use super::super::cookie::{self, Which};
use super::super::html;
use super::super::issuer::{Failed, Issuer};
use super::super::refusal::Refusal;
use super::super::route::{Call, Param};
use super::login::{Door, Proved, local};

/// Parameters of the way back.
pub(in crate::http) const BACK: [Param; 3] = [
    Param { name: "state", about: "Which login it is." },
    Param { name: "code", about: "What the provider gives in exchange for who it is." },
    Param { name: "error", about: "Why the provider let nobody in." },
];

/// Sends somebody to the identity provider.
pub(in crate::http) async fn go(call: Call) -> Result<Response<Body>, Refusal> {
    let (app, travel, next) = (call.app.clone(), call.app.travel(&call.headers), local(call.query("next")).to_owned());
    drop(call);
    let gone = issuer(&app.issuer)?.go(&next, app.drive.now()).await.map_err(refusal)?;
    let mut response = html::see_other(&gone.url);
    let set = cookie::set(travel, Which::Going, &gone.state).ok_or_else(Refusal::internal)?;
    response.headers_mut().append(header::SET_COOKIE, set);
    Ok(response)
}

/// Takes somebody who comes back. Whoever has not gone from this browser does not come in by it: nobody is logged in as
/// somebody else by a link.
pub(in crate::http) async fn back(call: Call) -> Result<Response<Body>, Refusal> {
    let (app, travel, door) = (call.app.clone(), call.app.travel(&call.headers), Door::of(&call));
    let text = |name: &str| call.query(name).unwrap_or_default().to_owned();
    let (state, code, error) = (text("state"), text("code"), text("error"));
    let own = cookie::read(&call.headers, travel, Which::Going).is_some_and(|sent| !state.is_empty() && sent == state);
    drop(call);
    let issuer = issuer(&app.issuer)?;
    if !own {
        return Err(Refusal::forbidden("this login was not begun in this browser, or too long ago: begin anew at /login"));
    }
    if code.is_empty() {
        return Err(Refusal::forbidden(format!(
            "the identity provider let nobody in: {}",
            if error.is_empty() { "no reason" } else { &error }
        )));
    }
    let (person, next) = issuer.back(&state, &code, app.drive.now()).await.map_err(refusal)?;
    let proved = Proved { person, by: Proof::Issuer, hash: None };
    let secret = door.begin(proved).await?.ok_or_else(|| Refusal::forbidden("the login does not hold any more: begin anew"))?;
    let mut response = html::see_other(&next);
    for cookie in [cookie::set(travel, Which::Session, &secret), cookie::clear(travel, Which::Going)] {
        response.headers_mut().append(header::SET_COOKIE, cookie.ok_or_else(Refusal::internal)?);
    }
    Ok(response)
}

fn issuer(issuer: &Option<Issuer>) -> Result<&Issuer, Refusal> {
    let none = "no identity provider is configured ([server.oidc]); log in with a password or a credential";
    issuer.as_ref().ok_or_else(|| Refusal::not_found(none))
}

fn refusal(failed: Failed) -> Refusal {
    match failed {
        Failed::Refused(text) => Refusal::forbidden(text),
        Failed::TooMany => Refusal::unavailable("too many people log in at once; try again", 30),
        Failed::Issuer(text) => {
            tracing::warn!(why = text, "a login through the identity provider came to nothing");
            let detail = "the identity provider could not be asked, or its answer cannot be used. Belay's log says why; a password or a credential still works";
            Refusal::new(StatusCode::BAD_GATEWAY, "issuer", detail)
        }
    }
}
