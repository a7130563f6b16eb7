//! The shape of the workspace: shared lints everywhere, the bans of the pure crates complete, and a map that names every crate.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Violation;
use super::tree::{File, Tree};

/// Crates without I/O of any kind. The first one's bans are the common ones.
const PURE: &[&str] = &["belay-stats", "belay-core", "belay-adapters", "belay-api"];
const MAP: &str = "docs/ARCHITECTURE.md";

pub fn check(tree: &Tree) -> Vec<Violation> {
    [lints(tree), bans(tree), default_members(tree).into_iter().collect(), map(tree)].concat()
}

fn table(file: &File) -> Table {
    file.text.parse().unwrap_or_default()
}

fn lints(tree: &Tree) -> Vec<Violation> {
    let member = |path: &str| path == "xtask/Cargo.toml" || (path.starts_with("crates/") && path.ends_with("/Cargo.toml"));
    let inherits = |file: &File| table(file).get("lints").and_then(|lints| lints.get("workspace")) == Some(&Value::Boolean(true));
    let without = tree.files.iter().filter(|file| member(&file.path) && !inherits(file));
    without.map(|file| Violation::new(&file.path, 1, "does not take the workspace's lints", "add [lints] workspace = true")).collect()
}

/// Every pure crate has its bans, and at least those of the first: the files do not merge.
fn bans(tree: &Tree) -> Vec<Violation> {
    let path = |name: &str| format!("crates/{name}/clippy.toml");
    let common = tree.file(&path(PURE[0])).map(banned).unwrap_or_default();
    let mut found = Vec::new();
    for name in PURE.iter().filter(|name| tree.crates().contains(*name)) {
        let Some(file) = tree.file(&path(name)) else {
            let remedy = format!("copy crates/{}/clippy.toml", PURE[0]);
            found.push(Violation::new(&path(name), 1, format!("{name} is pure and has no bans"), remedy));
            continue;
        };
        let own = banned(file);
        if own.is_empty() {
            found.push(Violation::new(&file.path, 1, format!("{name} is pure and bans nothing"), "list what it may not call"));
        }
        for ban in common.difference(&own) {
            let remedy = format!("add it here, or remove it from crates/{}/clippy.toml", PURE[0]);
            found.push(Violation::new(&file.path, 1, format!("`{ban}` is not banned"), remedy));
        }
    }
    found
}

/// The methods and macros that a clippy.toml bans. Types differ: maps without an order are banned only where order is output.
fn banned(file: &File) -> BTreeSet<String> {
    let config = table(file);
    let lists = ["disallowed-methods", "disallowed-macros"].into_iter().filter_map(|key| config.get(key)?.as_array());
    lists.flatten().filter_map(|ban| ban.as_str().or_else(|| ban.get("path")?.as_str())).map(str::to_owned).collect()
}

fn default_members(tree: &Tree) -> Option<Violation> {
    let file = tree.file("Cargo.toml")?;
    let workspace = table(file);
    let members = workspace.get("workspace").and_then(|workspace| workspace.get("default-members")).and_then(Value::as_array);
    let right = members.is_some_and(|members| matches!(members.as_slice(), [Value::String(only)] if only == "crates/belay"));
    let line = file.line_of("default-members");
    (!right).then(|| Violation::new(&file.path, line, "default-members is not exactly crates/belay", "`cargo run` must be the product"))
}

fn map(tree: &Tree) -> Vec<Violation> {
    let Some(file) = tree.file(MAP) else {
        return vec![Violation::new(MAP, 1, "there is no map of the crates", "write it")];
    };
    let names: BTreeSet<&str> = file.text.split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '-' | '_')).collect();
    let unnamed = tree.crates().into_iter().filter(|name| !names.contains(name));
    unnamed
        .map(|name| Violation::new(MAP, 1, format!("does not name the crate `{name}`"), "say what it is and what it refuses to know"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace]\ndefault-members = [\"crates/belay\"]\n");
    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(Violation::to_string).collect()
    }

    #[test]
    fn a_workspace_in_shape_passes() {
        let bans = "disallowed-methods = [{ path = \"a\", reason = \"r\" }]";
        let more = "disallowed-methods = [{ path = \"a\", reason = \"r\" }, \"b\"]";
        let files = [
            ROOT,
            ("crates/belay/Cargo.toml", LINTS),
            ("crates/belay-stats/Cargo.toml", LINTS),
            ("crates/belay-stats/clippy.toml", bans),
            ("crates/belay-core/Cargo.toml", LINTS),
            ("crates/belay-core/clippy.toml", more),
            (MAP, "`crates/belay` wires; belay-stats, belay-core."),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }

    #[test]
    fn the_workspaces_lints_are_required() {
        let violations = found(&[ROOT, ("crates/belay/Cargo.toml", "[lints.rust]\na = 1"), (MAP, "belay")]);
        assert!(violations.len() == 1 && violations[0].contains("lints"), "{violations:?}");
    }

    #[test]
    fn a_pure_crate_needs_all_the_common_bans() {
        let stats = [("crates/belay-stats/Cargo.toml", LINTS), ("crates/belay-stats/clippy.toml", "disallowed-macros = [\"a\"]")];
        let core = ("crates/belay-core/Cargo.toml", LINTS);
        let map = (MAP, "belay-stats belay-core");
        assert_eq!(found(&[&[ROOT, core, map], stats.as_slice()].concat()).len(), 1);
        let less = ("crates/belay-core/clippy.toml", "disallowed-macros = [\"b\"]");
        let violations = found(&[&[ROOT, core, map, less], stats.as_slice()].concat());
        assert!(violations.len() == 1 && violations[0].contains("`a` is not banned"), "{violations:?}");
    }

    #[test]
    fn the_product_is_the_only_default_member() {
        for members in ["", "default-members = []", "default-members = [\"crates/belay\", \"xtask\"]"] {
            let violations = found(&[("Cargo.toml", &format!("[workspace]\n{members}\n")), (MAP, "")]);
            assert_eq!(violations.len(), 1, "{members}: {violations:?}");
        }
    }

    #[test]
    fn the_map_names_every_crate_by_its_whole_name() {
        let crates = [ROOT, ("crates/belay/Cargo.toml", LINTS), ("crates/belay-sim/Cargo.toml", LINTS)];
        assert_eq!(found(&[&crates[..], &[(MAP, "belay, belay-sim")]].concat()).len(), 0);
        assert_eq!(found(&[&crates[..], &[(MAP, "belay-sim")]].concat()).len(), 1);
        assert_eq!(found(&crates).len(), 1);
    }
}
