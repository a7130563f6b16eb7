//! Masks: what is peculiar to a host is taken out of a value before it is hashed, so that the same
//! configuration gives the same content on every host of a class.

use std::borrow::Cow;

/// Stands for a host's own name.
pub const HOST: &str = "<host>";
/// Stands for one of a host's own addresses.
pub const ADDRESS: &str = "<address>";

/// The words of one host that are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masks {
    /// Lower-case word and what stands for it; longer words first, so that a full name is not
    /// masked by halves.
    words: Vec<(String, &'static str)>,
}

impl Masks {
    /// Masks for a host of this name and these addresses.
    ///
    /// The short name (up to the first dot) is masked only when it holds a digit and has at least
    /// three characters: `web01` can mean nothing but the host, whereas masking the `db` of
    /// `db.example.com` would make one host's values differ from its peers'.
    pub fn of(host: &str, addresses: &[&str]) -> Self {
        let host = host.to_ascii_lowercase();
        let mut words = Vec::new();
        let short = host.split('.').next().unwrap_or_default();
        if short.len() >= 3 && short.bytes().any(|b| b.is_ascii_digit()) && !short.bytes().all(|b| b.is_ascii_digit()) {
            words.push((short.to_owned(), HOST));
        }
        if host.contains('.') || host.len() >= 8 {
            words.push((host.clone(), HOST));
        }
        words.extend(addresses.iter().filter(|a| !a.is_empty()).map(|a| (a.to_ascii_lowercase(), ADDRESS)));
        words.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        words.dedup();
        Self { words }
    }

    /// The text with the host's words replaced, in any case of letters, where they stand as whole
    /// words.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for (word, stand_in) in &self.words {
            if let Some(masked) = replace_word(&text, word, stand_in) {
                text = Cow::Owned(masked);
            }
        }
        text
    }
}

/// The text with every whole occurrence of the (lower-case) word replaced; `None` when there is none.
fn replace_word(text: &str, word: &str, stand_in: &str) -> Option<String> {
    let (bytes, sought) = (text.as_bytes(), word.as_bytes());
    let edge = |byte: Option<&u8>| byte.is_none_or(|b| !b.is_ascii_alphanumeric());
    let mut out = String::new();
    let (mut done, mut at) = (0, 0);
    while let Some(window) = bytes.get(at..at + sought.len()) {
        let end = at + sought.len();
        // The first byte decides nearly always, and is much cheaper to compare.
        let is_it = window.first().is_some_and(|first| first.to_ascii_lowercase() == sought[0])
            && window.eq_ignore_ascii_case(sought)
            && edge(at.checked_sub(1).and_then(|i| bytes.get(i)))
            && edge(bytes.get(end));
        if is_it {
            out.push_str(&text[done..at]);
            out.push_str(stand_in);
            done = end;
        }
        at = if is_it { end } else { at + 1 };
    }
    if done == 0 {
        return None;
    }
    out.push_str(&text[done..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_names_and_addresses_are_masked_as_whole_words() {
        let masks = Masks::of("Web01.Example.COM", &["10.1.2.3"]);
        assert_eq!(masks.apply("listen 10.1.2.3 as WEB01.example.com (web01-eth0)"), "listen <address> as <host> (<host>-eth0)");
        assert_eq!(masks.apply("10.1.2.33 web012.example.com xweb01"), "10.1.2.33 web012.example.com xweb01");
        assert!(matches!(masks.apply("nothing of it"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_short_name_that_is_a_common_word_is_left_alone() {
        let masks = Masks::of("db.example.com", &[]);
        assert_eq!(masks.apply("db=main on db.example.com"), "db=main on <host>");
    }

    #[test]
    fn two_hosts_with_the_same_template_agree_after_masking() {
        let one = Masks::of("web01.example.com", &["192.0.2.1"]).apply("server web01.example.com 192.0.2.1").into_owned();
        let two = Masks::of("web02.example.com", &["192.0.2.2"]).apply("server web02.example.com 192.0.2.2").into_owned();
        assert_eq!(one, two);
    }
}
