//! Names of products stay where products are known: in the adapters and in prose. The rest of the house speaks its own words,
//! so that a new product is one folder and one line.

use super::Violation;
use super::places::{self, Place};
use super::tree::{File, Tree};
use super::words;

const PRODUCTS: &[&str] = &[
    "alertmanager",
    "ansible",
    "cfengine",
    "chef",
    "datadog",
    "facter",
    "foreman",
    "grafana",
    "hiera",
    "icinga",
    "mimir",
    "nagios",
    "opsgenie",
    "pagerduty",
    "prometheus",
    "promql",
    "puppet",
    "puppetdb",
    "puppetlabs",
    "puppetserver",
    "r10k",
    "salt",
    "saltstack",
    "slack",
    "thanos",
    "victoriametrics",
    "zabbix",
];

/// Where products are known by design.
const HOMES: &[Place] = &[
    Place { path: "crates/belay-adapters/", reason: "the one crate that knows products" },
    Place { path: "integrations/", reason: "what is installed inside the products" },
    Place { path: "docs/", reason: "prose for people who use the products" },
    Place { path: "examples/", reason: "configurations for people who use the products" },
    Place { path: "scenarios/", reason: "stories tell what happened with which product" },
    Place { path: "xtask/", reason: "plays the night with the real products, and holds this list" },
];

/// Everything else that may say a product's name. The server has no row of its own: the registry of the adapters names the products for it.
pub const EXCEPTIONS: &[Place] = &[
    Place { path: "crates/belay/", reason: "texts of the demo and the names of values on the command line" },
    Place { path: "crates/belay-sim/", reason: "drives the adapters with the products' own messages" },
    Place { path: "crates/*/tests/", reason: "tests send what the products really send" },
];

pub fn check(tree: &Tree) -> Vec<Violation> {
    tree.files
        .iter()
        .filter(|file| file.path.ends_with(".rs") || file.path.ends_with(".toml"))
        .filter(|file| !places::covers(HOMES, &file.path) && !places::covers(EXCEPTIONS, &file.path))
        .flat_map(names)
        .collect()
}

fn names(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let line_parts: Vec<words::Parts> = words::words(line).map(words::parts).collect();
        for product in PRODUCTS.iter().filter(|product| line_parts.iter().any(|parts| words::holds(parts, product))) {
            found.push(Violation::new(&file.path, index + 1, format!("the product's name `{product}`"), remedy(product)));
        }
    }
    found
}

fn remedy(product: &str) -> &'static str {
    match product {
        "salt" => "say `tool`, or move this into belay-adapters (in cryptography say `key`)",
        "slack" => "say what the channel is to us, or move this into belay-adapters (for room in a bound say `margin`)",
        _ => "use the glossary's word (tool, source, channel), or move this into belay-adapters",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(|violation| format!("{} {}", violation.line, violation.what)).collect()
    }

    #[test]
    fn names_are_found_in_code_strings_and_comments() {
        let text = "//! Speaks to Puppet.\nfn from_puppet() {}\nlet a = \"PagerDuty\";\n/// `PrometheusSource`\n";
        let lines: Vec<String> = found("crates/belay-core/src/a.rs", text);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[0], "1 the product's name `puppet`");
        assert_eq!(lines[2], "3 the product's name `pagerduty`");
    }

    #[test]
    fn look_alikes_are_left_alone() {
        assert_eq!(found("crates/belay-core/src/a.rs", "let salted = basalt + slacker + promise;"), Vec::<String>::new());
    }

    #[test]
    fn manifests_are_read_and_prose_is_not() {
        assert_eq!(found("crates/belay-api/Cargo.toml", "description = \"for Ansible\"").len(), 1);
        assert_eq!(found("README.md", "Puppet").len(), 0);
    }

    #[test]
    fn homes_and_exceptions_may_name_products() {
        for path in
            ["crates/belay-adapters/src/a.rs", "crates/belay/src/demo.rs", "crates/belay-server/tests/it/a.rs", "xtask/src/night.rs"]
        {
            assert_eq!(found(path, "// Puppet").len(), 0, "{path}");
        }
        assert_eq!(found("crates/belay-server/src/a.rs", "// Puppet").len(), 1);
    }

    #[test]
    fn every_place_has_its_reason() {
        assert!(HOMES.iter().chain(EXCEPTIONS).all(|place| !place.reason.is_empty()));
    }
}
