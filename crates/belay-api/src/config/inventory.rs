//! `[[inventory]]`: a program that knows the fleet already, and is only read.

use belay_core::model::policy::Pattern;
use belay_core::model::time::Span;
use belay_core::state::INVENTORIES_MAX;

use super::class::pattern;
use super::error::{ConfigError, Found};
use super::server::{filled, url};
use super::table::Table;
use super::{InventoryConfig, InventoryFiles};

/// How often it is asked when nothing says otherwise.
const EVERY: Span = Span::from_min(5);
/// Asked more often than this, it would have no rest.
const EVERY_MIN: Span = Span::from_s(10);
/// How much of its past is read when nothing says otherwise.
const PAST: Span = Span::from_min(14 * 24 * 60);

/// Reads one `[[inventory]]`.
pub(super) fn read(mut table: Table<'_>) -> (Option<Found<InventoryConfig>>, Vec<ConfigError>) {
    table.need("name", "\"main\"");
    table.need("kind", "\"...\", what it is: see docs/examples/belay.toml");
    table.need("url", "\"https://inventory.example.com:8081\"");
    let (name, kind) = (table.parsed("name", named), table.parsed("kind", named));
    let url = table.parsed("url", |text| url(text).map(|url| url.trim_end_matches('/').to_owned()));
    let (ca, certificate, key) = (table.parsed("ca", filled), table.parsed("certificate", filled), table.parsed("key", filled));
    let hosts = table.parsed("hosts", pattern).map_or_else(|| Pattern::new("*"), |found| found.value);
    let every = table.span("every");
    if let Some(every) = every.as_ref().filter(|every| every.value < EVERY_MIN) {
        table.errors.push(every.at.mistake(format!("`{}` is shorter than {EVERY_MIN}", every.at.key)));
    }
    let past = table.span("past");
    if let (Some(found), None) | (None, Some(found)) = (&certificate, &key) {
        let text = format!("`{}` without the other: a certificate and its key belong together", found.at.key);
        table.errors.push(found.at.mistake_with(text, "name both files, certificate and key, or neither"));
    }
    if let (Some(found), Some(_), None) = (&certificate, &key, &ca) {
        let text = format!("`{}` without `inventory.ca`: it would be shown to whoever answers", found.at.key);
        table.errors.push(found.at.mistake_with(text, "name the file with the authorities that sign the inventory's own certificate"));
    }
    let value = |found: Option<Found<String>>| found.map(|found| found.value);
    let declared = match (name, kind, url) {
        (Some(name), Some(kind), Some(url)) => {
            let files = InventoryFiles { ca: value(ca), certificate: value(certificate), key: value(key) };
            let (every, past) = (every.map_or(EVERY, |every| every.value), past.map_or(PAST, |past| past.value));
            let config = InventoryConfig { name: name.value, kind: kind.value, url: url.value, files, hosts, every, past };
            Some(Found { value: config, at: name.at })
        }
        _ => None,
    };
    (declared, table.finish())
}

/// What is wrong with all of them together.
pub(super) fn mistakes(declared: &[Found<InventoryConfig>]) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for (nth, inventory) in declared.iter().enumerate() {
        if let Some(first) = declared[..nth].iter().find(|other| other.value.name == inventory.value.name) {
            let text = format!("inventory `{}` is declared twice: here and at {}", inventory.value.name, first.at);
            errors.push(inventory.at.mistake_with(text, "give each a name of its own: by its name it is known how far it was read"));
        }
    }
    if let Some(beyond) = declared.get(INVENTORIES_MAX) {
        errors.push(beyond.at.mistake(format!("{} inventories are declared; at most {INVENTORIES_MAX} can be", declared.len())));
    }
    errors
}

fn named(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 60 || !text.chars().all(plain) {
        return Err("a name has 1 to 60 letters, digits, `-`, `_` and `.`");
    }
    Ok(text.to_owned())
}
