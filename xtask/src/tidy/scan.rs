//! A scanner of Rust source that knows just enough: where comments and literals are, and where functions begin and end.
//! It never fails: on source that does not compile it gives its best guess, and the compiler complains anyway.

/// The source with comments and the insides of string and character literals turned into blanks; line ends stay where they are.
pub fn blank(source: &str) -> String {
    let mut out = source.as_bytes().to_vec();
    let mut at = 0;
    while at < out.len() {
        let Some(opaque) = opaque(source, at) else {
            at += 1;
            continue;
        };
        out[opaque.from..opaque.to].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = opaque.next;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What is to be blanked, and where ordinary code goes on.
struct Opaque {
    from: usize,
    to: usize,
    next: usize,
}

/// The comment or literal that starts exactly here, if one does.
fn opaque(source: &str, at: usize) -> Option<Opaque> {
    let bytes = source.as_bytes();
    let quoted = |closing: usize| Opaque { from: at + 1, to: closing, next: (closing + 1).min(bytes.len()) };
    match (bytes[at], bytes.get(at + 1)) {
        (b'/', Some(b'/')) => {
            let end = find(bytes, at, b"\n").unwrap_or(bytes.len());
            Some(Opaque { from: at, to: end, next: end })
        }
        (b'/', Some(b'*')) => {
            let end = comment_end(bytes, at);
            Some(Opaque { from: at, to: end, next: end })
        }
        (b'"', _) => Some(quoted(string_end(bytes, at + 1, b'"'))),
        (b'\'', Some(b'\\')) => Some(quoted(string_end(bytes, at + 1, b'\''))),
        (b'\'', Some(_)) => {
            // `'x'` is a character, `'x` a lifetime or a label.
            let closing = at + 1 + source.get(at + 1..)?.chars().next()?.len_utf8();
            (bytes.get(closing) == Some(&b'\'')).then(|| quoted(closing))
        }
        (b'r', _) if starts_literal(bytes, at) => raw_string(bytes, at),
        _ => None,
    }
}

/// The end of a block comment; they nest.
fn comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                at += 2;
            }
            Some(b"*/") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The place of the closing quote of a literal with escapes.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// Whether an `r` here can open a raw string: at the start of a word, or after the prefix `b` or `c` at the start of one.
fn starts_literal(bytes: &[u8], at: usize) -> bool {
    let word_before = |at: usize| at > 0 && is_word(bytes[at - 1]);
    !word_before(at) || (matches!(bytes[at - 1], b'b' | b'c') && !word_before(at - 1))
}

/// `r"..."`, `r#"..."#`; not the raw identifier `r#type`.
fn raw_string(bytes: &[u8], at: usize) -> Option<Opaque> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let from = at + 1 + hashes + 1;
    (bytes.get(from - 1) == Some(&b'"')).then(|| {
        let closing = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
        let to = find(bytes, from, &closing).unwrap_or(bytes.len());
        Opaque { from, to, next: (to + closing.len()).min(bytes.len()) }
    })
}

fn find(bytes: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    bytes.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|index| from + index)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// A function with a body: where it starts, and how many lines it has from `fn` to its closing brace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// The functions of blanked source, those inside others too, in the order in which they start.
pub fn functions(code: &str) -> Vec<Function> {
    let bytes = code.as_bytes();
    let ends: Vec<usize> = code.match_indices('\n').map(|(at, _)| at).collect();
    let line = |at: usize| ends.partition_point(|end| *end < at) + 1;
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        at = word_end(bytes, at);
        if &code[start..at] != "fn" {
            continue;
        }
        // `fn(u8) -> u8` is a type, and `fn $name` belongs to a macro: neither has a name here.
        let Some(name) = name_after(code, at) else { continue };
        at = name.end;
        if let Some(open) = body_start(bytes, at) {
            let close = braces_end(bytes, open);
            found.push(Function { name: code[name].to_owned(), line: line(start), lines: line(close) - line(start) + 1 });
            at = open;
        }
    }
    found
}

fn word_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| !is_word(*byte)).map_or(bytes.len(), |length| from + length)
}

/// The range of the identifier after `fn`.
fn name_after(code: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let bytes = code.as_bytes();
    let mut start = at + bytes[at..].iter().position(|byte| !byte.is_ascii_whitespace())?;
    if bytes[start..].starts_with(b"r#") {
        start += 2;
    }
    let end = word_end(bytes, start);
    (end > start).then_some(start..end)
}

/// The brace that opens the body, or nothing for a declaration that ends with `;`.
/// Braces inside `()`, `[]` and `<>` of the signature are constants.
fn body_start(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut round, mut angle) = (0_i32, 0_i32);
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' => round += 1,
            b')' | b']' => round -= 1,
            b'<' if round == 0 => angle += 1,
            b'>' if round == 0 && bytes[at - 1] != b'-' => angle -= 1,
            b'{' if round == 0 && angle <= 0 => return Some(at),
            b'{' => at = braces_end(bytes, at),
            b';' if round == 0 && angle <= 0 => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The place of the brace that closes the one that is open here, or the end.
fn braces_end(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, byte) in bytes[open..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + index;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
