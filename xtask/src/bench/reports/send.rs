//! The senders: each sends its next command as soon as the one before is acknowledged, by a connection of its own, as the terminus does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{bail, ensure};

use super::fleet::Command;
use crate::night::http;

/// Sends all of them; none may be refused.
pub fn all(to: SocketAddr, secret: Option<&str>, commands: &[Command], senders: usize) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let send = || -> anyhow::Result<()> {
        while let Some(command) = commands.get(next.fetch_add(1, Ordering::Relaxed)) {
            one(to, secret, command)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let sending: Vec<_> = (0..senders).map(|_| scope.spawn(send)).collect();
        sending.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| bail!("a sender panicked")))
    })
}

/// Sends one of them.
pub fn one(to: SocketAddr, secret: Option<&str>, command: &Command) -> anyhow::Result<()> {
    let (bearer, plain) = (secret.map(|secret| format!("Bearer {secret}")), command.plain.to_string());
    let mut headers = vec![
        ("Content-Type", "application/json; charset=utf-8"),
        ("Accept", "application/json"),
        ("Content-Encoding", "gzip"),
        ("X-Uncompressed-Length", plain.as_str()),
    ];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    let reply = http::send(to, "POST", &command.path, &headers, &command.body)?;
    ensure!(reply.status == 200, "{} was answered {}: {}", command.path, reply.status, reply.text());
    Ok(())
}
