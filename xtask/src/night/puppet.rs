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
