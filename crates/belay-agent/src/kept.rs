//! What the agent keeps in its folder. Several processes of ours look at it (the daemon, the gate
//! before each run, a person's command): whoever alters it holds the guard, whoever only reads needs
//! none, because every file is replaced whole.
//!
//! Readable for everybody, since a classifier runs as the tool's own user; secrets are not in it.
//! Reports are, and their folder is root's alone; so is what tells of a catalog, which holds them.

mod applied;
mod notes;
mod policy;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use belay_api::agent::{AskedBody, GlassBody};
use belay_core::host::talk::{Asked, BreakGlass};
use belay_core::model::ids::{HostId, Release};
use belay_core::model::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use applied::Applied;
pub use notes::Notes;
pub(crate) use policy::POLICY_MAX;
pub use policy::{Contact, Held, LastGood, Taken};
pub use table::Storing;

use crate::durable::{self, Guard, Sync};

/// The largest of the small files, in bytes.
const SMALL_MAX: u64 = 8 * 1024 * 1024;

/// The folder.
#[derive(Clone, Debug)]
pub struct Kept {
    dir: PathBuf,
}

impl Kept {
    /// The folder of this path, which need not be there.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Makes the folder, where it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(&self) -> Result<()> {
        durable::folder(&self.dir, 0o755)
    }

    /// The right to alter what is kept, until it is dropped.
    ///
    /// # Errors
    /// Who is not root has none; and somebody else may keep it.
    pub fn guard(&self) -> Result<Guard> {
        self.make()?;
        durable::guard(&self.path("guard"))
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.path(name);
        let Some(bytes) = durable::read(&path, SMALL_MAX)? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).with_context(|| format!("{} cannot be read; remove it to begin anew", path.display()))
    }

    fn save<T: Serialize>(&self, name: &str, value: &T, sync: Sync) -> Result<()> {
        let bytes = serde_json::to_vec(value).with_context(|| format!("{name} cannot be written"))?;
        durable::write(&self.path(name), &bytes, 0o644, sync)
    }

    /// How the glass is broken now; `None` when it is whole. What cannot be read is whole.
    pub fn glass(&self, now: Timestamp) -> Option<BreakGlass> {
        let body: GlassBody = self.load("glass.json").ok()??;
        body.glass("").ok().filter(|glass| now < glass.until)
    }

    /// Breaks the glass. Needs the guard.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn break_glass(&self, _: &Guard, glass: &BreakGlass) -> Result<()> {
        self.save("glass.json", &GlassBody::from(glass), Sync::Yes)
    }

    /// Makes the glass whole. Needs the guard.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn mend_glass(&self, _: &Guard) -> Result<()> {
        durable::remove(&self.path("glass.json"))
    }

    /// The release that was set by hand.
    ///
    /// # Errors
    /// What stands there is none.
    pub fn release(&self) -> Result<Option<Release>> {
        let path = self.path("release");
        if !path.is_file() {
            return Ok(None);
        }
        crate::facts::release_from_file(&path).map(Some)
    }

    /// Sets the release by hand.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_release(&self, _: &Guard, release: &Release) -> Result<()> {
        durable::write(&self.path("release"), format!("{release}\n").as_bytes(), 0o644, Sync::Yes)
    }

    /// The gate's last answer.
    pub fn asked(&self) -> Option<Asked> {
        self.load::<AskedBody>("asked.json").ok()??.asked("").ok()
    }

    /// Keeps the gate's answer for the next poll. After a loss of power it may be the one before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_asked(&self, asked: &Asked) -> Result<()> {
        // Some file systems write at once what takes the place of another file: milliseconds for each run.
        _ = std::fs::remove_file(self.path("asked.json"));
        self.save("asked.json", &AskedBody::from(asked), Sync::No)
    }

    /// Keeps the last lines that matched each pattern of each log, to be shown on the host.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn note_lines<T: Serialize>(&self, lines: &T) -> Result<()> {
        let bytes = serde_json::to_vec(lines).context("lines of logs cannot be written")?;
        durable::write(&self.path("lines.json"), &bytes, 0o600, Sync::No)
    }

    /// The lines that were kept before; none where they cannot be read.
    pub fn lines<T: DeserializeOwned + Default>(&self) -> T {
        self.load("lines.json").ok().flatten().unwrap_or_default()
    }

    /// The file of another host's policy, for a host that answers for others.
    fn policy_path(&self, host: Option<&HostId>) -> PathBuf {
        // A host's name holds no '/', so it is no path.
        host.map_or_else(|| self.path("policy.json"), |host| self.path("policies").join(format!("{host}.json")))
    }
}
