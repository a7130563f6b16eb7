//! A control repository and r10k, as a pipeline uses them: a branch for each deployment, or one branch that is deployed over itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::jvm::site;
use crate::night::install::which;
use crate::night::lab::write;

/// The packages of the programs.
pub const PACKAGES: [&str; 2] = ["r10k", "git"];

/// Whether the programs are here.
pub fn found() -> bool {
    which("r10k").is_some() && which("git").is_some()
}

/// The repository, and where r10k puts its branches.
pub struct Control {
    repository: PathBuf,
    settings: PathBuf,
    environments: PathBuf,
    /// Where the puppetserver listens.
    port: u16,
}

impl Control {
    /// An empty repository, and r10k told of it. What else is among the environments stays there.
    pub fn build(folder: &Path, environments: &Path, port: u16) -> anyhow::Result<Self> {
        let (repository, settings) = (folder.join("control"), folder.join("r10k.yaml"));
        let control = Self { repository, settings, environments: environments.to_owned(), port };
        std::fs::create_dir_all(&control.repository).context("make the control repository")?;
        let text = format!(
            "cachedir: {}\ndeploy:\n  purge_levels: []\nsources:\n  control:\n    remote: file://{}\n    basedir: {}\n",
            folder.join("r10k-cache").display(),
            control.repository.display(),
            environments.display()
        );
        write(&control.settings, &text)?;
        control.git(&["init", "--quiet", "--initial-branch", "main"])?;
        Ok(control)
    }

    /// Commits this release's file to a branch, which is made where it is not there; the commit's id. It says no version by itself.
    pub fn commit(&self, branch: &str, release: &str) -> anyhow::Result<String> {
        self.git(&["checkout", "--quiet", "-B", branch])?;
        write(&self.repository.join("environment.conf"), "environment_timeout = 0\n")?;
        write(&self.repository.join("manifests/site.pp"), &site(release, self.port))?;
        write(&self.repository.join("modules/app/files/motd"), &format!("welcome to {release}\n"))?;
        self.git(&["add", "--all"])?;
        let who = ["-c", "user.name=pipeline", "-c", "user.email=pipeline@example.com"];
        self.git(&[who.as_slice(), &["commit", "--quiet", "--allow-empty", "--message", release]].concat())?;
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// The commit that a branch is at.
    pub fn head(&self, branch: &str) -> anyhow::Result<String> {
        Ok(self.git(&["rev-parse", branch])?.trim().to_owned())
    }

    /// A branch of its own for what was committed last, as a pipeline makes it: `production_9f2c1e0`.
    pub fn snapshot(&self, branch: &str, commit: &str) -> anyhow::Result<String> {
        let name = format!("{branch}_{}", &commit[..12]);
        self.git(&["branch", "--force", &name, commit])?;
        Ok(name)
    }

    /// r10k puts a branch where the puppetserver finds it.
    pub fn deploy(&self, environment: &str) -> anyhow::Result<()> {
        let mut r10k = Command::new("r10k");
        r10k.args(["deploy", "environment", environment, "--config"]).arg(&self.settings);
        said(r10k, "r10k deploy environment").map(drop)
    }

    /// It is removed again, as old deployments are.
    pub fn remove(&self, environment: &str) -> anyhow::Result<()> {
        std::fs::remove_dir_all(self.environments.join(environment)).with_context(|| format!("remove {environment}"))
    }

    fn git(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut git = Command::new("git");
        git.arg("-C").arg(&self.repository).args(words);
        said(git, &format!("git {}", words.join(" ")))
    }
}

fn said(mut command: Command, what: &str) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {what}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{what} ended with {}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(text)
}
