//! Bytes as text, without refusing what hosts really send: byte order marks, line ends of another
//! system, NULs, bytes that are not UTF-8. What was altered is said in complaints, and offsets in
//! the text can be mapped back to offsets in the bytes.

use std::borrow::Cow;

use belay_core::model::report::Complaint;

const MARK: &[u8] = "\u{feff}".as_bytes();
const REPLACEMENT_LEN: usize = char::REPLACEMENT_CHARACTER.len_utf8();

/// Bytes read as text.
#[derive(Debug)]
pub struct Text<'a> {
    /// The text: no byte order mark at its start and no NUL in it.
    pub text: Cow<'a, str>,
    /// What was altered.
    pub complaints: Vec<Complaint>,
    body: &'a [u8],
}

/// Reads bytes as text. Bytes that are not UTF-8, and NULs, become U+FFFD; a byte order mark at
/// the start is left out. Costs one pass and no copy when nothing has to be altered.
pub fn read(body: &[u8]) -> Text<'_> {
    let mut complaints = Vec::new();
    let mut say = |text: String| complaints.push(Complaint { place: String::new(), text });
    let rest = body.strip_prefix(MARK).unwrap_or(body);
    if rest.len() < body.len() {
        say("starts with a byte order mark, which was left out".to_owned());
    }
    // Nearly all are whole, which is seen much faster than what is wrong with the others.
    let mut text = std::str::from_utf8(rest).map_or_else(|_| String::from_utf8_lossy(rest), Cow::Borrowed);
    if let Cow::Owned(_) = text {
        let first = rest.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
        let bad = rest.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
        say(format!("{bad} sequences of bytes are not UTF-8 and were replaced, the first at byte {}", first + body.len() - rest.len()));
    }
    if text.contains('\0') {
        let count = text.bytes().filter(|byte| *byte == 0).count();
        say(format!("{count} NUL characters were replaced"));
        text = Cow::Owned(text.replace('\0', "\u{fffd}"));
    }
    if text.contains('\r') && text.contains("\r\n") {
        say("lines end in CR LF".to_owned());
    }
    Text { text, complaints, body }
}

impl Text<'_> {
    /// The offset in the bytes of the character at this offset in the text, both in bytes.
    pub fn offset(&self, in_text: usize) -> u64 {
        let rest = self.body.strip_prefix(MARK).unwrap_or(self.body);
        let (mut text, mut bytes) = (0, self.body.len() - rest.len());
        for chunk in rest.utf8_chunks() {
            for byte in chunk.valid().bytes() {
                if text >= in_text {
                    return bytes as u64;
                }
                text += if byte == 0 { REPLACEMENT_LEN } else { 1 };
                bytes += 1;
            }
            if text >= in_text {
                return bytes as u64;
            }
            if !chunk.invalid().is_empty() {
                text += REPLACEMENT_LEN;
                bytes += chunk.invalid().len();
            }
        }
        bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_copied_and_not_complained_about() {
        let text = read(b"host: web01\n");
        assert!(matches!(text.text, Cow::Borrowed("host: web01\n")));
        assert_eq!(text.complaints, []);
        assert_eq!(text.offset(6), 6);
    }

    #[test]
    fn what_is_not_text_is_replaced_said_and_mapped_back() {
        let body = b"\xef\xbb\xbfa\xff\xffb\0c\r\n";
        let text = read(body);
        assert_eq!(text.text, "a\u{fffd}\u{fffd}b\u{fffd}c\r\n");
        let said: Vec<&str> = text.complaints.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(
            said,
            [
                "starts with a byte order mark, which was left out",
                "2 sequences of bytes are not UTF-8 and were replaced, the first at byte 4",
                "1 NUL characters were replaced",
                "lines end in CR LF"
            ]
        );
        let c = text.text.find('c').unwrap();
        assert_eq!(body[usize::try_from(text.offset(c)).unwrap()], b'c');
        assert_eq!(text.offset(1000), body.len() as u64);
    }
}
