//! The unix socket: the operating system says who asks, so that the operator's commands on the
//! server's own machine need no credential.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use belay_core::model::principal::{Principal, Role};
use tokio::net::UnixListener;

/// The socket's name in the state directory.
pub const FILE: &str = "belay.sock";

/// Listens on a socket in the state directory. Whoever calls this holds the directory's lock, so a
/// socket that is there is a dead one's.
///
/// # Errors
/// When the socket cannot be made.
pub fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Whom a user of this machine stands for: root and the server's own user may do everything.
pub fn principal(uid: u32, own: u32) -> Principal {
    let role = if uid == 0 || uid == own { Role::Admin } else { Role::Viewer };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Principal::person(name(&users, uid).unwrap_or_else(|| format!("uid:{uid}")), role)
}

fn name(users: &str, uid: u32) -> Option<String> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    };
    users.lines().find_map(of).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_own_user_are_admins_and_others_look() {
        let role = |uid, own| match principal(uid, own) {
            Principal::Person { role, .. } => role,
            other => panic!("{other:?}"),
        };
        assert_eq!((role(0, 990), role(990, 990), role(1000, 990)), (Role::Admin, Role::Admin, Role::Viewer));
        assert_eq!(name("root:x:0:0::/root:/bin/sh\nbelay:x:990:990::/:/bin/false\n", 990), Some("belay".into()));
        assert_eq!(name("broken\n::\n", 0), None);
    }
}
