//! `cargo xtask demo`: the demo, told to machines. `--dev` plays it with what the tests ran with; `cargo run -- demo` would compile most of that anew.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};

use crate::built::Built;

pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<ExitCode> {
    let (built, rest) = Built::take(words);
    if !rest.is_empty() {
        bail!("`{}` is not understood; `cargo xtask demo [--dev]`", rest.join(" "));
    }
    let program = built.program(root, "belay")?;
    let mut command = Command::new(&program);
    command.args(["demo", "--headless", "--json"]).stdin(Stdio::null());
    let status = command.status().with_context(|| format!("start {}", program.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
