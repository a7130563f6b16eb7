//! Credentials: listed, issued, ended. A secret is shown once and never kept.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use belay_api::http::{Page, PrincipalView, TokenBody, TokenIssued, TokenRow};
use belay_core::decide::Input;
use belay_core::model::ids::Digest;
use belay_core::model::principal::Token;

use super::super::refusal::Refusal;
use super::super::route::{Call, Reply};
use super::{invalid, settled};
use crate::drive::Keep;
use crate::secret;

/// All credentials, by name.
pub(crate) async fn list(call: Call) -> Result<Page<TokenRow>, Refusal> {
    let mut items: Vec<TokenRow> = call.app.drive.read(|state| state.tokens.iter().map(TokenRow::from).collect());
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Page { items, next: None })
}

/// Issues a credential.
pub(crate) async fn issue(call: Call, body: TokenBody) -> Result<Reply<TokenIssued>, Refusal> {
    let principal = body.principal().map_err(invalid)?;
    let secret = secret::fresh().map_err(|error| {
        tracing::error!(%error, "no secret could be made");
        Refusal::internal()
    })?;
    let view = PrincipalView::from(&principal);
    let token = Token { hash: Digest::of(secret.as_bytes()), name: body.name.clone(), principal, issued: call.app.drive.now() };
    let input = Input::IssueToken { principal: call.principal()?, token };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    Ok(Reply(StatusCode::CREATED, TokenIssued { name: body.name, secret, principal: view }))
}

/// Ends a credential.
pub(crate) async fn revoke(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let input = Input::RevokeToken { principal: call.principal()?, name: call.param("name").to_owned() };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
