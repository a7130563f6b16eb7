//! What may use what: the arrows between our crates, and the few libraries that the walled crates may know.

use toml::{Table, Value};

use super::Violation;
use super::tree::{File, Tree};

/// Our crates and those of ours that each may use. A crate without a row needs a decision record first.
const ARROWS: &[(&str, &[&str])] = &[
    ("belay-stats", &[]),
    ("belay-signals", &[]),
    ("belay-core", &["belay-stats"]),
    ("belay-adapters", &["belay-core"]),
    ("belay-api", &["belay-core"]),
    ("belay-agent", &["belay-core", "belay-adapters", "belay-api"]),
    ("belay-server", &["belay-core", "belay-adapters", "belay-signals", "belay-api"]),
    ("belay-sim", &["belay-core", "belay-adapters", "belay-api", "belay-agent", "belay-stats"]),
    ("belay", &["belay-server", "belay-agent", "belay-sim", "belay-api", "belay-core", "belay-adapters"]),
    ("xtask", &[]),
];

/// All libraries of others that the walled crates may use: a library can smuggle in what the lints ban.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("belay-stats", &[]),
    ("belay-core", &["sha2", "thiserror"]),
    ("belay-signals", &["crc32fast", "regex", "thiserror"]),
    ("belay-adapters", &["base64", "jiff", "prost", "saphyr-parser", "serde", "serde_json", "sha1", "sha2", "snap", "thiserror"]),
    ("belay-api", &["jiff", "serde", "serde_json", "thiserror", "toml", "utoipa"]),
];

/// What the tests of the walled crates may use besides.
const TEST_LIBRARIES: &[&str] = &["divan", "flate2", "insta", "proptest", "serde_json", "tempfile"];

const KINDS: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

pub fn check(tree: &Tree) -> Vec<Violation> {
    let shared = tree.file("Cargo.toml").and_then(|file| file.text.parse::<Table>().ok()).unwrap_or_default();
    let shared = shared.get("workspace").and_then(|workspace| workspace.get("dependencies")).and_then(Value::as_table);
    let manifest = |name: &str| if name == "xtask" { "xtask/Cargo.toml".to_owned() } else { format!("crates/{name}/Cargo.toml") };
    let names = tree.crates().into_iter().chain(["xtask"]);
    names.filter_map(|name| Some(of_crate(name, tree.file(&manifest(name))?, shared))).flatten().collect()
}

fn of_crate(name: &str, file: &File, shared: Option<&Table>) -> Vec<Violation> {
    let Ok(manifest) = file.text.parse::<Table>() else {
        return vec![Violation::new(&file.path, 1, "cannot be read", "repair the TOML")];
    };
    let Some(arrows) = row(ARROWS, name) else {
        let remedy = "write the decision record, then add a row to ARROWS in xtask/src/tidy/manifests.rs";
        return vec![Violation::new(&file.path, 1, format!("the crate `{name}` is not in the design"), remedy)];
    };
    let mut found = Vec::new();
    for (kind, key, library) in dependencies(&manifest, shared) {
        if let Some((what, remedy)) = refused(name, arrows, kind, &library) {
            found.push(Violation::new(&file.path, file.line_of(&key), what, remedy));
        }
    }
    if manifest.contains_key("features") {
        let remedy = "make it a setting at run time: there is one build of everything";
        found.push(Violation::new(&file.path, file.line_of("[features]"), "Cargo features", remedy));
    }
    found
}

/// Kind, key and the package's true name of every dependency, of every platform.
fn dependencies(manifest: &Table, shared: Option<&Table>) -> Vec<(&'static str, String, String)> {
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in std::iter::once(manifest).chain(platforms) {
        for kind in KINDS {
            for (key, value) in table.get(*kind).and_then(Value::as_table).into_iter().flatten() {
                let inherited = value.get("workspace").and_then(|_| shared?.get(key));
                let renamed = inherited.unwrap_or(value).get("package").and_then(Value::as_str);
                found.push((*kind, key.clone(), renamed.unwrap_or(key).to_owned()));
            }
        }
    }
    found
}

/// Why the dependency is refused and what to do, or nothing.
fn refused(name: &str, arrows: &[&str], kind: &str, library: &str) -> Option<(String, String)> {
    if row(ARROWS, library).is_some() {
        let may = if arrows.is_empty() { "none of ours".to_owned() } else { arrows.join(", ") };
        return (!arrows.contains(&library))
            .then(|| (format!("{name} uses {library}"), format!("{name} may use {may}; pass the value in from above instead")));
    }
    let libraries = row(LIBRARIES, name)?;
    let (allowed, whose) = match kind {
        "dependencies" => (libraries.contains(&library), "the crate"),
        "dev-dependencies" => (libraries.contains(&library) || TEST_LIBRARIES.contains(&library), "its tests"),
        _ => (false, "a build script"),
    };
    let remedy = "do without, or move the code behind the wall; the lists are in xtask/src/tidy/manifests.rs";
    (!allowed).then(|| (format!("{name} is walled, and {whose} may not use `{library}`"), remedy.to_owned()))
}

fn row(table: &'static [(&'static str, &'static [&'static str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(key, _)| *key == name).map(|(_, row)| *row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, manifest: &str) -> Vec<String> {
        let root = "[workspace.dependencies]\nhidden = { package = \"tokio\", version = \"1\" }\n";
        let path = format!("crates/{name}/Cargo.toml");
        check(&Tree::of(&[("Cargo.toml", root), (&path, manifest)])).iter().map(Violation::to_string).collect()
    }

    #[test]
    fn allowed_libraries_and_arrows_pass() {
        let manifest = "[dependencies]\nbelay-stats.workspace = true\nsha2.workspace = true\n[dev-dependencies]\nproptest = \"1\"";
        assert_eq!(found("belay-core", manifest), Vec::<String>::new());
        assert_eq!(found("belay-server", "[dependencies]\ntokio = \"1\"\nbelay-core = { path = \"x\" }"), Vec::<String>::new());
    }

    #[test]
    fn a_library_that_is_not_on_the_list_is_refused() {
        let violations = found("belay-core", "[dependencies]\nserde = \"1\"\n");
        assert!(
            violations.len() == 1 && violations[0].starts_with("crates/belay-core/Cargo.toml:2: belay-core is walled"),
            "{violations:?}"
        );
        assert_eq!(found("belay-stats", "[dependencies]\nsha2 = \"1\"").len(), 1);
        assert_eq!(found("belay-stats", "[dev-dependencies]\nrand = \"1\"").len(), 1);
        assert_eq!(found("belay-api", "[build-dependencies]\nserde = \"1\"").len(), 1);
    }

    #[test]
    fn a_library_cannot_hide_behind_another_name_or_a_platform() {
        assert_eq!(found("belay-core", "[dependencies]\nhidden.workspace = true").len(), 1);
        assert_eq!(found("belay-core", "[dependencies]\nsha2 = { package = \"tokio\", version = \"1\" }").len(), 1);
        assert_eq!(found("belay-core", "[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"").len(), 1);
    }

    #[test]
    fn an_arrow_against_the_design_is_refused() {
        for (name, other) in [("belay-core", "belay-adapters"), ("belay-agent", "belay-server"), ("belay-signals", "belay-core")] {
            assert_eq!(found(name, &format!("[dependencies]\n{other}.workspace = true")).len(), 1, "{name} -> {other}");
            assert_eq!(found(name, &format!("[dev-dependencies]\n{other}.workspace = true")).len(), 1, "{name} -> {other}");
        }
    }

    #[test]
    fn a_tenth_crate_and_features_are_refused() {
        assert_eq!(found("belay-extra", "").len(), 1);
        assert_eq!(found("belay-server", "[features]\nfast = []").len(), 1);
    }
}
