//! `replace facts`: the tree of a host's facts as a flat list, without what is never the same twice.

use std::collections::BTreeMap;

use belay_core::decide::FACT_BYTES_MAX;
use belay_core::model::report::Unreadable;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{host, not_json};
use crate::tools::feed::{FACTS_READ, Message};
use crate::tools::puppet::walk::{BODY_MAX, DEPTH_MAX};

/// Facts that differ with every run, or are long and tell classes and releases of nothing. Facts are
/// recorded where they change, so that one of these would be a record a run.
const PASSED_OVER: [&str; 37] = [
    "augeas",
    "augeasversion",
    "blockdevices",
    "clientnoop",
    "disks",
    "env_windows_installdir",
    "filesystems",
    "interfaces",
    "ipaddress6",
    "load_averages",
    "memory",
    "memoryfree",
    "memoryfree_mb",
    "mountpoints",
    "networking.bindings",
    "networking.interfaces",
    "partitions",
    "path",
    "processors.speed",
    "puppet_agent_appdata",
    "puppet_agent_pid",
    "puppet_vardir",
    "rubysitedir",
    "ssh",
    "sshdsakey",
    "sshecdsakey",
    "sshed25519key",
    "sshrsakey",
    "swapfree",
    "swapfree_mb",
    "system_uptime",
    "uptime",
    "uptime_days",
    "uptime_hours",
    "uptime_seconds",
    "users",
    "zpool_featureflags",
];
/// The same by how their names begin: one a disk, interface, processor or key.
const PASSED_OVER_FAMILIES: [&str; 10] =
    ["blockdevice_", "ipaddress_", "ipaddress6_", "macaddress_", "mtu_", "netmask_", "netmask6_", "network_", "network6_", "sshfp_"];

#[derive(Deserialize)]
struct Payload {
    certname: String,
    values: Map<String, Value>,
}

/// Reads the payload.
pub(super) fn read(body: &[u8]) -> Result<Message, Unreadable> {
    if body.len() > BODY_MAX {
        return Err(Unreadable {
            offset: BODY_MAX as u64,
            reason: format!("{} bytes; at most {BODY_MAX} are read", body.len()),
            host: None,
        });
    }
    let payload: Payload = serde_json::from_slice(body).map_err(|error| not_json(body, &error, None))?;
    let host = host(&payload.certname)?;
    let mut facts = BTreeMap::new();
    flatten("", &payload.values, DEPTH_MAX, &mut facts);
    Ok(Message::Facts { host: host.to_string(), facts })
}

fn flatten(path: &str, values: &Map<String, Value>, depth: usize, into: &mut BTreeMap<String, String>) {
    for (name, value) in values {
        let name = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if depth == 0 || into.len() >= FACTS_READ || is_passed_over(&name) {
            continue;
        }
        match value {
            Value::Object(inner) => flatten(&name, inner, depth - 1, into),
            single => put(name, single, into),
        }
    }
}

fn put(name: String, value: &Value, into: &mut BTreeMap<String, String>) {
    let text = match value {
        Value::Array(list) => list.iter().map(single).collect::<Option<Vec<_>>>().map(|list| list.join(",")),
        other => single(other),
    };
    if let Some(text) = text.filter(|text| text.len() <= FACT_BYTES_MAX && name.len() <= FACT_BYTES_MAX) {
        into.insert(name, text);
    }
}

fn single(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_passed_over(name: &str) -> bool {
    let of_a_processor = name.strip_prefix("processor").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    of_a_processor || PASSED_OVER.contains(&name) || PASSED_OVER_FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(values: &str) -> BTreeMap<String, String> {
        let body = format!("{{\"certname\":\"web01\",\"values\":{values},\"environment\":\"e\"}}");
        let Message::Facts { facts, .. } = read(body.as_bytes()).unwrap() else { panic!("facts") };
        facts
    }

    #[test]
    fn a_tree_becomes_paths_and_lists_of_single_values_a_line() {
        let found = facts(r#"{"os":{"release":{"major":"12"},"x":null},"dns":["a","b"],"deep":[{"a":1}],"n":1.5,"t":true,"uptime":"1 h"}"#);
        let said: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(said, [("dns", "a,b"), ("n", "1.5"), ("os.release.major", "12"), ("t", "true")]);
    }

    #[test]
    fn there_is_an_end_to_their_number_and_length() {
        let many: String = (0..FACTS_READ + 9).map(|n| format!("\"f{n:05}\":1,")).collect();
        assert_eq!(facts(&format!("{{{}}}", many.trim_end_matches(','))).len(), FACTS_READ);
        assert_eq!(facts(&format!("{{\"long\":\"{}\"}}", "x".repeat(FACT_BYTES_MAX + 1))).len(), 0);
        let deep = format!("{}1{}", "{\"a\":".repeat(60), "}".repeat(60));
        assert_eq!(facts(&deep).len(), 0);
    }

    #[test]
    fn a_cut_payload_and_a_bad_name_are_told() {
        let said = |body: &str| read(body.as_bytes()).unwrap_err().to_string();
        assert!(said("{\"certname\":\"web01\",").contains("truncated"), "{}", said("{\"certname\":\"web01\","));
        assert!(said("{\"certname\":\"../x\",\"values\":{}}").contains("the host's name is refused"));
    }
}
