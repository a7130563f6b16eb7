//! Where a server is: its unix socket, or an address.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::trust;
use crate::fault::Fault;

/// The socket's name in the state directory.
const SOCKET: &str = "belay.sock";

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A unix socket on this machine: the operating system says who asks.
    Socket(PathBuf),
    /// An address.
    Tcp {
        /// Whether TLS is spoken there.
        tls: bool,
        /// The host's name or address.
        host: String,
        /// The port.
        port: u16,
        /// What stands before every path; no slash at the end.
        root: String,
    },
}

impl Place {
    /// The socket of a server that keeps its state here.
    pub fn of_state(dir: &Path) -> Self {
        Self::Socket(dir.join(SOCKET))
    }

    /// Reads `https://host:port/root`, `http://host:port/root`, or `unix:/path`.
    ///
    /// # Errors
    /// When it is no such address, with what to write instead.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self::Socket(path.trim_start_matches("//").into()));
        }
        let wrong = || Fault::usage(format!("{url:?} is no server's address")).help("write for example https://belay.example.com:7878");
        let tls = url.starts_with("https://");
        let rest = url.strip_prefix(if tls { "https://" } else { "http://" }).ok_or_else(wrong)?;
        let (authority, root) = rest.split_once('/').map_or((rest, ""), |(authority, root)| (authority, root.trim_end_matches('/')));
        let root = if root.is_empty() { String::new() } else { format!("/{root}") };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            Some(_) | None => (authority, if tls { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['@', ' ', '?', '#']) {
            return Err(wrong().into());
        }
        Ok(Self::Tcp { tls, host: host.to_owned(), port, root })
    }

    /// Whether TLS is spoken there.
    pub(super) fn speaks_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }

    /// What stands before every path.
    pub(super) fn root(&self) -> &str {
        match self {
            Self::Socket(_) => "",
            Self::Tcp { root, .. } => root,
        }
    }

    /// How the server is called in a request.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Socket(_) => "localhost".to_owned(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }

    /// Why it could not be reached, and what to do.
    pub(super) fn unreachable(&self, error: &std::io::Error) -> anyhow::Error {
        use std::io::ErrorKind;
        if let Some(untrusted) = trust::untrusted(self, error) {
            return untrusted;
        }
        match (self, error.kind()) {
            (Self::Socket(path), ErrorKind::NotFound) => {
                Fault::new(format!("no server answers at {}: there is no such socket", path.display()))
                    .help("start one with `belay serve`, or say where it is: --state DIR, --profile NAME, or --server http://HOST:7878 with BELAY_TOKEN")
                    .passing()
            }
            (Self::Socket(path), ErrorKind::ConnectionRefused) => {
                Fault::new(format!("no server answers at {}: the socket is there, but nobody listens", path.display()))
                    .help("start the server again with `belay serve`")
                    .passing()
            }
            (Self::Socket(path), ErrorKind::PermissionDenied) => Fault::new(format!("{} may not be opened by this user", path.display()))
                .help("use `sudo`, or ask for a token and use --server http://HOST:7878 with BELAY_TOKEN"),
            (_, _) => Fault::new(format!("no server answers at {self}: {error}"))
                .help("is `belay serve` running there, and is the address right?")
                .passing(),
        }
        .into()
    }

    /// That the connection ended before the answer did.
    pub(super) fn broken_off(&self, error: &anyhow::Error) -> anyhow::Error {
        Fault::new(format!("the server at {self} broke off: {error:#}"))
            .help("was it stopped just now? Its log tells more")
            .passing()
            .into()
    }

    /// That it did not answer in time.
    pub(super) fn silent(&self, waited: Duration) -> anyhow::Error {
        Fault::new(format!("the server at {self} did not answer within {} s", waited.as_secs()))
            .help("look at its log; `belay doctor` tells more")
            .passing()
            .into()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp { tls, root, .. } => write!(f, "{}://{}{root}", if *tls { "https" } else { "http" }, self.host()),
        }
    }
}
