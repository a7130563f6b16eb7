//! Where a server is: its unix socket, or an address.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fault::{Fault, fault};

/// The socket's name in the state directory.
const SOCKET: &str = "belay.sock";

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A unix socket on this machine: the operating system says who asks.
    Socket(PathBuf),
    /// An address.
    Tcp {
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

    /// Reads `http://host:port/root`, or `unix:/path`.
    ///
    /// # Errors
    /// When it is no such address, with what to write instead.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self::Socket(path.trim_start_matches("//").into()));
        }
        if url.starts_with("https://") {
            let help = "use the unix socket on the server's machine, or http:// over a tunnel: `ssh -L 7878:127.0.0.1:7878 SERVER`";
            return Err(Fault::usage(format!("this release speaks no TLS as a client, so {url} cannot be asked")).help(help).into());
        }
        let wrong = || Fault::usage(format!("{url:?} is no server's address")).help("write for example http://127.0.0.1:7878");
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (authority, root) = rest.split_once('/').map_or((rest, ""), |(authority, root)| (authority, root.trim_end_matches('/')));
        let root = if root.is_empty() { String::new() } else { format!("/{root}") };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
            Some(_) | None => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['@', ' ', '?', '#']) {
            return Err(wrong().into());
        }
        Ok(Self::Tcp { host: host.to_owned(), port, root })
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
        match (self, error.kind()) {
            (Self::Socket(path), ErrorKind::NotFound) => fault(
                format!("no server answers at {}: there is no such socket", path.display()),
                "start one with `belay serve`, or say where it is: --state DIR, or --server http://HOST:7878 with BELAY_TOKEN",
            ),
            (Self::Socket(path), ErrorKind::ConnectionRefused) => fault(
                format!("no server answers at {}: the socket is there, but nobody listens", path.display()),
                "start the server again with `belay serve`",
            ),
            (Self::Socket(path), ErrorKind::PermissionDenied) => fault(
                format!("{} may not be opened by this user", path.display()),
                "use `sudo`, or ask for a token and use --server http://HOST:7878 with BELAY_TOKEN",
            ),
            (_, _) => fault(format!("no server answers at {self}: {error}"), "is `belay serve` running there, and is the address right?"),
        }
    }

    /// That it did not answer in time.
    pub(super) fn silent(&self, waited: Duration) -> anyhow::Error {
        fault(format!("the server at {self} did not answer within {} s", waited.as_secs()), "look at its log; `belay doctor` tells more")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp { root, .. } => write!(f, "http://{}{root}", self.host()),
        }
    }
}
