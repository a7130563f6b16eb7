//! Backups, sent while they are taken.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use belay_core::decide::Input;

use super::super::refusal::Refusal;
use super::super::route::Call;
use super::super::stream::streamed;
use super::settled;
use crate::backup;
use crate::drive::Keep;

/// Takes a backup. That it was taken is in the audit before its first byte is sent.
pub(in crate::http) async fn take(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let busy = || Refusal::new(StatusCode::CONFLICT, "conflict", backup::BackupError::Busy.to_string());
    let turn = Arc::clone(&call.app.backups).try_acquire_owned().map_err(|_| busy())?;
    backup::room(&call.app.state_dir).map_err(|full| Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "no-room", full.to_string()))?;
    let principal = call.principal()?;
    settled(call.app.drive.decide(Input::BackUp { principal }, Keep::default()).await?)?;
    let (dir, now) = (call.app.state_dir.clone(), call.app.drive.now());
    let (mut sink, body) = streamed();
    // It ends by itself: with the backup, or when whoever asked has gone or does not read.
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        match backup::take(&dir, now, &mut sink) {
            Ok(manifest) => tracing::info!(facts = manifest.facts, bytes = manifest.bytes(), "a backup was taken"),
            Err(error) => {
                tracing::error!(%error, "a backup could not be taken");
                sink.fail(error.to_string());
            }
        }
    });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    Ok(response)
}
