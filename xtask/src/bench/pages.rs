//! `cargo xtask bench pages [HOSTS RUNS CHANGES]`: how long pages take on a large fleet, served from the embedded ledger. No peer
//! has these pages.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, json};

use super::gate::{free_port, stop, until};
use crate::bar::Bar;

/// The fleet that the goal speaks of.
const FLEET: [&str; 3] = ["100000", "1000000", "5000"];
/// Questions for each page.
const TIMES: usize = 40;
/// The goal, in milliseconds, for the slowest of twenty.
const GOAL_MS: f64 = 300.0;
/// A page must not be larger than this with all that it loads.
const FIRST_LOAD_MAX: usize = 150 << 10;

/// A page that is asked for: its name in the result, and its address.
const PAGES: [(&str, &str); 13] = [
    ("now", "/"),
    ("changes", "/changes?span=all"),
    ("change", "/changes/c-4000"),
    ("old_change", "/changes/c-100"),
    ("rollout", "/changes/c-4999/rollout"),
    ("matrix", "/matrix?class=c01"),
    ("hosts", "/hosts"),
    ("hosts_of_a_class", "/hosts?class=c07&name=0999"),
    ("host", "/hosts/c01-000001.example.com"),
    ("holds", "/holds"),
    ("signals", "/signals"),
    ("audit", "/audit"),
    ("settings", "/settings"),
];

pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<ExitCode> {
    let fleet = match words {
        [] => FLEET,
        [hosts, runs, changes] => [*hosts, *runs, *changes],
        other => bail!("`{}` is not understood; give HOSTS RUNS CHANGES, or nothing", other.join(" ")),
    };
    let programs = super::build(root, &["-p", "belay", "-p", "belay-server", "--bins", "--examples"])?;
    let bench = Bench { folder: tempfile::tempdir()?, programs, port: free_port()? };
    std::fs::write(bench.path("belay.toml"), config()).context("write the configuration")?;
    let began = Instant::now();
    let mut fill = Command::new(bench.programs.join("examples/fill"));
    fill.arg(bench.path("belay.toml")).arg(bench.path("state")).args(fleet).stdin(Stdio::null());
    ensure!(fill.status().context("start fill")?.success(), "the fleet could not be made");
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let mut server = bench.serve()?;
    let started = began.elapsed().as_secs_f64();
    let token = bench.token()?;
    let mut ours = Map::new();
    let mut worst: f64 = 0.0;
    let mut bar = Bar::new("Asking", PAGES.len());
    for (name, path) in PAGES {
        let (p50, p95, bytes) = bench.page(path, &token)?;
        bar.step();
        println!("{name:18} p50 {p50:7.1} ms   p95 {p95:7.1} ms   {:6.1} KiB", bytes as f64 / 1024.0);
        ensure!(bytes <= FIRST_LOAD_MAX, "{path} has {bytes} bytes");
        worst = worst.max(p95);
        ours.insert(format!("{name}_p95_ms"), json!((p95 * 10.0).round() / 10.0));
    }
    drop(bar);
    let resident = resident_mb(&server)?;
    println!("started in {started:.1} s, {resident} MB resident; the slowest page p95 {worst:.0} ms (goal {GOAL_MS} ms)");
    stop(&mut server)?;
    ours.insert("worst_p95_ms".to_owned(), json!((worst * 10.0).round() / 10.0));
    ours.insert("start_s".to_owned(), json!((started * 10.0).round() / 10.0));
    ours.insert("resident_mb".to_owned(), json!(resident));
    println!("{}", json!({"bench": "pages", "fleet": fleet, "ours": ours, "peers": {}}));
    Ok(ExitCode::SUCCESS)
}

/// The classes of the fleet that `fill` makes.
fn config() -> String {
    let class = |nth: usize| {
        format!(
            "[[class]]\nname = \"c{nth:02}\"\nhosts = [\"c{nth:02}-*\"]\nenvironments = {{ \"141\" = \"production\", \"142\" = \"production\" }}\n"
        )
    };
    let classes: String = (0..20).map(class).collect();
    format!("{classes}[[signal]]\nname = \"requests\"\nkind = \"flow\"\nmust_have = true\nselect = \"requests_total\"\n")
}

struct Bench {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn serve(&self) -> anyhow::Result<Child> {
        let listen = format!("127.0.0.1:{}", self.port);
        let child = Command::new(self.programs.join("belay"))
            .args(["serve", "--listen", &listen, "--config"])
            .arg(self.path("belay.toml"))
            .arg("--state")
            .arg(self.path("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start belay")?;
        // It listens before its state is loaded: an answer is what counts.
        until("the server answers", || self.get("/healthz", "").is_ok())?;
        Ok(child)
    }

    fn token(&self) -> anyhow::Result<String> {
        let mut command = Command::new(self.programs.join("belay"));
        command.args(["token", "add", "bench", "--role", "admin", "--state"]).arg(self.path("state")).env_remove("BELAY_TOKEN");
        let output = command.output().context("start belay")?;
        ensure!(output.status.success(), "no credential: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Median and the slowest of twenty, in milliseconds, and how many bytes it has.
    fn page(&self, path: &str, token: &str) -> anyhow::Result<(f64, f64, usize)> {
        let mut taken = Vec::with_capacity(TIMES);
        let mut size = 0;
        for _ in 0..TIMES {
            let began = Instant::now();
            size = self.get(path, token)?;
            taken.push(began.elapsed().as_secs_f64() * 1e3);
        }
        taken.sort_by(f64::total_cmp);
        Ok((taken[TIMES / 2], taken[TIMES * 95 / 100], size))
    }

    fn get(&self, path: &str, token: &str) -> anyhow::Result<usize> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).context("connect")?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).with_context(|| format!("read {path}"))?;
        let head = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {}", head.lines().next().unwrap_or_default());
        Ok(answer.len())
    }
}

fn resident_mb(child: &Child) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).context("read the server's memory")?;
    let kb = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kb.context("the server's memory is not said")? / 1024)
}
