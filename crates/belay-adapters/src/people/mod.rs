//! People on a host, from what its system keeps of them: who is logged in ([`utmp`], [`sessions`]), and whom the kernel saw
//! remove a file ([`audit`]). Bytes in, values out; who reads the files is the agent.

pub mod audit;
pub mod sessions;
pub mod utmp;

use belay_core::host::hand::Login;

/// Where a system keeps them, unless the host's configuration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Homes {
    /// The terminals and who is on them.
    pub terminals: &'static str,
    /// A folder with a file a session.
    pub sessions: &'static str,
    /// The log of what the kernel saw.
    pub audit: &'static str,
    /// The accounts, by which numbers become names.
    pub accounts: &'static str,
}

/// Where Linux keeps them.
pub const HOMES: Homes =
    Homes { terminals: "/run/utmp", sessions: "/run/systemd/sessions", audit: "/var/log/audit/audit.log", accounts: "/etc/passwd" };

/// Somebody's session, with the process that began it: where that is gone, so is whoever it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who, where from, since when.
    pub login: Login,
    /// The process that began it.
    pub leader: Option<u32>,
}

/// The name of an account, by its number, in a list of accounts.
pub fn account(accounts: &str, uid: u32) -> Option<&str> {
    accounts.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        (parts.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}
