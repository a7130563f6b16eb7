//! A session as systemd-logind keeps it, `/run/systemd/sessions/3`: `NAME=value` lines. Newer systems keep no `utmp`, and this is
//! what is left. The file calls itself private; a name it does not have any more is a thing that is not known, never a mistake.

use belay_core::host::hand::Login;
use belay_core::model::time::Timestamp;

use super::Session;

/// The session of a file; none where it is no person's, or over.
pub fn session(text: &str) -> Option<Session> {
    let said = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).filter(|value| !value.is_empty());
    // Greeters, lock screens and the managers of a user's services are nobody.
    let person = said("CLASS").is_none_or(|class| class.starts_with("user"));
    if !person || said("STATE") == Some("closing") {
        return None;
    }
    let terminal = said("TTY").or(said("DISPLAY")).unwrap_or_default();
    let since = said("REALTIME").and_then(|us| us.parse::<i64>().ok()).map(|us| Timestamp::from_ms(us / 1_000));
    let login = Login {
        user: said("USER")?.to_owned(),
        terminal: terminal.to_owned(),
        from: said("REMOTE_HOST").unwrap_or_default().to_owned(),
        since,
    };
    Some(Session { login, leader: said("LEADER").and_then(|pid| pid.parse().ok()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSH: &str = "# This is private data. Do not parse.\nUID=1000\nUSER=bob\nACTIVE=1\nIS_DISPLAY=0\nSTATE=active\nREMOTE=1\n\
        STOPPING=0\nTYPE=tty\nORIGINAL_TYPE=tty\nCLASS=user\nSCOPE=session-3.scope\nFIFO=/run/systemd/sessions/3.ref\nTTY=pts/0\n\
        REMOTE_HOST=10.0.0.7\nSERVICE=sshd\nLEADER=4242\nAUDIT=3\nREALTIME=1700000000000000\nMONOTONIC=12345678\n";

    #[test]
    fn a_person_s_session_is_told_and_no_other() {
        let told = session(SSH).unwrap();
        assert_eq!((told.login.user.as_str(), told.login.terminal.as_str(), told.login.from.as_str()), ("bob", "pts/0", "10.0.0.7"));
        assert_eq!((told.login.since, told.leader), (Some(Timestamp::from_ms(1_700_000_000_000)), Some(4_242)));
        for (from, to) in [("CLASS=user", "CLASS=greeter"), ("CLASS=user", "CLASS=manager"), ("STATE=active", "STATE=closing")] {
            assert_eq!(session(&SSH.replace(from, to)), None, "{to}");
        }
        assert_eq!(session(&SSH.replace("USER=", "NAME=")), None);
        assert_eq!(session(&SSH.replace("LEADER=4242", "LEADER=x")).unwrap().leader, None);
        assert_eq!(session(""), None);
    }
}
