//! Whose hand it was: what a host can say of who removed a lock. Either the kernel saw it, or there
//! are the people who were logged in then, of whom any may have done it, or none.

use crate::model::time::Timestamp;

/// The most people that are named.
pub const NAMED_MAX: usize = 8;
/// The longest name that is told, in bytes.
pub const NAME_MAX: usize = 64;
/// The longest line that is told, in bytes.
pub const LINE_MAX: usize = 480;

/// Somebody who is logged in on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// The name of the account.
    pub user: String,
    /// The terminal, where there is one.
    pub terminal: String,
    /// The host it is from, where it is from one.
    pub from: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

/// What is known of the hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hand {
    /// The kernel saw it.
    Observed {
        /// The account that had logged in, else the one the program ran as.
        user: String,
        /// The account the program ran as, where it is another one.
        acting: Option<String>,
        /// The program.
        program: Option<String>,
    },
    /// Nobody saw it: those who were logged in when it was noticed. None of them is said to have done it.
    LoggedIn(Vec<Login>),
}

impl Hand {
    /// It in words, bounded and without anything that a terminal would obey.
    pub fn words(&self) -> String {
        match self {
            Self::Observed { user, acting, program } => {
                let acting = acting.iter().map(|acting| format!("as {}", tame(acting)));
                let program = program.iter().map(|program| format!("with {}", tame(program)));
                let how: Vec<String> = acting.chain(program).collect();
                let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(", ")) };
                format!("observed: {}{how}", tame(user))
            }
            Self::LoggedIn(logins) if logins.is_empty() => "nobody was logged in then".to_owned(),
            Self::LoggedIn(logins) => logged_in(logins),
        }
    }
}

fn logged_in(logins: &[Login]) -> String {
    let mut text = "logged in then: ".to_owned();
    let mut named = 0;
    for login in logins.iter().take(NAMED_MAX) {
        let next = one(login);
        // Room is left for how many more there are.
        if text.len() + next.len() + 32 > LINE_MAX {
            break;
        }
        if named > 0 {
            text.push_str(", ");
        }
        text.push_str(&next);
        named += 1;
    }
    match logins.len() - named {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

fn one(login: &Login) -> String {
    let terminal = Some(tame(&login.terminal)).filter(|terminal| !terminal.is_empty());
    let from = Some(tame(&login.from)).filter(|from| !from.is_empty()).map(|from| format!("from {from}"));
    let since = login.since.map(|since| format!("since {since}"));
    let where_from: Vec<String> = terminal.into_iter().chain(from).chain(since).collect();
    let user = tame(&login.user);
    if where_from.is_empty() { user } else { format!("{user} ({})", where_from.join(" ")) }
}

/// A name of a host's: within its bound, and nothing in it that hides, reorders or commands.
fn tame(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        let hides = c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        let c = if hides { '?' } else { c };
        if out.len() + c.len_utf8() > NAME_MAX {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str, terminal: &str, from: &str) -> Login {
        Login { user: user.to_owned(), terminal: terminal.to_owned(), from: from.to_owned(), since: None }
    }

    #[test]
    fn those_who_were_logged_in_are_never_said_to_have_done_it() {
        let two = Hand::LoggedIn(vec![login("bob", "pts/0", "10.0.0.7"), login("root", "tty1", "")]);
        assert_eq!(two.words(), "logged in then: bob (pts/0 from 10.0.0.7), root (tty1)");
        let since = Login { since: Some(Timestamp::from_ms(1_700_000_000_000)), ..login("bob", "", "") };
        assert_eq!(Hand::LoggedIn(vec![since]).words(), "logged in then: bob (since 2023-11-14T22:13:20Z)");
        assert_eq!(Hand::LoggedIn(vec![]).words(), "nobody was logged in then");
    }

    #[test]
    fn what_the_kernel_saw_is_said_so() {
        let hand = |acting: Option<&str>, program: Option<&str>| Hand::Observed {
            user: "bob".to_owned(),
            acting: acting.map(str::to_owned),
            program: program.map(str::to_owned),
        };
        assert_eq!(hand(Some("root"), Some("/usr/bin/rm")).words(), "observed: bob (as root, with /usr/bin/rm)");
        assert_eq!(hand(None, None).words(), "observed: bob");
    }

    #[test]
    fn names_are_bounded_and_tame() {
        let many = Hand::LoggedIn((0..20).map(|nth| login(&format!("u{nth}"), "pts/0", "")).collect());
        assert!(many.words().ends_with("u7 (pts/0) and 12 more"), "{}", many.words());
        let long = Hand::LoggedIn(vec![login(&"\u{e9}".repeat(500), &"t".repeat(500), &"h".repeat(500)); 9]);
        assert!(long.words().len() <= LINE_MAX && long.words().ends_with(" more"), "{}", long.words());
        let wild = Hand::LoggedIn(vec![login("b\u{1b}[31mob\u{202e}", "pts\n0", "")]);
        assert_eq!(wild.words(), "logged in then: b?[31mob? (pts?0)");
    }
}
