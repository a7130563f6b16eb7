//! A host in a temporary folder: a configuration, the tool's files, and the agent's processes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use belay_adapters::tools::host::host_tool_by_name;
use belay_agent::kept::Kept;
use belay_api::agent::PollAnswer;
use belay_core::host::policy::{HostPolicy, Stand};
use belay_core::model::gate::{Enforce, HoldOrder};
use belay_core::model::ids::{ClassName, Environment, HoldId, HostId, Release};
use belay_core::model::time::{Span, Timestamp};
use tempfile::TempDir;

/// A host.
pub struct Lab {
    pub dir: TempDir,
    more: String,
}

/// A process of the agent, ended when it is dropped.
pub struct Daemon(pub Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Lab {
    /// A host whose server is at this address, if any; `more` is added to its configuration.
    pub fn new(server: Option<&str>, more: &str) -> Self {
        let lab = Self { dir: tempfile::tempdir().unwrap(), more: more.to_owned() };
        std::fs::write(lab.path("token"), "secret\n").unwrap();
        std::fs::write(lab.path("release"), "142\n").unwrap();
        std::fs::create_dir(lab.path("tool")).unwrap();
        lab.configure(server);
        lab
    }

    /// Writes the configuration anew.
    pub fn configure(&self, server: Option<&str>) {
        let path = |name: &str| self.path(name).display().to_string();
        let server = server.map_or(String::new(), |at| format!("server = \"http://{at}\"\ntoken_file = \"{}\"\n", path("token")));
        let text = format!(
            "{server}host = \"{HOST}\"\nstate_dir = \"{}\"\nbanner = \"{}\"\nrelease = {{ file = \"{}\" }}\n\
             [tool]\nname = \"puppet\"\nlock = \"{}\"\nreport = \"{}\"\ncatalog = \"{}\"\nrunning = \"{}\"\nsettings = \"{}\"\nprogram = \"{}\"\n\
             schedules = [\"{}\"]\nsplay = \"0s\"\n{}\n",
            path("state"),
            path("banner"),
            path("release"),
            path("tool/lock"),
            path("tool/report"),
            path("tool/catalog"),
            path("tool/running"),
            path("tool/settings"),
            path("tool/program"),
            path("tool/cron"),
            self.more.replace("DIR", &self.dir.path().display().to_string()),
        );
        std::fs::write(self.path("agent.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn kept(&self) -> Kept {
        Kept::new(&self.path("state"))
    }

    /// Keeps a policy as if it had come a moment ago.
    pub fn keep(&self, policy: &HostPolicy) {
        let kept = self.kept();
        let policy = &HostPolicy { issued: belay_agent::clock::now(), ..policy.clone() };
        let reply = PollAnswer::of(policy, None, 0).reply().unwrap();
        kept.take(&kept.guard().unwrap(), &policy.host, &reply, false).unwrap();
    }

    /// Makes the last time the server was heard of lie so long ago.
    pub fn away(&self, span: Span) {
        let path = self.path("state/contact.json");
        let mut contact: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for key in ["at_ms", "up_ms"] {
            contact["at"][key] = (contact["at"][key].as_i64().unwrap() - span.ms()).into();
        }
        std::fs::write(&path, contact.to_string()).unwrap();
    }

    /// The server's clock is so far ahead of the host's.
    pub fn server_ahead(&self, span: Span) {
        let path = self.path("state/contact.json");
        let mut contact: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        contact["issued_ms"] = (contact["at"]["at_ms"].as_i64().unwrap() + span.ms()).into();
        std::fs::write(&path, contact.to_string()).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_belay-agent"));
        command.arg("--config").arg(self.path("agent.toml")).args(args).env_remove("SUDO_USER").env("LOGNAME", "alice");
        command
    }

    /// Runs the agent once.
    pub fn agent(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs the agent once: its exit code and what it says.
    pub fn says(&self, args: &[&str]) -> (i32, String) {
        let output = self.agent(args);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("no signal ends it"), String::from_utf8(said).unwrap())
    }

    pub fn daemon(&self) -> Daemon {
        Daemon(self.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    pub fn lock(&self) -> Option<String> {
        std::fs::read_to_string(self.path("tool/lock")).ok()
    }

    /// Puts a program where the tool's is. It writes its arguments into `argv`, one call a line.
    pub fn program(&self, rest: &str) {
        let text = format!("#!/bin/sh\necho \"$@\" >> {}\n{rest}\n", self.path("argv").display());
        write_program(&self.path("tool/program"), &text);
    }

    pub fn argv(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("argv")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

pub fn write_program(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub const HOST: &str = "web01.example.com";

pub fn host() -> HostId {
    HostId::parse(HOST).unwrap()
}

pub fn hold(number: u64) -> HoldOrder {
    HoldOrder {
        id: HoldId(number),
        owner: "alice".to_owned(),
        reason: "release 142 needs new files".to_owned(),
        contact: "alice, room 4".to_owned(),
        ticket: None,
        imports: None,
        placed: Timestamp::from_ms(0),
        until: Timestamp::from_ms(4_000_000_000_000),
    }
}

/// A policy of this number and level.
pub fn policy(seq: u64, enforce: Enforce) -> HostPolicy {
    let release = Release::parse("142").unwrap();
    HostPolicy {
        host: host(),
        stand: Stand { incarnation: 1, seq },
        issued: Timestamp::from_ms(0),
        class: ClassName::parse("web").unwrap(),
        release: Some(release.clone()),
        enforce,
        max_closed: Span::from_min(240),
        holds: Vec::new(),
        environments: BTreeMap::from([(release, Environment::parse("r142").unwrap())]),
        items: BTreeMap::new(),
        pin: None,
        wave_open: false,
        closed: Vec::new(),
        wave: None,
        rehearse: false,
        reverts: Vec::new(),
        poll_after: Span::from_ms(400),
    }
}

/// A catalog of the tool with one file of this content.
pub fn catalog(environment: &str, content: &str) -> String {
    format!(
        r#"{{"name":"{HOST}","version":1,"catalog_uuid":"6f1ee7f3-0d2a-4b5c-9c1f-{}","environment":"{environment}","resources":[
            {{"type":"File","title":"/etc/app.conf","parameters":{{"content":"{content}","ensure":"file"}}}}]}}"#,
        &belay_core::model::ids::Digest::of(content.as_bytes()).to_string()[..12]
    )
}

/// The policy, knowing all items of a catalog as this.
pub fn knowing(mut policy: HostPolicy, catalog: &str, known: belay_core::model::gate::Known) -> HostPolicy {
    let offered = host_tool_by_name("puppet").unwrap().offered(catalog.as_bytes(), &policy.host).unwrap();
    assert!(!offered.items.is_empty());
    for (key, content) in offered.items {
        policy.items.entry(key).or_default().insert(content, known);
    }
    policy
}
