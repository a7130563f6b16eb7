//! The binary under test: run to its end, or served until it is stopped or killed. Whatever a test leaves running dies with it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary, with nothing of this process's environment that would change what it does.
pub fn belay(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    for name in ["BELAY_SERVER", "BELAY_CA", "BELAY_TOKEN", "BELAY_STATE", "BELAY_LOG", "BELAY_PROFILE", "XDG_CONFIG_HOME", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.args(args).env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// What it printed and how it ended.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Ran {
    ran(belay(args).output().expect("the binary runs"))
}

pub fn ran(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A server that runs.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub state: PathBuf,
    /// What it printed before it could be asked.
    pub greeting: String,
    log: PathBuf,
}

impl Server {
    /// Starts one on this state directory, with these further arguments, and waits until it listens.
    pub fn start(state: &Path, more: &[&str]) -> Self {
        let log = state.with_extension("log");
        let stderr = File::options().create(true).append(true).open(&log).expect("the log can be written");
        let mut command = belay(&["serve", "--listen", "127.0.0.1:0", "--state"]);
        let mut child = command.arg(state).args(more).stdout(Stdio::piped()).stderr(stderr).spawn().expect("the server starts");
        let (address, greeting) = match greeting(&mut child) {
            Some(found) => found,
            None => {
                let _ = child.kill();
                let status = child.wait();
                panic!("the server did not start ({status:?}); its log:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
        };
        Self { child, address, state: state.to_owned(), greeting, log }
    }

    /// A command for this server, by its socket.
    pub fn ask(&self, args: &[&str]) -> Ran {
        let mut command = belay(args);
        ran(command.arg("--state").arg(&self.state).output().expect("the binary runs"))
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.state.join("belay.sock")
    }

    /// Ends it without any warning.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(sent.expect("a shell runs").success(), "the server was gone before {name}");
    }

    /// Asks it to end and waits until it has; how it ended and what it logged.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return (status, self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "the server did not end; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it listens, and everything it says at once with that.
fn greeting(child: &mut Child) -> Option<(SocketAddr, String)> {
    let stdout = child.stdout.take()?;
    let (lines, heard) = mpsc::sync_channel(1000);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    let first = heard.recv_timeout(PATIENCE).ok()?;
    let address = first.split("://").nth(1)?.split_whitespace().next()?.parse().ok()?;
    let mut text = first;
    while let Ok(line) = heard.recv_timeout(Duration::from_millis(200)) {
        text.push('\n');
        text.push_str(&line);
    }
    Some((address, text))
}

/// Everything of a file, which has to be there.
pub fn read(path: &Path) -> String {
    let mut text = String::new();
    File::open(path).and_then(|mut file| file.read_to_string(&mut text)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text
}
