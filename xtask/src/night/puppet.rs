//! Runs of the real Puppet, at most two at a time, each with an end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::lab::Lab;
use super::tale::Tale;

/// Processors are few, and Puppet uses one for seconds.
const AT_A_TIME: usize = 2;
const LIMIT: Duration = Duration::from_secs(180);

/// Puppet and where it runs.
pub struct Puppet<'l> {
    /// The program.
    pub program: PathBuf,
    /// The fleet.
    pub lab: &'l Lab,
}

/// What a run came to, in Puppet's own eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saw {
    /// Exit code 0.
    Unchanged,
    /// Exit code 2: changes, and nothing failed.
    Changed,
}

impl Puppet<'_> {
    /// Applies an environment to hosts. Every run has to see what is expected of it.
    pub fn apply(&self, tale: &Tale, hosts: &[&str], environment: &str, expected: Saw) -> anyhow::Result<()> {
        self.apply_each(tale, hosts, environment, expected, |_| Ok(()))
    }

    /// The same, with something that is done to each host right before its run.
    pub fn apply_each(
        &self,
        tale: &Tale,
        hosts: &[&str],
        environment: &str,
        expected: Saw,
        before: impl Fn(&str) -> anyhow::Result<()> + Sync,
    ) -> anyhow::Result<()> {
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<anyhow::Error>> = Mutex::new(None);
        let work = || {
            while let Some(host) = hosts.get(next.fetch_add(1, Ordering::SeqCst)) {
                if let Err(error) = before(host).and_then(|()| self.one(tale, host, environment, expected)) {
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    break;
                }
            }
        };
        std::thread::scope(|scope| (0..AT_A_TIME).for_each(|_| drop(scope.spawn(work))));
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn one(&self, tale: &Tale, host: &str, environment: &str, expected: Saw) -> anyhow::Result<()> {
        let began = Instant::now();
        let output = self.lab.host(host).join("log/puppet.out");
        let before = std::fs::metadata(&output).map_or(0, |known| known.len());
        let status = self.run(host, environment, &output)?;
        let text = std::fs::read(&output).map(|all| String::from_utf8_lossy(&all[before as usize..]).into_owned()).unwrap_or_default();
        let saw = match status.code() {
            Some(0) => Saw::Unchanged,
            Some(2) => Saw::Changed,
            _ => bail!("puppet on {host} with environment {environment} ended with {status}:\n{text}"),
        };
        ensure!(saw == expected, "puppet on {host} with environment {environment} saw {saw:?}, not {expected:?}:\n{text}");
        // The stock processor says so and goes on: exit code and status are as if nothing had happened.
        let lost = ["Report processor failed", "Unable to submit report"].iter().any(|words| text.contains(words));
        ensure!(!lost, "the report of {host} was lost:\n{text}");
        let word = if saw == Saw::Changed { "changed, nothing failed (exit 2)" } else { "unchanged (exit 0)" };
        tale.say(&format!("puppet on {host}, environment {environment}: {word}, {:.1} s", began.elapsed().as_secs_f64()));
        Ok(())
    }

    fn run(&self, host: &str, environment: &str, output: &Path) -> anyhow::Result<ExitStatus> {
        let own = self.lab.host(host);
        let log = File::options().append(true).create(true).open(output).with_context(|| format!("open {}", output.display()))?;
        let mut child = Command::new(&self.program)
            .args(["apply", "--detailed-exitcodes", "--verbose", "--color=false", "--environment", environment, "--confdir"])
            .arg(own.join("puppet"))
            .arg(self.lab.manifest(environment))
            .env("FACTER_host_folder", &own)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))?;
        ended(&mut child).with_context(|| format!("puppet on {host}"))
    }
}

/// How a command on a host ended.
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it said.
    pub said: String,
    what: String,
}

impl Ran {
    /// Insists on an exit code.
    pub fn is(self, code: i32) -> anyhow::Result<Self> {
        ensure!(self.code == Some(code), "{} ended with {:?}, not with {code}:\n{}", self.what, self.code, self.said);
        Ok(self)
    }

    /// Insists on words.
    pub fn says(self, words: &[&str]) -> anyhow::Result<Self> {
        let missing: Vec<&&str> = words.iter().filter(|word| !self.said.contains(**word)).collect();
        ensure!(missing.is_empty(), "{} does not say {missing:?}:\n{}", self.what, self.said);
        Ok(self)
    }

    /// The line that begins so, for people.
    pub fn line(&self, begins: &str) -> &str {
        self.said.lines().find(|line| line.starts_with(begins)).unwrap_or_default()
    }
}

/// Runs a command on a host that is a folder: its output goes to the host's log of such commands, and what it said is read there.
pub fn ran(folder: &Path, mut command: Command, what: String) -> anyhow::Result<Ran> {
    let output = folder.join("log/puppet.out");
    let before = std::fs::metadata(&output).map_or(0, |known| known.len());
    let log = File::options().append(true).create(true).open(&output).with_context(|| format!("open {}", output.display()))?;
    command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut child = command.spawn().with_context(|| format!("start {what}"))?;
    let status = ended(&mut child).with_context(|| what.clone())?;
    let all = std::fs::read(&output).unwrap_or_default();
    Ok(Ran { code: status.code(), said: without_facter(&String::from_utf8_lossy(&all[before as usize..])), what })
}

/// Does something on some hosts, two of them at a time.
pub fn at_once<T>(hosts: &[&str], what: impl Fn(&str) -> anyhow::Result<T> + Sync) -> anyhow::Result<()> {
    side_by_side(AT_A_TIME, hosts, what)
}

/// Does something on some hosts, so many of them at a time.
pub fn side_by_side<T>(width: usize, hosts: &[&str], what: impl Fn(&str) -> anyhow::Result<T> + Sync) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let work = || {
        while let Some(host) = hosts.get(next.fetch_add(1, Ordering::SeqCst)) {
            if let Err(error) = what(host) {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| (0..width).for_each(|_| drop(scope.spawn(work))));
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Without what Facter says of machines that are containers.
pub fn without_facter(text: &str) -> String {
    text.lines().filter(|line| !line.contains("Error: Facter:")).map(|line| format!("{line}\n")).collect()
}

/// Waits for a child of ours, and ends it when it takes too long.
pub fn ended(child: &mut Child) -> anyhow::Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if began.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            bail!("did not end within {} s", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
