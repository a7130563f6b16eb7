//! The catalog a host keeps (`client_data/catalog/NAME.json`): what a run would apply, as items. A
//! hook that runs before the catalog is applied finds the new one there already. A `replace catalog`
//! command has the same resources in another frame.
//!
//! The same item must come out of a catalog and out of the report of the run that applied it, or
//! what was rejected would not be known again. What a catalog does not say is *opaque*: texts that
//! lie on a server (`source`), secrets, values made on the host (`Deferred`), commands.

mod desired;
mod offer;
mod title;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use belay_core::model::ids::{Digest, Environment, HostId};
use belay_core::model::item::Content;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::json::offset;
use super::walk::BODY_MAX;
use super::{items, value};
use crate::tools::host::{KnownPart, News, Part, PartedCatalog, Sets, UnreadableCatalog, sift};
use crate::tools::mask::Masks;
use crate::tools::redact::{TEXT_MAX, clean};
use desired::Desired;

pub(super) use offer::offer;

/// A resource `notify { 'belay-break-glass': message => 'REASON' }` asks for the gate to be opened
/// on every host whose catalog holds it. It costs a commit, which says who did it and why.
pub const BREAK_GLASS: &str = "belay-break-glass";

/// Types that set nothing on a host, whatever their parameters.
const NO_ITEMS: [&str; 7] = ["Class", "Node", "Stage", "Whit", "Component", "Filebucket", "Schedule"];
/// Types of which only a run can tell what they do.
const OPAQUE: [&str; 3] = ["Exec", "Tidy", "Resources"];
/// Parameters that every type has and that set nothing.
const META: [&str; 13] =
    ["alias", "audit", "before", "consume", "export", "loglevel", "name", "noop", "notify", "provider", "require", "schedule", "subscribe"];
/// More of them, which old catalogs carry.
const META_OLD: [&str; 2] = ["stage", "tag"];

/// Raised whenever the same text gives other items than before: what was kept of an applied catalog
/// by older rules is then compared item by item.
const RULES: &str = "2";

/// What is looked at of a catalog. Its resources are read one by one, those that are needed.
#[derive(Deserialize)]
struct Catalog<R, M> {
    #[serde(alias = "certname")]
    name: String,
    #[serde(default)]
    version: Value,
    environment: Option<String>,
    catalog_uuid: Option<String>,
    resources: Vec<R>,
    /// Of static catalogs: what lies behind a `source`, by the title of the file.
    #[serde(default = "BTreeMap::new")]
    metadata: BTreeMap<String, M>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    /// What made it: `compilable_type`, `class`, `defined_type`. Old catalogs do not say.
    #[serde(rename = "kind")]
    origin: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    #[serde(default)]
    sensitive_parameters: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "type")]
    ftype: Option<String>,
    checksum: Option<Checksum>,
}

#[derive(Deserialize)]
struct Checksum {
    value: Option<String>,
}

/// Reads the catalog of this host.
pub(super) fn read(bytes: &[u8], host: &HostId) -> Result<PartedCatalog, UnreadableCatalog> {
    let split = Split::of(bytes, host)?;
    let digests = split.digests();
    let parts = (0..digests.len()).map(|nth| split.part(nth, &digests)).collect::<Result<_, _>>();
    let parts = parts.and_then(|parts| split.read_metadata(&[]).map(|()| parts)).map_err(|error| split.unreadable(&error))?;
    Ok(split.framed(parts))
}

/// Reads what is new in the catalog of this host.
pub(super) fn news(bytes: &[u8], host: &HostId, applied: &[KnownPart]) -> Result<News, UnreadableCatalog> {
    let split = Split::of(bytes, host)?;
    let digests = split.digests();
    let sifted = sift(&digests, applied, |nth| split.part(nth, &digests));
    let sifted = sifted.and_then(|sifted| split.read_metadata(&sifted.passed).map(|()| sifted));
    let sifted = sifted.map_err(|error| split.unreadable(&error))?;
    let mut catalog = split.framed(sifted.parts).whole();
    catalog.opaque = catalog.opaque.saturating_add(sifted.opaque);
    Ok(News { catalog, against: sifted.against })
}

fn unreadable(at: usize, reason: &str) -> UnreadableCatalog {
    UnreadableCatalog { offset: at as u64, reason: clean(reason, TEXT_MAX) }
}

fn not_a_catalog(text: &str, error: &serde_json::Error) -> UnreadableCatalog {
    let reason = if error.is_eof() { "it ends too early".to_owned() } else { format!("not a catalog in JSON: {error}") };
    unreadable(offset(text, error.line(), error.column()), &reason)
}

/// A catalog of which each resource is still the text it came as.
struct Split<'a> {
    text: &'a str,
    catalog: Catalog<&'a RawValue, &'a RawValue>,
    /// For each resource what a static catalog says of what lies behind its source.
    behind: Vec<Option<&'a RawValue>>,
    masks: Masks,
}

impl<'a> Split<'a> {
    fn of(bytes: &'a [u8], host: &HostId) -> Result<Self, UnreadableCatalog> {
        if bytes.len() > BODY_MAX {
            return Err(unreadable(BODY_MAX, &format!("{} bytes; at most {BODY_MAX} are read", bytes.len())));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| unreadable(error.valid_up_to(), "not UTF-8"))?;
        let catalog: Catalog<&RawValue, &RawValue> = serde_json::from_str(text).map_err(|error| whole_error(text, &error))?;
        if !catalog.name.eq_ignore_ascii_case(host.as_str()) {
            return Err(unreadable(0, &format!("it is the catalog of {}, not of {host}", catalog.name)));
        }
        let masks = Masks::of(&catalog.name, &[]);
        let behind = behind(&catalog);
        Ok(Self { text, catalog, behind, masks })
    }

    /// One for each resource: of all that its part follows from.
    fn digests(&self) -> Vec<Digest> {
        let host = self.catalog.name.to_ascii_lowercase();
        let digest = |(resource, behind): (&&RawValue, &Option<&RawValue>)| {
            Digest::of_parts([RULES, &host, behind.map_or("", RawValue::get), resource.get()])
        };
        self.catalog.resources.iter().zip(&self.behind).map(digest).collect()
    }

    fn part(&self, nth: usize, digests: &[Digest]) -> Result<Part, serde_json::Error> {
        let resource: Resource = serde_json::from_str(self.catalog.resources[nth].get())?;
        let behind = self.behind[nth].map(|raw| serde_json::from_str::<Metadata>(raw.get())).transpose()?;
        let part = Part { digest: digests[nth], sets: Sets::default(), opaque: 0, break_glass: None };
        let mut reader = Reader { masks: &self.masks, behind: behind.as_ref(), part };
        reader.resource(&resource);
        Ok(reader.part)
    }

    /// Sees that the rest of the metadata can be read too. That of resources that were passed over
    /// could be before.
    fn read_metadata(&self, passed: &[usize]) -> Result<(), serde_json::Error> {
        let mut of_passed: Vec<*const u8> = passed.iter().filter_map(|nth| self.behind[*nth]).map(place).collect();
        of_passed.sort_unstable();
        let mut rest = self.catalog.metadata.values().filter(|raw| of_passed.binary_search(&place(raw)).is_err());
        rest.try_for_each(|raw| serde_json::from_str::<Metadata>(raw.get()).map(|_| ()))
    }

    /// With what stands around the resources.
    fn framed(&self, parts: Vec<Part>) -> PartedCatalog {
        PartedCatalog {
            environment: self.catalog.environment.as_deref().and_then(|name| Environment::parse(name).ok()),
            version: version(&self.catalog.version),
            uuid: self.catalog.catalog_uuid.as_deref().map(|uuid| clean(uuid, 100)),
            parts,
        }
    }

    fn unreadable(&self, error: &serde_json::Error) -> UnreadableCatalog {
        whole_error(self.text, error)
    }
}

/// What a static catalog says of what lies behind the source of each resource.
fn behind<'a>(catalog: &Catalog<&'a RawValue, &'a RawValue>) -> Vec<Option<&'a RawValue>> {
    // Titles are looked for only where there is something to be found by them.
    if catalog.metadata.is_empty() {
        return vec![None; catalog.resources.len()];
    }
    let behind = |resource: &&RawValue| title::of(resource.get()).and_then(|title| catalog.metadata.get(&*title).copied());
    catalog.resources.iter().map(behind).collect()
}

/// Where a value stands in the catalog: tells it from all others.
fn place(raw: &RawValue) -> *const u8 {
    raw.get().as_ptr()
}

/// What is wrong with a catalog, with its place in the whole: a part only knows its own.
fn whole_error(text: &str, of_a_part: &serde_json::Error) -> UnreadableCatalog {
    match serde_json::from_str::<Catalog<Resource, Metadata>>(text) {
        Err(error) => not_a_catalog(text, &error),
        Ok(_) => not_a_catalog(text, of_a_part),
    }
}

/// What a `config_version` script printed. Without one it is the time of the compile, which names
/// nothing.
fn version(version: &Value) -> Option<String> {
    let text = match version {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let is_time = text.parse::<i64>().is_ok_and(|seconds| (1_000_000_000..10_000_000_000).contains(&seconds));
    (!is_time && !text.is_empty()).then(|| clean(&text, 200))
}

/// Makes a part of a resource.
struct Reader<'a> {
    masks: &'a Masks,
    behind: Option<&'a Metadata>,
    part: Part,
}

impl Reader<'_> {
    fn resource(&mut self, resource: &Resource) {
        if resource.kind == "Notify" && resource.title == BREAK_GLASS {
            let reason = resource.get("message").and_then(Value::as_str).map(|text| clean(text, TEXT_MAX));
            self.part.break_glass = Some(reason.filter(|text| !text.is_empty()).unwrap_or_else(|| "no reason that can be read".to_owned()));
        }
        // A resource that is only rehearsed is not applied, whatever kind of run it is.
        if !resource.sets_something() || resource.get("noop") == Some(&Value::Bool(true)) {
            return;
        }
        if OPAQUE.contains(&resource.kind.as_str()) {
            self.part.opaque += 1;
            return;
        }
        match desired::of(resource, self.source()) {
            Some(found) => {
                for (parameter, desired) in found {
                    let item = self.item(parameter, desired);
                    self.part.sets.items.extend(item);
                }
            }
            None => self.unknown_type(resource),
        }
        if self.part.sets != Sets::default() {
            let named = items::Named::of(&resource.kind, &resource.title, self.masks);
            (self.part.sets.kind, self.part.sets.title) = (named.kind, named.title);
        }
    }

    /// Attributes of a type that is not known here: which are properties only its code says.
    fn unknown_type(&mut self, resource: &Resource) {
        let given = resource.parameters.iter().filter(|(name, _)| !META.contains(&name.as_str()) && !META_OLD.contains(&name.as_str()));
        for (name, _) in given {
            match resource.desired(name) {
                // Nearly every type has it, and it is a property wherever it is.
                desired if name == "ensure" => {
                    let item = self.item(name, desired);
                    self.part.sets.items.extend(item);
                }
                desired => {
                    let item = self.item(name, desired);
                    self.part.sets.perhaps.extend(item);
                }
            }
        }
    }

    /// The item of a parameter; what cannot be told is counted.
    fn item(&mut self, parameter: &str, desired: Desired) -> Option<(Arc<str>, Content)> {
        let content = match desired {
            Desired::Nothing => return None,
            Desired::Opaque => None,
            Desired::Text(text) => items::content(parameter, &text, self.masks),
        };
        self.part.opaque += u32::from(content.is_none());
        Some((items::word(parameter), content?))
    }

    /// The checksum of what lies behind the `source` of a file, where the catalog says it.
    fn source(&self) -> Option<&str> {
        let metadata = self.behind.filter(|found| found.ftype.as_deref() == Some("file"))?;
        metadata.checksum.as_ref()?.value.as_deref()
    }
}

impl Resource {
    /// A parameter that is given.
    fn get(&self, name: &str) -> Option<&Value> {
        self.parameters.get(name).filter(|value| !value.is_null())
    }

    /// Classes and defined types only contain others.
    fn sets_something(&self) -> bool {
        let contains = match self.origin.as_deref() {
            Some(origin) => matches!(origin, "class" | "defined_type"),
            None => self.kind.contains("::"),
        };
        !contains && !NO_ITEMS.contains(&self.kind.as_str())
    }

    /// The value of a parameter as a text, in the one way in which reports write it too.
    fn desired(&self, name: &str) -> Desired {
        let Some(given) = self.get(name) else {
            return Desired::Nothing;
        };
        let value = plain(given).filter(|_| !self.sensitive_parameters.contains(name));
        match value.as_ref().and_then(|value| value.canonical()) {
            Some(text) => Desired::Text(text.into_owned()),
            None => Desired::Opaque,
        }
    }
}

/// A value without anything in it that is made later or must not be seen.
fn plain(given: &Value) -> Option<value::Value> {
    Some(match given {
        Value::Null => value::Value::Null,
        Value::Bool(truth) => value::Value::Text(truth.to_string()),
        Value::Number(number) => value::Value::single(super::walk::Scalar::Plain(&number.to_string())),
        Value::String(text) => value::Value::Text(text.clone()),
        Value::Array(list) => value::Value::List(list.iter().map(plain).collect::<Option<_>>()?),
        Value::Object(map) if map.contains_key("__ptype") || map.contains_key("__pcore_type__") => return None,
        Value::Object(map) => value::Value::Map(map.iter().map(|(key, one)| Some((key.clone(), plain(one)?))).collect::<Option<_>>()?),
    })
}
