//! Which build of Belay a story is played with, and where its programs are.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::child;

/// The one word for it, of every command that plays a story.
const DEV: &str = "--dev";

/// The build that is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Built {
    /// As it is shipped.
    #[default]
    Release,
    /// What the tests ran with.
    Dev,
}

/// Both programs at once, so that what they share is compiled once.
const RELEASE: &[&str] = &["build", "--release", "--locked", "-p", "belay", "-p", "belay-agent"];
/// The tests themselves and not only the programs: some of what they need has other features than the programs alone would
/// give it, and all that rests on it would be compiled a second time.
const TESTED: &[&str] = &["test", "--workspace", "--locked", "--no-run"];

impl Built {
    /// What the words of a command ask for, and the words that are left.
    pub fn take<'w>(words: &[&'w str]) -> (Self, Vec<&'w str>) {
        let built = if words.contains(&DEV) { Self::Dev } else { Self::Release };
        (built, words.iter().copied().filter(|word| *word != DEV).collect())
    }

    /// Builds the programs, and says where this one is.
    pub fn program(self, root: &Path, name: &str) -> anyhow::Result<PathBuf> {
        let build = match self {
            Self::Release => RELEASE,
            Self::Dev => TESTED,
        };
        let arguments = [build, &["--message-format", "json-render-diagnostics"]].concat();
        let output = child::cargo(root, &arguments).stderr(Stdio::inherit()).output().context("start cargo")?;
        ensure!(output.status.success(), "{name} could not be built: {}", output.status);
        executable(&String::from_utf8_lossy(&output.stdout), name).with_context(|| format!("cargo built no program called {name}"))
    }
}

/// Where a program is, by what cargo says of what it built. A program's own unit tests bear its name too.
fn executable(said: &str, name: &str) -> Option<PathBuf> {
    let program = |message: &Value| {
        let wanted = message["target"]["name"] == name && message["target"]["kind"][0] == "bin" && message["profile"]["test"] == false;
        message["executable"].as_str().filter(|_| wanted).map(PathBuf::from)
    };
    said.lines().filter_map(|line| serde_json::from_str(line).ok()).find_map(|message| program(&message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_is_asked_for_by_one_word_wherever_it_stands() {
        assert_eq!(Built::take(&["--keep", "--dev", "--server"]), (Built::Dev, vec!["--keep", "--server"]));
        assert_eq!(Built::take(&["--nightly"]), (Built::Release, vec!["--nightly"]));
    }

    #[test]
    fn a_program_is_not_taken_for_its_tests() {
        let line = |name: &str, kind: &str, test: bool, file: &str| {
            let target = serde_json::json!({ "name": name, "kind": [kind] });
            serde_json::json!({ "target": target, "profile": { "test": test }, "executable": file }).to_string()
        };
        let said = [
            line("belay", "bin", true, "deps/belay-0"),
            line("it", "test", true, "deps/it-0"),
            line("belay-agent", "bin", false, "belay-agent"),
            "no json".to_owned(),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
            line("belay", "bin", false, "belay"),
        ]
        .join("\n");
        assert_eq!(executable(&said, "belay"), Some(PathBuf::from("belay")));
        assert_eq!(executable(&said, "belay-agent"), Some(PathBuf::from("belay-agent")));
        assert_eq!(executable(&said, "xtask"), None);
    }
}
