//! A step that runs beside others: it yields to them, shares no lock of cargo's with them, and is silent until it is asked what it said.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

/// A child that runs.
pub struct Beside {
    /// What it said, on both ways, in its order.
    said: File,
    waiter: JoinHandle<(std::io::Result<ExitStatus>, Duration)>,
}

impl Beside {
    pub fn start(command: &Command) -> anyhow::Result<Self> {
        let said = tempfile::tempfile().context("make a file for what it says")?;
        let began = Instant::now();
        let mut command = patient(command);
        command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said.try_clone()?);
        let mut child = command.spawn().context("start nice")?;
        let waiter = std::thread::spawn(move || (child.wait(), began.elapsed()));
        Ok(Self { said, waiter })
    }

    pub fn is_over(&self) -> bool {
        self.waiter.is_finished()
    }

    /// Waits for its end, tells every line that it said, and how it ended and after what time.
    pub fn end(mut self, mut see: impl FnMut(&str)) -> (anyhow::Result<ExitStatus>, Duration) {
        let (status, took) = self.waiter.join().unwrap_or_else(|_| (Err(std::io::Error::other("its waiter is gone")), Duration::ZERO));
        let told = self.said.rewind().and_then(|()| {
            let mut said = BufReader::new(&self.said);
            let mut line = Vec::new();
            while said.read_until(b'\n', &mut line)? > 0 {
                see(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
            Ok(())
        });
        (status.and_then(|status| told.map(|()| status)).map_err(|error| anyhow!(error)), took)
    }
}

/// The same command, behind everybody who wants the processor.
fn patient(command: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        nice.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    nice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_said_is_told_when_it_is_asked_with_how_it_ended() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; nice; printf $WORD; exit 3"]).env("WORD", "four");
        let (mut said, beside) = (Vec::new(), Beside::start(&command).expect("a child"));
        let (status, took) = beside.end(|line| said.push(line.to_owned()));
        assert_eq!(said, ["one", "two", "19", "four"]);
        assert_eq!(status.expect("a status").code(), Some(3));
        assert!(took > Duration::ZERO);
    }

    #[test]
    fn it_is_over_when_it_has_ended() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1"]);
        let beside = Beside::start(&command).expect("a child");
        assert!(!beside.is_over());
        while !beside.is_over() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(beside.end(|_| {}).1 >= Duration::from_secs(1));
    }
}
