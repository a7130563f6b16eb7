//! Child processes whose output is shown as it comes and read on the way.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context;

/// Cargo, the one that runs us, started at the workspace's root.
pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    command
}

/// Where cargo puts what it builds.
pub fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Runs the child to its end. Its standard output goes to ours line by line, and `see` gets each line; its errors go straight to ours.
pub fn stream(command: &mut Command, see: impl FnMut(&str)) -> anyhow::Result<ExitStatus> {
    stream_to(&mut std::io::stdout(), command, see)
}

fn stream_to(ours: &mut dyn Write, command: &mut Command, mut see: impl FnMut(&str)) -> anyhow::Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("start {name}"))?;
    let mut output = BufReader::new(child.stdout.take().context("the child's output is a pipe")?);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).with_context(|| format!("read the output of {name}"))? > 0 {
        ours.write_all(&line).and_then(|()| ours.flush()).context("write to standard output")?;
        see(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    child.wait().with_context(|| format!("wait for {name}"))
}

/// What a run of the test harness, or of several, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Tally {
    /// Adds the line `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; any other line counts nothing.
    pub fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else { return };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed_and_other_lines_count_nothing() {
        let mut tally = Tally::default();
        for line in [
            "running 4 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.02s",
            "test tidy::tests::result ... ok",
            "test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 10, failed: 2, skipped: 1 });
    }

    #[test]
    fn every_line_is_seen_and_the_exit_status_kept() {
        let (mut shown, mut seen) = (Vec::new(), Vec::new());
        let mut child = Command::new("sh");
        child.args(["-c", "echo one; printf two; exit 3"]);
        let status = stream_to(&mut shown, &mut child, |line| seen.push(line.to_owned()));
        assert_eq!((shown.as_slice(), seen.join(" ").as_str()), (b"one\ntwo".as_slice(), "one two"));
        assert_eq!(status.ok().and_then(|status| status.code()), Some(3));
    }
}
