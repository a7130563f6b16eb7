//! Puppet: the report of a run, as the stock `http` report processor posts it (YAML) and as our
//! own processor does (JSON). `README.md` beside this file tells which versions were recorded and
//! what the format lies about.
//!
//! Modules, in the order of the data: `yaml` and `json` read the bytes under a budget (`walk`),
//! `collect` keeps what is needed (`spots`, `collected`, `value`), `classify` tells how the run
//! ended, `items` turns events into items, `decode` makes sure the report is whole and puts it
//! together. `write` is the way back, for simulators.
//!
//! `command` is the door of those who send to PuppetDB: reports, facts and catalogs; `inventory` reads a PuppetDB that is there.
//!
//! For a host's agent: `host` (places, command lines), `argv`, `lock`, `schedule`, `glance`,
//! `catalog`, `settings`; `enc` answers as a classifier.

mod argv;
mod catalog;
mod classify;
mod collect;
mod collected;
mod command;
mod decode;
mod deployed;
mod enc;
mod escapes;
mod glance;
mod host;
mod inventory;
pub mod items;
mod json;
mod lock;
mod schedule;
mod settings;
mod spots;
mod time;
mod value;
mod walk;
pub mod write;
mod yaml;

pub use catalog::BREAK_GLASS;
pub use classify::{NO_CLASS, NO_SERVER};
pub use walk::{BODY_MAX, DEPTH_MAX, TEXT_MAX, VALUES_MAX};

use super::feed::{FeedDoor, Told};
use super::{Door, Feed, Tool};
use belay_core::model::report::{Decoded, Unreadable};

/// The tool's name.
pub const NAME: &str = "puppet";

/// The tag of what installs and configures Belay itself: Puppet gives it to everything in a class or
/// module of this name.
pub const OWN_TAG: &str = "belay";

/// Puppet 4 to 8, by its reports of format 4 to 12.
#[derive(Clone, Copy, Debug)]
pub struct Puppet;

const DOORS: &[Door] =
    &[Door { path: "/api/v1/runs/puppet", tool: NAME, content: &["application/x-yaml", "application/yaml", "application/json"] }];

impl Tool for Puppet {
    fn name(&self) -> &'static str {
        NAME
    }

    fn doors(&self) -> &'static [Door] {
        DOORS
    }

    fn decode(&self, body: &[u8]) -> Result<Decoded, Unreadable> {
        decode::decode(body)
    }
}

/// The commands that PuppetDB's terminus submits; as an inventory, a PuppetDB that is asked.
#[derive(Clone, Copy, Debug)]
pub struct PuppetDb;

impl Feed for PuppetDb {
    fn name(&self) -> &'static str {
        command::NAME
    }

    fn doors(&self) -> &'static [FeedDoor] {
        &[FeedDoor { path: "/pdb/cmd/v1", feed: command::NAME, content: &["application/json"] }]
    }

    fn read(&self, query: &str, body: &[u8]) -> Result<Told, Unreadable> {
        command::read(query, body)
    }

    /// The terminus wants a JSON object; PuppetDB itself answers with the command's UUID.
    fn acknowledgement(&self, id: &str) -> String {
        format!("{{\"uuid\":\"{id}\"}}")
    }
}

/// What was read from a PuppetDB: the commands that would have been sent to it.
#[derive(Clone, Copy, Debug)]
pub struct PuppetDbPulled;

impl Feed for PuppetDbPulled {
    fn name(&self) -> &'static str {
        inventory::FEED
    }

    /// None: only Belay itself reads it.
    fn doors(&self) -> &'static [FeedDoor] {
        &[]
    }

    fn read(&self, query: &str, body: &[u8]) -> Result<Told, Unreadable> {
        Ok(Told { past: inventory::is_past(query), ..command::read(query, body)? })
    }

    fn acknowledgement(&self, id: &str) -> String {
        PuppetDb.acknowledgement(id)
    }
}
