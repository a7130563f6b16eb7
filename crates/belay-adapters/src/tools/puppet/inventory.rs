//! A PuppetDB that is only read: its query API (`/pdb/query/v4`) gives facts and reports, which become the commands that its terminus
//! would have sent. Of the past only what tells something is asked for: the latest report of each host, and those in which something
//! happened.

use std::collections::BTreeMap;

use belay_core::model::report::Unreadable;
use belay_core::model::time::Timestamp;
use serde_json::{Map, Value, json};

use super::PuppetDb;
use super::command::{NAME, not_json};
use super::time::{exact, instant};
use crate::tools::inventory::{Edge, Inventory, Mark, Page, Pulled, Turn};

/// The feed that its answers are turned into. It has no door: nobody can send them.
pub(super) const FEED: &str = "puppetdb-pull";
/// Marks a message as one of the past.
pub(super) const PAST: &str = "past=true";
/// Bytes of one answer that are read.
pub(super) const ANSWER_MAX: usize = 64 << 20;

impl Inventory for PuppetDb {
    fn name(&self) -> &'static str {
        NAME
    }

    fn feed(&self) -> &'static str {
        FEED
    }

    fn ask(&self, mark: &Mark, rows: u32) -> String {
        match mark.turn {
            Turn::Facts => path("inventory", &json!([">=", "timestamp", exact(mark.facts.at)]), "timestamp", "certname", mark.facts, rows),
            Turn::Past => {
                let edge = mark.past.unwrap_or(Edge::of(mark.since));
                // Reports of hosts that are gone make no hosts.
                let lives = json!(["in", "certname", ["extract", "certname", ["select_nodes", ["=", "node_state", "active"]]]]);
                let tells = json!(["or", ["=", "latest_report?", true], ["not", ["=", "status", "unchanged"]]]);
                let within = [json!([">=", "receive_time", exact(edge.at)]), json!(["<", "receive_time", exact(mark.since)])];
                path("reports", &json!(["and", within[0], within[1], tells, lives]), "receive_time", "hash", edge, rows)
            }
            Turn::News => path("reports", &json!([">=", "receive_time", exact(mark.news.at)]), "receive_time", "hash", mark.news, rows),
        }
    }

    fn read(&self, mark: &Mark, rows: u32, answer: &[u8]) -> Result<Page, Unreadable> {
        if answer.len() > ANSWER_MAX {
            return Err(Unreadable {
                offset: ANSWER_MAX as u64,
                reason: format!("{} bytes; at most {ANSWER_MAX} are read", answer.len()),
                host: None,
            });
        }
        let entries: Vec<Map<String, Value>> = serde_json::from_slice(answer).map_err(|error| not_json(answer, &error, None))?;
        let full = entries.len() >= rows as usize;
        let (mut messages, mut times, mut passed_over) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()), 0);
        for entry in entries {
            let (time, message) = match mark.turn {
                Turn::Facts => ("timestamp", facts(&entry)),
                Turn::Past | Turn::News => ("receive_time", report(&entry, mark.turn == Turn::Past)),
            };
            times.push(time_of(&entry, time)?);
            passed_over += u32::from(message.is_none());
            messages.extend(message);
        }
        let (mark, more) = mark.behind(&times, full);
        Ok(Page { messages, passed_over, mark, more })
    }
}

fn path(what: &str, query: &Value, by: &str, then: &str, edge: Edge, rows: u32) -> String {
    let order = json!([{ "field": by, "order": "asc" }, { "field": then, "order": "asc" }]).to_string();
    let (query, order) = (escaped(&query.to_string()), escaped(&order));
    format!("/pdb/query/v4/{what}?query={query}&order_by={order}&limit={rows}&offset={}", edge.taken)
}

/// A text as a value in a query.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn time_of(entry: &Map<String, Value>, name: &str) -> Result<Timestamp, Unreadable> {
    let time = entry.get(name).and_then(Value::as_str).and_then(instant);
    time.ok_or_else(|| Unreadable { offset: 0, reason: format!("an entry without a time ({name}): is this a PuppetDB?"), host: None })
}

/// An entry of `inventory` as `replace facts`.
fn facts(entry: &Map<String, Value>) -> Option<Pulled> {
    let host = entry.get("certname")?.as_str()?;
    let mut values = entry.get("facts")?.as_object()?.clone();
    if let Some(trusted) = entry.get("trusted").filter(|trusted| trusted.is_object()) {
        values.insert("trusted".to_owned(), trusted.clone());
    }
    let payload = json!({
        "certname": host, "environment": entry.get("environment"), "producer": entry.get("producer"),
        "producer_timestamp": entry.get("timestamp"), "values": values,
    });
    let key = format!("{host} {}", entry.get("timestamp")?.as_str()?);
    Some(Pulled { key, host: host.to_owned(), head: head(host, "replace_facts", 5, false), body: payload.to_string().into_bytes() })
}

fn head(host: &str, command: &str, version: u32, past: bool) -> String {
    let past = if past { format!("&{PAST}") } else { String::new() };
    format!("version={version}&certname={}&command={command}{past}", escaped(host))
}

/// Members of a report that are the same in a command.
const SAME: [&str; 18] = [
    "certname",
    "job_id",
    "puppet_version",
    "report_format",
    "configuration_version",
    "producer_timestamp",
    "start_time",
    "end_time",
    "environment",
    "transaction_uuid",
    "status",
    "noop",
    "noop_pending",
    "corrective_change",
    "catalog_uuid",
    "code_id",
    "cached_catalog_status",
    "producer",
];

/// An entry of `reports` as `store report`. Plans are no runs of hosts.
fn report(entry: &Map<String, Value>, past: bool) -> Option<Pulled> {
    if entry.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "agent") {
        return None;
    }
    let host = entry.get("certname")?.as_str()?;
    let mut payload: Map<String, Value> =
        SAME.iter().map(|name| ((*name).to_owned(), entry.get(*name).cloned().unwrap_or(Value::Null))).collect();
    let data = |name: &str| entry.get(name).and_then(|list| list.get("data")).and_then(Value::as_array).cloned().unwrap_or_default();
    payload.insert("logs".to_owned(), Value::Array(data("logs")));
    payload.insert("metrics".to_owned(), Value::Array(data("metrics")));
    payload.insert("resources".to_owned(), Value::Array(resources(data("resource_events"))));
    let key = entry.get("hash").or_else(|| entry.get("transaction_uuid"))?.as_str()?.to_owned();
    let body = Value::Object(payload).to_string().into_bytes();
    Some(Pulled { key, host: host.to_owned(), head: head(host, "store_report", 8, past), body })
}

/// Events, each of which names its resource, as resources with their events. A database has no order; they happened in one.
fn resources(mut events: Vec<Value>) -> Vec<Value> {
    events.sort_by_cached_key(|event| event.get("timestamp").and_then(Value::as_str).and_then(instant));
    let mut resources: Vec<Map<String, Value>> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for event in events {
        let Value::Object(mut event) = event else { continue };
        let named = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let called = format!("{}[{}]", named("resource_type"), named("resource_title"));
        let skipped = event.get("status").and_then(Value::as_str) == Some("skipped");
        let at = *known.entry(called).or_insert_with(|| {
            let mut resource = Map::new();
            for name in ["timestamp", "resource_type", "resource_title", "file", "line", "containment_path", "corrective_change"] {
                resource.insert(name.to_owned(), event.get(name).cloned().unwrap_or(Value::Null));
            }
            resource.insert("skipped".to_owned(), Value::Bool(skipped));
            resource.insert("events".to_owned(), Value::Array(Vec::new()));
            resources.push(resource);
            resources.len() - 1
        });
        // A resource that was skipped is told as an event of its own here, and has none in a command.
        if skipped {
            continue;
        }
        for name in ["new_value", "old_value"] {
            if let Some(value) = event.get_mut(name).filter(|value| !value.is_null() && !value.is_string()) {
                *value = Value::String(value.to_string());
            }
        }
        for name in ["resource_type", "resource_title", "file", "line", "containment_path", "containing_class"] {
            event.remove(name);
        }
        if let Some(Value::Array(events)) = resources.get_mut(at).and_then(|resource| resource.get_mut("events")) {
            events.push(Value::Object(event));
        }
    }
    resources.into_iter().map(Value::Object).collect()
}

/// Whether a message says that it is of the past.
pub(super) fn is_past(query: &str) -> bool {
    query.split('&').any(|pair| pair == PAST)
}
