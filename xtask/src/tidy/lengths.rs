//! Files and functions that fit the eye. What is too long today stands in a list that may only shrink.

use anyhow::Context;

use super::Violation;
use super::places;
use super::scan;
use super::tree::{File, Tree};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
const LIST: &str = "xtask/tidy-exceptions.toml";
const SOURCES: &[&str] = &["rs", "py", "rb", "sh", "js", "css"];

/// Something that is too long, or that the list says is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Long {
    path: String,
    /// The function's name, or nothing for the whole file.
    name: Option<String>,
    /// In the tree: where it starts. In the list: where its entry starts.
    line: usize,
    lines: usize,
}

impl Long {
    fn what(&self) -> String {
        match &self.name {
            Some(name) => format!("function `{name}`"),
            None => "the file".to_owned(),
        }
    }

    fn limit(&self) -> usize {
        if self.name.is_some() { FUNCTION_LINES } else { FILE_LINES }
    }

    fn same(&self, other: &Long) -> bool {
        self.path == other.path && self.name == other.name
    }
}

pub fn check(tree: &Tree) -> Vec<Violation> {
    let listed = match tree.file(LIST).map_or(Ok(Vec::new()), listed) {
        Ok(listed) => listed,
        Err(error) => return vec![Violation::new(LIST, 1, format!("cannot be read: {error:#}"), "follow the form at its head")],
    };
    compare(tree.files.iter().flat_map(too_long).collect(), listed)
}

fn too_long(file: &File) -> Vec<Long> {
    let source = file.path.rsplit_once('.').is_some_and(|(_, extension)| SOURCES.contains(&extension));
    if !source || places::is_recording(&file.path) {
        return Vec::new();
    }
    let whole = Long { path: file.path.clone(), name: None, line: 1, lines: file.text.lines().count() };
    let functions = scan::functions(&file.code).into_iter().map(|function| Long {
        path: file.path.clone(),
        name: Some(function.name),
        line: function.line,
        lines: function.lines,
    });
    std::iter::once(whole).chain(functions).filter(|long| long.lines > long.limit()).collect()
}

/// Pairs what is too long with the list, the longest first where a file has several functions of one name.
fn compare(mut found: Vec<Long>, mut listed: Vec<Long>) -> Vec<Violation> {
    found.sort_by_key(|long| std::cmp::Reverse(long.lines));
    listed.sort_by_key(|long| std::cmp::Reverse(long.lines));
    let mut violations = Vec::new();
    for long in found {
        let (what, limit) = (format!("{} has {} lines", long.what(), long.lines), long.limit());
        match listed.iter().position(|entry| entry.same(&long)).map(|index| listed.remove(index)) {
            None => violations.push(Violation::new(&long.path, long.line, format!("{what}, more than {limit}"), "cut it along its parts")),
            Some(entry) if long.lines > entry.lines => {
                let grown = format!("{what}, more than the {} of its entry in {LIST}", entry.lines);
                violations.push(Violation::new(&long.path, long.line, grown, "an exception may only shrink: cut it"));
            }
            Some(entry) if long.lines < entry.lines => {
                let shrunk = format!("{} of {} has {} lines now, not {}", long.what(), long.path, long.lines, entry.lines);
                violations.push(Violation::new(LIST, entry.line, shrunk, format!("lower the entry to {}", long.lines)));
            }
            Some(_) => {}
        }
    }
    let gone = listed.iter().map(|entry| {
        let what = format!("{} of {} is gone or short enough now", entry.what(), entry.path);
        Violation::new(LIST, entry.line, what, "remove the entry")
    });
    violations.extend(gone);
    violations
}

fn listed(file: &File) -> anyhow::Result<Vec<Long>> {
    let list: toml::Table = file.text.parse()?;
    let mut entries = Vec::new();
    for (kind, value) in &list {
        anyhow::ensure!(matches!(kind.as_str(), "file" | "function"), "`{kind}` is neither `file` nor `function`");
        for entry in value.as_array().with_context(|| format!("`{kind}` is not a list of tables"))? {
            entries.push(entry_of(file, kind, entry)?);
        }
    }
    Ok(entries)
}

fn entry_of(file: &File, kind: &str, entry: &toml::Value) -> anyhow::Result<Long> {
    let text = |key: &str| entry.get(key).and_then(toml::Value::as_str).with_context(|| format!("a {kind} without `{key}`"));
    let path = text("path")?.to_owned();
    let name = if kind == "function" { Some(text("name")?.to_owned()) } else { None };
    let lines = entry.get("lines").and_then(toml::Value::as_integer).with_context(|| format!("{path}: no `lines`"))?;
    anyhow::ensure!(!text("reason")?.trim().is_empty(), "{path}: an empty reason");
    Ok(Long { line: file.line_of(&format!("\"{path}\"")), path, name, lines: usize::try_from(lines)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/a/src/b.rs";

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{\n{}}}\n", "    x;\n".repeat(lines - 2))
    }

    fn entry(kind: &str, name: &str, lines: usize) -> String {
        format!("[[{kind}]]\npath = \"{PATH}\"\n{name}lines = {lines}\nreason = \"r\"\n")
    }

    fn found(source: &str, list: &str) -> Vec<String> {
        check(&Tree::of(&[(PATH, source), (LIST, list)])).iter().map(Violation::to_string).collect()
    }

    #[test]
    fn lengths_up_to_the_limit_pass() {
        assert_eq!(found(&function("a", 70), ""), Vec::<String>::new());
        assert_eq!(found(&"// x\n".repeat(500), ""), Vec::<String>::new());
    }

    #[test]
    fn lengths_over_the_limit_are_refused_with_their_place() {
        let violations = found(&format!("\n{}", function("a", 71)), "");
        assert_eq!(violations, [format!("{PATH}:2: function `a` has 71 lines, more than 70; cut it along its parts")]);
        assert_eq!(found(&"// x\n".repeat(501), "").len(), 1);
        let script = check(&Tree::of(&[("integrations/a.rb", &"x\n".repeat(501))]));
        assert_eq!(script.len(), 1);
        assert_eq!(check(&Tree::of(&[("crates/a/fixtures/a.rb", &"x\n".repeat(501))])).len(), 0);
    }

    #[test]
    fn an_entry_holds_for_exactly_its_length() {
        let name = "name = \"a\"\n";
        assert_eq!(found(&function("a", 80), &entry("function", name, 80)), Vec::<String>::new());
        assert_eq!(found(&"// x\n".repeat(720), &entry("file", "", 720)), Vec::<String>::new());
        let grown = found(&function("a", 81), &entry("function", name, 80));
        assert!(grown.len() == 1 && grown[0].contains("may only shrink"), "{grown:?}");
        let shrunk = found(&function("a", 79), &entry("function", name, 80));
        assert_eq!(shrunk, [format!("{LIST}:2: function `a` of {PATH} has 79 lines now, not 80; lower the entry to 79")]);
    }

    #[test]
    fn an_entry_that_is_no_longer_needed_must_go() {
        for source in [function("a", 70), function("b", 5), String::new()] {
            let gone = found(&source, &entry("function", "name = \"a\"\n", 80));
            assert!(gone.len() == 1 && gone[0].contains("remove the entry"), "{gone:?}");
        }
    }

    #[test]
    fn functions_of_one_name_need_one_entry_each() {
        let two = format!("impl A {{\n{}}}\nimpl B {{\n{}}}\n", function("a", 90), function("a", 80));
        let one = entry("function", "name = \"a\"\n", 90);
        assert_eq!(found(&two, &one).len(), 1);
        assert_eq!(found(&two, &format!("{one}{}", entry("function", "name = \"a\"\n", 80))), Vec::<String>::new());
    }

    #[test]
    fn a_list_that_cannot_be_read_is_refused() {
        for list in ["[[module]]\npath = \"a\"", "[[file]]\npath = \"a\"\nlines = 800", "[[function]]\npath = \"a\"\nlines = 80", "="] {
            let violations = found("", list);
            assert!(violations.len() == 1 && violations[0].contains("cannot be read"), "{list}: {violations:?}");
        }
    }
}
