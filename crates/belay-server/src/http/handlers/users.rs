//! People: who one is, accounts, sessions.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use belay_api::http::{MeView, Page, PasswordBody, SessionRow, UserBody, UserPatch, UserRow};
use belay_core::decide::Input;
use belay_core::model::ids::Digest;
use belay_core::model::principal::{Principal, Role};

use super::super::refusal::Refusal;
use super::super::route::{Call, Param, Reply};
use super::{invalid, limit, settled};
use crate::drive::Keep;

/// Parameters of the lists.
pub(crate) const LIST: [Param; 2] =
    [super::PAGED[0], Param { name: "after", about: "The `next` of the page before: the name or id it ended with." }];

/// Parameters of a removal.
pub(in crate::http) const REMOVE: [Param; 1] = [Param { name: "reason", about: "Why; it stands in the audit." }];

/// Who one is oneself.
pub(crate) async fn me(call: Call) -> Result<MeView, Refusal> {
    let view = MeView::from(&call.principal()?);
    let session = call.session.as_ref();
    Ok(MeView { ends: session.map(|session| session.ends.to_string()), csrf: session.map(|session| session.csrf.clone()), ..view })
}

/// Accounts, by name.
pub(crate) async fn list(call: Call) -> Result<Page<UserRow>, Refusal> {
    let (limit, after) = (limit(&call)?, call.query("after").unwrap_or_default());
    let rows: Vec<UserRow> = call.app.drive.read(|state| {
        let sessions = |name: &str| state.sessions.values().filter(|session| session.name() == name).count();
        let later = state.users.values().filter(|user| user.name.as_str() > after).take(limit + 1);
        later.map(|user| UserRow::of(user, sessions(&user.name))).collect()
    });
    Ok(cut(rows, limit, |row| row.name.clone()))
}

/// Sessions, the last used first.
pub(crate) async fn sessions(call: Call) -> Result<Page<SessionRow>, Refusal> {
    let (limit, now) = (limit(&call)?, call.app.drive.now());
    let after = call.query("after").map(session_id).transpose()?;
    let rows: Vec<SessionRow> = call.app.drive.read(|state| {
        let mut standing: Vec<_> = state.sessions.values().filter(|session| state.stands_for(session, now).is_some()).collect();
        standing.sort_by_key(|session| (std::cmp::Reverse(session.seen), session.id));
        let from = after.map_or(0, |after| standing.iter().position(|session| session.id == after).map_or(0, |at| at + 1));
        standing.into_iter().skip(from).take(limit + 1).map(SessionRow::from).collect()
    });
    Ok(cut(rows, limit, |row| row.id.clone()))
}

/// One row more than wanted tells whether there is another page.
fn cut<T>(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Page<T> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(key);
    Page { items: rows, next }
}

/// Makes an account.
pub(crate) async fn add(call: Call, body: UserBody) -> Result<Reply<UserRow>, Refusal> {
    body.ask(None).map_err(invalid)?;
    let hash = match body.password.clone() {
        Some(password) => Some(call.app.passwords.hash(&body.name, password).await?),
        None => None,
    };
    let ask = Box::new(body.ask(hash).map_err(invalid)?);
    settled(call.app.drive.decide(Input::AddUser { principal: call.principal()?, ask }, Keep::default()).await?)?;
    Ok(Reply(StatusCode::CREATED, row(&call, &body.name)?))
}

/// Alters an account.
pub(crate) async fn alter(call: Call, body: UserPatch) -> Result<Reply<UserRow>, Refusal> {
    let (name, edit) = (call.param("name").to_owned(), body.edit().map_err(invalid)?);
    let reason = body.reason.unwrap_or_default();
    settled(
        call.app.drive.decide(Input::EditUser { principal: call.principal()?, name: name.clone(), edit, reason }, Keep::default()).await?,
    )?;
    Ok(row(&call, &name)?.into())
}

fn row(call: &Call, name: &str) -> Result<UserRow, Refusal> {
    let row = call.app.drive.read(|state| {
        let sessions = state.sessions.values().filter(|session| session.name() == name).count();
        state.users.get(name).map(|user| UserRow::of(user, sessions))
    });
    row.ok_or_else(|| Refusal::not_found(format!("there is no account {name}")))
}

/// Removes an account.
pub(crate) async fn remove(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let reason = call.query("reason").unwrap_or_default().to_owned();
    let input = Input::RemoveUser { principal: call.principal()?, name: call.param("name").to_owned(), reason };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    Ok(done())
}

/// Sets a password. Who is no admin has to know the present one; guessing it is counted as a login.
pub(crate) async fn password(call: Call, body: PasswordBody) -> Result<Reply<UserRow>, Refusal> {
    let (name, principal) = (call.param("name").to_owned(), call.principal()?);
    let own = matches!(&principal, Principal::Person { name: own, .. } if *own == name);
    if !own && !principal.has(Role::Admin) {
        return Err(Refusal::forbidden("setting somebody else's password needs the role of an admin"));
    }
    let app = call.app.clone();
    let proved = match body.current {
        Some(current) if own => {
            let known = app.drive.read(|state| state.users.get(&name).and_then(|user| user.hash.clone()));
            let attempt = app.logins.begin(&name, app.drive.now()).map_err(|wait| {
                let seconds = u32::try_from(wait.ms().max(0) / 1000).unwrap_or(u32::MAX).saturating_add(1);
                let detail = format!("too many attempts: try again in {seconds} seconds");
                Refusal { retry_after: Some(seconds), ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too-often", detail) }
            })?;
            let fits = app.passwords.fits(known.clone(), current).await?;
            if !fits {
                return Err(Refusal::forbidden("the present password is another one"));
            }
            app.logins.succeeded(&attempt);
            known
        }
        Some(_) | None => None,
    };
    let hash = app.passwords.hash(&name, body.password).await?;
    let input = Input::SetPassword { principal, name: name.clone(), hash, proved };
    settled(app.drive.decide(input, Keep::default()).await?)?;
    let row = app.drive.read(|state| state.users.get(&name).map(|user| UserRow::of(user, 0)));
    Ok(row.ok_or_else(|| Refusal::not_found(format!("there is no account {name}")))?.into())
}

/// Ends a session.
pub(crate) async fn revoke(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let input = Input::EndSession { principal: call.principal()?, id: session_id(call.param("id"))? };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    Ok(done())
}

pub(crate) fn session_id(text: &str) -> Result<Digest, Refusal> {
    Digest::parse(text).ok_or_else(|| Refusal::bad_request(format!("{text:?} is no session; `belay session list` has those there are")))
}

fn done() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
