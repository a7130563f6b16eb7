//! What the README and the manual tell people to type is understood: every `belay ...` line of a fenced block is run against a real
//! server. What would run on (`serve`, `demo`) is asked for its help with the same options.

use std::path::{Path, PathBuf};

use crate::harness::{Server, belay, ran};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README.md and everything below docs/, as far as it is there.
fn manuals() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found.retain(|path| path.is_file());
    found
}

/// The commands in the fenced blocks of a text: what follows `belay ` at the start of a line, a prompt or variables before it aside.
fn commands(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = line.trim().trim_start_matches("$ ").trim_start_matches("sudo ");
        // Where more than one space follows, it is a table and not a command.
        if let Some(command) = line.strip_prefix("belay ").filter(|rest| fenced && !rest.starts_with(' ')) {
            found.push(command.to_owned());
        }
    }
    found
}

/// The arguments of a command as a shell would split them; what follows a comment, a pipe or a redirection is the shell's.
fn arguments(command: &str) -> Vec<String> {
    let (mut arguments, mut current, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for c in command.chars() {
        match (c, quote) {
            ('"' | '\'', None) => (quote, begun) = (Some(c), true),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => {
                if begun {
                    arguments.push(std::mem::take(&mut current));
                }
                begun = false;
            }
            (c, _) => {
                current.push(c);
                begun = true;
            }
        }
    }
    if begun {
        arguments.push(current);
    }
    let end =
        arguments.iter().position(|word| matches!(word.as_str(), "#" | "|" | ">" | "2>" | "&&" | "&" | ";")).unwrap_or(arguments.len());
    arguments.truncate(end);
    arguments
}

#[test]
fn every_command_in_readme_and_manual_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let password = dir.path().join("password");
    std::fs::write(&password, "correct horse battery staple\n").unwrap();
    for file in manuals() {
        let text = std::fs::read_to_string(&file).unwrap();
        for command in commands(&text) {
            let mut arguments = arguments(&command);
            if matches!(arguments.first().map(String::as_str), Some("serve" | "demo")) {
                arguments.push("--help".to_owned());
            }
            // Placeholders of the manual, such as HOST or c-17, are answered with 1: there is no such thing.
            let mut run = belay(&[]);
            run.args(&arguments).env("BELAY_STATE", &server.state).env("XDG_CONFIG_HOME", dir.path()).current_dir(root());
            // Where a password is asked for, it comes by a pipe, as the manual says.
            run.stdin(std::fs::File::open(&password).unwrap());
            let ended = ran(run.output().unwrap());
            assert!((0..=4).contains(&ended.code), "{}: belay {command}: {} {}", file.display(), ended.code, ended.err);
        }
    }
}

#[test]
fn commands_are_found_in_fences_and_split_as_a_shell_would() {
    let text =
        "belay outside\n```sh\n$ belay accept c-1 --reason \"a b\"   # why\nbelay changes | head\necho belay\nbelay   the binary\n```\n";
    let found = commands(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(arguments(&found[0]), ["accept", "c-1", "--reason", "a b"]);
    assert_eq!(arguments(&found[1]), ["changes"]);
}
