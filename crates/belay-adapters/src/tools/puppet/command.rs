//! Commands as PuppetDB's terminus submits them: the query says which one, the body is its payload.
//!
//! `replace facts` comes before a compile, `replace catalog` after it, `store report` at the end of a run.
//! A catalog is what a host is *offered*; a run that is refused afterwards has sent one all the same.

mod facts;

use std::borrow::Cow;

use belay_core::model::ids::HostId;
use belay_core::model::report::{Complaint, Unreadable};
use sha1::Digest as _;

use super::{catalog, decode};
use crate::tools::feed::{Message, Told};
use crate::tools::redact::{TEXT_MAX, clean};

/// The name of the feed.
pub(super) const NAME: &str = "puppetdb";
/// Bytes of the query that are looked at.
const QUERY_MAX: usize = 4096;

/// What is read: command, and its oldest and newest version that have this shape.
const KNOWN: [(&str, u32, u32); 3] = [("store report", 8, 8), ("replace catalog", 9, 9), ("replace facts", 5, 5)];

/// What the query says.
#[derive(Default)]
struct Head {
    command: String,
    version: String,
    certname: String,
    checksum: String,
}

/// Reads one command.
///
/// # Errors
/// [`Unreadable`] when the payload is not what the command says.
pub(super) fn read(query: &str, body: &[u8]) -> Result<Told, Unreadable> {
    let head = Head::of(query);
    let known = KNOWN.iter().find(|(command, _, _)| *command == head.command);
    let Some((command, oldest, newest)) = known else {
        return Ok(nothing(format!("the command {:?} is not known; nothing of it is kept", clean(&head.command, 60))));
    };
    if !head.version.parse().is_ok_and(|version: u32| (*oldest..=*newest).contains(&version)) {
        return Ok(nothing(format!("version {:?} of {command} is not known; nothing of it is kept", clean(&head.version, 20))));
    }
    let mut complaints = Vec::new();
    complaints.extend(head.checked(body));
    let message = match *command {
        "store report" => {
            let mut decoded = decode::command(body)?;
            complaints.append(&mut decoded.complaints);
            Message::Report(Box::new(decoded))
        }
        "replace facts" => facts::read(body)?,
        _ => match catalog::offer(body)? {
            Some(offer) => Message::Offered(Box::new(offer)),
            None => Message::Nothing("an empty stub: the environment of the host was decided only after it".to_owned()),
        },
    };
    head.is_about(&message)?;
    Ok(Told { message, complaints, past: false })
}

fn nothing(why: String) -> Told {
    Told { message: Message::Nothing(why), complaints: Vec::new(), past: false }
}

impl Head {
    fn of(query: &str) -> Self {
        let mut head = Self::default();
        for (name, value) in query[..query.floor_char_boundary(QUERY_MAX)].split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decoded(value);
            match name {
                "command" => head.command = value.replace('_', " "),
                "version" => head.version = value.into_owned(),
                "certname" => head.certname = value.into_owned(),
                "checksum" => head.checksum = value.to_ascii_lowercase(),
                _ => {}
            }
        }
        head
    }

    /// The checksum is of a text that is never sent: what the command would be if it were one document.
    fn checked(&self, body: &[u8]) -> Option<Complaint> {
        if self.checksum.is_empty() {
            return None;
        }
        let mut sum = sha1::Sha1::new();
        let (command, certname) = (serde_json::Value::from(&*self.command), serde_json::Value::from(&*self.certname));
        sum.update(format!("{{\"command\":{command},\"version\":{},\"certname\":{certname},\"payload\":", self.version));
        sum.update(body);
        sum.update(b"}");
        let found: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        (found != self.checksum).then(|| Complaint {
            place: "checksum".to_owned(),
            text: format!(
                "it is {found}, and was announced as {}: altered on its way, or its sender counts otherwise",
                clean(&self.checksum, 60)
            ),
        })
    }

    /// The one named in the query and the one named in the payload must be the same.
    fn is_about(&self, message: &Message) -> Result<(), Unreadable> {
        let named = match message {
            Message::Report(decoded) => &decoded.report.host,
            Message::Facts { host, .. } => host,
            Message::Offered(offer) => offer.host.as_str(),
            Message::Nothing(_) => return Ok(()),
        };
        if self.certname.is_empty() || self.certname.eq_ignore_ascii_case(named) {
            return Ok(());
        }
        let reason = format!("the request is about {}, and what it holds about {named}", clean(&self.certname, 255));
        Err(Unreadable { offset: 0, reason, host: None })
    }
}

/// What is wrong with a document in JSON, with its place.
pub(super) fn not_json(body: &[u8], error: &serde_json::Error, host: Option<String>) -> Unreadable {
    let offset = std::str::from_utf8(body).map_or(0, |text| super::json::offset(text, error.line(), error.column()));
    let reason =
        if error.is_eof() { "the JSON ends too early: truncated on its way".to_owned() } else { format!("not as it should be: {error}") };
    Unreadable { offset: offset as u64, reason: clean(&reason, TEXT_MAX), host }
}

/// The host of this name.
pub(super) fn host(name: &str) -> Result<HostId, Unreadable> {
    let bad = |bad| Unreadable { offset: 0, reason: format!("the host's name is refused: {bad}"), host: Some(clean(name, 255)) };
    HostId::parse(name).map_err(bad)
}

/// A value of a query: `%2F` is `/`, `+` a space. What is no escape stays.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (bytes, mut out) = (text.as_bytes(), Vec::with_capacity(text.len()));
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
                continue;
            }
            (b'+', _, _) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_read_as_senders_write_it() {
        let head = Head::of("checksum=AB&version=5&certname=web01%2Eexample.com&command=replace+facts&producer-timestamp=x");
        assert_eq!((head.command.as_str(), head.version.as_str(), head.checksum.as_str()), ("replace facts", "5", "ab"));
        assert_eq!(head.certname, "web01.example.com");
        assert_eq!(Head::of("command=store_report").command, "store report");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%c3%A4+%"), "\u{e4} %");
    }

    #[test]
    fn what_is_not_known_is_nothing_and_never_an_error() {
        for query in ["", "command=deactivate_node&version=3", "command=store_report&version=9", "command=store_report", "&&=&"] {
            let told = read(query, b"not even JSON").unwrap();
            assert!(matches!(told.message, Message::Nothing(_)), "{query}: {told:?}");
        }
    }
}
