//! Programs that the host's own configuration declares: an argument list, never a shell, with an
//! end and with bounds on what is kept of their output.

use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a program is looked after.
const LOOK: Duration = Duration::from_millis(5);
/// How long output is waited for after the end: a child of the program may keep the pipe open.
const DRAIN: Duration = Duration::from_millis(500);

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed, as far as it is kept.
    pub out: Vec<u8>,
    /// What it complained of, as far as it is kept.
    pub err: Vec<u8>,
}

impl Ended {
    /// Whether it says it went well.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// The end of what it said, for people, on one line.
    pub fn said(&self) -> String {
        let text = if self.err.trim_ascii().is_empty() { &self.out } else { &self.err };
        let text = String::from_utf8_lossy(text.trim_ascii()).replace(char::is_control, " ");
        let from = text.char_indices().rev().nth(399).map_or(0, |(at, _)| at);
        text[from..].to_owned()
    }

    /// The exit code in words.
    pub fn code_words(&self) -> String {
        self.code.map_or("ended by a signal".to_owned(), |code| format!("exit code {code}"))
    }
}

/// Runs a program to its end, or ends it (and all it started) after `limit`. At most `keep` bytes
/// of each of its outputs are kept; the rest is read and let go.
///
/// # Errors
/// It cannot be started, or did not end in time.
pub fn run(argv: &[String], limit: Duration, keep: usize) -> Result<Ended> {
    let (program, args) = argv.split_first().context("an empty command")?;
    let mut command = Command::new(program);
    // A group of its own, so that what it started ends with it.
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = spawn(&mut command).with_context(|| format!("cannot start {program}"))?;
    let out = child.stdout.take().map(|pipe| drained(pipe, keep));
    let err = child.stderr.take().map(|pipe| drained(pipe, keep));
    let since = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for {program}"))? {
            break status;
        }
        if since.elapsed() >= limit {
            end(&mut child);
            bail!("{program} did not end within {limit:?} and was stopped");
        }
        std::thread::sleep(LOOK);
    };
    let kept = |pipe: Option<Receiver<Vec<u8>>>| pipe.and_then(|pipe| pipe.recv_timeout(DRAIN).ok()).unwrap_or_default();
    Ok(Ended { code: status.code(), out: kept(out), err: kept(err) })
}

/// A program that was written a moment ago may still be open in another process: then it is tried again.
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    for _ in 0..10 {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::sleep(LOOK),
            started => return started,
        }
    }
    command.spawn()
}

fn end(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id())
        && let Some(group) = rustix::process::Pid::from_raw(pid)
    {
        _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    _ = child.kill();
    _ = child.wait();
}

fn drained(mut pipe: impl Read + Send + 'static, keep: usize) -> Receiver<Vec<u8>> {
    let (done, kept) = sync_channel(1);
    std::thread::spawn(move || {
        let (mut bytes, mut chunk) = (Vec::new(), [0; 8192]);
        while let Ok(n @ 1..) = pipe.read(&mut chunk) {
            let room = keep.saturating_sub(bytes.len()).min(n);
            bytes.extend_from_slice(&chunk[..room]);
        }
        _ = done.send(bytes);
    });
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn output_is_bounded_and_the_code_is_kept() {
        let ended = run(&argv(&["sh", "-c", "yes | head -c 100000; echo no >&2; exit 3"]), Duration::from_secs(10), 10).unwrap();
        assert_eq!((ended.code, ended.out.len(), ended.said().as_str()), (Some(3), 10, "no"));
    }

    #[test]
    fn what_does_not_end_is_ended_with_all_it_started() {
        let since = Instant::now();
        let error = run(&argv(&["sh", "-c", "sleep 60 & sleep 60"]), Duration::from_millis(50), 10).unwrap_err();
        assert!(error.to_string().contains("did not end within 50ms"), "{error}");
        assert!(since.elapsed() < Duration::from_secs(20));
        assert!(run(&argv(&["/no/such/program"]), Duration::from_secs(1), 10).unwrap_err().to_string().contains("cannot start"));
        assert!(run(&[], Duration::from_secs(1), 10).is_err());
    }
}
