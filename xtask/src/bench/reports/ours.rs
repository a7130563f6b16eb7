//! Belay as the taker of reports: `belay serve` as it is shipped, one class that observes.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;

use super::Taker;
use super::meter::Tree;
use crate::night::belay::Belay;

const CONFIG: &str = "[[class]]\nname = \"all\"\nhosts = [\"*\"]\n";
/// Where nobody listens: no alert is configured.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// A server of our own.
pub struct Ours {
    belay: Belay,
    tree: u32,
}

impl Ours {
    /// Starts it with its state in this folder.
    pub fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let belay = Belay::start(program, folder, CONFIG, NOBODY)?;
        Ok(Self { tree: belay.pid(), belay })
    }
}

impl Taker for Ours {
    fn address(&self) -> SocketAddr {
        self.belay.address
    }

    fn trees(&self) -> anyhow::Result<(Tree, Option<Tree>)> {
        Ok((Tree::of(self.tree)?, None))
    }

    fn secret(&self) -> Option<&str> {
        Some(&self.belay.relay)
    }

    fn waiting(&self) -> anyhow::Result<u64> {
        let metrics = self.belay.text("/metrics")?;
        let rows = metrics.lines().find_map(|line| line.strip_prefix("belay_inbox_rows "));
        rows.and_then(|rows| rows.trim().parse().ok()).context("belay's metrics have no belay_inbox_rows")
    }

    /// Counted by reading them all, page by page.
    fn stored(&self) -> anyhow::Result<u64> {
        let (mut stored, mut page) = (0, "/api/v1/runs?limit=500".to_owned());
        loop {
            let answer = self.belay.get(&page)?;
            stored += answer["items"].as_array().map_or(0, Vec::len) as u64;
            match answer["next"].as_str() {
                Some(next) => page = format!("/api/v1/runs?limit=500&after={next}"),
                None => return Ok(stored),
            }
        }
    }
}
