//! `belay profile`: servers by name, kept on this machine.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::client::Place;
use crate::fault::{Fault, code};
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::table::Table;
use crate::out::told::told;
use crate::out::{self, Output};
use crate::profile::{self, Profile, Profiles};

/// What to do with profiles.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Profiles are kept in ~/.config/belay/profiles.toml. A token is never in it, but in a file that is nobody else's.
Use one with --profile NAME, or with the variable BELAY_PROFILE.")]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with profiles.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// List them
    List(List),
    /// Add one, or put another in the place of the one of that name
    Add(Add),
    /// Remove one; its token's file stays
    Remove(Remove),
}

/// How to list.
#[derive(clap::Args, Debug)]
pub struct List {
    /// table for people; json for programs; jsonl one entry a line
    #[arg(short, long, value_enum, value_name = "FORM", default_value = "table", hide_possible_values = true)]
    pub output: Output,
}

/// A profile to add.
#[derive(clap::Args, Debug)]
pub struct Add {
    /// What it is called
    pub name: String,
    /// Address of the server, for example https://belay.example.com:7878
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// File that holds the token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate of whoever signed the server's, as PEM; else the authorities of the web are trusted
    #[arg(long = "ca", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// A profile to remove.
#[derive(clap::Args, Debug)]
pub struct Remove {
    /// What it is called
    pub name: String,
}

/// Lists, adds or removes profiles.
///
/// # Errors
/// When the file of profiles cannot be read or written, or what is named cannot be used.
pub fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let mut profiles = Profiles::read()?;
    match &args.action {
        Action::List(list) => out::put(&shown(&profiles, list.output, Paint::stdout(colour))?)?,
        Action::Add(add) => {
            let verb = if profiles.named.contains_key(&add.name) { "Replaced" } else { "Added" };
            profiles.named.insert(name(&add.name)?.to_owned(), checked(add)?);
            profiles.write()?;
            said(colour, verb, &format!("{}; use it: belay --profile {} status", add.name, add.name));
        }
        Action::Remove(remove) => {
            profiles.get(&remove.name)?;
            profiles.named.remove(&remove.name);
            profiles.write()?;
            said(colour, "Removed", &remove.name);
        }
    }
    Ok(code::OK)
}

fn said(colour: Colour, verb: &str, what: &str) {
    out::note(&told(Paint::stderr(colour), Tone::Good, verb, what));
}

/// A name that needs no quotes, in a shell nor in the file.
fn name(name: &str) -> Result<&str, Fault> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if plain { Ok(name) } else { Err(Fault::usage(format!("{name:?} is no name for a profile")).help("letters, digits, - and _")) }
}

/// What would fail with the first question fails now.
fn checked(add: &Add) -> anyhow::Result<Profile> {
    Place::parse(&add.url)?;
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let (token_file, ca_file) = (add.token_file.as_ref().map(absolute), add.ca_file.as_ref().map(absolute));
    token_file.as_deref().map(profile::token).transpose()?;
    if let Some(path) = ca_file.as_deref().filter(|path| !path.is_file()) {
        return Err(Fault::usage(format!("there is no file {}", path.display()))
            .help("--ca FILE is the certificate of whoever signed the server's")
            .into());
    }
    Ok(Profile { url: add.url.clone(), token_file, ca_file })
}

fn shown(profiles: &Profiles, output: Output, paint: Paint) -> anyhow::Result<String> {
    let path = |path: &Option<PathBuf>| path.as_deref().map_or_else(|| "-".to_owned(), |path: &Path| path.display().to_string());
    Ok(match output {
        Output::Json => format!("{}\n", serde_json::to_string(&profiles.named)?),
        Output::Jsonl => {
            let line = |(name, profile): (&String, &Profile)| {
                let mut line = serde_json::to_value(profile)?;
                line["name"] = name.as_str().into();
                Ok(format!("{line}\n"))
            };
            profiles.named.iter().map(line).collect::<anyhow::Result<String>>()?
        }
        Output::Table if profiles.named.is_empty() => {
            "no profiles; add one: belay profile add NAME --url URL --token-file FILE\n".to_owned()
        }
        Output::Table => {
            let mut table = Table::new(&["NAME", "URL", "TOKEN FILE", "CA FILE"]);
            for (name, profile) in &profiles.named {
                table.row(Tone::Plain, [name.clone(), profile.url.clone(), path(&profile.token_file), path(&profile.ca_file)]);
            }
            table.render(paint)
        }
    })
}
