//! Belay itself: started as a child, asked over its API, stopped.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::http;
use super::lab;
use super::ship;
use super::tale::wait_for;

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How every secret begins, and how many hexadecimal digits follow.
const SECRET: (&str, usize) = ("belay_", 64);

/// A server of our own.
pub struct Belay {
    /// Where it listens.
    pub address: SocketAddr,
    admin: String,
    /// The secret that reports come with.
    pub relay: String,
    program: PathBuf,
    folder: PathBuf,
    child: Child,
    logs: [PathBuf; 2],
}

impl Belay {
    /// Starts it in a folder of its own with this configuration, tells it of one receiver of alerts, and waits until it answers.
    pub fn start(program: &Path, folder: &Path, config: &str, receiver: SocketAddr) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, http::free_port()?));
        let words = [("BELAY", address.to_string()), ("METRIC", ship::METRIC.to_owned()), ("RECEIVER", receiver.to_string())];
        let words: Vec<(&str, &str)> = words.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lab::write(&folder.join("belay.toml"), &lab::fill(config, &words))?;
        let logs = [folder.join("stdout.log"), folder.join("stderr.log")];
        let child = serve(program, folder, address, &logs)?;
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let mut belay = Self { address, admin: String::new(), relay: String::new(), program, folder, child, logs };
        belay.admin = belay.ready().inspect_err(|_| println!("-- the last that belay said\n{}", belay.said(40)))?;
        belay.relay = match secret(&belay.said(usize::MAX), "relay") {
            Some(relay) => relay,
            None => belay.issue("night-reports", "relay", "*")?,
        };
        Ok(belay)
    }

    /// Ends it, and leaves what it knows where it is.
    pub fn stop(&mut self) {
        end(&mut self.child, "belay");
    }

    /// Starts it again, with the address and the state it had.
    pub fn again(&mut self) -> anyhow::Result<()> {
        self.child = serve(&self.program, &self.folder, self.address, &self.logs)?;
        self.ready().map(drop)
    }

    /// Alters its configuration, and has it read anew.
    pub fn reload(&self, alter: impl FnOnce(String) -> String) -> anyhow::Result<()> {
        let file = self.folder.join("belay.toml");
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        lab::write(&file, &alter(text))?;
        let told = Command::new("kill").args(["-HUP", &self.pid().to_string()]).stdin(Stdio::null()).status().context("start kill")?;
        ensure!(told.success(), "belay could not be told to read its configuration");
        Ok(())
    }

    /// The command line of a person who is allowed everything. What it says, if it says that it went well.
    pub fn cli(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("BELAY_SERVER", format!("http://{}", self.address)).env("BELAY_TOKEN", &self.admin);
        let output = command.stdin(Stdio::null()).output().context("start belay")?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        ensure!(output.status.success(), "belay {} ended with {}: {said}", arguments.join(" "), output.status);
        Ok(said)
    }

    /// The administrator's secret, once it is printed and the server takes it.
    fn ready(&mut self) -> anyhow::Result<String> {
        wait_for("belay to answer", START_LIMIT, || {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            let Some(admin) = secret(&self.said(usize::MAX), "admin") else { return Ok(Err("no secret of an admin".to_owned())) };
            let bearer = format!("Bearer {admin}");
            Ok(match http::send(self.address, "GET", "/api/v1/status", &[("Authorization", &bearer)], b"") {
                Ok(reply) if reply.status == 200 => Ok(admin),
                Ok(reply) => Err(format!("{} {}", reply.status, reply.text())),
                Err(error) => Err(format!("{error:#}")),
            })
        })
    }

    /// A credential that may do one thing only.
    pub fn issue(&self, name: &str, kind: &str, what: &str) -> anyhow::Result<String> {
        let answer = self.ask("POST", "/api/v1/tokens", Some(&json!({ "name": name, kind: what })))?;
        Ok(answer["secret"].as_str().context("a credential without a secret")?.to_owned())
    }

    /// Tells the release a host runs, as a deployment would.
    pub fn runs_release(&self, host: &str, release: &str) -> anyhow::Result<()> {
        self.ask("PUT", &format!("/api/v1/hosts/{host}/facts"), Some(&json!({ "release": release, "facts": {} }))).map(drop)
    }

    /// The entries of a list, newest first where it has an order in time.
    pub fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.get(path)?;
        Ok(answer["items"].as_array().with_context(|| format!("{path} is no list: {answer}"))?.clone())
    }

    /// One thing.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask("GET", path, None)
    }

    /// What a path answers that is no JSON.
    pub fn text(&self, path: &str) -> anyhow::Result<String> {
        self.sent("GET", path, "").map(|reply| reply.text())
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let reply = self.sent(method, path, &body.map(Value::to_string).unwrap_or_default())?;
        if reply.body.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(&reply.body).with_context(|| format!("{method} {path}"))
        }
    }

    fn sent(&self, method: &str, path: &str, body: &str) -> anyhow::Result<http::Reply> {
        let bearer = format!("Bearer {}", self.admin);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let reply = http::send(self.address, method, path, &headers, body.as_bytes())?;
        ensure!(reply.status / 100 == 2, "{method} {path} answered {}: {}", reply.status, reply.text());
        Ok(reply)
    }

    /// The last lines it printed.
    pub fn said(&self, lines: usize) -> String {
        let texts =
            self.logs.iter().map(|log| std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default());
        texts.map(|text| lab::tail(&text, lines)).collect()
    }
}

impl Drop for Belay {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(program: &Path, folder: &Path, address: SocketAddr, logs: &[PathBuf; 2]) -> anyhow::Result<Child> {
    let log = |file: &PathBuf| File::options().append(true).create(true).open(file);
    Command::new(program)
        .args(["serve", "--listen", &address.to_string(), "--config"])
        .arg(folder.join("belay.toml"))
        .arg("--state")
        .arg(folder.join("state"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log(&logs[0])?)
        .stderr(log(&logs[1])?)
        .spawn()
        .with_context(|| format!("start {}", program.display()))
}

/// Asks a child of ours to end, as a service manager would, and ends it if it does not.
pub fn end(child: &mut Child, name: &str) {
    if let Ok(Some(_)) = child.try_wait() {
        return;
    }
    let asked = Command::new("kill").arg(child.id().to_string()).stdin(Stdio::null()).status();
    let began = Instant::now();
    while asked.as_ref().is_ok_and(|status| status.success()) && began.elapsed() < STOP_LIMIT {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Ok(Some(_)) | Err(_) => return,
        }
    }
    eprintln!("{name} did not end within {} s of being asked", STOP_LIMIT.as_secs());
    if let Err(error) = child.kill().and_then(|()| child.wait().map(drop)) {
        eprintln!("could not end {name} ({}): {error}", child.id());
    }
}

/// The first secret in a text that is introduced by a word: in what stands between it and the secret before it.
fn secret(text: &str, word: &str) -> Option<String> {
    let mut introduced = 0;
    for (at, _) in text.match_indices(SECRET.0) {
        let digits = &text[at + SECRET.0.len()..];
        let digits = &digits[..digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len())];
        if digits.len() != SECRET.1 {
            continue;
        }
        if text[introduced..at].to_ascii_lowercase().contains(word) {
            return Some(format!("{}{digits}", SECRET.0));
        }
        introduced = at;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_the_words_before_them() {
        let (one, two) = ("1".repeat(64), "f".repeat(64));
        let said =
            format!("listening; belay_state\nfirst start. Admin token: belay_{one}\n  for reports (relay): http://x:belay_{two}@host/\n");
        assert_eq!(secret(&said, "admin"), Some(format!("belay_{one}")));
        assert_eq!(secret(&said, "relay"), Some(format!("belay_{two}")));
        assert_eq!(secret(&said, "source"), None);
        assert_eq!(secret("admin belay_12", "admin"), None);
    }
}
