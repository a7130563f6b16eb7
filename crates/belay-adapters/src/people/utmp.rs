//! The terminals of a Linux host and who is on them, `/run/utmp`: records of one size (utmp(5)). The C library gives the fields
//! that hold a time 32 bits on the architectures that once had 32-bit programs, and 64 on the others.

use belay_core::host::hand::Login;
use belay_core::model::time::Timestamp;

use super::Session;

/// The most records that are read.
const RECORDS_MAX: usize = 4_096;
/// `USER_PROCESS`: somebody is on the terminal.
const USER: i16 = 7;

/// How wide the fields are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Times of 32 bits, records of 384 bytes.
    Narrow,
    /// Times of 64 bits, records of 400 bytes.
    Wide,
}

impl Layout {
    /// The one of this machine.
    pub const HERE: Self =
        if cfg!(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64")) { Self::Wide } else { Self::Narrow };

    const fn record(self) -> usize {
        match self {
            Self::Narrow => 384,
            Self::Wide => 400,
        }
    }
}

/// Who is on which terminal. A record that is cut off is left out.
pub fn sessions(bytes: &[u8], layout: Layout) -> Vec<Session> {
    bytes.chunks_exact(layout.record()).take(RECORDS_MAX).filter_map(|record| session(record, layout)).collect()
}

fn session(record: &[u8], layout: Layout) -> Option<Session> {
    let kind = i16::from_ne_bytes(record.get(..2)?.try_into().ok()?);
    let pid = i32::from_ne_bytes(record.get(4..8)?.try_into().ok()?);
    let user = text(record.get(44..76)?);
    if kind != USER || user.is_empty() {
        return None;
    }
    let since = match layout {
        Layout::Narrow => i64::from(u32::from_ne_bytes(record.get(340..344)?.try_into().ok()?)),
        Layout::Wide => i64::from_ne_bytes(record.get(344..352)?.try_into().ok()?),
    };
    let login = Login {
        user,
        terminal: text(record.get(8..40)?),
        from: text(record.get(76..332)?),
        since: since.checked_mul(1_000).filter(|ms| *ms > 0).map(Timestamp::from_ms),
    };
    Some(Session { login, leader: u32::try_from(pid).ok().filter(|pid| *pid > 0) })
}

/// A field up to its first zero.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as utmp(5) lays it out.
    fn record(layout: Layout, kind: i16, user: &str, line: &str, host: &str) -> Vec<u8> {
        let mut bytes = vec![0; layout.record()];
        let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
        put(0, &kind.to_ne_bytes());
        put(4, &4_242_i32.to_ne_bytes());
        put(8, line.as_bytes());
        put(44, user.as_bytes());
        put(76, host.as_bytes());
        match layout {
            Layout::Narrow => put(340, &1_700_000_000_u32.to_ne_bytes()),
            Layout::Wide => put(344, &1_700_000_000_i64.to_ne_bytes()),
        }
        bytes
    }

    #[test]
    fn only_people_on_terminals_are_told_in_either_layout() {
        for layout in [Layout::Narrow, Layout::Wide] {
            let boot = record(layout, 2, "reboot", "~", "6.1.0");
            let gone = record(layout, 8, "", "pts/1", "");
            let bob = record(layout, USER, "bob", "pts/0", "10.0.0.7");
            let cut = bob[..100].to_vec();
            let told = sessions(&[boot, gone, bob, cut].concat(), layout);
            let login = Login {
                user: "bob".to_owned(),
                terminal: "pts/0".to_owned(),
                from: "10.0.0.7".to_owned(),
                since: Some(Timestamp::from_ms(1_700_000_000_000)),
            };
            assert_eq!(told, [Session { login, leader: Some(4_242) }]);
        }
    }

    /// Written by `utmpdump -r` of util-linux on x86_64: a boot, bob from elsewhere, a terminal that was left, root.
    #[cfg(target_endian = "little")]
    #[test]
    fn a_list_that_another_program_wrote_is_read() {
        let told = sessions(include_bytes!("fixtures/utmp"), Layout::Narrow);
        let hand = belay_core::host::hand::Hand::LoggedIn(told.iter().map(|session| session.login.clone()).collect());
        let want = "logged in then: bob (pts/0 from 10.0.0.7 since 2023-11-14T22:13:20Z), root (tty1 since 2023-11-14T22:05:00Z)";
        assert_eq!(hand.words(), want);
        assert_eq!(told.iter().map(|session| session.leader).collect::<Vec<_>>(), [Some(4_242), Some(912)]);
    }

    #[test]
    fn what_is_no_list_of_terminals_names_nobody() {
        for bytes in [&b""[..], b"x", &[0xff; 384], &[7; 1_000]] {
            assert!(sessions(bytes, Layout::Narrow).iter().all(|session| session.login.user.len() <= 32 * 3));
        }
        // A name that fills its field has no zero at its end.
        let full = record(Layout::Narrow, USER, &"u".repeat(32), "tty1", "");
        assert_eq!(sessions(&full, Layout::Narrow)[0].login.user, "u".repeat(32));
    }
}
