//! The fleet in a folder: two environments with real modules, and for each host a configuration of Puppet and an application.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context;

/// The environment that cron's runs get: release 141's files.
pub const PRODUCTION: &str = "production";
/// The environment of release 142.
pub const R142: &str = "r142";

/// The fleet: these stay on release 141 ...
pub const STAY: [&str; 3] = ["web01", "web02", "web03"];
/// ... and these get release 142.
pub const UPGRADED: [&str; 3] = ["web04", "web05", "web06"];

const ENVIRONMENTS: [(&str, &str, &str); 2] =
    [(PRODUCTION, "141", include_str!("files/sitemonitor.conf.141.epp")), (R142, "142", include_str!("files/sitemonitor.conf.142.epp"))];

/// All hosts.
pub fn hosts() -> Vec<&'static str> {
    STAY.into_iter().chain(UPGRADED).collect()
}

/// The folder of it all.
pub struct Lab {
    folder: PathBuf,
}

impl Lab {
    /// Writes everything but the hosts' configuration of Puppet, which needs Belay's address.
    pub fn build(folder: &Path, sitemonitor: SocketAddr) -> anyhow::Result<Self> {
        let lab = Self { folder: folder.to_owned() };
        lab.environments(&sitemonitor.to_string())?;
        // A copy: the one that runs may be built anew in the meantime.
        let application = folder.join("bin/sitemonitor-client");
        std::fs::create_dir_all(folder.join("bin")).context("make a folder for the application")?;
        std::fs::copy(std::env::current_exe().context("ask for this program's file")?, &application).context("copy this program")?;
        for host in hosts() {
            let own = lab.host(host);
            for inner in ["etc", "log", "run"] {
                std::fs::create_dir_all(own.join(inner)).with_context(|| format!("make the folders of {host}"))?;
            }
            write(&own.join("hostname"), host)?;
            lab.deploy(host, "141")?;
            let service = include_str!("files/service.sh");
            write(&own.join("service"), &fill(service, &[("FOLDER", &path(&own)?), ("APPLICATION", &path(&application)?)]))?;
            executable(&own.join("service"))?;
        }
        Ok(lab)
    }

    fn environments(&self, sitemonitor: &str) -> anyhow::Result<()> {
        for (environment, release, template) in ENVIRONMENTS {
            let root = self.folder.join("environments").join(environment);
            let module = root.join("modules/sitemonitor");
            let script = root.join("scripts/config_version.sh");
            write(&script, include_str!("../../../integrations/puppet/config_version.sh"))?;
            executable(&script)?;
            write(&root.join("environment.conf"), "config_version = 'scripts/config_version.sh $environmentpath $environment'\n")?;
            write(&root.join("manifests/site.pp"), include_str!("files/site.pp"))?;
            write(&module.join("manifests/init.pp"), &fill(include_str!("files/init.pp"), &[("RELEASE", release)]))?;
            write(&module.join("templates/sitemonitor.conf.epp"), &fill(template, &[("SITEMONITOR", sitemonitor)]))?;
        }
        Ok(())
    }

    /// Points every host's Puppet at Belay, with the processor that Puppet itself brings.
    pub fn report_to(&self, reporturl: &str) -> anyhow::Result<()> {
        for host in hosts() {
            let (own, lab) = (path(&self.host(host))?, path(&self.folder)?);
            let words = [("HOST", host), ("FOLDER", &own), ("LAB", &lab), ("REPORTURL", reporturl)];
            write(&self.host(host).join("puppet/puppet.conf"), &fill(include_str!("files/puppet.conf"), &words))?;
        }
        Ok(())
    }

    /// The folder of a host.
    pub fn host(&self, host: &str) -> PathBuf {
        self.folder.join("hosts").join(host)
    }

    /// The manifest of an environment.
    pub fn manifest(&self, environment: &str) -> PathBuf {
        self.folder.join("environments").join(environment).join("manifests/site.pp")
    }

    /// Puts the code of a release on a host. The application that runs goes on with the code it started with.
    pub fn deploy(&self, host: &str, release: &str) -> anyhow::Result<()> {
        write(&self.host(host).join("code_version"), release)
    }

    /// The last line of a host's application log that says ERROR.
    pub fn last_error(&self, host: &str) -> Option<String> {
        let log = std::fs::read_to_string(self.host(host).join("log/sitemonitor.log")).ok()?;
        log.lines().rev().find(|line| line.contains(" ERROR ")).map(str::to_owned)
    }

    /// The last lines of each host's runs, without what Facter says of machines that are containers.
    pub fn hosts_said(&self, lines: usize) -> Vec<(&'static str, String)> {
        let said = |host: &str| {
            let all = std::fs::read(self.host(host).join("log/puppet.out")).unwrap_or_default();
            let text = String::from_utf8_lossy(&all);
            text.lines().filter(|line| !line.contains("Error: Facter:")).map(|line| format!("{line}\n")).collect::<String>()
        };
        hosts().into_iter().map(|host| (host, tail(&said(host), lines))).collect()
    }
}

impl Drop for Lab {
    /// Stops the applications, each by the number its own script noted.
    fn drop(&mut self) {
        for host in hosts() {
            let stopped = Command::new(self.host(host).join("service")).arg("stop").stdin(Stdio::null()).status();
            if !stopped.as_ref().is_ok_and(ExitStatus::success) {
                eprintln!("could not stop the application of {host}: {stopped:?}");
            }
        }
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| format!("{line}\n")).collect()
}

/// Puts values where a text has `@WORDS@`.
pub fn fill(text: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

fn path(path: &Path) -> anyhow::Result<String> {
    Ok(path.to_str().context("the temporary folder's name is not UTF-8")?.to_owned())
}

/// Writes a file and the folders it lies in.
pub fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
        std::fs::write(file, text)
    };
    write().with_context(|| format!("write {}", file.display()))
}

/// Makes a script executable.
pub fn executable(file: &Path) -> anyhow::Result<()> {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).with_context(|| format!("make {} executable", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_the_end_of_a_text() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a", 9), "a\n");
    }

    #[test]
    fn every_word_of_every_file_is_filled() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lab = Lab::build(folder.path(), ([127, 0, 0, 1], 1).into()).expect("a lab");
        lab.report_to("http://relay:secret@127.0.0.1:2/api/v1/runs/puppet").expect("configurations");
        let read = |path: PathBuf| std::fs::read_to_string(path).expect("a file");
        let module = |environment: &str, file: &str| {
            read(folder.path().join("environments").join(environment).join("modules/sitemonitor").join(file))
        };
        let texts = [
            read(lab.host("web04").join("service")),
            read(lab.host("web04").join("puppet/puppet.conf")),
            module(PRODUCTION, "manifests/init.pp"),
            module(R142, "templates/sitemonitor.conf.epp"),
        ];
        let unfilled = |text: &String| {
            ["FOLDER", "APPLICATION", "HOST", "LAB", "REPORTURL", "RELEASE", "SITEMONITOR"]
                .into_iter()
                .any(|word| text.contains(&format!("@{word}@")))
        };
        assert!(!texts.iter().any(unfilled), "{texts:#?}");
        assert!(texts[2].contains("'141'") && texts[3].contains("http://127.0.0.1:1/v2/batch"));
    }
}
