//! `cargo xtask puppet`: what is installed on a site of Puppet's, tried with the real Puppet and the Ruby it brings.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::child;
use crate::night::install::{self, Found};

/// Where it lies.
const MODULE: &str = "integrations/puppet";
/// The Ruby of Puppet's own packages, if they are here.
const VENDOR_RUBY: &str = "/opt/puppetlabs/puppet/bin/ruby";
/// A Ruby will do if it knows Puppet and can run tests.
const PROBE: &str = "require 'puppet'; require 'minitest'";

/// Runs every test of the module. Where Puppet cannot be had it says so, and is skipped.
pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    if let Found::Missing(why) = install::ensure()? {
        println!("skipped: {why}");
        return Ok(ExitCode::SUCCESS);
    }
    // Without it one test says that it was skipped.
    if install::which("puppet-lint").is_none()
        && let Err(why) = install::packages(&["puppet-lint"])?
    {
        println!("puppet-lint is not installed: {why}");
    }
    let Some(ruby) = ruby() else {
        println!("skipped: no ruby here knows puppet and minitest");
        return Ok(ExitCode::SUCCESS);
    };
    let mut counted = Counted::default();
    for file in tests(&root.join(MODULE).join("test"))? {
        println!("== {} {}", ruby.display(), file.strip_prefix(root).unwrap_or(&file).display());
        let mut last = Counted::default();
        let mut command = Command::new(&ruby);
        command.arg(&file).current_dir(root.join(MODULE)).stdin(Stdio::null());
        let status = child::stream(&mut command, |line| last = Counted::read(line).unwrap_or(last))?;
        ensure!(status.success() && last.good(), "{} failed ({status})", file.display());
        counted.add(last);
    }
    println!("{}", json!({ "story": "ok", "tests": counted.runs, "assertions": counted.assertions, "skipped": counted.skips }));
    Ok(ExitCode::SUCCESS)
}

fn ruby() -> Option<PathBuf> {
    let candidates = [Some(PathBuf::from(VENDOR_RUBY)), install::which("ruby")];
    let knows = |ruby: &PathBuf| {
        let mut command = Command::new(ruby);
        command.args(["-e", PROBE]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    candidates.into_iter().flatten().find(knows)
}

fn tests(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_test.rb") {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "{} holds no tests", folder.display());
    files.sort();
    Ok(files)
}

/// What the harness of Ruby counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    runs: u64,
    assertions: u64,
    bad: u64,
    skips: u64,
}

impl Counted {
    /// Reads the line `16 runs, 56 assertions, 0 failures, 0 errors, 0 skips`.
    fn read(line: &str) -> Option<Self> {
        let mut counted = Self::default();
        for part in line.split(", ") {
            let (number, what) = part.split_once(' ')?;
            let number: u64 = number.parse().ok()?;
            match what {
                "runs" => counted.runs = number,
                "assertions" => counted.assertions = number,
                "failures" | "errors" => counted.bad += number,
                "skips" => counted.skips = number,
                _ => return None,
            }
        }
        Some(counted)
    }

    fn good(&self) -> bool {
        self.runs > 0 && self.bad == 0
    }

    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.assertions += other.assertions;
        self.skips += other.skips;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_harness_is_read_and_no_other() {
        let counted = Counted::read("16 runs, 56 assertions, 1 failures, 2 errors, 3 skips");
        assert_eq!(counted, Some(Counted { runs: 16, assertions: 56, bad: 3, skips: 3 }));
        assert!(!counted.expect("a count").good() && !Counted::default().good());
        assert!(["", "Running:", "1 runs, many failures", "3 hosts, 2 runs"].iter().all(|line| Counted::read(line).is_none()));
    }
}
