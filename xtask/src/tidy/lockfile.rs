//! The lockfile: few packages, and none that drags in a second TLS, a C++ build or a code generator.

use super::Violation;
use super::tree::{File, Tree};

const LOCKFILE: &str = "Cargo.lock";
const MAX_PACKAGES: usize = 520;

/// A package that must not come in, by name or by the start of its name (`*`).
const BANNED: &[(&str, &str)] = &[
    ("aws-lc-sys", "TLS is rustls with ring: no second cryptography, no long C build"),
    ("aws-lc-rs", "TLS is rustls with ring: no second cryptography, no long C build"),
    ("openssl-sys", "TLS is rustls with ring: nothing of the host's libraries"),
    ("native-tls", "TLS is rustls with ring: nothing of the host's libraries"),
    ("cmake", "a C compiler is all a build may need"),
    ("bindgen", "needs libclang: a C compiler is all a build may need"),
    ("protoc*", "messages are written by hand with prost's derive: no compiler of protocols"),
];

pub fn check(tree: &Tree) -> Vec<Violation> {
    match tree.file(LOCKFILE) {
        Some(file) => packages(file),
        None => vec![Violation::new(LOCKFILE, 1, "no lockfile", "run cargo metadata and add it")],
    }
}

fn packages(file: &File) -> Vec<Violation> {
    let names: Vec<(usize, &str)> = file
        .text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, line.strip_prefix("name = \"")?.strip_suffix('"')?)))
        .collect();
    let mut found = Vec::new();
    if names.is_empty() {
        found.push(Violation::new(LOCKFILE, 1, "no packages in the lockfile", "write it anew with cargo"));
    }
    if names.len() > MAX_PACKAGES {
        let what = format!("{} packages, more than {MAX_PACKAGES}", names.len());
        found.push(Violation::new(LOCKFILE, 1, what, "do without the newest dependency, or drop another"));
    }
    for (line, name) in names {
        if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| matches(banned, name)) {
            let remedy = format!("`cargo tree -i {name}` shows who wants it");
            found.push(Violation::new(LOCKFILE, line, format!("the package `{name}` ({reason})"), remedy));
        }
    }
    found
}

fn matches(banned: &str, name: &str) -> bool {
    match banned.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == banned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Vec<usize> {
        let text: String = names.iter().map(|name| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n\n")).collect();
        check(&Tree::of(&[(LOCKFILE, &text)])).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn banned_packages_are_found_by_name_and_by_start() {
        assert_eq!(found(&["serde", "ring", "prost", "cmake-rs"]), Vec::<usize>::new());
        assert_eq!(found(&["serde", "aws-lc-sys", "protoc-bin-vendored", "bindgen"]), [6, 10, 14]);
    }

    #[test]
    fn the_number_of_packages_is_limited() {
        assert_eq!(found(&["a"; 520]), Vec::<usize>::new());
        assert_eq!(found(&["a"; 521]), [1]);
    }

    #[test]
    fn a_missing_or_empty_lockfile_is_refused() {
        assert_eq!(found(&[]).len(), 1);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
