//! Puppet and Facter, installed by apt where they are missing and where that is allowed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

/// Where Puppet's own packages put their programs, beside the folders of `PATH`.
const VENDOR: &str = "/opt/puppetlabs/bin";
const POLICY: &str = "/usr/sbin/policy-rc.d";
const WAIT_FOR_LOCK: &str = "DPkg::Lock::Timeout=900";

/// The programs of the night, or why there are none here.
pub enum Found {
    /// The `puppet` program.
    Puppet(PathBuf),
    /// Why it is missing and was not installed.
    Missing(String),
}

/// Looks for Puppet and installs it where that is possible.
pub fn ensure() -> anyhow::Result<Found> {
    if let Some(puppet) = look() {
        return Ok(Found::Puppet(puppet));
    }
    if let Err(why) = packages(&["puppet-agent", "facter"])? {
        return Ok(Found::Missing(format!("puppet is not installed: {why}")));
    }
    Ok(look().map_or_else(|| Found::Missing("puppet-agent is installed and brought no puppet with it".to_owned()), Found::Puppet))
}

/// Puppet, if Facter is there as well.
fn look() -> Option<PathBuf> {
    which("facter")?;
    which("puppet")
}

/// Where a program is, in `PATH` or where Puppet's own packages put theirs.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from(VENDOR)]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether root runs this.
pub fn is_root() -> anyhow::Result<bool> {
    let user = Command::new("id").arg("-u").output().context("ask who runs this (id -u)")?;
    Ok(user.stdout.trim_ascii() == b"0")
}

/// Installs packages, where we are root and there is a source of them; says why not where not.
pub fn packages(names: &[&str]) -> anyhow::Result<Result<(), String>> {
    let wanted = names.join(", ");
    if which("apt-get").is_none() {
        return Ok(Err(format!("there is no apt-get to install {wanted} with")));
    }
    if !is_root()? {
        return Ok(Err(format!("only root may install {wanted}")));
    }
    let _quiet = NoServices::enforce(Path::new(POLICY))?;
    // Stale lists name packages that are gone; where there is no network the lists at hand may still do.
    if !apt(&["-o", WAIT_FOR_LOCK, "update"])? {
        println!("apt-get update failed; trying with the lists at hand");
    }
    let install = ["-o", WAIT_FOR_LOCK, "install", "-y", "--no-install-recommends"];
    let installed = apt(&[install.as_slice(), names].concat())?;
    Ok(if installed { Ok(()) } else { Err(format!("apt-get could not install {wanted} (no package source?)")) })
}

fn apt(arguments: &[&str]) -> anyhow::Result<bool> {
    println!("apt-get {}", arguments.join(" "));
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command.status().context("start apt-get")?.success())
}

/// While it lives, packages start no services of their own. A policy that is there already is left alone.
struct NoServices<'p>(Option<&'p Path>);

impl<'p> NoServices<'p> {
    fn enforce(policy: &'p Path) -> anyhow::Result<Self> {
        if policy.exists() {
            return Ok(Self(None));
        }
        std::fs::write(policy, "#!/bin/sh\nexit 101\n").with_context(|| format!("write {}", policy.display()))?;
        super::lab::executable(policy)?;
        Ok(Self(Some(policy)))
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.map(std::fs::remove_file) {
            eprintln!("could not remove {}: {error}", self.0.unwrap_or(Path::new("")).display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_ours_goes_and_one_of_others_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let policy = folder.path().join("policy-rc.d");
        drop(NoServices::enforce(&policy).expect("a policy"));
        assert!(!policy.exists());
        std::fs::write(&policy, "#!/bin/sh\nexit 0\n").expect("a file");
        drop(NoServices::enforce(&policy).expect("a policy"));
        assert_eq!(std::fs::read_to_string(&policy).expect("a file"), "#!/bin/sh\nexit 0\n");
    }
}
