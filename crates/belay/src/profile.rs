//! Servers by name: `~/.config/belay/profiles.toml`, and what secrets in files have to look like.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, fault};

/// A file of profiles has no need to be larger.
const FILE_MAX: u64 = 1 << 20;
/// A token is no longer than this.
const TOKEN_MAX: u64 = 4096;

/// A server with what it takes to ask it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its address.
    pub url: String,
    /// The file that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The certificate of whoever signed the server's, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// All profiles, and where they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profiles {
    /// The file.
    pub path: PathBuf,
    /// By name.
    pub named: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Those of this user; none where there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not what it should be.
    pub fn read() -> anyhow::Result<Self> {
        Self::of(place()?)
    }

    fn of(path: PathBuf) -> anyhow::Result<Self> {
        let text = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self { path, named: BTreeMap::new() }),
            Err(error) => return Err(error).with_context(|| format!("could not look at {}", path.display())),
            Ok(meta) if meta.len() > FILE_MAX => {
                return Err(Fault::new(format!("{} is too large for a file of profiles", path.display())).into());
            }
            Ok(_) => std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?,
        };
        let named = toml::from_str(&text).map_err(|bad| {
            fault(
                format!("{}: {}", path.display(), bad.to_string().trim_end()),
                "a profile is written so: [NAME], and below it url = \"https://...\", token_file = \"...\", ca_file = \"...\"",
            )
        })?;
        Ok(Self { path, named })
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn get(&self, name: &str) -> anyhow::Result<&Profile> {
        self.named.get(name).ok_or_else(|| {
            let known = self.named.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "there are none yet".to_owned() } else { format!("there are: {known}") };
            let help = format!("{known}; belay profile add NAME --url URL --token-file FILE");
            Fault::new(format!("there is no profile {name:?} in {}", self.path.display())).help(help).into()
        })
    }

    /// Writes them back, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        let path = &self.path;
        let dir = path.parent().unwrap_or(Path::new("."));
        let doing = || format!("could not write {}", path.display());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(doing)?;
        let text =
            format!("# Servers by name, for `belay --profile NAME`; written by `belay profile`.\n\n{}", toml::to_string(&self.named)?);
        let mut file = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o600)).tempfile_in(dir).with_context(doing)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).with_context(doing)?;
        file.persist(path).map_err(|failed| failed.error).with_context(doing)?;
        Ok(())
    }
}

/// Where profiles are kept: by the XDG rules.
fn place() -> anyhow::Result<PathBuf> {
    let dir = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = dir("XDG_CONFIG_HOME").or_else(|| dir("HOME").map(|home| home.join(".config")));
    let config =
        config.ok_or_else(|| fault("it is not known where profiles are kept: HOME is not set", "set HOME, or use --server URL"))?;
    Ok(config.join("belay/profiles.toml"))
}

/// The token in a file. A file that others may read, or that somebody else may write, keeps no secret.
///
/// # Errors
/// When it cannot be read, or is open to others.
pub fn token(path: &Path) -> anyhow::Result<String> {
    let doing = || format!("could not read the token in {}", path.display());
    let file = std::fs::File::open(path).with_context(doing)?;
    let meta = file.metadata().with_context(doing)?;
    let mode = meta.permissions().mode() & 0o777;
    // Of a pipe or a terminal nobody else reads along.
    if meta.is_file() && mode & 0o027 != 0 {
        return Err(fault(
            format!("the token in {} is no secret: its mode {mode:04o} lets others read or write it", path.display()),
            format!("chmod 600 {}", path.display()),
        ));
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::Read::take(file, TOKEN_MAX), &mut text).with_context(doing)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_written_read_and_told_apart_from_what_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("belay/profiles.toml");
        let mut profiles = Profiles::of(path.clone()).unwrap();
        assert!(profiles.named.is_empty() && profiles.get("x").unwrap_err().to_string().contains("no profile \"x\""));
        let profile = Profile { url: "https://belay:7878".into(), token_file: Some("/etc/token".into()), ca_file: None };
        profiles.named.insert("prod".to_owned(), profile.clone());
        profiles.write().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Profiles::of(path.clone()).unwrap().get("prod").unwrap(), &profile);
        std::fs::write(&path, "[prod]\nulr = \"https://belay\"\n").unwrap();
        let wrong = format!("{:#}", Profiles::of(path).unwrap_err());
        assert!(wrong.contains("profiles.toml") && wrong.contains("ulr") && wrong.contains('2'), "{wrong}");
    }

    #[test]
    fn a_token_that_others_may_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "belay_x\n").unwrap();
        for (mode, secret) in [(0o600, true), (0o400, true), (0o440, true), (0o640, true), (0o644, false), (0o660, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = token(&path);
            assert_eq!(read.is_ok(), secret, "{mode:o} {read:?}");
            if let Err(error) = read {
                let (text, help, _) = crate::fault::told(&error);
                assert!(text.contains(&format!("{mode:04o}")) && help.unwrap().starts_with("chmod 600"), "{text}");
            }
        }
    }
}
