//! The workspace's own commands. Wiring only: every command is a file of its own.

mod bar;
mod bench;
mod built;
mod child;
mod ci;
mod demo;
mod face;
mod night;
mod nightly;
mod puppet;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask <command>

  ci          everything a change must pass: fmt, tidy, tests, clippy, puppet, demo, face, nights
              (it compiles nothing incrementally, for fresh machines; CARGO_INCREMENTAL=1 has it use what developers built)
  puppet      what is installed on a site of Puppet's, tried with the real Puppet
  demo        the demo, told to machines
  face        the pages in a real browser, and the API under made-up requests
  tidy        the rules of the house that no compiler checks
  nightly     many simulated seeds, the demo and the nights as shipped, and the kill test with many cycles
  bench NAME  one benchmark beside its peer: gate, judge [CASES], calibration [TRIALS], pages
  night       the incident with the real tools; with --server on a site with a puppetserver
  help        this text

demo, face and night play the release build, as it is shipped; with --dev what the tests ran with, as ci does";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&root(), &arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ci"] => ci::run(root),
        ["tidy"] => tidy::run(root),
        ["demo", rest @ ..] => demo::run(root, rest),
        ["face", rest @ ..] => face::run(root, rest),
        ["puppet"] => puppet::run(root),
        ["nightly"] => nightly::run(root),
        ["bench", rest @ ..] => bench::run(root, rest),
        ["night", rest @ ..] => night::run(root, rest),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => anyhow::bail!("`{}` is not a command\n\n{HELP}", other.join(" ")),
    }
}

/// The workspace this build belongs to. Cargo says at run time where the package lies; a binary started by itself knows where it was built.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}
