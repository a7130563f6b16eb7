//! The puppetserver: its files out of what the package brings and what the module adds, its process, its end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::terminus::{Witness, signed};
use crate::night::belay::{Belay, end};
use crate::night::catch::Programs;
use crate::night::http::free_port;
use crate::night::lab::{executable, fill, tail, write};
use crate::night::puppet::ran;
use crate::night::tale::wait_for;

/// The program, where the distribution's package puts it.
pub const JAR: &str = "/usr/share/puppetserver/puppetserver.jar";
/// What the package brings as configuration.
const PACKAGED: &str = "/etc/puppet/puppetserver";
const READY: &str = "Puppet Server has successfully started and is now ready to handle requests";
/// It makes its own authority at the first start; on a busy machine that takes minutes.
const START_LIMIT: Duration = Duration::from_secs(300);
/// The names of puppetservers.
pub const NAMES: [&str; 2] = ["puppet.example.com", "puppet2.example.com"];
/// The environments, and the release that each is for.
const ENVIRONMENTS: [(&str, &str); 2] = [("r141", "141"), ("r142", "142")];

/// Whether there is one here.
pub fn found() -> bool {
    Path::new(JAR).is_file() && Path::new(PACKAGED).is_dir()
}

/// The puppetserver and, beside it, the agent that keeps policies for its classifier.
pub struct Puppetserver {
    name: &'static str,
    folder: PathBuf,
    /// Where it listens, for hosts that call it localhost.
    pub port: u16,
    /// How long it took to start.
    pub start_s: u64,
    /// What it had in memory when it was ready.
    pub rss_mb: u64,
    child: Option<Child>,
    relay: Option<Child>,
    began: Instant,
}

impl Puppetserver {
    /// Writes everything, and lets the module add Belay's part, as a site would.
    pub fn build(folder: &Path, programs: &Programs, module: &Path, belay: &Belay, witness: Option<&Witness>) -> anyhow::Result<Self> {
        let mut server = Self::written(folder, NAMES[0], witness)?;
        ENVIRONMENTS.iter().try_for_each(|(name, release)| environment(folder, server.port, name, release))?;
        server.module(programs, module, belay, witness)?;
        server.relay = Some(server.relay_agent()?);
        Ok(server)
    }

    /// Another one of the same site: with a certificate of this one's authority, which has to be there, and its environments.
    pub fn another(
        &self,
        folder: &Path,
        programs: &Programs,
        module: &Path,
        belay: &Belay,
        witness: Option<&Witness>,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        std::os::unix::fs::symlink(self.folder.join("code"), folder.join("code")).context("link the environments")?;
        let mut server = Self::written(folder, NAMES[1], witness)?;
        let disabled = "certificate-authority-disabled-service/certificate-authority-disabled-service";
        let watcher = "puppetlabs.trapperkeeper.services.watcher.filesystem-watch-service/filesystem-watch-service";
        write(&folder.join("tk/services.d/ca.cfg"), &format!("puppetlabs.services.ca.{disabled}\n{watcher}\n"))?;
        let (own, ca) = (folder.join("certificate"), self.authority());
        signed(&own, server.name, &ca)?;
        let pem = format!("{}.pem", server.name);
        for (from, to) in [
            (own.join("crt"), Path::new("certs").join(&pem)),
            (own.join("key"), Path::new("private_keys").join(&pem)),
            (ca.join("ca_crt.pem"), PathBuf::from("certs/ca.pem")),
            (ca.join("ca_crl.pem"), PathBuf::from("crl.pem")),
        ] {
            let text = std::fs::read_to_string(&from).with_context(|| format!("read {}", from.display()))?;
            write(&folder.join("ssl").join(to), &text)?;
        }
        server.module(programs, module, belay, witness)?;
        server.relay = Some(server.relay_agent()?);
        Ok(server)
    }

    /// The files out of what the package brings.
    fn written(folder: &Path, name: &'static str, witness: Option<&Witness>) -> anyhow::Result<Self> {
        let port = free_port()?;
        let (text, port_text) = (folder.display().to_string(), port.to_string());
        let words = [("FOLDER", text.as_str()), ("PORT", port_text.as_str()), ("NAME", name)];
        for inner in ["tk", "conf", "code", "var/lib", "run", "log", "bin"] {
            std::fs::create_dir_all(folder.join(inner)).with_context(|| format!("make {inner}"))?;
        }
        copied(&Path::new(PACKAGED).join("conf.d"), &folder.join("tk/conf.d"))?;
        copied(&Path::new(PACKAGED).join("services.d"), &folder.join("tk/services.d"))?;
        let files = [
            ("tk/conf.d/puppetserver.conf", include_str!("../files/server/puppetserver.conf")),
            ("tk/conf.d/webserver.conf", include_str!("../files/server/webserver.conf")),
            ("tk/conf.d/global.conf", include_str!("../files/server/global.conf")),
            ("tk/logback.xml", include_str!("../files/server/logback.xml")),
            ("conf/puppet.conf", include_str!("../files/server/puppet.conf")),
        ];
        for (name, content) in files {
            write(&folder.join(name), &fill(content, &words))?;
        }
        if let Some(witness) = witness {
            terminus(folder, witness.puppetdb)?;
        }
        let (child, relay, began) = (None, None, Instant::now());
        Ok(Self { name, folder: folder.to_owned(), port, start_s: 0, rss_mb: 0, child, relay, began })
    }

    fn module(&self, programs: &Programs, module: &Path, belay: &Belay, witness: Option<&Witness>) -> anyhow::Result<()> {
        let feed = witness.map_or_else(|| "undef".to_owned(), |witness| format!("'localhost:{}'", witness.port));
        let (folder, agent, address) = (self.folder.display().to_string(), programs.agent.display().to_string(), belay.address.to_string());
        let token = belay.issue(&format!("host-{}", self.name), "host", self.name)?;
        let relay = belay.issue(&self.credential(), "relay", "enc*")?;
        let words = [
            ("NAME", self.name),
            ("FOLDER", folder.as_str()),
            ("BELAY", address.as_str()),
            ("TOKEN", &token),
            ("RELAY", &relay),
            ("REPORTS", &belay.relay),
            ("AGENT", &agent),
            ("FEED", &feed),
        ];
        let manifest = fill(include_str!("../files/server/server.pp"), &words);
        apply_module(&self.folder, programs, module, &manifest)
    }

    /// What the credential is called that speaks for the hosts it classifies.
    pub fn credential(&self) -> String {
        format!("classifier-{}", self.name)
    }

    /// Lets its belay-agent stand still, as if it were cut off, or go on.
    pub fn cut_off(&self, off: bool) -> anyhow::Result<()> {
        let relay = self.relay.as_ref().context("it has no belay-agent")?;
        let told = Command::new("kill").args([if off { "-STOP" } else { "-CONT" }, &relay.id().to_string()]).status();
        ensure!(told.context("start kill")?.success(), "the belay-agent of {} could not be told", self.name);
        Ok(())
    }

    fn relay_agent(&self) -> anyhow::Result<Child> {
        let log = File::create(self.folder.join("log/agent.out")).context("make the agent's log")?;
        let mut agent = Command::new(self.folder.join("bin/belay-agent"));
        agent.arg("--config").arg(self.folder.join("belay/agent.toml")).arg("run").stdin(Stdio::null());
        agent.stdout(log.try_clone()?).stderr(log).spawn().context("start the puppetserver's belay-agent")
    }

    /// Starts it; `ready` waits for it.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let log = File::create(self.folder.join("log/server.out")).context("make the server's log")?;
        let tk = self.folder.join("tk");
        let mut java = Command::new("java");
        java.args(["-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Djruby.lib=/usr/share/jruby/lib"])
            .args(["-Djruby.logger.class=com.puppetlabs.jruby_utils.jruby.Slf4jLogger", "-jar", JAR, "--config"])
            .arg(tk.join("conf.d"))
            .arg("--bootstrap-config")
            .arg(tk.join("services.d/"))
            .arg("--restart-file")
            .arg(self.folder.join("run/restart"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.began = Instant::now();
        self.child = Some(java.spawn().context("start java")?);
        Ok(())
    }

    /// Waits until it takes requests.
    pub fn ready(&mut self) -> anyhow::Result<()> {
        let log = self.folder.join("log/server.out");
        let child = self.child.as_mut().context("puppetserver was not started")?;
        let pid = child.id();
        wait_for("puppetserver to be ready", START_LIMIT, || {
            let said = std::fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            if let Some(status) = child.try_wait()? {
                bail!("it ended with {status}:\n{}", tail(&said, 40));
            }
            Ok(if said.contains(READY) { Ok(()) } else { Err(tail(&said, 1)) })
        })?;
        self.start_s = self.began.elapsed().as_secs();
        self.rss_mb = rss_mb(pid);
        Ok(())
    }

    /// Other content comes into an environment, as by a pipeline that deploys over itself.
    pub fn deploy(&self, name: &str, release: &str) -> anyhow::Result<()> {
        environment(&self.folder, self.port, name, release)
    }

    /// What lies behind a `source` in an environment becomes another.
    pub fn motd(&self, name: &str, text: &str) -> anyhow::Result<()> {
        write(&self.environments().join(name).join("modules/app/files/motd"), text)
    }

    /// A file as it was in a version of an environment, as puppetserver has it told.
    pub fn code_content(&self, environment: &str, version: &str, path: &str) -> anyhow::Result<String> {
        let mut command = Command::new(self.folder.join("bin/belay-code-content"));
        let output = command.args([environment, version, path]).stdin(Stdio::null()).output().context("start belay-code-content")?;
        ensure!(output.status.success(), "belay-code-content: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Where its authority lies, once it was started.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca")
    }

    /// Where the environments lie.
    pub fn environments(&self) -> PathBuf {
        self.folder.join("code/environments")
    }

    /// Ends it, for good.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child, "puppetserver");
        }
    }

    /// What the classifier's script says of a host.
    pub fn classify(&self, host: &str) -> anyhow::Result<String> {
        let output = Command::new(self.folder.join("bin/belay-enc")).arg(host).stdin(Stdio::null()).output().context("start belay-enc")?;
        ensure!(output.status.success(), "belay-enc {host} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Another classifier was there first: Belay's speaks over it, or is asked alone again.
    pub fn wrap(&self, other: Option<&str>) -> anyhow::Result<()> {
        let (script, alone) = (self.folder.join("bin/belay-enc"), self.folder.join("belay/agent.toml"));
        let wrapping = self.folder.join("belay/wrapping.toml");
        let text = std::fs::read_to_string(&script).context("read the classifier's script")?;
        let text = text.replace(&wrapping.display().to_string(), &alone.display().to_string());
        let Some(says) = other else { return write(&script, &text) };
        let first = self.folder.join("bin/other-enc");
        write(&first, &format!("#!/bin/sh\ncat <<'END'\n{says}END\n"))?;
        executable(&first)?;
        let own = std::fs::read_to_string(&alone).context("read agent.toml")?;
        write(&wrapping, &own.replace("[enc]\n", &format!("[enc]\nwrap = [\"{}\"]\n", first.display())))?;
        write(&script, &text.replace(&alone.display().to_string(), &wrapping.display().to_string()))
    }

    /// How many reports wait on its disk.
    pub fn spooled(&self) -> usize {
        let spool = std::fs::read_dir(self.folder.join("var/belay/spool"));
        spool.map_or(0, |files| files.flatten().filter(|file| file.file_name().to_string_lossy().contains(".json")).count())
    }

    /// The lines of its log for which something holds.
    fn log(&self, holds: impl Fn(&str) -> bool) -> String {
        let said = std::fs::read(self.folder.join("log/server.out")).unwrap_or_default();
        String::from_utf8_lossy(&said).lines().filter(|line| holds(line)).map(|line| format!("{line}\n")).collect()
    }

    /// What its log says of commands that could not be sent to a port.
    pub fn unsent(&self, port: u16) -> String {
        let route = format!(" on {port} at route ");
        tail(&self.log(|line| line.contains(&route)), 20)
    }

    /// The last lines of its log, without the places in its code.
    pub fn said(&self, lines: usize) -> String {
        let said = self.log(|line| line.starts_with("20") || line.starts_with("Caused"));
        let agent = std::fs::read(self.folder.join("log/agent.out")).unwrap_or_default();
        tail(&said, lines) + &tail(&String::from_utf8_lossy(&agent), 8)
    }
}

impl Drop for Puppetserver {
    fn drop(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            end(&mut relay, "the puppetserver's belay-agent");
        }
        self.stop();
    }
}

/// Applies the module by `puppet apply`, twice: the second time there is nothing left to do. Its own state is beside the host's, so
/// that it is no run of the host.
pub fn apply_module(folder: &Path, programs: &Programs, module: &Path, manifest: &str) -> anyhow::Result<()> {
    let own = folder.join("install");
    std::fs::create_dir_all(own.join("modules")).context("make a folder for the module")?;
    std::fs::create_dir_all(folder.join("log")).context("make a folder for logs")?;
    let link = own.join("modules/belay");
    if !link.exists() {
        std::os::unix::fs::symlink(module, &link).context("link the module")?;
        write(&own.join("puppet.conf"), "[main]\nreport = false\n")?;
    }
    write(&own.join("site.pp"), manifest)?;
    let apply = || {
        let mut puppet = Command::new(&programs.puppet);
        puppet.args(["apply", "--detailed-exitcodes", "--color=false", "--confdir"]).arg(&own).arg("--vardir").arg(own.join("var"));
        puppet.arg("--publicdir").arg(own.join("public")).arg("--modulepath").arg(own.join("modules")).arg(own.join("site.pp"));
        ran(folder, puppet, format!("puppet apply of the module in {}", folder.display()))
    };
    if std::fs::metadata(own.join("applied")).is_err() {
        apply()?.is(2)?;
        write(&own.join("applied"), "")?;
    }
    apply()?.is(0).map(drop)
}

/// Puppet's side of a terminus, as a site with a PuppetDB has it; the module adds Belay to it.
fn terminus(folder: &Path, puppetdb: u16) -> anyhow::Result<()> {
    let conf = folder.join("conf");
    write(
        &conf.join("puppetdb.conf"),
        &fill(include_str!("../files/server/puppetdb.conf"), &[("PUPPETDB", puppetdb.to_string().as_str())]),
    )?;
    write(&conf.join("routes.yaml"), include_str!("../files/server/routes.yaml"))?;
    let file = conf.join("puppet.conf");
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let text = text.replace("reports = store\n", "reports = store,puppetdb\nstoreconfigs = true\nstoreconfigs_backend = puppetdb\n");
    write(&file, &text)
}

fn environment(folder: &Path, port: u16, name: &str, release: &str) -> anyhow::Result<()> {
    let root = folder.join("code/environments").join(name);
    let script = root.join("scripts/config_version.sh");
    write(&script, include_str!("../../../../integrations/puppet/config_version.sh"))?;
    executable(&script)?;
    write(&root.join("environment.conf"), "config_version = 'scripts/config_version.sh $environmentpath $environment'\n")?;
    write(&root.join("modules/app/files/motd"), "welcome\n")?;
    write(&root.join("modules/app/manifests/init.pp"), "# What a classifier may name.\nclass app {\n}\n")?;
    write(&root.join("manifests/site.pp"), &site(release, port))
}

/// What an environment says of all hosts.
pub fn site(release: &str, port: u16) -> String {
    fill(include_str!("../files/server/site.pp"), &[("RELEASE", release), ("PORT", &port.to_string())])
}

fn copied(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name())).with_context(|| format!("copy {}", entry.path().display()))?;
    }
    Ok(())
}

fn rss_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kb| kb / 1024)
}
