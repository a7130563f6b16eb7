//! Logging in and out. Whether a name is known, disabled, or its password wrong: the answer is the same, and takes as long.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use belay_core::decide::{Answer, Input};
use belay_core::model::ids::Digest;
use belay_core::model::principal::Principal;
use belay_core::model::time::Span;
use belay_core::model::user::{Proof, Session};

use super::super::App;
use super::super::auth::session_id;
use super::super::cookie::{self, Which};
use super::super::html;
use super::super::issuer::Issuer;
use super::super::refusal::Refusal;
use super::super::route::{Call, Param};
use crate::drive::Keep;
use crate::secret;

/// Parameters of the login's page.
pub(crate) const LOGIN: [Param; 1] = [Param { name: "next", about: "The page to go to afterwards." }];
/// Where people go who were on their way to nowhere.
const HOME: &str = "/";
/// The longest address of a page to go to.
const NEXT_MAX: usize = 1_000;
/// What is typed as a name is looked at up to here, in bytes.
const NAME_MAX: usize = 200;
const WRONG: &str = "The name or the password is wrong, or the account is disabled.";

/// The page on which people log in.
pub(crate) async fn page(call: Call) -> Result<Response<Body>, Refusal> {
    Ok(html::login(StatusCode::OK, &ask(&call.app, local(call.query("next"))), None))
}

/// Somebody logs in: with name and password, or with a credential that stands for a person.
pub(crate) async fn enter(call: Call, form: Vec<(String, String)>) -> Result<Response<Body>, Refusal> {
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let next = local(Some(field("next")));
    let (name, token) = (field("name").trim(), field("token").trim());
    let travel = call.app.travel(&call.headers);
    let door = Door::of(&call);
    let app = Arc::clone(&call.app);
    let shown = if token.is_empty() { name } else { "a credential" };
    let attempt = match app.logins.begin(if token.is_empty() { name } else { token }, app.drive.now()) {
        Ok(attempt) => attempt,
        Err(wait) => return Ok(too_often(&ask(&app, next), wait)),
    };
    let proved = if token.is_empty() { door.by_password(name, field("password")).await? } else { door.by_token(token) };
    let proved = match proved {
        Some(proved) => door.begin(proved).await?,
        None => None,
    };
    let Some(secret) = proved else {
        if attempt.noted {
            let input = Input::LoginRefused { name: shown.to_owned(), from: door.from.clone() };
            app.drive.decide(input, Keep::default()).await?;
        }
        return Ok(html::login(StatusCode::FORBIDDEN, &ask(&app, next), Some(WRONG)));
    };
    app.logins.succeeded(&attempt);
    let mut response = html::see_other(next);
    let set = cookie::set(travel, Which::Session, &secret).ok_or_else(Refusal::internal)?;
    response.headers_mut().append(header::SET_COOKIE, set);
    Ok(response)
}

/// Somebody logs out.
pub(crate) async fn leave(call: Call, _: Vec<(String, String)>) -> Result<Response<Body>, Refusal> {
    let travel = call.app.travel(&call.headers);
    Door::of(&call).end_own().await?;
    let mut response = html::see_other("/login");
    if let Some(clear) = cookie::clear(travel, Which::Session) {
        response.headers_mut().append(header::SET_COOKIE, clear);
    }
    Ok(response)
}

/// Who proved to be the one, and by what.
pub(super) struct Proved {
    pub(super) person: Principal,
    pub(super) by: Proof,
    pub(super) hash: Option<String>,
}

/// What logging in and out needs of a call.
pub(super) struct Door {
    app: Arc<App>,
    /// From where somebody comes.
    from: Option<String>,
    /// The session that somebody has already, and whose it is.
    own: Option<(Principal, Digest)>,
}

impl Door {
    pub(super) fn of(call: &Call) -> Self {
        let own = call.principal().ok().zip(call.session.as_ref().map(|session| session.id));
        Self { app: Arc::clone(&call.app), from: call.from.map(|from| from.to_string()), own }
    }

    async fn by_password(&self, name: &str, password: &str) -> Result<Option<Proved>, Refusal> {
        let user = self.app.drive.read(|state| state.users.get(name).filter(|_| name.len() <= NAME_MAX).cloned());
        let hash = user.as_ref().and_then(|user| user.hash.clone());
        let fits = self.app.passwords.fits(hash.clone(), password.to_owned()).await?;
        let user = user.filter(|user| fits && !user.disabled);
        Ok(user.map(|user| Proved { person: user.principal(), by: Proof::Password, hash }))
    }

    fn by_token(&self, secret: &str) -> Option<Proved> {
        let hash = Digest::of(secret.as_bytes());
        let token = self.app.drive.read(|state| state.tokens.iter().find(|token| token.hash == hash).cloned())?;
        let person = matches!(token.principal, Principal::Person { .. });
        person.then_some(Proved { person: token.principal, by: Proof::Token(token.name), hash: None })
    }

    /// Begins a session, in place of the one that there was; what its cookie is to hold. None where the account was
    /// altered in the moment.
    pub(super) async fn begin(&self, proved: Proved) -> Result<Option<String>, Refusal> {
        let secret = secret::fresh().map_err(|error| {
            tracing::error!(%error, "no secret could be made");
            Refusal::internal()
        })?;
        let now = self.app.drive.now();
        let session =
            Session { id: session_id(&secret), person: proved.person, by: proved.by, opened: now, seen: now, from: self.from.clone() };
        let input = Input::OpenSession { session: Box::new(session), proved: proved.hash };
        match self.app.drive.decide(input, Keep::default()).await? {
            Answer::Done => {}
            Answer::Forbidden(_) => return Ok(None),
            other => return Err(super::settled(other).err().unwrap_or_else(Refusal::internal)),
        }
        self.end_own().await?;
        Ok(Some(secret))
    }

    async fn end_own(&self) -> Result<(), Refusal> {
        let Some((principal, id)) = self.own.clone() else { return Ok(()) };
        // One that has ended meanwhile is what was asked for.
        self.app.drive.decide(Input::EndSession { principal, id }, Keep::default()).await?;
        Ok(())
    }
}

/// What the page asks for.
fn ask<'a>(app: &'a App, next: &'a str) -> html::Ask<'a> {
    html::Ask { next, issuer: app.issuer.as_ref().map(Issuer::name) }
}

fn too_often(next: &html::Ask<'_>, wait: Span) -> Response<Body> {
    let seconds = u32::try_from(wait.ms().max(0) / 1000).unwrap_or(u32::MAX).saturating_add(1);
    let mut response =
        html::login(StatusCode::TOO_MANY_REQUESTS, next, Some(&format!("Too many attempts: try again in {seconds} seconds.")));
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// A page of this server, or the beginning: nobody is sent to another site from here.
pub(crate) fn local(next: Option<&str>) -> &str {
    let own = |next: &&str| {
        let begins = next.starts_with('/') && !next.starts_with("//");
        begins && next.len() <= NEXT_MAX && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    next.filter(own).unwrap_or(HOME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for bad in
            ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\r\nb", "/\t/evil.example", "javascript:alert(1)"]
        {
            assert_eq!(local(Some(bad)), HOME, "{bad:?}");
        }
        assert_eq!(local(Some("/changes/c-1?a=b")), "/changes/c-1?a=b");
        assert_eq!(local(None), HOME);
    }
}
