//! Tools of configuration management. A new one is a folder here and a line in [`all`].
//!
//! A tool decodes what it sends about a run; what the run *means* for a host is decided in the
//! core. Folders do not use one another; what several need lies beside this file. What runs on hosts
//! knows a tool by [`host`].

pub mod bytes;
pub mod conformance;
pub mod feed;
pub mod host;
pub mod inventory;
pub mod mask;
pub mod puppet;
pub mod redact;

pub use feed::{Feed, all_feeds, feed_by_name};
pub use host::{HostTool, all_host_tools, host_tool_by_name};
pub use inventory::{Inventory, all_inventories, inventory_by_name};

use belay_core::model::report::{Decoded, Unreadable};

/// A road by which a tool's reports come in over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// Path of the request, for example `/api/v1/runs/puppet`.
    pub path: &'static str,
    /// Name of the tool whose [`Tool::decode`] reads the body.
    pub tool: &'static str,
    /// Media types senders are known to use, for the manual. A door never refuses by media type:
    /// senders get it wrong, and the bytes say what they are.
    pub content: &'static [&'static str],
}

/// A tool of configuration management.
pub trait Tool: Sync {
    /// Its name, as in `--tool` and in a report's `tool`.
    fn name(&self) -> &'static str;

    /// The doors its reports come in by.
    fn doors(&self) -> &'static [Door];

    /// Reads one report.
    ///
    /// # Errors
    /// [`Unreadable`] when the bytes are not a whole report of this tool: it names the offset, the
    /// reason, and the host where one was named. A truncated report is always unreadable, never a
    /// run with less in it.
    fn decode(&self, body: &[u8]) -> Result<Decoded, Unreadable>;
}

/// All tools, in the order of the manual.
pub fn all() -> &'static [&'static dyn Tool] {
    &[&puppet::Puppet]
}

/// The tool of this name, exactly as [`Tool::name`] says it.
pub fn by_name(name: &str) -> Option<&'static dyn Tool> {
    all().iter().copied().find(|tool| tool.name() == name)
}
