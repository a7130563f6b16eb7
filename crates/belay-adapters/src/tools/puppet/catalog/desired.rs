//! What Puppet's own types would set, in the words of their events. Each rule here was read in a
//! type's `munge` and is held against real runs by the tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Resource;
use crate::tools::puppet::items::is_checksum;

/// What is desired of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Desired {
    /// Nothing: it is not given.
    Nothing,
    /// This.
    Text(String),
    /// Something that a catalog does not tell.
    Opaque,
}

/// Properties whose value in an event is the one in the catalog, by type.
const PLAIN: [(&str, &[&str]); 6] = [
    ("File", &["seluser", "selrole", "seltype", "selrange"]),
    ("Package", &["flavor", "mark"]),
    ("Service", &["enable", "flags", "logonaccount"]),
    (
        "User",
        &[
            "uid",
            "gid",
            "home",
            "shell",
            "comment",
            "expiry",
            "password",
            "password_max_age",
            "password_min_age",
            "password_warn_days",
            "loginclass",
        ],
    ),
    ("Group", &["gid"]),
    ("Notify", &[]),
];
/// Properties whose value in an event depends on what is there already, or on the host.
const UNTOLD: [&str; 10] =
    ["groups", "roles", "profiles", "auths", "keys", "attributes", "project", "members", "package_settings", "checksum_value"];

/// What a resource of a type that is known here would set; `None` for any other type. `source` is the
/// checksum of what lies behind a file's `source`.
pub(super) fn of<'a>(resource: &'a Resource, source: Option<&str>) -> Option<Vec<(&'a str, Desired)>> {
    let (_, plain) = PLAIN.iter().find(|(kind, _)| *kind == resource.kind)?;
    let mut found: Vec<(&str, Desired)> = match resource.kind.as_str() {
        "File" => file(resource, source),
        "Notify" => {
            let default = Desired::Text(resource.title.clone());
            return Some(vec![("message", resource.get("message").map_or(default, |_| resource.desired("message")))]);
        }
        _ => vec![("ensure", ensure(resource))],
    };
    // What is to be absent has no other property that is looked at.
    if found.iter().any(|(name, desired)| *name == "ensure" && is_absent(desired)) {
        found.retain(|(name, _)| *name == "ensure");
        return Some(found);
    }
    found.extend(plain.iter().map(|name| (*name, resource.desired(name))));
    found.extend(UNTOLD.iter().filter(|name| resource.get(name).is_some()).map(|name| (*name, Desired::Opaque)));
    Some(found)
}

fn is_absent(ensure: &Desired) -> bool {
    matches!(ensure, Desired::Text(text) if text == "absent" || text == "purged")
}

fn ensure(resource: &Resource) -> Desired {
    let Desired::Text(text) = resource.desired("ensure") else {
        return resource.desired("ensure");
    };
    match (resource.kind.as_str(), text.as_str()) {
        // Whatever version there is then; the report says which it was.
        ("Package", "latest") => Desired::Opaque,
        ("Package", "installed") => Desired::Text("present".to_owned()),
        ("Service", "true") => Desired::Text("running".to_owned()),
        ("Service", "false") => Desired::Text("stopped".to_owned()),
        (_, _) => Desired::Text(text),
    }
}

fn file<'a>(resource: &'a Resource, source: Option<&str>) -> Vec<(&'a str, Desired)> {
    let content = content(resource, source);
    let text = |text: &str| Desired::Text(text.to_owned());
    let (ensure, target) = match resource.desired("ensure") {
        Desired::Text(word) => match word.as_str() {
            "file" | "directory" | "link" | "present" | "absent" => (Desired::Text(word), resource.desired("target")),
            "false" => (text("absent"), Desired::Nothing),
            // A path: a link to it.
            path if path.starts_with('/') => (text("link"), text(path)),
            _ => (Desired::Opaque, resource.desired("target")),
        },
        Desired::Nothing if resource.get("target").is_some() => (text("link"), resource.desired("target")),
        Desired::Nothing if resource.get("content").is_some() => (text("file"), Desired::Nothing),
        other => (other, resource.desired("target")),
    };
    // Puppet hides even that a file with a secret in it is made.
    let ensure = if resource.sensitive_parameters.contains("content") { Desired::Opaque } else { ensure };
    let is_folder = ensure == text("directory");
    let mut found = vec![
        ("ensure", ensure),
        ("content", content),
        ("target", target),
        ("mode", mode(resource, is_folder)),
        ("owner", account(resource, "owner")),
        ("group", account(resource, "group")),
    ];
    if !matches!(resource.desired("recurse"), Desired::Nothing) && resource.desired("recurse") != text("false") {
        // Files that nobody has named yet.
        found.push(("recurse", Desired::Opaque));
    }
    found
}

/// The content of a file as the checksum an event names.
fn content(resource: &Resource, source: Option<&str>) -> Desired {
    let Some(given) = resource.get("content") else {
        return match (resource.get("source"), source) {
            (None, _) => Desired::Nothing,
            (Some(_), Some(sum)) if is_checksum(sum) => Desired::Text(sum.to_owned()),
            (Some(_), _) => Desired::Opaque,
        };
    };
    // The default of Puppet 7 and later; others are rare and not computed.
    let is_default = resource.get("checksum").is_none_or(|kind| kind.as_str() == Some("sha256"));
    let sum = |bytes: &[u8]| if is_default { Desired::Text(format!("{{sha256}}{}", hex(bytes))) } else { Desired::Opaque };
    match given {
        _ if resource.sensitive_parameters.contains("content") => Desired::Opaque,
        // Deprecated, and still so: a checksum stands for what the backups hold under it.
        Value::String(text) if is_bare_sum(text) => Desired::Text(text.clone()),
        // Puppet takes a text for a checksum when one of its lines looks as if it began with one.
        Value::String(text) if text.lines().any(is_checksum) => Desired::Opaque,
        Value::String(text) => sum(text.as_bytes()),
        Value::Object(map) if map.get("__ptype").and_then(Value::as_str) == Some("Binary") => {
            let bytes = map.get("__pvalue").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
            bytes.map_or(Desired::Opaque, |bytes| sum(&bytes))
        }
        _ => Desired::Opaque,
    }
}

/// `{sha256}HEX` and nothing else.
fn is_bare_sum(text: &str) -> bool {
    is_checksum(text) && text.split_once('}').is_some_and(|(_, sum)| sum.len() >= 32 && sum.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A mode of digits as the four an event shows; folders can be entered where they can be read. A
/// mode in letters stays as it is.
fn mode(resource: &Resource, is_folder: bool) -> Desired {
    let Desired::Text(given) = resource.desired("mode") else {
        return resource.desired("mode");
    };
    let Some(bits) = Some(&given).filter(|given| given.len() <= 5).and_then(|given| u32::from_str_radix(given, 8).ok()) else {
        return Desired::Text(given);
    };
    let entered = if is_folder { (bits & 0o444) >> 2 } else { 0 };
    Desired::Text(format!("{:04o}", bits | entered))
}

/// An owner or group by its name, which is what means the same on every host. Of numbers only that
/// of root is the same everywhere.
fn account(resource: &Resource, name: &str) -> Desired {
    match resource.desired(name) {
        Desired::Text(text) if text == "0" => Desired::Text("root".to_owned()),
        Desired::Text(text) if text.bytes().all(|b| b.is_ascii_digit()) => Desired::Opaque,
        other => other,
    }
}

/// SHA-256 (FIPS 180-4) in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    sha2::Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
