//! The tools the steps need. What is missing is installed where that is possible, and otherwise named with its remedy.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::Context;

struct Tool {
    name: &'static str,
    /// Any one of these that succeeds will do.
    probes: &'static [&'static [&'static str]],
    /// What the probe reads on its standard input.
    input: &'static str,
    /// Packages of the distribution; none where the distribution's are not the toolchain's.
    packages: &'static [&'static str],
    remedy: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { name: "cargo", probes: &[&["cargo", "--version"]], input: "", packages: &["cargo"], remedy: "install Rust 1.95 or later" },
    Tool { name: "rustc", probes: &[&["rustc", "--version"]], input: "", packages: &["rustc"], remedy: "install Rust 1.95 or later" },
    Tool { name: "rustfmt", probes: &[&["cargo", "fmt", "--version"]], input: "", packages: &[], remedy: "rustup component add rustfmt" },
    Tool { name: "clippy", probes: &[&["cargo", "clippy", "--version"]], input: "", packages: &[], remedy: "rustup component add clippy" },
    Tool {
        name: "a C compiler with the C library's headers",
        probes: &[&["cc", "-x", "c", "-fsyntax-only", "-"], &["gcc", "-x", "c", "-fsyntax-only", "-"]],
        input: "#include <stdio.h>\n",
        packages: &["gcc", "libc6-dev"],
        remedy: "install gcc and the C library's development files",
    },
    Tool { name: "git", probes: &[&["git", "--version"]], input: "", packages: &["git"], remedy: "install git" },
];

/// Makes sure that every tool is there.
pub fn ensure() -> anyhow::Result<()> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !there(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|tool| tool.packages.iter().copied()).collect();
    let attempt = if packages.is_empty() { Ok(()) } else { install(&packages) };
    let still: Vec<String> =
        missing.iter().filter(|tool| !there(tool)).map(|tool| format!("{} is missing: {}", tool.name, tool.remedy)).collect();
    match (still.is_empty(), attempt) {
        (true, _) => Ok(()),
        (false, Ok(())) => anyhow::bail!("{}", still.join("; ")),
        (false, Err(error)) => Err(error.context(still.join("; "))),
    }
}

fn there(tool: &Tool) -> bool {
    tool.probes.iter().any(|probe| succeeds(probe, tool.input).unwrap_or(false))
}

fn succeeds(probe: &[&str], input: &str) -> anyhow::Result<bool> {
    let (program, arguments) = probe.split_first().context("a probe names a program")?;
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read its input may be gone already: its status decides.
        pipe.write_all(input.as_bytes()).ok();
    }
    Ok(child.wait()?.success())
}

/// Installs by apt-get, where we are root and it exists; says why where it may not.
fn install(packages: &[&str]) -> anyhow::Result<()> {
    let wanted = packages.join(" ");
    if !succeeds(&["apt-get", "--version"], "").unwrap_or(false) {
        anyhow::bail!("cannot install {wanted}: there is no apt-get here");
    }
    let user = Command::new("id").arg("-u").output().context("ask who runs this (id -u)")?;
    if user.stdout.trim_ascii() != b"0" {
        anyhow::bail!("may not install {wanted}: not root");
    }
    let install: Vec<&str> = INSTALL.iter().chain(packages).copied().collect();
    // A fresh machine has no package lists yet.
    let installed = apt(&install)? || (apt(&["-o", "DPkg::Lock::Timeout=900", "update"])? && apt(&install)?);
    anyhow::ensure!(installed, "apt-get could not install {wanted}");
    Ok(())
}

const INSTALL: &[&str] = &["-o", "DPkg::Lock::Timeout=900", "install", "-y", "--no-install-recommends"];

fn apt(arguments: &[&str]) -> anyhow::Result<bool> {
    println!("== tools: apt-get {}", arguments.join(" "));
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    Ok(command.status().context("start apt-get")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_exist_is_not_there() {
        let tool = Tool { name: "x", probes: &[&["belay-no-such-program"]], input: "", packages: &[], remedy: "" };
        assert!(!there(&tool));
    }

    #[test]
    fn one_good_probe_is_enough_and_it_reads_its_input() {
        let probes: &[&[&str]] = &[&["belay-no-such-program"], &["grep", "-q", "^word$"]];
        assert!(there(&Tool { name: "x", probes, input: "word\n", packages: &[], remedy: "" }));
        assert!(!there(&Tool { name: "x", probes, input: "other\n", packages: &[], remedy: "" }));
    }
}
