//! The YAML of Puppet's reports, event by event, under a budget.
//!
//! Puppet writes with Psych (libyaml, or SnakeYAML under JRuby). Of YAML this reader takes what
//! those write: one document, tags read as plain data, anchors and aliases of single values, and no
//! list or mapping in brackets beyond a short one. Everything else is refused, because everything
//! else is either not a report or an attack: an alias to a list or mapping is how a small document
//! becomes a huge one, and the scanner underneath keeps a bracketed list in memory until it ends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::walk::{Budget, Refusal, Scalar, Sink, Stop};

/// Anchors of single values remembered.
const ANCHORS_MAX: usize = 100_000;
/// Bytes within which a bracketed list or mapping has to end.
const BRACKETS_MAX: usize = 4096;
/// Bytes of one line. A log line of 10 MB is one, so it must not be less.
const LINE_MAX: usize = 12 * 1024 * 1024;

/// Reads one YAML document into the sink.
///
/// # Errors
/// [`Stop`] with the offset in bytes at which reading ended.
pub(super) fn walk(text: &str, sink: &mut impl Sink) -> Result<(), Stop> {
    let mut reader =
        Reader { place: Place::new(text), budget: Budget::new(), open: Vec::new(), anchors: Vec::new(), documents: 0, looked: 0 };
    reader.brackets_ahead().map_err(|Refusal(reason)| Stop { at: 0, reason })?;
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| Stop { at: reader.place.byte(error.marker().index()), reason: not_yaml(error.info()) })?;
        let start = reader.place.byte(span.start.index());
        reader.take(event, sink).map_err(|Refusal(reason)| Stop { at: start, reason })?;
        let end = reader.place.byte(span.end.index());
        reader.brackets_ahead().map_err(|Refusal(reason)| Stop { at: end, reason })?;
    }
    match reader.documents {
        0 => Err(Stop { at: text.len(), reason: "nothing in it".to_owned() }),
        _ => Ok(()),
    }
}

/// Refuses a line that is longer than any log line, before anything is done with it.
///
/// # Errors
/// [`Stop`] with the start of the line.
pub(super) fn short_lines(text: &str) -> Result<(), Stop> {
    match long_line(text) {
        Some(at) => Err(Stop { at, reason: format!("a line of more than {LINE_MAX} bytes") }),
        None => Ok(()),
    }
}

fn not_yaml(info: &str) -> String {
    format!("not YAML: {info}; damaged or truncated on its way")
}

/// The start of the first line that is too long.
fn long_line(text: &str) -> Option<usize> {
    let mut start = 0;
    while text.len() - start > LINE_MAX {
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length + 1);
        if end - start > LINE_MAX {
            return Some(start);
        }
        start = end;
    }
    None
}

/// A mapping waiting for a key or for a value, or a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Key,
    Value,
    List,
}

struct Reader<'a> {
    place: Place<'a>,
    budget: Budget,
    open: Vec<Open>,
    /// By the number of the anchor; `None` for anchors of lists and mappings.
    anchors: Vec<Option<Box<str>>>,
    documents: u32,
    /// Up to here `brackets_ahead` has looked.
    looked: usize,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, sink: &mut impl Sink) -> Result<(), Refusal> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 { Refusal::new("more than one document") } else { Ok(()) }
            }
            Event::MappingStart(..) => {
                self.enter(Open::Key)?;
                sink.open_map()
            }
            Event::SequenceStart(..) => {
                self.enter(Open::List)?;
                sink.open_list()
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                self.budget.leave();
                self.value_done();
                sink.close()
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.remember(anchor, &text)?;
                let decoded = tag.as_deref().filter(|tag| is_binary(tag)).map(|_| binary(&text));
                let text = decoded.as_deref().unwrap_or(&text);
                let plain = style == ScalarStyle::Plain && tag.is_none();
                self.single(if plain { Scalar::Plain(text) } else { Scalar::Text(text) }, sink)
            }
            Event::Alias(anchor) => {
                let Some(Some(text)) = self.anchors.get_mut(anchor).map(Option::take) else {
                    return Refusal::new("an alias to a list or a mapping; only aliases to single values are read");
                };
                let done = self.single(Scalar::Text(&text), sink);
                self.anchors[anchor] = Some(text);
                done
            }
        }
    }

    fn single(&mut self, scalar: Scalar<'_>, sink: &mut impl Sink) -> Result<(), Refusal> {
        self.budget.spend(scalar.text().len())?;
        if let Some(state @ Open::Key) = self.open.last_mut() {
            *state = Open::Value;
            return sink.key(scalar.text());
        }
        self.value_done();
        sink.scalar(scalar)
    }

    fn enter(&mut self, state: Open) -> Result<(), Refusal> {
        if self.open.last() == Some(&Open::Key) {
            return Refusal::new("a key that is a list or a mapping");
        }
        self.budget.enter()?;
        self.open.push(state);
        Ok(())
    }

    fn value_done(&mut self) {
        if let Some(state @ Open::Value) = self.open.last_mut() {
            *state = Open::Key;
        }
    }

    fn remember(&mut self, anchor: usize, text: &str) -> Result<(), Refusal> {
        if anchor == 0 {
            return Ok(());
        }
        if anchor > ANCHORS_MAX {
            return Refusal::new(format!("more than {ANCHORS_MAX} anchors"));
        }
        if self.anchors.len() <= anchor {
            self.anchors.resize_with(anchor + 1, || None);
        }
        self.anchors[anchor] = Some(text.into());
        Ok(())
    }

    /// Refuses a long list or mapping in brackets *before* the scanner reads into it. Looks only at
    /// what stands between the last event and the next value: blanks, comments and indicators.
    fn brackets_ahead(&mut self) -> Result<(), Refusal> {
        let bytes = self.place.text.as_bytes();
        let is_blank_at = |i: usize| bytes.get(i).is_none_or(u8::is_ascii_whitespace);
        let to_blank = |i: usize| bytes[i..].iter().position(u8::is_ascii_whitespace).map_or(bytes.len(), |n| i + n);
        let to_line_end = |i: usize| bytes[i..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| i + n);
        let mut i = self.place.byte.max(self.looked);
        while let Some(byte) = bytes.get(i) {
            i = match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => i + 1,
                b'-' if bytes[i..].starts_with(b"---") && is_blank_at(i + 3) => i + 3,
                b'-' | b'?' | b':' if is_blank_at(i + 1) => i + 1,
                b'#' | b'%' => to_line_end(i),
                b'&' | b'!' => to_blank(i),
                b'[' | b'{' if !is_short(&bytes[i..]) => {
                    return Refusal::new(format!("a list or mapping in brackets that does not end within {BRACKETS_MAX} bytes"));
                }
                _ => break,
            };
        }
        self.looked = i;
        Ok(())
    }
}

/// Whether a list or mapping in brackets ends soon, read simply: whatever could make this reading
/// differ from the scanner's (comments, tags, anchors) counts as "no".
fn is_short(ahead: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = ahead.iter().take(BRACKETS_MAX);
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b'\'' => _ = bytes.find(|b| **b == b'\''),
            b'"' => {
                while let Some(inner) = bytes.next().filter(|b| **b != b'"') {
                    if *inner == b'\\' {
                        bytes.next();
                    }
                }
            }
            b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'%' | b'@' | b'`' => return false,
            _ => {}
        }
        if depth == 0 {
            return true;
        }
    }
    false
}

/// `!binary` and `!!binary`: how Psych writes a text whose bytes are not UTF-8.
fn is_binary(tag: &Tag) -> bool {
    tag.suffix == "binary"
}

/// Base64 decoded, bytes that are not UTF-8 replaced; as it stands when it is not base64.
fn binary(text: &str) -> String {
    let compact: String = text.split_whitespace().collect();
    STANDARD.decode(compact).map_or_else(|_| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Where reading is: the scanner counts characters, everybody else bytes.
struct Place<'a> {
    text: &'a str,
    ascii: bool,
    chars: usize,
    byte: usize,
}

impl<'a> Place<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, ascii: text.is_ascii(), chars: 0, byte: 0 }
    }

    /// The offset in bytes of this character. Places only move forward: one that lies back gives
    /// where reading is already.
    fn byte(&mut self, chars: usize) -> usize {
        if chars > self.chars {
            let ahead = chars - self.chars;
            let rest = &self.text[self.byte..];
            self.byte += if self.ascii { ahead.min(rest.len()) } else { rest.char_indices().nth(ahead).map_or(rest.len(), |(at, _)| at) };
            self.chars = chars;
        }
        self.byte
    }
}
