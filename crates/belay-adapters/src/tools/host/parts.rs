//! A catalog by its parts, so that a run need not wait until all of it is understood: nearly all
//! parts of a catalog are as they were in the one applied before, and a digest tells which.
//!
//! Invariant: what [`news`] leaves out alters nothing. Comparing what it finds with the applied
//! parts it names gives what comparing both catalogs as wholes gives.

use std::collections::BTreeSet;
use std::sync::Arc;

use belay_core::model::ids::{Digest, Environment};
use belay_core::model::item::{Content, ItemKey};

use super::OfferedCatalog;

/// A catalog by its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartedCatalog {
    /// See [`OfferedCatalog::environment`].
    pub environment: Option<Environment>,
    /// See [`OfferedCatalog::version`].
    pub version: Option<String>,
    /// See [`OfferedCatalog::uuid`].
    pub uuid: Option<String>,
    /// Its resources, in their order.
    pub parts: Vec<Part>,
}

/// A resource of a catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Digest of all that the rest of this follows from, the host and the rules included.
    pub digest: Digest,
    /// What it sets.
    pub sets: Sets,
    /// How much of it cannot be told: see [`OfferedCatalog::opaque`].
    pub opaque: u32,
    /// See [`OfferedCatalog::break_glass`].
    pub break_glass: Option<String>,
}

/// What a resource sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Its type, as its items name it; empty where it sets nothing.
    pub kind: Arc<str>,
    /// Its title, as its items name it; empty where it sets nothing.
    pub title: Arc<str>,
    /// Parameters that are items, of those there twice the last counts.
    pub items: Vec<(Arc<str>, Content)>,
    /// Parameters that may be items: see [`OfferedCatalog::perhaps`].
    pub perhaps: Vec<(Arc<str>, Content)>,
}

/// As much of a part of an applied catalog as has to be at hand to pass over one that is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPart {
    /// See [`Part::digest`].
    pub digest: Digest,
    /// Digest of type and title, which all its items name; none where it sets nothing.
    pub name: Option<Digest>,
    /// See [`Part::opaque`].
    pub opaque: u32,
    /// It may be passed over. Not where another part of the catalog sets items of the same names (a
    /// host's own words are masked in them): which of the two counts is a matter of their order.
    /// Nor where it asks for the gate to be opened, which counts each time.
    pub alone: bool,
}

/// What is new in a catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// The catalog without what is as it was; what it counts as opaque is of all of it.
    pub catalog: OfferedCatalog,
    /// Which of the known parts it is to be compared with: places in the list that was given.
    pub against: Vec<usize>,
}

impl PartedCatalog {
    /// All of it.
    pub fn whole(self) -> OfferedCatalog {
        let opaque = self.parts.iter().map(|part| part.opaque).sum();
        let break_glass = self.parts.iter().rev().find_map(|part| part.break_glass.clone());
        OfferedCatalog {
            environment: self.environment,
            version: self.version,
            uuid: self.uuid,
            opaque,
            break_glass,
            ..OfferedCatalog::setting(self.parts.into_iter().map(|part| part.sets))
        }
    }

    /// What has to be at hand of it when the next catalog comes.
    pub fn known(&self) -> Vec<KnownPart> {
        let mut names: Vec<Digest> = self.parts.iter().filter_map(|part| part.sets.name()).collect();
        names.sort_unstable();
        let is_alone = |name: &Digest| {
            let first = names.partition_point(|other| other < name);
            names.get(first + 1) != Some(name)
        };
        let known = |part: &Part| {
            let name = part.sets.name();
            let alone = part.break_glass.is_none() && name.as_ref().is_none_or(is_alone);
            KnownPart { digest: part.digest, name, opaque: part.opaque, alone }
        };
        self.parts.iter().map(known).collect()
    }
}

impl Sets {
    fn name(&self) -> Option<Digest> {
        let nothing = self.items.is_empty() && self.perhaps.is_empty();
        (!nothing).then(|| Digest::of_parts([&*self.kind, &*self.title]))
    }
}

impl OfferedCatalog {
    /// A catalog of which only this is known. Of what is there twice, the last counts.
    pub fn setting(sets: impl IntoIterator<Item = Sets>) -> Self {
        let (mut items, mut perhaps) = (Vec::new(), Vec::new());
        for set in sets {
            let Sets { kind, title, items: certain, perhaps: possible } = set;
            let key = |parameter| ItemKey { kind: Arc::clone(&kind), title: Arc::clone(&title), parameter };
            items.extend(certain.into_iter().map(|(parameter, content)| (key(parameter), content)));
            perhaps.extend(possible.into_iter().map(|(parameter, content)| (key(parameter), content)));
        }
        Self { items: items.into_iter().collect(), perhaps: perhaps.into_iter().collect(), ..Self::default() }
    }
}

/// Which parts of a catalog are news, and beside which applied ones.
pub(crate) struct Sifted {
    /// The parts that were read, in the order of the catalog.
    pub parts: Vec<Part>,
    /// Which parts of the catalog were passed over, in their order.
    pub passed: Vec<usize>,
    /// What those count as opaque.
    pub opaque: u32,
    /// See [`News::against`].
    pub against: Vec<usize>,
}

/// Passes over the parts of a catalog, given by their digests, that alter nothing beside the applied
/// ones, and reads the others.
pub(crate) fn sift<E>(digests: &[Digest], applied: &[KnownPart], mut read: impl FnMut(usize) -> Result<Part, E>) -> Result<Sifted, E> {
    let mut same = pairs(digests, applied);
    let mut parts = Vec::new();
    for (nth, _) in same.iter().enumerate().filter(|(_, at)| at.is_none()) {
        parts.push((nth, read(nth)?));
    }
    // What is new may set what a part sets that is as it was: then the order decides which counts.
    let touched: BTreeSet<Digest> = parts.iter().filter_map(|(_, part)| part.sets.name()).collect();
    let is_touched = |known: &KnownPart| known.name.is_some_and(|name| touched.contains(&name));
    for (nth, at) in same.iter_mut().enumerate() {
        if at.is_some_and(|at| is_touched(&applied[at])) {
            *at = None;
            parts.push((nth, read(nth)?));
        }
    }
    parts.sort_by_key(|(nth, _)| *nth);
    let mut is_same = vec![false; applied.len()];
    let (mut passed, mut opaque) = (Vec::new(), 0_u32);
    for (nth, at) in same.into_iter().enumerate() {
        if let Some(at) = at {
            is_same[at] = true;
            opaque = applied[at].opaque.saturating_add(opaque);
            passed.push(nth);
        }
    }
    let against = (0..applied.len()).filter(|at| !is_same[*at] && applied[*at].name.is_some()).collect();
    Ok(Sifted { parts: parts.into_iter().map(|(_, part)| part).collect(), passed, opaque, against })
}

/// For each digest an applied part of the same one that may be passed over.
fn pairs(digests: &[Digest], applied: &[KnownPart]) -> Vec<Option<usize>> {
    let mut places: Vec<(Digest, usize)> =
        applied.iter().enumerate().filter(|(_, part)| part.alone).map(|(at, part)| (part.digest, at)).collect();
    places.sort_unstable();
    let place = |digest: &Digest| places.binary_search_by_key(digest, |(other, _)| *other).ok().map(|found| places[found].1);
    digests.iter().map(place).collect()
}
