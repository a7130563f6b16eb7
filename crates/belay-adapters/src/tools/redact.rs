//! Texts made fit to be kept and shown: secrets out, control characters visible, length bounded.
//!
//! Redaction is by pattern and so never complete; it errs on the side of taking out too much. The
//! order is fixed by [`clean`]: secrets first (a shortened secret no longer looks like one), then
//! control characters, then length.

use std::borrow::Cow;
use std::ops::Range;

/// Stands for a secret. Puppet writes the same word for its own.
pub const REDACTED: &str = "[redacted]";
/// Characters kept of a text of an event.
pub const TEXT_MAX: usize = 300;
/// Bytes of a text that are kept at all before it is cleaned; the rest is only counted.
const CLIP_MAX: usize = 16 * 1024;

/// The beginning of a text, and how long the whole was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clip {
    /// At most 16 KiB, ending at a character.
    pub text: String,
    /// Length of the whole text in bytes.
    pub whole: usize,
}

impl Clip {
    /// Clips a text.
    pub fn of(text: &str) -> Self {
        Self { text: text[..text.floor_char_boundary(CLIP_MAX)].to_owned(), whole: text.len() }
    }

    /// The text without secrets, inert and at most `max` characters long; when it had to be
    /// shortened, the length of the whole is appended.
    pub fn clean(&self, max: usize) -> String {
        tidy(&self.text, max, self.whole)
    }
}

/// [`Clip::clean`] of a whole text.
pub fn clean(text: &str, max: usize) -> String {
    tidy(&text[..text.floor_char_boundary(CLIP_MAX)], max, text.len())
}

fn tidy(text: &str, max: usize, whole: usize) -> String {
    shorten(inert(&secrets(text)).trim(), max, whole)
}

/// The first `max` characters. When there are more, or when the text stands for a longer one of
/// `whole` bytes, the length of the whole is appended.
fn shorten(text: &str, max: usize, whole: usize) -> String {
    // As many bytes are at most as many characters.
    if text.len() <= max && whole <= CLIP_MAX {
        return text.to_owned();
    }
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}... ({whole} bytes in all)", &text[..at]),
        None if whole > CLIP_MAX => format!("{text}... ({whole} bytes in all)"),
        None => text.to_owned(),
    }
}

/// Control characters made visible: line ends become ` | ` (empty lines none), tabs a space, every other control
/// character, and those that reorder or hide text, its escape (`\u{1b}`). What remains moves no
/// cursor, starts no line and reads in the order it is written.
pub fn inert(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for line in text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()) {
        if !out.is_empty() {
            out.push_str(" | ");
        }
        for c in line.chars() {
            match c {
                '\t' => out.push(' '),
                c if c.is_control() || hides(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
    }
    Cow::Owned(out)
}

/// Characters that reorder the text around them, or that nobody sees.
fn hides(c: char) -> bool {
    matches!(u32::from(c),
        0x00ad | 0x061c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff)
}

/// Words that name a secret when they end the name of a setting.
const NAMES: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "secret_key",
    "private_key",
    "encryption_key",
    "auth_key",
    "credential",
    "credentials",
    "mysql_pwd",
];

/// Beginnings of well-known kinds of tokens, and how many characters have to follow.
const BEGINNINGS: [(&str, usize); 22] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 15),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("xoxs-", 10),
    ("xapp-", 10),
    ("sk_live_", 10),
    ("rk_live_", 10),
    ("hvs.", 20),
    ("AIza", 30),
    ("npm_", 30),
    ("dop_v1_", 30),
    ("AGE-SECRET-KEY-", 20),
    ("eyJ", 40),
];

/// The shortest of these tokens, in bytes.
pub(super) const TOKEN_MIN: usize = 15;

/// Beginnings of password hashes in the form of crypt(5).
const CRYPTS: [&str; 9] = ["$1$", "$5$", "$6$", "$y$", "$2a$", "$2b$", "$2y$", "$argon2", "$gy$"];

/// What bytes are signs of: `=` and `:` of a value that is set, `-` of a flag, a blank of words, `$` of a hash, the others of a token.
const SETS: u8 = 1;
const DASH: u8 = 2;
const SPACE: u8 = 4;
const DOLLAR: u8 = 8;
const PART: u8 = 16;
const SIGNS: [u8; 256] = signs();

const fn signs() -> [u8; 256] {
    let mut signs = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        signs[byte] = match byte as u8 {
            b'=' | b':' => SETS,
            b'-' => DASH | PART,
            b' ' => SPACE,
            b'$' => DOLLAR,
            b'_' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => PART,
            _ => 0,
        };
        byte += 1;
    }
    signs
}

/// Whether a setting of this name holds a secret by its name alone.
pub fn names_a_secret(name: &str) -> bool {
    let ends_with = |word: &str| {
        let rest = name.len().checked_sub(word.len()).and_then(|at| name.as_bytes().get(at..));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(word.as_bytes()))
    };
    NAMES.iter().any(|word| ends_with(word))
}

/// The text with whatever looks like a secret replaced by [`REDACTED`]: values of settings named
/// like secrets, command-line flags of that kind, `Authorization` headers and bearer tokens,
/// passwords in addresses, private keys, password hashes, and tokens of well-known shapes.
pub fn secrets(text: &str) -> Cow<'_, str> {
    let mut found = Vec::new();
    // Most texts hold nothing of the kind; this is asked of every text of every event, so one look at its bytes has to tell.
    let holds = text.bytes().fold(0, |holds, byte| holds | SIGNS[usize::from(byte)]);
    if holds & SETS != 0 || (holds & DASH != 0 && text.contains("--")) || (holds & SPACE != 0 && text.contains("earer ")) {
        let lower = text.to_ascii_lowercase();
        private_keys(&lower, &mut found);
        settings(&lower, &mut found);
        headers(&lower, &mut found);
        addresses(text, &mut found);
    }
    if text.len() >= TOKEN_MIN {
        tokens(text, &mut found);
    }
    if holds & DOLLAR != 0 {
        crypts(text, &mut found);
    }
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|range| (range.start, range.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for range in found {
        if range.end <= done || text.get(range.clone()) == Some(REDACTED) {
            continue;
        }
        if range.start >= done {
            out.push_str(&text[done..range.start]);
            out.push_str(REDACTED);
        }
        done = range.end;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// From `-----BEGIN ... PRIVATE KEY-----` to the end of its `END` line, or of the text.
fn private_keys(lower: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(start) = lower[from..].find("-----begin ").map(|at| from + at) {
        let head = &lower[start..lower.floor_char_boundary(start + 64)];
        from = start + 11;
        if head.contains("private key") {
            let end = lower[from..].find("-----end ").map_or(lower.len(), |at| {
                let tail = from + at + 9;
                lower[tail..].find("-----").map_or(lower.len(), |dashes| tail + dashes + 5)
            });
            found.push(start..end);
            from = end;
        }
    }
}

/// Values of settings: `password=x`, `"api_key": "x"`, `token => 'x'`, `--password x`.
fn settings(lower: &str, found: &mut Vec<Range<usize>>) {
    for name in NAMES {
        for (at, _) in lower.match_indices(name) {
            let after = &lower[at + name.len()..];
            let unquoted = after.trim_start_matches(['"', '\'']);
            let sign = unquoted.trim_start_matches([' ', '\t']);
            let value = if let Some(value) = sign.strip_prefix("=>").or_else(|| sign.strip_prefix(['=', ':'])) {
                value
            } else if is_flag(lower, at) && sign.len() < unquoted.len() {
                sign
            } else {
                continue;
            };
            found.extend(value_range(lower, lower.len() - value.len()));
        }
    }
}

/// Whether the word that holds this offset starts with `--`.
fn is_flag(lower: &str, at: usize) -> bool {
    let word = lower[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').next().unwrap_or_default();
    word.starts_with("--")
}

/// The value that starts at this offset, after blanks: up to the closing quote, else up to a blank
/// or a separator; `None` when there is none.
fn value_range(lower: &str, from: usize) -> Option<Range<usize>> {
    let rest = lower[from..].trim_start_matches([' ', '\t']);
    let start = lower.len() - rest.len();
    let length = match rest.chars().next()? {
        quote @ ('"' | '\'') => {
            let inner = &rest[1..];
            let end = inner.find(quote).unwrap_or(inner.len());
            return (end > 0).then_some(start + 1..start + 1 + end);
        }
        _ if rest.starts_with(REDACTED) => REDACTED.len(),
        _ => rest
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | '"' | '\'' | ')' | '}' | ']' | '>'))
            .unwrap_or(rest.len()),
    };
    (length > 0).then_some(start..start + length)
}

/// What follows `Authorization:` up to the end of the line or a quote, and what follows `Bearer`.
fn headers(lower: &str, found: &mut Vec<Range<usize>>) {
    for (at, name) in lower.match_indices("authorization:") {
        let rest = lower[at + name.len()..].trim_start_matches([' ', '\t']);
        let start = lower.len() - rest.len();
        let length = rest.find(['\n', '"', '\'']).unwrap_or(rest.len());
        if length > 0 {
            found.push(start..start + length);
        }
    }
    for (at, name) in lower.match_indices("bearer ") {
        let start = at + name.len();
        let length = lower[start..].bytes().take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b)).count();
        if length >= 8 {
            found.push(start..start + length);
        }
    }
}

/// Passwords in addresses: `scheme://user:password@host`.
fn addresses(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let authority =
            text[start..].split(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>')).next().unwrap_or_default();
        if let Some(user) = authority.rfind('@').map(|end| &authority[..end])
            && let Some(colon) = user.find(':')
            && colon + 1 < user.len()
        {
            found.push(start + colon + 1..start + user.len());
        }
    }
}

/// Tokens of well-known shapes, where a word begins.
fn tokens(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let is_part = |b: &u8| SIGNS[usize::from(*b)] & PART != 0;
    let mut at = 0;
    while at < bytes.len() {
        let end = bytes[at..].iter().position(|b| !is_part(b)).map_or(bytes.len(), |length| at + length);
        let fresh = (at..end).filter(|i| *i == at || !bytes[i - 1].is_ascii_alphanumeric()).take_while(|i| i + TOKEN_MIN <= end);
        for start in fresh {
            // Most words are none by their first letter.
            if !matches!(bytes[start], b'A' | b'g' | b'x' | b's' | b'r' | b'h' | b'n' | b'd' | b'e') {
                continue;
            }
            let word = &text[start..end];
            if BEGINNINGS.iter().any(|(beginning, least)| word.starts_with(beginning) && word.len() >= beginning.len() + least) {
                found.push(start..end);
                break;
            }
        }
        at = end + 1;
    }
}

/// Password hashes.
fn crypts(text: &str, found: &mut Vec<Range<usize>>) {
    for beginning in CRYPTS {
        for (at, _) in text.match_indices(beginning) {
            let length = text.as_bytes()[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || b"$./=,+-".contains(b)).count();
            if length >= beginning.len() + 8 {
                found.push(at..at + length);
            }
        }
    }
}

#[cfg(test)]
mod tests;
