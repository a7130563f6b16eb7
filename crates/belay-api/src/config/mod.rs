//! The operator's configuration: TOML in, [`Config`] out, or every mistake with its place.
//!
//! Nothing is ignored: an unknown key, an unknown word and a key of something that is not built yet
//! are mistakes, each with its remedy. What is read here is checked; the core never checks again.

mod alert;
mod check;
mod class;
mod draft;
mod error;
mod freeze;
mod hours;
mod inventory;
mod issuer;
mod server;
mod signal;
mod source;
mod table;
mod waves;
mod words;
mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;

use belay_core::model::hours::Zone;
use belay_core::model::ids::HostId;
use belay_core::model::policy::{Pattern, Policy};
use belay_core::model::principal::Role;
use belay_core::model::time::Span;

pub(crate) use words::span;

pub use error::ConfigError;

/// The most classes that may be declared.
pub const CLASSES_MAX: usize = 200;
/// The most signals that may be declared.
pub const SIGNALS_MAX: usize = 1_000;
/// The most places alerts go to.
pub const ALERTS_MAX: usize = 50;
/// The most freezes that may be declared.
pub const FREEZES_MAX: usize = 200;

/// The most relays that may be declared.
pub const RELAYS_MAX: usize = 200;

/// A host whose certificate speaks for others too: a server of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// The name in its certificate.
    pub name: HostId,
    /// The hosts it speaks for.
    pub hosts: Pattern,
}

/// A program that knows the fleet already, and is only read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryConfig {
    /// What it is called: by this it is known how far it was read.
    pub name: String,
    /// The name of the adapter that knows how to read it.
    pub kind: String,
    /// Where it is asked, without a slash at the end.
    pub url: String,
    /// The files it takes to be let in.
    pub files: InventoryFiles,
    /// The hosts it is believed about.
    pub hosts: Pattern,
    /// How often it is asked.
    pub every: Span,
    /// How much of its past is read.
    pub past: Span,
}

/// Files by which an inventory and who asks it know one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryFiles {
    /// The PEM file with the authorities that sign its certificate; those of the web where there is none.
    pub ca: Option<String>,
    /// The PEM file with the certificate to show.
    pub certificate: Option<String>,
    /// The PEM file with its key.
    pub key: Option<String>,
}

/// What the server itself needs to know before it can start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerConfig {
    /// Address and port it listens on, for example `127.0.0.1:7878`.
    pub listen: Option<String>,
    /// The PEM file with its certificate chain and private key; without one it speaks no TLS.
    pub certificate: Option<String>,
    /// The folder that holds its state.
    pub state_dir: Option<String>,
    /// Where people reach it, without a slash at the end. The policy has it too, for links.
    pub public_url: Option<String>,
    /// The PEM file with the authorities that sign the hosts' certificates; without one nobody is asked for a certificate.
    pub client_ca: Option<String>,
    /// The PEM file with the lists of the certificates those authorities have revoked.
    pub client_crl: Option<String>,
    /// Hosts whose certificates speak for others too.
    pub relays: Vec<RelayConfig>,
    /// The identity provider that people log in through.
    pub oidc: Option<IssuerConfig>,
}

/// An identity provider (OpenID Connect).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Its address, as it calls itself.
    pub issuer: String,
    /// What Belay is called there.
    pub client_id: String,
    /// The file that holds the secret Belay has there.
    pub client_secret_file: String,
    /// The claim that says what groups a person is in.
    pub role_claim: String,
    /// The claim that says how a person is called.
    pub name_claim: NameClaim,
    /// What a person of each group may do; the most of them counts.
    pub roles: BTreeMap<String, Role>,
}

/// By which claim a person is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameClaim {
    /// The name at the provider.
    PreferredUsername,
    /// The address of mail, where the provider has verified it.
    Email,
    /// What never changes, and nobody can read.
    Sub,
}

impl NameClaim {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PreferredUsername, Self::Email, Self::Sub];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PreferredUsername => "preferred_username",
            Self::Email => "email",
            Self::Sub => "sub",
        }
    }
}

/// A configuration that was found valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What the server itself needs.
    pub server: ServerConfig,
    /// Programs that know the fleet already.
    pub inventories: Vec<InventoryConfig>,
    /// What decisions depend on.
    pub policy: Policy,
}

/// Reads one text. `name` is what errors call it. The text of a policy is read back by this, and
/// gives the same policy.
///
/// # Errors
/// Every mistake that was found, in the order of the text.
pub fn parse(name: &str, text: &str) -> Result<Config, Vec<ConfigError>> {
    parse_many(&[(name, text)])
}

/// Reads a file and its drop-ins, each as name and text, in order. Lists are joined; a single value
/// that is given twice is a mistake that names both places.
///
/// # Errors
/// Every mistake that was found, in the order of the files.
pub fn parse_many(files: &[(&str, &str)]) -> Result<Config, Vec<ConfigError>> {
    read(files, zone::Zones::default())
}

/// Reads a recorded text back, with the time zones as they were when it was recorded.
pub(crate) fn parse_recorded(text: &str, zones: BTreeMap<String, Arc<Zone>>) -> Result<Config, Vec<ConfigError>> {
    read(&[("recorded configuration", text)], zone::Zones::recorded(zones))
}

fn read(files: &[(&str, &str)], zones: zone::Zones) -> Result<Config, Vec<ConfigError>> {
    let text = source::join(files);
    let sources: Vec<source::Source> = files.iter().flat_map(|(name, text)| source::split(name, text)).collect();
    let mut draft = draft::Draft { zones, ..draft::Draft::default() };
    for source in &sources {
        draft.read(source);
    }
    // While a file could not be read at all, what others refer to may well stand in it.
    let mut errors = if draft.unread { Vec::new() } else { check::mistakes(&draft) };
    errors.append(&mut draft.errors);
    if errors.is_empty() {
        return Ok(draft.into_config(&text));
    }
    let order = |error: &ConfigError| sources.iter().position(|source| *source.name == *error.file);
    errors.sort_by_key(|error| (order(error), error.line, error.column));
    Err(errors)
}

/// Errors as one text, a line each.
pub(crate) fn lines(errors: &[ConfigError]) -> String {
    errors.iter().map(ConfigError::to_string).collect::<Vec<_>>().join("\n")
}
