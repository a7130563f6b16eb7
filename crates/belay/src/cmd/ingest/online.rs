//! Through the running server: one file after the other, since a host's later run means something only after its earlier one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use belay_adapters::tools;
use belay_api::http::{RunAnswer, RunRow};
use hyper::{Method, StatusCode};

use super::{Line, Told};
use crate::client::{Client, Content, Reply, escaped, read, refused};
use crate::fault::fault;

/// How often a busy server is asked again.
const TRIES: u32 = 5;
const WAIT_MAX: Duration = Duration::from_secs(10);

pub(super) async fn run(files: &[PathBuf], tool: &str, client: Client, told: &mut Told) -> anyhow::Result<()> {
    let door = tools::by_name(tool).and_then(|tool| tool.doors().first());
    let door = door.with_context(|| format!("{tool} has no door for reports"))?;
    for file in files {
        let body = match std::fs::read(file) {
            Ok(body) => body,
            Err(error) => {
                told.line(&Line::refused(file, format!("it could not be read: {error}")))?;
                continue;
            }
        };
        let content = Content::bytes(door.content.first().copied().unwrap_or("application/octet-stream"), body);
        let reply = patient(&client, door.path, content).await?;
        told.line(&line(&client, file, &reply).await?)?;
    }
    Ok(())
}

/// Sends it, and again while the server says that it is busy.
async fn patient(client: &Client, path: &str, content: Content) -> anyhow::Result<Reply> {
    let mut tries = 1;
    loop {
        let reply = client.send(Method::POST, path, Some(content.clone())).await?;
        let busy = matches!(reply.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        if !busy || tries == TRIES {
            return Ok(reply);
        }
        tries += 1;
        tokio::time::sleep(reply.retry_after.unwrap_or(Duration::from_secs(1)).min(WAIT_MAX)).await;
    }
}

/// What became of it. What concerns this file only is a line; what would be the same for all others ends the command.
async fn line(client: &Client, file: &Path, reply: &Reply) -> anyhow::Result<Line> {
    match reply.status {
        StatusCode::OK => {
            let RunAnswer { run, duplicate } = read(&reply.body)?;
            let row: RunRow = client.get(&format!("/api/v1/runs/{}", escaped(&run))).await?;
            Ok(Line { run: Some(run), kind: Some(row.kind), host: Some(row.host), duplicate, ..Line::of(file) })
        }
        StatusCode::ACCEPTED => Ok(Line { text: Some("it is safe, and will be read later".to_owned()), ..Line::of(file) }),
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => Err(refused("/api/v1/runs", reply).into()),
        StatusCode::SERVICE_UNAVAILABLE => Err(fault(
            refused("/api/v1/runs", reply).to_string(),
            "`belay doctor` tells why; what was taken stays taken, and a file may be sent twice",
        )),
        _ => Ok(Line::refused(file, refused("/api/v1/runs", reply).to_string())),
    }
}
