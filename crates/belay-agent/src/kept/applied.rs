//! The catalog that was last applied on this host: what the next one is compared with.
//!
//! A run waits for that, and needs nearly nothing of it. So the file is laid out to be left unread:
//! its first line says of every part what tells whether the next catalog has it too, and how long
//! the line is that says what the part sets; those lines follow, and few are ever looked at.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result};
use belay_adapters::tools::host::{KnownPart, OfferedCatalog, PartedCatalog, Sets};
use belay_core::model::ids::Digest;
use belay_core::model::item::Content;
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::durable::{self, Guard, Sync};

const NAME: &str = "applied.json";
/// The largest such file that is read, in bytes: some hundred thousand resources.
const APPLIED_MAX: u64 = 64 * 1024 * 1024;

/// The first line. A file as older agents wrote it has no `parts`, and counts as none.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    parts: Vec<Row<'a>>,
}

/// A part: its digest, that of its name, how much of it is opaque, whether it may be passed over,
/// and how long its line is.
#[derive(Serialize, Deserialize)]
struct Row<'a>(#[serde(borrow)] Hex<'a>, #[serde(borrow)] Option<Hex<'a>>, u32, bool, usize);

/// Digits of a digest, written as they are read.
type Hex<'a> = std::borrow::Cow<'a, str>;

/// The line of a part: type, title, items, and what may be items.
#[derive(Serialize, Deserialize)]
struct Line(String, String, Vec<(String, String)>, Vec<(String, String)>);

/// What was last applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    known: Vec<KnownPart>,
    lines: Vec<Range<usize>>,
    bytes: Vec<u8>,
}

impl Applied {
    /// Its parts.
    pub fn known(&self) -> &[KnownPart] {
        &self.known
    }

    /// What some of its parts set, by their places in [`known`](Self::known); `None` when that
    /// cannot be read.
    pub fn setting(&self, places: &[usize]) -> Option<OfferedCatalog> {
        let sets: Option<Vec<Sets>> = places.iter().map(|place| sets(self.bytes.get(self.lines.get(*place)?.clone())?)).collect();
        sets.map(OfferedCatalog::setting)
    }

    fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut start = bytes.iter().position(|byte| *byte == b'\n')? + 1;
        let head: Head = serde_json::from_slice(&bytes[..start]).ok()?;
        let (mut known, mut lines) = (Vec::with_capacity(head.parts.len()), Vec::with_capacity(head.parts.len()));
        for Row(digest, name, opaque, alone, length) in &head.parts {
            let name = match name {
                Some(name) => Some(Digest::parse(name)?),
                None => None,
            };
            known.push(KnownPart { digest: Digest::parse(digest)?, name, opaque: *opaque, alone: *alone });
            let end = start.checked_add(*length)?;
            lines.push(start..end);
            start = end;
        }
        // One that was cut off or added to is none.
        (start == bytes.len()).then_some(())?;
        Some(Self { known, lines, bytes })
    }
}

impl Kept {
    /// What was last applied; `None` when that is not known.
    pub fn applied(&self) -> Option<Applied> {
        Applied::read(durable::read(&self.path(NAME), APPLIED_MAX).ok()??)
    }

    /// Keeps what was applied. For root alone, as the tool's own copy is: who knows all of a resource
    /// but a secret in it could try secrets until the digest is right.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_applied(&self, _: &Guard, catalog: &PartedCatalog) -> Result<()> {
        let mut body = Vec::new();
        let mut parts = Vec::new();
        for (known, part) in catalog.known().into_iter().zip(&catalog.parts) {
            let start = body.len();
            serde_json::to_writer(&mut body, &line(&part.sets)).context("what was applied cannot be written")?;
            body.push(b'\n');
            let hex = |digest: Digest| Hex::Owned(digest.to_string());
            parts.push(Row(hex(known.digest), known.name.map(hex), known.opaque, known.alone, body.len() - start));
        }
        let mut bytes = serde_json::to_vec(&Head { parts }).context("what was applied cannot be written")?;
        bytes.push(b'\n');
        bytes.append(&mut body);
        durable::write(&self.path(NAME), &bytes, 0o600, Sync::Yes)
    }
}

fn line(sets: &Sets) -> Line {
    let rows = |items: &[(Arc<str>, Content)]| items.iter().map(|(name, content)| (name.to_string(), content.to_string())).collect();
    Line(sets.kind.to_string(), sets.title.to_string(), rows(&sets.items), rows(&sets.perhaps))
}

fn sets(line: &[u8]) -> Option<Sets> {
    let Line(kind, title, items, perhaps) = serde_json::from_slice(line).ok()?;
    let rows = |items: Vec<(String, String)>| -> Option<Vec<(Arc<str>, Content)>> {
        items.into_iter().map(|(name, content)| Some((name.into(), Digest::parse(&content)?))).collect()
    };
    Some(Sets { kind: kind.into(), title: title.into(), items: rows(items)?, perhaps: rows(perhaps)? })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use belay_adapters::tools::host::Part;

    use super::*;

    fn part(title: &str, opaque: u32) -> Part {
        let sum = Digest::of(title.as_bytes());
        let items = vec![("content".into(), sum), ("ensure".into(), Digest::of(b"file"))];
        let sets = match opaque {
            0 => Sets { kind: "File".into(), title: title.into(), items, perhaps: vec![("what".into(), sum)] },
            _ => Sets::default(),
        };
        Part { digest: sum, sets, opaque, break_glass: None }
    }

    #[test]
    fn what_is_kept_reads_back_part_by_part_and_what_is_damaged_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        assert_eq!(kept.applied(), None);
        let catalog = PartedCatalog { parts: vec![part("/a", 0), part("/b", 2), part("/\"c\"\n", 0)], ..PartedCatalog::default() };
        kept.note_applied(&kept.guard().unwrap(), &catalog).unwrap();
        let applied = kept.applied().unwrap();
        assert_eq!(applied.known(), catalog.known());
        assert_eq!(applied.setting(&[2]).unwrap(), OfferedCatalog::setting([catalog.parts[2].sets.clone()]));
        assert_eq!(applied.setting(&[0, 1, 2]).unwrap().items, catalog.whole().items);
        assert_eq!(applied.setting(&[3]), None);
        let path = kept.path(NAME);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(kept.applied(), None, "cut off");
        let as_before = r#"{"environment":"e","uuid":"u","items":[["File","/a","content","00"]],"perhaps":[]}"#;
        std::fs::write(&path, as_before).unwrap();
        assert_eq!(kept.applied(), None, "as older agents wrote it");
    }
}
