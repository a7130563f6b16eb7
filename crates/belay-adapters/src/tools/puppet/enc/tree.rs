//! A small YAML document as a tree, read under a budget and written back so that Ruby reads the same
//! values: what stood without quotes stays without, everything else is written in double quotes.

use std::fmt::Write as _;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::tools::host::BadAnswer;
use crate::tools::redact::clean;

/// Levels of lists and mappings.
const DEPTH_MAX: usize = 32;
/// Values in one document.
const VALUES_MAX: usize = 100_000;
/// Bytes of a key: a reader has to find the colon within 1024 characters.
const KEY_MAX: usize = 1000;
/// Of the tags only these leave a value what it is.
const TAGS: [&str; 7] = ["str", "int", "float", "bool", "null", "seq", "map"];

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A single value. `plain` ones stood without quotes and may be a number, or nothing at all.
    Single { text: String, plain: bool, tag: Option<&'static str> },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the document. Keys are single values.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Whether it is a single value with this text.
    pub fn is_text(&self, sought: &str) -> bool {
        matches!(self, Self::Single { text, .. } if text == sought)
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Single { text, plain: true, tag: None } if text.is_empty() || text == "~" || text == "null")
    }
}

/// Reads one document; `None` when there is nothing in it.
pub(super) fn read(text: &str) -> Result<Option<Node>, BadAnswer> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| bad(text, error.marker().index(), &format!("not YAML: {}", error.info())))?;
        builder.take(event).map_err(|reason| bad(text, span.start.index(), &reason))?;
    }
    Ok(builder.done.filter(|root| !root.is_nothing()))
}

/// An error at this character.
fn bad(text: &str, chars: usize, reason: &str) -> BadAnswer {
    let at = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    BadAnswer { at: at as u64, reason: clean(reason, 200) }
}

/// A list or mapping that is open.
enum Open {
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Option<Node>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    done: Option<Node>,
    documents: u32,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 { Err("more than one document".to_owned()) } else { Ok(()) }
            }
            Event::Alias(_) => Err("an alias; only plain documents are taken".to_owned()),
            Event::SequenceStart(_, tag) => self.begin(Open::List(Vec::new()), tag.as_deref()),
            Event::MappingStart(_, tag) => self.begin(Open::Map(Vec::new(), None), tag.as_deref()),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(items)) => self.put(Node::List(items)),
                Some(Open::Map(entries, None)) => self.put(Node::Map(entries)),
                Some(Open::Map(_, Some(_))) | None => Err("a list or mapping ends that never began".to_owned()),
            },
            Event::Scalar(text, style, _, tag) => {
                let tag = tag.as_deref().map(known).transpose()?;
                self.put(Node::Single { text: text.into_owned(), plain: style == ScalarStyle::Plain, tag })
            }
        }
    }

    fn begin(&mut self, open: Open, tag: Option<&Tag>) -> Result<(), String> {
        tag.map(known).transpose()?;
        if matches!(self.open.last(), Some(Open::Map(_, None))) {
            return Err("a key that is a list or a mapping".to_owned());
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("lists and mappings nested more than {DEPTH_MAX} deep"));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, node: Node) -> Result<(), String> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(format!("more than {VALUES_MAX} values"));
        }
        match self.open.last_mut() {
            None => self.done = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map(entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    if node.is_nothing() {
                        return Err("a key that is nothing".to_owned());
                    }
                    if matches!(&node, Node::Single { text, .. } if text.len() > KEY_MAX) {
                        return Err(format!("a key of more than {KEY_MAX} bytes"));
                    }
                    *key = Some(node);
                }
            },
        }
        Ok(())
    }
}

/// A lone `!` is refused with the rest: readers differ in what it says.
fn known(tag: &Tag) -> Result<&'static str, String> {
    let is_standard = tag.handle == "tag:yaml.org,2002:" || tag.handle == "!!";
    let found = TAGS.into_iter().find(|known| is_standard && *known == tag.suffix);
    found.ok_or_else(|| format!("the tag {}{}", tag.handle, tag.suffix))
}

/// Appends an entry of a mapping whose keys stand at this level.
pub(super) fn write_entry(key: &Node, value: &Node, level: usize, out: &mut String) {
    indent(level, out);
    write_single(key, out);
    out.push(':');
    write_value(value, level, out);
}

/// What follows a key's colon or an entry's dash, with its line end.
fn write_value(value: &Node, level: usize, out: &mut String) {
    match value {
        Node::Single { text, plain: true, tag: None } if text.is_empty() => out.push('\n'),
        Node::Single { .. } => {
            out.push(' ');
            write_single(value, out);
            out.push('\n');
        }
        Node::List(items) if items.is_empty() => out.push_str(" []\n"),
        Node::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Node::List(items) => {
            out.push('\n');
            for item in items {
                indent(level + 1, out);
                out.push('-');
                write_value(item, level + 1, out);
            }
        }
        Node::Map(entries) => {
            out.push('\n');
            for (key, value) in entries {
                write_entry(key, value, level + 1, out);
            }
        }
    }
}

fn write_single(node: &Node, out: &mut String) {
    let Node::Single { text, plain, tag } = node else { return };
    if let Some(tag) = tag {
        _ = write!(out, "!!{tag} ");
    }
    // Over several lines it can only be a text.
    if *plain && !text.contains(char::is_control) {
        out.push_str(text);
    } else {
        out.push_str(&quoted(text));
    }
}

/// A text in double quotes, in ASCII.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            ' '..='~' => out.push(c),
            c if u32::from(c) < 0x10000 => _ = write!(out, "\\u{:04X}", u32::from(c)),
            c => _ = write!(out, "\\U{:08X}", u32::from(c)),
        }
    }
    out.push('"');
    out
}

fn indent(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", level));
}
