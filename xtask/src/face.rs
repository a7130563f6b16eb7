//! `cargo xtask face`: the pages in a real browser and the API under made-up requests, both against a server that has just
//! lived through the demo. Screenshots are left in `target/face/shots`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::built::Built;
use crate::child;
use crate::night::belay;
use crate::night::install;

/// The tool that makes requests up from the API's description, from PyPI.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Requests a route; what takes longer is for the nightly run.
const EXAMPLES: &str = "12";
const EXAMPLES_NIGHTLY: &str = "200";
/// How the demo says that its story is over and it serves on.
const STAYING: &str = "Staying";

/// Runs both. Where a browser or a tool cannot be had it says so, and what needs it is skipped.
pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<ExitCode> {
    let (built, rest) = Built::take(words);
    let nightly = match rest.as_slice() {
        [] => false,
        ["--nightly"] => true,
        other => bail!("`{}` is not understood; `cargo xtask face [--dev] [--nightly]`", other.join(" ")),
    };
    let work = child::target(root).join("face");
    std::fs::create_dir_all(&work).with_context(|| format!("make {}", work.display()))?;
    let program = built.program(root, "belay")?;
    let browser = browser(root, &work)?;
    let requests = requests(&work)?;
    if let (Err(one), Err(other)) = (&browser, &requests) {
        println!("skipped: {one}; {other}");
        return Ok(ExitCode::SUCCESS);
    }
    let demo = Demo::play(&program)?;
    let pages = match browser {
        Ok(node) => pages(&node, &work, &demo)?,
        Err(why) => {
            println!("the pages were not tried: {why}");
            Value::Null
        }
    };
    let api = match requests {
        Ok(tool) => api(&tool, &demo, if nightly { EXAMPLES_NIGHTLY } else { EXAMPLES })?,
        Err(why) => {
            println!("the API was not tried: {why}");
            Value::Null
        }
    };
    drop(demo);
    println!("{}", json!({ "story": "ok", "pages": pages, "api": api }));
    Ok(ExitCode::SUCCESS)
}

/// Node with the tools of the pages' script; why not, where it cannot be had.
fn browser(root: &Path, work: &Path) -> anyhow::Result<Result<PathBuf, String>> {
    for (program, package) in [("chromium", "chromium"), ("node", "nodejs"), ("npm", "npm")] {
        if install::which(program).is_none()
            && let Err(why) = install::packages(&[package])?
        {
            return Ok(Err(why));
        }
    }
    let (Some(node), Some(npm)) = (install::which("node"), install::which("npm")) else {
        return Ok(Err("node and npm are installed and cannot be found".to_owned()));
    };
    for file in ["package.json", "package-lock.json", "pages.mjs"] {
        std::fs::copy(root.join("xtask/face").join(file), work.join(file)).with_context(|| format!("copy {file}"))?;
    }
    println!("npm ci");
    let mut command = Command::new(npm);
    command.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(work).stdin(Stdio::null()).stdout(Stdio::null());
    let installed = command.status().context("start npm")?.success();
    Ok(if installed { Ok(node) } else { Err("npm could not install the browser's tools (no package source, or an old node?)".to_owned()) })
}

/// The tool that makes requests up; why not, where it cannot be had.
fn requests(work: &Path) -> anyhow::Result<Result<PathBuf, String>> {
    let (folder, tool) = (work.join("venv"), work.join("venv/bin/schemathesis"));
    if tool.is_file() {
        return Ok(Ok(tool));
    }
    let Some(python) = install::which("python3") else { return Ok(Err("there is no python3".to_owned())) };
    println!("pip install {SCHEMATHESIS}");
    let quiet = |command: &mut Command| -> anyhow::Result<bool> {
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).status().context("start python3")?.success())
    };
    if !quiet(Command::new(&python).args(["-m", "venv"]).arg(&folder))? {
        // Debian keeps the module apart.
        let missing = install::packages(&["python3-venv"])?;
        if missing.is_err() || !quiet(Command::new(&python).args(["-m", "venv"]).arg(&folder))? {
            return Ok(Err("python3 cannot make a virtual environment".to_owned()));
        }
    }
    let installed = quiet(Command::new(folder.join("bin/python")).args(["-m", "pip", "install", "--quiet", SCHEMATHESIS]))?;
    Ok(if installed { Ok(tool) } else { Err(format!("pip could not install {SCHEMATHESIS} (no package source?)")) })
}

/// The demo, its story over, still serving. Ends with this.
struct Demo {
    child: Child,
    base: String,
    credential: String,
}

impl Demo {
    fn play(program: &Path) -> anyhow::Result<Self> {
        println!("the demo is played, and serves on");
        let mut command = Command::new(program);
        command.args(["demo", "--headless", "--stay"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        let lines = BufReader::new(child.stdout.take().context("the demo's output is a pipe")?).lines();
        let staying = lines.map_while(Result::ok).find(|line| line.trim_start().starts_with(STAYING));
        let line = staying.context("the demo ended before its story was over; `belay demo --headless` says why")?;
        let word = |prefix: &str| {
            line.split_whitespace().find(|word| word.starts_with(prefix)).map(|word| word.trim_end_matches([';', '/']).to_owned())
        };
        match (word("http://"), word("belay_")) {
            (Some(base), Some(credential)) => Ok(Self { child, base, credential }),
            _ => bail!("the demo does not say where it serves: {line}"),
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        belay::end(&mut self.child, "the demo");
    }
}

fn pages(node: &Path, work: &Path, demo: &Demo) -> anyhow::Result<Value> {
    let mut last = String::new();
    let mut command = Command::new(node);
    command.arg("pages.mjs").arg(&demo.base).arg(&demo.credential).arg("shots").current_dir(work).stdin(Stdio::null());
    if let Some(chromium) = install::which("chromium") {
        command.env("CHROMIUM", chromium);
    }
    let status = child::stream(&mut command, |line| line.clone_into(&mut last))?;
    ensure!(status.success(), "the pages are not as they have to be, see above; screenshots are in {}", work.join("shots").display());
    serde_json::from_str(&last).context("the pages' script ended without its count")
}

/// No request, however made up, may end in an error of the server's own.
fn api(tool: &Path, demo: &Demo, examples: &str) -> anyhow::Result<Value> {
    let header = format!("Authorization: Bearer {}", demo.credential);
    let mut command = Command::new(tool);
    command
        .args(["run", &format!("{}/api/v1/openapi.json", demo.base), "--checks", "not_a_server_error", "--phases", "examples,fuzzing"])
        .args(["--max-examples", examples, "--header", &header, "--workers", "2", "--continue-on-failure", "--no-color", "--seed", "6"])
        .args(["--request-timeout", "40", "--suppress-health-check", "all"])
        // Two are kept back until there is something new, one never ends, and two take what the tool cannot write.
        .args(["poll", "policies", "events", "signals_write_0", "signals_write_1"].iter().flat_map(|id| ["--exclude-operation-id", id]))
        .stdin(Stdio::null());
    let status = child::stream(&mut command, |_| {})?;
    ensure!(status.success(), "made-up requests found an error of the server's own, see above");
    Ok(json!({ "examples_a_route": examples.parse::<u32>().unwrap_or_default() }))
}
