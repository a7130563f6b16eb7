//! What must not stay behind: unfinished work, tests that do not run, silent exemptions, and paths of one person's machine.

use super::Violation;
use super::places;
use super::tree::{File, Tree};
use super::words;

/// Marks of unfinished work, wherever in a source file they stand. Written in halves so that this file does not find itself.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Code that stands for code, and tests that do not run.
const CODE: &[(&str, &str)] = &[
    ("todo!", "finish it"),
    ("unimplemented!", "finish it, or make the case impossible by its type"),
    ("#[ignore", "make the test run, or delete it"),
    ("allow(clippy::disallowed", "use #[expect(..., reason = \"...\")], or do without"),
];

const SOURCES: &[&str] = &["rs", "toml", "sh", "py", "rb", "pp", "yml", "yaml", "sql", "js", "css", "html"];

/// Folders that exist on somebody's machine and nowhere else. Written in halves, as above.
const FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

pub fn check(tree: &Tree) -> Vec<Violation> {
    tree.files.iter().flat_map(|file| [marks(file), code(file), folders(file)].concat()).collect()
}

fn marks(file: &File) -> Vec<Violation> {
    let source = file.path.rsplit_once('.').is_some_and(|(_, extension)| SOURCES.contains(&extension));
    if !source || places::is_recording(&file.path) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for mark in MARKS.iter().filter(|mark| words::words(line).any(|word| word == **mark)) {
            found.push(Violation::new(&file.path, index + 1, format!("`{mark}`"), "do it now, or write the limit down as a sentence"));
        }
    }
    found
}

fn code(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.code.lines().enumerate() {
        for (wanted, remedy) in CODE.iter().filter(|(wanted, _)| holds(line, wanted)) {
            found.push(Violation::new(&file.path, index + 1, format!("`{wanted}`"), *remedy));
        }
    }
    found
}

/// Whether the line holds the words, not as the end of a longer word.
fn holds(line: &str, wanted: &str) -> bool {
    line.match_indices(wanted).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

fn folders(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for folder in FOLDERS.iter().filter(|folder| starts_path(line, folder)) {
            let remedy = "use a path inside the workspace, a temporary folder, or a neutral one such as /srv/";
            found.push(Violation::new(&file.path, index + 1, format!("a path of somebody's machine (`{folder}`)"), remedy));
        }
    }
    found
}

/// Whether the folder stands at the start of an absolute path; the middle of an address or of a relative path is no concern.
fn starts_path(line: &str, folder: &str) -> bool {
    let inside = |before: char| before.is_alphanumeric() || matches!(before, '_' | '-' | '.' | ')' | '}' | '>' | '*');
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn marks_are_found_as_whole_words_in_source_files() {
        for mark in MARKS {
            assert_eq!(found("a.rs", &format!("// {mark}: later\nlet a = \"{mark}\";")), [1, 2], "{mark}");
            assert_eq!(found("a.yml", &format!("# {mark}\n")), [1], "{mark}");
            assert_eq!(found("a.md", &format!("no {mark}\n")), Vec::<usize>::new(), "{mark}");
            assert_eq!(found("fixtures/a.rb", &format!("# {mark}\n")), Vec::<usize>::new(), "{mark}");
            assert_eq!(found("a.rs", &format!("let a = \"{mark}{mark}\";")), Vec::<usize>::new(), "{mark}");
        }
    }

    #[test]
    fn code_that_stands_for_code_is_found_outside_strings_and_comments() {
        assert_eq!(found("a.rs", "fn a() { todo!() }\n#[ignore = \"slow\"]\nfn b() { unimplemented!() }"), [1, 2, 3]);
        assert_eq!(found("a.rs", "// todo!()\nlet a = \"#[ignore]\";\nlet todo = 1;\nmy_todo!();"), Vec::<usize>::new());
    }

    #[test]
    fn an_exemption_needs_a_reason() {
        assert_eq!(found("a.rs", "#[allow(clippy::disallowed_methods)]"), [1]);
        assert_eq!(found("a.rs", "#[expect(clippy::disallowed_methods, reason = \"the fixture's file\")]"), Vec::<usize>::new());
    }

    #[test]
    fn paths_of_a_machine_are_found_in_every_file() {
        for folder in FOLDERS {
            for text in [format!("{folder}x"), format!("a = \"{folder}x\""), format!("file://{folder}x"), format!("cd {folder}")] {
                assert_eq!(found("README.md", &text), [1], "{text}");
            }
            for text in [format!("https://example.org{folder}x"), format!("docs{folder}x"), format!("$DIR{folder}x")] {
                assert_eq!(found("README.md", &text), Vec::<usize>::new(), "{text}");
            }
        }
    }
}
