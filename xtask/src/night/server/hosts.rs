//! The hosts: a folder and a certificate each, the real `puppet agent`, and on some of them Belay's agent, put there by the module.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use anyhow::Context;

use super::HOOKED;
use super::jvm::apply_module;
use crate::night::belay::{Belay, end};
use crate::night::catch::Programs;
use crate::night::lab::{executable, fill, tail, write};
use crate::night::puppet::{Ran, at_once, ran, without_facter};

/// The hosts.
pub struct Hosts {
    folder: PathBuf,
    programs: Programs,
    module: PathBuf,
    agents: Vec<(String, Child)>,
    names: Vec<String>,
}

impl Hosts {
    /// Writes everything, installs Belay's agent where it belongs, and starts it.
    pub fn build(folder: &Path, programs: &Programs, module: &Path, belay: &Belay, port: u16, names: &[&str]) -> anyhow::Result<Self> {
        let programs = Programs { belay: programs.belay.clone(), agent: programs.agent.clone(), puppet: programs.puppet.clone() };
        let all = names.iter().map(|name| (*name).to_owned()).collect();
        let mut hosts = Self { folder: folder.to_owned(), programs, module: module.to_owned(), agents: Vec::new(), names: all };
        for host in names {
            hosts.files(host, port)?;
        }
        let hooked: Vec<&str> = names.iter().copied().filter(|host| HOOKED.contains(host)).collect();
        for host in &hooked {
            write(&hosts.host(host).join("secret"), &belay.issue(host, "host", host)?)?;
        }
        at_once(&hooked, |host| hosts.install(host, belay))?;
        for host in hooked {
            let child = hosts.agent(host)?;
            hosts.agents.push((host.to_owned(), child));
        }
        Ok(hosts)
    }

    fn files(&self, host: &str, port: u16) -> anyhow::Result<()> {
        let own = self.host(host);
        for inner in ["etc", "log", "puppet/state"] {
            std::fs::create_dir_all(own.join(inner)).with_context(|| format!("make the folders of {host}"))?;
        }
        write(&own.join("code_version"), "142\n")?;
        let (folder, port, puppet) = (own.display().to_string(), port.to_string(), self.programs.puppet.display().to_string());
        let words = [("HOST", host), ("FOLDER", &folder), ("PORT", &port), ("PUPPET", &puppet)];
        write(&own.join("puppet/puppet.conf"), &fill(include_str!("../files/server/host.conf"), &words))?;
        let scripts = [("bin/puppet", include_str!("../files/puppet.sh")), ("bin/site-hook", include_str!("../files/server/site-hook.sh"))];
        for (name, script) in scripts {
            write(&own.join(name), &fill(script, &words))?;
            executable(&own.join(name))?;
        }
        Ok(())
    }

    /// Applies the module on a host: the agent, its configuration, the gate before the hook that is there.
    pub fn install(&self, host: &str, belay: &Belay) -> anyhow::Result<()> {
        let own = self.host(host);
        let secret = std::fs::read_to_string(own.join("secret")).context("read the host's secret")?;
        let (folder, agent, address) = (own.display().to_string(), self.programs.agent.display().to_string(), belay.address.to_string());
        let words = [("HOST", host), ("FOLDER", folder.as_str()), ("BELAY", &address), ("TOKEN", secret.trim()), ("AGENT", &agent)];
        apply_module(&own, &self.programs, &self.module, &fill(include_str!("../files/server/host.pp"), &words))
    }

    fn agent(&self, host: &str) -> anyhow::Result<Child> {
        let own = self.host(host);
        let log = File::create(own.join("log/agent.out")).context("make the agent's log")?;
        let mut agent = Command::new(own.join("bin/belay-agent"));
        agent.arg("--config").arg(own.join("belay/agent.toml")).arg("run").stdin(Stdio::null());
        agent.stdout(log.try_clone()?).stderr(log).spawn().context("start belay-agent")
    }

    /// The folder of a host.
    pub fn host(&self, host: &str) -> PathBuf {
        self.folder.join("hosts").join(host)
    }

    /// An ordinary run: once, in the foreground.
    pub fn run(&self, host: &str, more: &[&str]) -> anyhow::Result<Ran> {
        let words = ["--onetime", "--no-daemonize", "--no-splay", "--detailed-exitcodes", "--verbose", "--color=false"];
        self.puppet_agent(host, &[words.as_slice(), more].concat())
    }

    /// `puppet agent` with these words.
    pub fn puppet_agent(&self, host: &str, words: &[&str]) -> anyhow::Result<Ran> {
        let mut puppet = Command::new(self.host(host).join("bin/puppet"));
        puppet.arg("agent").args(words);
        ran(&self.host(host), puppet, format!("puppet agent on {host}"))
    }

    /// What Puppet manages on a host and since when, to see whether it was touched.
    pub fn state(&self, host: &str) -> anyhow::Result<(String, SystemTime)> {
        let file = self.host(host).join("etc/sitemonitor.conf");
        let read = || Ok::<_, std::io::Error>((std::fs::read_to_string(&file)?, file.metadata()?.modified()?));
        read().with_context(|| format!("read {}", file.display()))
    }

    /// The file whose content stands in no manifest.
    pub fn motd(&self, host: &str) -> anyhow::Result<String> {
        let file = self.host(host).join("etc/motd");
        std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
    }

    /// The lock that Puppet itself looks at.
    pub fn lock(&self, host: &str) -> PathBuf {
        self.host(host).join("puppet/state/agent_disabled.lock")
    }

    /// How often the hook ran that was there before Belay.
    pub fn site_hooks(&self, host: &str) -> usize {
        std::fs::read_to_string(self.host(host).join("log/site-hook")).map_or(0, |text| text.lines().count())
    }

    /// The last lines of each host's runs and of its agent.
    pub fn said(&self, lines: usize) -> Vec<(String, String)> {
        let read = |host: &str, name: &str| std::fs::read(self.host(host).join("log").join(name)).unwrap_or_default();
        let last = |host: &str, name: &str| tail(&without_facter(&String::from_utf8_lossy(&read(host, name))), lines);
        self.names.iter().map(|host| (host.clone(), last(host, "puppet.out") + &last(host, "agent.out"))).collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for (host, agent) in &mut self.agents {
            end(agent, &format!("the agent of {host}"));
        }
    }
}
