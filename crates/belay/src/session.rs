//! What every command that asks a server has in common: how it is reached, as whom, and how the answer is printed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use belay_api::http::Page;
use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::client::{Client, Place, query, read};
use crate::fault::Fault;
use crate::out::inert::inert_json;
use crate::out::paint::{Colour, Paint};
use crate::out::when::{When, Zone};
use crate::out::{self, Output};
use crate::profile::{self, Profile, Profiles};

/// Where state is kept when nobody says where.
pub const STATE_DIR: &str = "belay-state";
/// How many entries are asked for at once.
const PAGE: usize = 500;

/// How the server is reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct Reach {
    /// Address of the server, for example https://belay.example.com:7878; else the unix socket in the state directory
    #[arg(long, value_name = "URL", env = "BELAY_SERVER", hide_env_values = true)]
    pub server: Option<String>,
    /// A server by the name it has here (`belay profile list`); else the variable BELAY_PROFILE, where BELAY_SERVER is not set
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Certificate of whoever signed the server's, as PEM; else the authorities of the web are trusted
    #[arg(long, value_name = "FILE", env = "BELAY_CA", hide_env_values = true)]
    pub ca: Option<PathBuf>,
    /// File that holds the token; else the variable BELAY_TOKEN. The unix socket needs none
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The server's state directory, where its unix socket is
    #[arg(long, value_name = "DIR", env = "BELAY_STATE", default_value = STATE_DIR, hide_env_values = true)]
    pub state: PathBuf,
}

/// How a result is printed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Form {
    /// table for people; json is the API's answer; jsonl one entry a line
    #[arg(short, long, value_enum, value_name = "FORM", default_value = "table", hide_possible_values = true)]
    pub output: Output,
    /// Print times in UTC, not in this machine's zone
    #[arg(long)]
    pub utc: bool,
}

/// A server to ask, and how answers are printed.
pub struct Session {
    /// The server.
    pub client: Client,
    /// In which form answers are printed.
    pub output: Output,
    /// How times are written.
    pub when: When,
    /// How stdout is painted.
    pub paint: Paint,
}

impl Reach {
    /// The client of the server. Nothing is connected yet.
    ///
    /// # Errors
    /// When the address, the token or the authorities cannot be used.
    pub fn client(&self) -> anyhow::Result<Client> {
        let ca = self.ca.clone().filter(|path| !path.as_os_str().is_empty());
        let Some(profile) = self.profile()? else {
            let place = self.url().map_or_else(|| Ok(Place::of_state(&self.state)), Place::parse)?;
            return Client::new(place, token(self.token_file.as_deref())?, ca.as_deref());
        };
        let ca = ca.filter(|ca| !is_variable("BELAY_CA", ca.as_os_str())).or(profile.ca_file);
        let file = self.token_file.clone().or(profile.token_file);
        Client::new(Place::parse(&profile.url)?, token(file.as_deref())?, ca.as_deref())
    }

    /// Whether the server is this machine's own, by its state directory.
    ///
    /// # Errors
    /// When a profile is named and cannot be used.
    pub fn is_local(&self) -> anyhow::Result<bool> {
        Ok(self.profile()?.is_none() && self.url().is_none())
    }

    fn url(&self) -> Option<&str> {
        self.server.as_deref().filter(|url| !url.is_empty())
    }

    /// The profile that is meant: what stands on the command line beats variables, and an address beats a name.
    fn profile(&self) -> anyhow::Result<Option<Profile>> {
        if self.profile.is_some() && self.url().is_some_and(|url| !is_variable("BELAY_SERVER", url.as_ref())) {
            return Err(Fault::usage("--server and --profile both say which server is meant").help("leave out one of them").into());
        }
        let variable = || std::env::var("BELAY_PROFILE").ok().filter(|name| !name.is_empty() && self.url().is_none());
        let Some(name) = self.profile.clone().or_else(variable) else { return Ok(None) };
        Ok(Some(Profiles::read()?.get(&name)?.clone()))
    }
}

/// Whether a value came by this variable, not by an option.
fn is_variable(name: &str, value: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|set| set == value)
}

/// The token in the file, or in the variable.
fn token(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let token = match file {
        Some(path) => Some(profile::token(path)?),
        None => std::env::var("BELAY_TOKEN").ok(),
    };
    let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
    if token.as_deref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(Fault::usage("the token holds a space or a character that no token has")
            .help("a token looks like belay_...; is it the right file?")
            .into());
    }
    Ok(token)
}

impl Session {
    /// A session, not yet connected.
    ///
    /// # Errors
    /// When the address or the token cannot be used.
    pub fn new(reach: &Reach, form: &Form, colour: Colour) -> anyhow::Result<Self> {
        let zone = if form.utc { Zone::Utc } else { Zone::Local };
        Ok(Self { client: reach.client()?, output: form.output, when: When::new(zone), paint: Paint::stdout(colour) })
    }

    /// Asks for one thing and prints it.
    ///
    /// # Errors
    /// The server's refusal, or why it could not be asked.
    pub async fn show<T: DeserializeOwned>(&self, path: &str, table: impl FnOnce(&Self, &T) -> String) -> anyhow::Result<T> {
        let raw = self.client.get_raw(path).await?;
        let view: T = read(&raw)?;
        match self.output {
            Output::Table => out::put(&table(self, &view))?,
            Output::Json | Output::Jsonl => self.put_raw(&raw)?,
        }
        Ok(view)
    }

    /// Prints an answer of the API as it is.
    ///
    /// # Errors
    /// When it cannot be printed.
    pub fn put_raw(&self, raw: &[u8]) -> anyhow::Result<()> {
        out::put(&format!("{}\n", inert_json(String::from_utf8_lossy(raw).trim_end())))
    }

    /// Asks for the first `limit` entries of a list and prints them.
    ///
    /// # Errors
    /// The server's refusal, or why it could not be asked.
    pub async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, Option<String>)],
        limit: usize,
        table: impl FnOnce(&Self, &[T]) -> String,
    ) -> anyhow::Result<()> {
        let page = self.entries(path, parameters, limit).await?;
        match self.output {
            Output::Json => self.put_raw(&serde_json::to_vec(&page)?)?,
            Output::Jsonl => page.items.iter().try_for_each(|entry| self.put_raw(entry.get().as_bytes()))?,
            Output::Table => {
                let entries = page.items.iter().map(|entry| read(entry.get().as_bytes())).collect::<anyhow::Result<Vec<T>>>()?;
                out::put(&table(self, &entries))?;
                if page.next.is_some() {
                    out::note(&format!("these are the first {}; there are more: --limit N", entries.len()));
                }
            }
        }
        Ok(())
    }

    /// The first `limit` entries of a list.
    ///
    /// # Errors
    /// The server's refusal, or why it could not be asked.
    pub async fn entries(&self, path: &str, parameters: &[(&str, Option<String>)], limit: usize) -> anyhow::Result<Page<Box<RawValue>>> {
        let mut all: Page<Box<RawValue>> = Page { items: Vec::new(), next: None };
        loop {
            let want = (limit - all.items.len()).min(PAGE);
            let own = [("limit", Some(want.to_string())), ("after", all.next.take())];
            let raw = self.client.get_raw(&format!("{path}{}", query(&[parameters, &own].concat()))).await?;
            let page: Page<Box<RawValue>> = read(&raw)?;
            let last = page.next.is_none() || page.items.is_empty();
            all.items.extend(page.items);
            all.next = page.next;
            if last || all.items.len() >= limit {
                return Ok(all);
            }
        }
    }
}
