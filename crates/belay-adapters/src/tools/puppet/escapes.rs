//! What Puppet's YAML holds and a YAML 1.2 reader does not take, put right before reading.
//!
//! Escapes of half a character: `\ud800` names a surrogate, which is no character, and neither
//! reader takes it. Hosts send them all the same, when a program printed broken text.
//!
//! Line ends of YAML 1.1: Puppet's emitters write U+0085, U+2028 and U+2029 as line ends, with the
//! next line indented; to a reader of YAML 1.2 they are letters, and it runs on into the next key.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with each lone surrogate's escape replaced by `\ufffd`, and each pair of them by the
/// eight-digit escape of YAML; and how many lone ones there were. JSON takes pairs as they are, so
/// only lone ones are replaced when `pairs` says [`Pairs::Keep`].
pub(super) fn whole(text: &str, pairs: Pairs) -> (Cow<'_, str>, usize) {
    // One byte is sought much faster than two, and most texts hold none.
    if !text.contains('\\') {
        return (Cow::Borrowed(text), 0);
    }
    let mut out = String::new();
    let (mut done, mut lone) = (0, 0);
    for (at, _) in text.match_indices("\\u") {
        if at < done || is_escaped(text, at) {
            continue;
        }
        let (low, end) = match (unit(text, at), unit(text, at + 6)) {
            (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => (Some((high, low)), at + 12),
            (Some(0xd800..=0xdfff), _) => (None, at + 6),
            _ => continue,
        };
        out.push_str(&text[done..at]);
        match (low, pairs) {
            (None, Pairs::Keep | Pairs::Join) => {
                lone += 1;
                out.push_str("\\ufffd");
            }
            (Some(_), Pairs::Keep) => out.push_str(&text[at..end]),
            (Some((high, low)), Pairs::Join) => _ = write!(out, "\\U{:08X}", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)),
        }
        done = end;
    }
    if done == 0 {
        return (Cow::Borrowed(text), 0);
    }
    out.push_str(&text[done..]);
    (Cow::Owned(out), lone)
}

/// The text with the line ends of YAML 1.1 replaced by those everybody knows, and how many.
pub(super) fn line_ends(text: Cow<'_, str>) -> (Cow<'_, str>, usize) {
    const OLD: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    let count = if text.is_ascii() { 0 } else { text.matches(OLD).count() };
    if count == 0 { (text, 0) } else { (Cow::Owned(text.replace(OLD, "\n")), count) }
}

/// What becomes of a pair of surrogates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairs {
    /// It stays: JSON.
    Keep,
    /// It becomes one escape: YAML.
    Join,
}

/// The number in `\uXXXX` at this offset.
fn unit(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

/// Whether the backslash at this offset is itself escaped.
fn is_escaped(text: &str, at: usize) -> bool {
    text.as_bytes()[..at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}
