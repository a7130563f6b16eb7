//! The operator's configuration: a file and its drop-ins are read, checked and handed to the drive.
//! What cannot be read whole is refused whole, and what was loaded before stays.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use belay_adapters::tools::all_inventories;
use belay_api::config::{Config, ConfigError, parse_many};
use belay_core::decide::Input;
use belay_core::model::principal::Actor;
use belay_core::model::time::Timestamp;
use thiserror::Error;

use crate::drive::{Drive, DriveError, Keep};
use crate::tls::{Tls, Unusable, Wanted};
use crate::wire;

/// The largest file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// The most drop-ins.
const DROP_INS_MAX: usize = 1_000;

/// Why a configuration was not loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file could not be read.
    #[error("could not read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file, or their number, is too large.
    #[error("{}: {why}", path.display())]
    TooMuch {
        /// The file or directory.
        path: PathBuf,
        /// What is too much.
        why: String,
    },
    /// There are mistakes in it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Mistakes(Vec<ConfigError>),
    /// The certificate, or what is known of those of hosts, cannot be used; what was in force stays so.
    #[error("{0}; {help}", help = .0.help)]
    Certificate(#[from] Unusable),
    /// The drive did not take it.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The drive refused it.
    #[error("it was refused: {0}")]
    Refused(String),
}

/// How the last load went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastLoad {
    /// When.
    pub at: Timestamp,
    /// What was wrong, if anything.
    pub error: Option<String>,
    /// Loads that failed since the start.
    pub failures: u64,
}

/// Where the configuration is read from, the certificate it named, and how the last load went.
pub struct Configuration {
    path: Option<PathBuf>,
    tls: Option<Arc<Tls>>,
    last: RwLock<LastLoad>,
}

impl Configuration {
    /// A configuration that was read when the server started.
    pub fn new(path: Option<PathBuf>, tls: Option<Arc<Tls>>, at: Timestamp) -> Self {
        Self { path, tls, last: RwLock::new(LastLoad { at, error: None, failures: 0 }) }
    }

    /// How the last load went.
    pub fn last(&self) -> LastLoad {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it is read from.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The certificate, where the server has one.
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// Reads the files anew and loads them, or keeps what was loaded before.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn reload(&self, drive: &Drive, actor: Actor) -> Result<(), LoadError> {
        let loaded = self.try_reload(drive, actor).await;
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        last.at = drive.now();
        last.error = loaded.as_ref().err().map(ToString::to_string);
        if let Err(error) = &loaded {
            last.failures += 1;
            tracing::error!(%error, "the configuration was not loaded; what was loaded before stays");
        }
        loaded
    }

    async fn try_reload(&self, drive: &Drive, actor: Actor) -> Result<(), LoadError> {
        let config = read(self.path.as_deref());
        // Apart from the rest: a mistake elsewhere must not keep a renewed certificate out until the old one has ended.
        let renewed = self.renew(config.as_ref().ok());
        if let Err(error) = &renewed {
            tracing::error!(%error, "what was in force stays");
        }
        load(drive, config?, actor).await?;
        Ok(renewed?)
    }

    fn renew(&self, config: Option<&Config>) -> Result<(), Unusable> {
        let named = config.map(|config| config.server.certificate.as_deref().map(Path::new));
        if named.is_some_and(|named| named.is_some() != self.tls.is_some()) {
            tracing::warn!("server.certificate: whether the port speaks TLS is decided when the server starts: restart it");
        }
        self.tls.as_ref().map_or(Ok(()), |tls| tls.renew(named.flatten(), config.map(|config| Wanted::of(&config.server))))
    }
}

/// Hands a configuration to the drive, which makes a fact of it when it says anything new.
///
/// # Errors
/// When the drive does not take it.
pub async fn load(drive: &Drive, config: Config, actor: Actor) -> Result<(), LoadError> {
    let policy = Arc::new(config.policy);
    let answer = drive.decide(Input::Policy { policy, actor }, Keep::default()).await?;
    answer.refusal().map_or(Ok(()), |text| Err(LoadError::Refused(text.to_owned())))
}

/// Reads a file and its drop-ins (`FILE.d/*.toml`, in the order of their names). No file at all is
/// the configuration that only observes.
///
/// # Errors
/// See [`LoadError`].
pub fn read(path: Option<&Path>) -> Result<Config, LoadError> {
    let mut texts = Vec::new();
    if let Some(path) = path {
        texts.push((path.display().to_string(), text_of(path)?));
        for drop_in in drop_ins(path)? {
            texts.push((drop_in.display().to_string(), text_of(&drop_in)?));
        }
    }
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let config = parse_many(&texts).map_err(LoadError::Mistakes)?;
    let mut unusable = unusable_selectors(&config, &texts);
    unusable.extend(unknown_inventories(&config, &texts));
    if unusable.is_empty() { Ok(config) } else { Err(LoadError::Mistakes(unusable)) }
}

/// Selectors that the embedded store does not understand: said when the configuration is read, not
/// when a trial first asks for data.
fn unusable_selectors(config: &Config, texts: &[(&str, &str)]) -> Vec<ConfigError> {
    let wrong = config.policy.signals.iter().filter_map(|signal| Some((signal, wire::matchers(&signal.select).err()?)));
    wrong
        .map(|(signal, why)| {
            let (file, line) = place_of("select", &signal.select, texts);
            let text = format!("the selector of signal {} cannot be used: {why}", signal.name);
            let help = Some("write a plain one, such as requests_total{job=\"app\"}; counters become rates by themselves".to_owned());
            ConfigError { file, line, column: 1, key: "signal.select".to_owned(), text, help }
        })
        .collect()
}

/// Inventories of a kind that no adapter knows.
fn unknown_inventories(config: &Config, texts: &[(&str, &str)]) -> Vec<ConfigError> {
    let known: Vec<&str> = all_inventories().iter().map(|inventory| inventory.name()).collect();
    let unknown = config.inventories.iter().filter(|inventory| !known.contains(&inventory.kind.as_str()));
    unknown
        .map(|inventory| {
            let (file, line) = place_of("kind", &inventory.kind, texts);
            let text = format!("no inventory of the kind {:?} is known", inventory.kind);
            let help = Some(format!("known here: {}", known.join(", ")));
            ConfigError { file, line, column: 1, key: "inventory.kind".to_owned(), text, help }
        })
        .collect()
}

/// The file and the line that hold a key with this text.
fn place_of(key: &str, value: &str, texts: &[(&str, &str)]) -> (String, usize) {
    let holds = |line: &str| line.trim_start().starts_with(key) && line.contains(value);
    let found = texts.iter().find_map(|(name, text)| Some((*name, text.lines().position(holds)?)));
    found.map_or_else(|| (texts.first().map_or(String::new(), |(name, _)| (*name).to_owned()), 1), |(name, at)| (name.to_owned(), at + 1))
}

fn text_of(path: &Path) -> Result<String, LoadError> {
    let io = |source| LoadError::Io { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > FILE_MAX {
        return Err(LoadError::TooMuch { path: path.to_owned(), why: format!("it has {size} bytes; at most {FILE_MAX} are read") });
    }
    std::fs::read_to_string(path).map_err(io)
}

fn drop_ins(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let mut dir = path.as_os_str().to_owned();
    dir.push(".d");
    let dir = PathBuf::from(dir);
    let io = |source| LoadError::Io { path: dir.clone(), source };
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(io)?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "toml") && path.is_file());
    found.sort();
    if found.len() > DROP_INS_MAX {
        return Err(LoadError::TooMuch { path: dir, why: format!("it holds {} files; at most {DROP_INS_MAX} are read", found.len()) });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_ins_are_read_in_the_order_of_their_names_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("belay.toml");
        std::fs::write(&file, "").unwrap();
        assert_eq!(drop_ins(&file).unwrap(), Vec::<PathBuf>::new());
        let drops = dir.path().join("belay.toml.d");
        std::fs::create_dir(&drops).unwrap();
        for name in ["20-b.toml", "10-a.toml", "README", "30-c.toml~"] {
            std::fs::write(drops.join(name), "").unwrap();
        }
        let names: Vec<_> = drop_ins(&file).unwrap().into_iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["10-a.toml", "20-b.toml"]);
        assert!(read(Some(&dir.path().join("none.toml"))).unwrap_err().to_string().contains("none.toml"));
        assert!(read(None).unwrap().policy.classes.is_empty());
    }

    #[test]
    fn a_selector_that_cannot_be_used_is_said_with_its_place_when_the_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("belay.toml");
        let signal = |select: &str| format!("[[signal]]\nname = \"s\"\nkind = \"flow\"\nselect = \"{select}\"\n");
        std::fs::write(&path, signal("requests_total")).unwrap();
        assert!(read(Some(&path)).is_ok());
        std::fs::write(&path, signal("rate(requests_total[5m])")).unwrap();
        let error = read(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("belay.toml:4:1") && error.contains("signal s") && error.contains("help:"), "{error}");
    }
}
