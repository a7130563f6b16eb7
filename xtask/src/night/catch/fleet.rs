//! The hosts of the catch: a folder each, with Puppet's own files, an application, and the real agent, running.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use super::Programs;
use crate::night::belay::{Belay, end};
use crate::night::lab::{executable, fill, tail, write};
use crate::night::puppet::{Ran, at_once, ran, without_facter};

pub use crate::night::lab::{PRODUCTION, R142};

/// A class whose gate goes by what was rejected.
pub const APP: [&str; 3] = ["app1", "app2", "app3"];
/// A class whose gate goes by which environment belongs to which release.
pub const REL: [&str; 2] = ["rel1", "rel2"];
/// The host whose Puppet asks the gate by itself, and sends its reports by itself.
pub const HOOKED: &str = APP[2];

/// The hosts.
pub struct Fleet {
    folder: PathBuf,
    programs: [PathBuf; 2],
    sitemonitor: SocketAddr,
    agents: Vec<(&'static str, Child)>,
}

impl Fleet {
    /// Writes everything and starts the agents.
    pub fn build(folder: &Path, programs: &Programs, belay: &Belay, sitemonitor: SocketAddr) -> anyhow::Result<Self> {
        let programs = [programs.agent.clone(), programs.puppet.clone()];
        let mut fleet = Self { folder: folder.to_owned(), programs, sitemonitor, agents: Vec::new() };
        fleet.release_142("v2")?;
        fleet.environment(PRODUCTION, "141", "v1/submit", "v1")?;
        let application = folder.join("sitemonitor-client");
        std::fs::copy(std::env::current_exe().context("ask for this program's file")?, &application).context("copy this program")?;
        for host in APP.into_iter().chain(REL) {
            fleet.host_files(host, belay, &application)?;
            let log = File::create(fleet.host(host).join("log/agent.out")).context("make the agent's log")?;
            let mut agent = fleet.agent(host);
            let child = agent.arg("run").stdout(log.try_clone()?).stderr(log).spawn().context("start belay-agent")?;
            fleet.agents.push((host, child));
        }
        Ok(fleet)
    }

    /// What environment r142 gives: for release 142 only format `v2` is right.
    pub fn release_142(&self, format: &str) -> anyhow::Result<()> {
        self.environment(R142, "142", "v2/batch", format)
    }

    fn environment(&self, name: &str, release: &str, path: &str, format: &str) -> anyhow::Result<()> {
        let sitemonitor = self.sitemonitor.to_string();
        let words = [("RELEASE", release), ("SITEMONITOR", sitemonitor.as_str()), ("PATH", path), ("FORMAT", format)];
        write(&self.manifest(name), &fill(include_str!("../files/catch.pp"), &words))
    }

    fn host_files(&self, host: &str, belay: &Belay, application: &Path) -> anyhow::Result<()> {
        let own = self.host(host);
        for inner in ["etc", "log", "run", "puppet/state"] {
            std::fs::create_dir_all(own.join(inner)).with_context(|| format!("make the folders of {host}"))?;
        }
        write(&own.join("hostname"), host)?;
        write(&own.join("code_version"), "142\n")?;
        write(&own.join("agent.token"), &belay.issue(host, "host", host)?)?;
        let text = |path: &Path| path.display().to_string();
        let (address, folder, lab) = (belay.address.to_string(), text(&own), text(&self.folder));
        let reporturl = format!("http://relay:{}@{}/api/v1/runs/puppet", belay.relay, belay.address);
        let (application, agent, puppet) = (text(application), text(&self.programs[0]), text(&self.programs[1]));
        // Where Puppet sends its reports itself the agent finds none.
        let report = if host == HOOKED { "none.yaml" } else { "puppet/state/last_run_report.yaml" };
        let words = [
            ("HOST", host),
            ("FOLDER", &folder),
            ("LAB", &lab),
            ("BELAY", &address),
            ("REPORT", report),
            ("REPORTURL", &reporturl),
            ("APPLICATION", &application),
            ("AGENT", &agent),
            ("PUPPET", &puppet),
        ];
        let mut conf = fill(include_str!("../files/puppet.conf"), &words);
        if host == HOOKED {
            let hook = format!("{agent} --config {folder}/agent.toml gate --catalog {folder}/catalog.json");
            conf.push_str(&format!("prerun_command = {hook}\n"));
        } else {
            conf = conf.replace("reports = http", "reports = none");
        }
        write(&own.join("puppet/puppet.conf"), &conf)?;
        write(&own.join("agent.toml"), &fill(include_str!("../files/agent.toml"), &words))?;
        let scripts = [
            ("service", include_str!("../files/service.sh")),
            ("bin/puppet", include_str!("../files/puppet.sh")),
            ("bin/converge", include_str!("../files/converge.sh")),
        ];
        for (name, script) in scripts {
            write(&own.join(name), &fill(script, &words))?;
            executable(&own.join(name))?;
        }
        Ok(())
    }

    /// The folder of a host.
    pub fn host(&self, host: &str) -> PathBuf {
        self.folder.join("hosts").join(host)
    }

    /// The file that all of this is about.
    pub fn file(&self, host: &str) -> PathBuf {
        self.host(host).join("etc/sitemonitor.conf")
    }

    /// What stands in it and since when, to see whether it was touched.
    pub fn state(&self, host: &str) -> anyhow::Result<(String, std::time::SystemTime)> {
        let file = self.file(host);
        let read = || Ok::<_, std::io::Error>((std::fs::read_to_string(&file)?, file.metadata()?.modified()?));
        read().with_context(|| format!("read {}", file.display()))
    }

    /// The lock that Puppet itself looks at.
    pub fn lock(&self, host: &str) -> PathBuf {
        self.host(host).join("puppet/state/agent_disabled.lock")
    }

    fn manifest(&self, environment: &str) -> PathBuf {
        self.folder.join("environments").join(environment).join("manifests/site.pp")
    }

    fn agent(&self, host: &str) -> Command {
        let mut agent = Command::new(&self.programs[0]);
        agent.arg("--config").arg(self.host(host).join("agent.toml")).stdin(Stdio::null());
        agent
    }

    /// The words after `puppet` of a run with an environment.
    pub fn apply_words(&self, environment: &str) -> Vec<String> {
        let words = ["apply", "--detailed-exitcodes", "--verbose", "--color=false", "--environment", environment];
        words.map(str::to_owned).into_iter().chain([self.manifest(environment).display().to_string()]).collect()
    }

    /// A run that asks nobody, as cron has it.
    pub fn apply(&self, host: &str, environment: &str) -> anyhow::Result<Ran> {
        self.puppet(host, &self.apply_words(environment))
    }

    /// Puppet on a host, as it is.
    pub fn puppet(&self, host: &str, words: &[String]) -> anyhow::Result<Ran> {
        let mut command = Command::new(self.host(host).join("bin/puppet"));
        command.args(words);
        self.ran(host, command, words)
    }

    /// Puppet on a host behind `belay-agent exec`.
    pub fn exec(&self, host: &str, words: &[String]) -> anyhow::Result<Ran> {
        let mut command = self.agent(host);
        command.args(["exec", "--"]).arg(self.host(host).join("bin/puppet")).args(words);
        self.ran(host, command, words)
    }

    /// Asks a host's gate about a catalog; nothing is started.
    pub fn gate(&self, host: &str, catalog: &Path) -> anyhow::Result<Ran> {
        let mut command = self.agent(host);
        command.args(["gate", "--catalog"]).arg(catalog);
        self.ran(host, command, &[])
    }

    /// Compiles what a host would get, into a file of the host's; applies nothing.
    pub fn compile(&self, host: &str, environment: &str) -> anyhow::Result<PathBuf> {
        let words = ["catalog", "compile", host, "--environment", environment, "--render-as", "json"].map(str::to_owned);
        let ran = self.puppet(host, &words)?.is(0)?;
        // Puppet says on the same output, before it, that it compiled.
        let catalog = ran.said.lines().find(|line| line.starts_with('{')).with_context(|| format!("no catalog: {}", ran.said))?;
        let file = self.host(host).join("catalog.json");
        write(&file, catalog)?;
        Ok(file)
    }

    fn ran(&self, host: &str, command: Command, words: &[String]) -> anyhow::Result<Ran> {
        let what = format!("puppet {} on {host}", words.iter().take(2).cloned().collect::<Vec<_>>().join(" "));
        ran(&self.host(host), command, what)
    }

    /// Does something on some hosts, two of them at a time.
    pub fn at_once<T>(&self, hosts: &[&str], what: impl Fn(&str) -> anyhow::Result<T> + Sync) -> anyhow::Result<()> {
        at_once(hosts, what)
    }

    /// The last lines of each host's runs and of its agent.
    pub fn said(&self, lines: usize) -> Vec<(&'static str, String)> {
        let read = |host: &str, name: &str| std::fs::read(self.host(host).join("log").join(name)).unwrap_or_default();
        let last = |host: &str, name: &str| tail(&without_facter(&String::from_utf8_lossy(&read(host, name))), lines);
        APP.into_iter().chain(REL).map(|host| (host, last(host, "puppet.out") + &last(host, "agent.out"))).collect()
    }
}

impl Drop for Fleet {
    /// Ends the agents, then the applications, each by the number its own script noted.
    fn drop(&mut self) {
        for (host, agent) in &mut self.agents {
            end(agent, &format!("the agent of {host}"));
            let stopped = Command::new(self.folder.join("hosts").join(*host).join("service")).arg("stop").stdin(Stdio::null()).status();
            if !stopped.as_ref().is_ok_and(std::process::ExitStatus::success) {
                eprintln!("could not stop the application of {host}: {stopped:?}");
            }
        }
    }
}
