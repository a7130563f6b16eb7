//! Names and numbers by which things are called. One type a noun, so that they cannot be mixed up.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The longest host name accepted, in bytes (the limit of DNS).
pub const HOST_NAME_MAX: usize = 255;
/// The longest other name (class, release, environment, signal) accepted, in bytes.
pub const NAME_MAX: usize = 200;

/// Why a name was refused. The text names the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadName {
    /// Nothing there.
    #[error("the name is empty")]
    Empty,
    /// More bytes than allowed.
    #[error("the name has {len} bytes; at most {max} are allowed")]
    TooLong {
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A character outside the allowed set.
    #[error("the name holds {found:?} at byte {at}; allowed are printable ASCII characters except '/', '\\', '%' and spaces")]
    Character {
        /// The character.
        found: char,
        /// Its offset in bytes.
        at: usize,
    },
    /// `.` or `..`, or a name that starts with a dot or dash.
    #[error("a name may not start with {found:?}")]
    Start {
        /// The character.
        found: char,
    },
}

fn check(name: &str, max: usize) -> Result<(), BadName> {
    if name.len() > max {
        return Err(BadName::TooLong { len: name.len(), max });
    }
    let first = name.chars().next().ok_or(BadName::Empty)?;
    if first == '.' || first == '-' {
        return Err(BadName::Start { found: first });
    }
    match name.char_indices().find(|(_, c)| !c.is_ascii_graphic() || matches!(c, '/' | '\\' | '%')) {
        Some((at, found)) => Err(BadName::Character { found, at }),
        None => Ok(()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident($max:expr);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name after checking its length and characters.
            ///
            /// # Errors
            /// [`BadName`] says what is wrong and where.
            pub fn parse(name: &str) -> Result<Self, BadName> {
                check(name, $max)?;
                Ok(Self(name.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    )*};
}

names! {
    /// A class: hosts comparable with one another (a role).
    ClassName(NAME_MAX);
    /// The version of an application a host runs, for example `142`.
    Release(NAME_MAX);
    /// The branch of configuration a host gets, for example `production`.
    Environment(NAME_MAX);
    /// A signal's declared name.
    SignalName(NAME_MAX);
    /// The name of a place alerts go to.
    ReceiverName(NAME_MAX);
    /// The name of a tool of configuration management, as its adapter says it.
    ToolName(NAME_MAX);
}

/// A managed machine: its canonical, lower-case name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(Arc<str>);

impl HostId {
    /// Takes a host's name after checking it; upper case is folded.
    ///
    /// # Errors
    /// [`BadName`] says what is wrong and where. Names with `/`, `\` or `%` are refused so that no
    /// name can ever become a path.
    pub fn parse(name: &str) -> Result<Self, BadName> {
        check(name, HOST_NAME_MAX)?;
        Ok(Self(name.to_ascii_lowercase().into()))
    }

    /// The canonical name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($prefix:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// Reads the printed form back; `None` when it is not one.
            pub fn parse(text: &str) -> Option<Self> {
                text.strip_prefix($prefix)?.parse().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!(concat!($prefix, "{}"), self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    )*};
}

numbers! {
    /// One execution of a tool on a host.
    RunId("run-");
    /// A Change, the operator's handle.
    ChangeId("c-");
    /// An effect waiting to be done or done: a row of the outbox.
    EffectId("e-");
    /// A hold, the operator's handle.
    HoldId("h-");
    /// A revert, the operator's handle.
    RevertId("r-");
    /// A row of the inbox: bytes that were received and made durable.
    InboxId("in-");
}

/// SHA-256 of some bytes, or the first half of it where 128 bits suffice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The digest of these bytes: the first 128 bits of their SHA-256 (FIPS 180-4).
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        let full = sha2::Sha256::digest(bytes);
        let mut half = [0; 16];
        half.copy_from_slice(&full[..16]);
        Self(half)
    }

    /// The digest of several parts, each delimited by its length, so that parts cannot run together.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut half = [0; 16];
        half.copy_from_slice(&hasher.finalize()[..16]);
        Self(half)
    }

    /// Reads 32 hexadecimal digits back; `None` when they are not.
    pub fn parse(hex: &str) -> Option<Self> {
        let digits: &[u8; 32] = hex.as_bytes().try_into().ok()?;
        let mut out = [0; 16];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Some(Self(out))
    }

    /// The first eight hexadecimal digits, for people.
    pub fn short(self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first characters of somebody's text, none of which a terminal would obey.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_can_never_become_a_path() {
        for bad in ["../../etc/x", "a/b", "%2e%2e", ".", "..", "-x", "", "a\\b", "a b", "caf\u{e9}", "a\0b", "\u{1f600}"] {
            assert!(HostId::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(HostId::parse(&"x".repeat(10_000)).is_err());
        assert_eq!(HostId::parse("Web01.Example.COM").unwrap().as_str(), "web01.example.com");
    }

    #[test]
    fn numbers_print_with_their_prefix_and_read_back() {
        assert_eq!(ChangeId(17).to_string(), "c-17");
        assert_eq!(ChangeId::parse("c-17"), Some(ChangeId(17)));
        assert_eq!(ChangeId::parse("run-17"), None);
    }

    #[test]
    fn a_digest_reads_back_and_its_parts_cannot_run_together() {
        let digest = Digest::of(b"belay");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_ne!(Digest::of_parts(["ab", "c"]), Digest::of_parts(["a", "bc"]));
        assert_eq!(Digest::parse("zz"), None);
        assert_eq!(Digest::parse(&"+f".repeat(16)), None, "a sign is no digit");
    }
}
