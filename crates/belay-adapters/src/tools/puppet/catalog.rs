//! The catalog a host keeps (`client_data/catalog/NAME.json`): what a run would apply, as items. A
//! hook that runs before the catalog is applied finds the new one there already.
//!
//! The same item must come out of a catalog and out of the report of the run that applied it, or
//! what was rejected would not be known again. What a catalog does not say is *opaque*: texts that
//! lie on a server (`source`), secrets, values made on the host (`Deferred`), commands.

mod desired;

use std::collections::{BTreeMap, BTreeSet};

use belay_core::model::ids::{Environment, HostId};
use belay_core::model::item::{Content, ItemKey};
use serde::Deserialize;
use serde_json::Value;

use super::json::offset;
use super::walk::BODY_MAX;
use super::{items, value};
use crate::tools::host::{OfferedCatalog, UnreadableCatalog};
use crate::tools::mask::Masks;
use crate::tools::redact::{TEXT_MAX, clean};
use desired::Desired;

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

/// The parts of a catalog that are looked at.
#[derive(Deserialize)]
struct Catalog {
    name: String,
    #[serde(default)]
    version: Value,
    environment: Option<String>,
    catalog_uuid: Option<String>,
    resources: Vec<Resource>,
    /// Of static catalogs: what lies behind a `source`, by the title of the file.
    #[serde(default)]
    metadata: BTreeMap<String, Metadata>,
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
    ftype: Option<String>,
    checksum: Option<Checksum>,
}

#[derive(Deserialize)]
struct Checksum {
    value: Option<String>,
}

/// Reads the catalog of this host.
pub(super) fn read(bytes: &[u8], host: &HostId) -> Result<OfferedCatalog, UnreadableCatalog> {
    let unreadable = |at: usize, reason: &str| UnreadableCatalog { offset: at as u64, reason: clean(reason, TEXT_MAX) };
    if bytes.len() > BODY_MAX {
        return Err(unreadable(BODY_MAX, &format!("{} bytes; at most {BODY_MAX} are read", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable(error.valid_up_to(), "not UTF-8"))?;
    let catalog: Catalog = serde_json::from_str(text).map_err(|error| {
        let reason = if error.is_eof() { "it ends too early".to_owned() } else { format!("not a catalog in JSON: {error}") };
        unreadable(offset(text, error.line(), error.column()), &reason)
    })?;
    if !catalog.name.eq_ignore_ascii_case(host.as_str()) {
        return Err(unreadable(0, &format!("it is the catalog of {}, not of {host}", catalog.name)));
    }
    let masks = Masks::of(&catalog.name, &[]);
    let mut reader = Reader { masks, metadata: &catalog.metadata, items: Vec::new(), perhaps: Vec::new(), opaque: 0, break_glass: None };
    for resource in &catalog.resources {
        reader.resource(resource);
    }
    Ok(OfferedCatalog {
        environment: catalog.environment.as_deref().and_then(|name| Environment::parse(name).ok()),
        version: version(&catalog.version),
        uuid: catalog.catalog_uuid.map(|uuid| clean(&uuid, 100)),
        // Of what is there twice, the last counts.
        items: reader.items.into_iter().collect(),
        perhaps: reader.perhaps.into_iter().collect(),
        opaque: reader.opaque,
        break_glass: reader.break_glass,
    })
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

struct Reader<'a> {
    masks: Masks,
    metadata: &'a BTreeMap<String, Metadata>,
    items: Vec<(ItemKey, Content)>,
    perhaps: Vec<(ItemKey, Content)>,
    opaque: u32,
    break_glass: Option<String>,
}

impl Reader<'_> {
    fn resource(&mut self, resource: &Resource) {
        if resource.kind == "Notify" && resource.title == BREAK_GLASS {
            let reason = resource.get("message").and_then(Value::as_str).map(|text| clean(text, TEXT_MAX));
            self.break_glass = Some(reason.filter(|text| !text.is_empty()).unwrap_or_else(|| "no reason that can be read".to_owned()));
        }
        // A resource that is only rehearsed is not applied, whatever kind of run it is.
        if !resource.sets_something() || resource.get("noop") == Some(&Value::Bool(true)) {
            return;
        }
        if OPAQUE.contains(&resource.kind.as_str()) {
            self.opaque += 1;
            return;
        }
        let named = items::Named::of(&resource.kind, &resource.title, &self.masks);
        match desired::of(resource, self.source(resource)) {
            Some(found) => {
                for (parameter, desired) in found {
                    let item = self.item(&named, parameter, desired);
                    self.items.extend(item);
                }
            }
            None => self.unknown_type(resource, &named),
        }
    }

    /// Attributes of a type that is not known here: which are properties only its code says.
    fn unknown_type(&mut self, resource: &Resource, named: &items::Named) {
        let given = resource.parameters.iter().filter(|(name, _)| !META.contains(&name.as_str()) && !META_OLD.contains(&name.as_str()));
        for (name, _) in given {
            match resource.desired(name) {
                // Nearly every type has it, and it is a property wherever it is.
                desired if name == "ensure" => {
                    let item = self.item(named, name, desired);
                    self.items.extend(item);
                }
                desired => {
                    let item = self.item(named, name, desired);
                    self.perhaps.extend(item);
                }
            }
        }
    }

    /// The item of a parameter; what cannot be told is counted.
    fn item(&mut self, named: &items::Named, parameter: &str, desired: Desired) -> Option<(ItemKey, Content)> {
        let content = match desired {
            Desired::Nothing => return None,
            Desired::Opaque => None,
            Desired::Text(text) => items::content(parameter, &text, &self.masks),
        };
        self.opaque += u32::from(content.is_none());
        Some((named.key(parameter), content?))
    }

    /// The checksum of what lies behind the `source` of a file, where the catalog says it.
    fn source(&self, resource: &Resource) -> Option<&str> {
        let metadata = self.metadata.get(&resource.title).filter(|found| found.ftype.as_deref() == Some("file"))?;
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
        match plain(given).filter(|_| !self.sensitive_parameters.contains(name)).and_then(|value| value.canonical()) {
            Some(text) => Desired::Text(text),
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
