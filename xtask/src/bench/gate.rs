//! `cargo xtask bench gate`: what a run pays for the gate and the classifier. As processes from the
//! local file, with the server gone; at the server, over keep-alive connections at a steady rate, while
//! reports come in; and what the agent takes while it waits. There is no peer that does this.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::json;

use super::catalog::{FILES, HOST, catalog, report};
use super::reports::fleet::{Command as Report, Fleet};
use super::reports::send;

const CONFIG: &str = "[[class]]\nname = \"all\"\nhosts = [\"*\"]\nenforce = \"rejected\"\nenvironments = { \"142\" = \"production\" }\n";
/// Runs of each process that are timed.
const PROCESSES: usize = 200;
/// Questions a second at the server, over so many connections, for so long.
const RATE: u32 = 2_000;
const CONNECTIONS: u32 = 8;
const LASTS: Duration = Duration::from_secs(10);
/// Reports a second that come in meanwhile.
const REPORTS: u32 = 60;
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<ExitCode> {
    ensure!(words.is_empty(), "the benchmark takes no arguments");
    let programs = super::build(root, &["-p", "belay", "-p", "belay-agent"])?;
    let bench = Bench { folder: tempfile::tempdir()?, programs, port: free_port()? };
    bench.write("catalog.json", &catalog(""))?;
    bench.write("report.yaml", &report())?;
    let mut server = bench.serve()?;
    // What the host is found to carry is adopted, and known to its gate.
    bench.belay(&["ingest", "--state", &bench.path("state"), &bench.path("report.yaml")])?;
    let token = bench.belay(&["token", "add", "bench-host", "--host", HOST, "--state", &bench.path("state")])?;
    let viewer = bench.belay(&["token", "add", "bench", "--role", "viewer", "--state", &bench.path("state")])?;
    bench.write("token", &token)?;
    bench.write("release", "142\n")?;
    bench.write("agent.toml", &bench.agent_toml())?;
    let resident_kb = bench.agent()?;
    let relay = bench.belay(&["token", "add", "bench-reports", "--relay", "*", "--state", &bench.path("state")])?;
    let fleet = Fleet::make(root, (LASTS.as_secs() as usize + 1) * REPORTS as usize)?;
    let address = SocketAddr::from(([127, 0, 0, 1], bench.port));
    send::all(address, Some(relay.trim()), &fleet.known, 4)?;
    let (server_ms, reports_per_s) = std::thread::scope(|scope| {
        let sending = scope.spawn(|| steadily(address, relay.trim(), &fleet.timed));
        let asked = at_the_server(bench.port, HOST, viewer.trim());
        let sent = sending.join().unwrap_or_else(|_| bail!("the sender panicked"));
        asked.and_then(|asked| Ok((asked, sent?)))
    })?;
    stop(&mut server)?;
    let enc = bench.processes(&["enc", HOST])?;
    let gate = bench.processes(&["gate", "--environment", "production"])?;
    bench.write("catalog.json", &catalog("one = more"))?;
    let hook = bench.processes(&["gate", "--catalog", &bench.path("catalog.json")])?;
    println!("enc      p50 {:.2} ms, p99 {:.2} ms   ({PROCESSES} processes, the server gone)", enc.0, enc.1);
    println!("gate     p50 {:.2} ms, p99 {:.2} ms", gate.0, gate.1);
    println!("hook     p50 {:.2} ms, p99 {:.2} ms   (a catalog of {FILES} files is read and weighed)", hook.0, hook.1);
    println!(
        "server   p50 {:.2} ms, p99 {:.2} ms   ({:.0} questions a second answered, {reports_per_s:.0} reports a second taken)",
        server_ms.0, server_ms.1, server_ms.2
    );
    println!("agent    {resident_kb} KB resident while it waits");
    let ours = json!({
        "enc_p50_ms": round(enc.0), "enc_p99_ms": round(enc.1), "gate_p50_ms": round(gate.0), "gate_p99_ms": round(gate.1),
        "gate_catalog_1000_p50_ms": round(hook.0), "gate_catalog_1000_p99_ms": round(hook.1),
        "server_gate_p50_ms": round(server_ms.0), "server_gate_p99_ms": round(server_ms.1), "server_gate_per_s": round(server_ms.2), "reports_per_s": round(reports_per_s),
        "agent_idle_resident_kb": resident_kb,
    });
    println!("{}", json!({"bench": "gate", "ours": ours, "peers": {}}));
    Ok(ExitCode::SUCCESS)
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

struct Bench {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
}

impl Bench {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }

    fn agent_toml(&self) -> String {
        format!(
            "server = \"http://127.0.0.1:{}\"\ntoken_file = {:?}\nhost = {HOST:?}\nstate_dir = {:?}\nbanner = \"\"\nrelease = {{ file = {:?} }}\n\
             [tool]\nname = \"puppet\"\nreport = {:?}\ncatalog = {:?}\n",
            self.port,
            self.path("token"),
            self.path("agent"),
            self.path("release"),
            self.path("report.yaml"),
            self.path("catalog.json")
        )
    }

    fn serve(&self) -> anyhow::Result<Child> {
        self.write("belay.toml", CONFIG)?;
        let listen = format!("127.0.0.1:{}", self.port);
        let (config, state) = (self.path("belay.toml"), self.path("state"));
        let child = Command::new(self.programs.join("belay"))
            .args(["serve", "--config", &config, "--state", &state, "--listen", &listen])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start belay")?;
        until("the server answers", || TcpStream::connect(&listen).is_ok())?;
        Ok(child)
    }

    fn belay(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(self.programs.join("belay")).args(arguments).env_remove("BELAY_TOKEN").output()?;
        ensure!(output.status.success(), "belay {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn agent_command(&self) -> Command {
        let mut command = Command::new(self.programs.join("belay-agent"));
        command.env("BELAY_AGENT_CONFIG", self.path("agent.toml")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Lets the agent fetch its policy, and says how much memory it takes once it waits.
    fn agent(&self) -> anyhow::Result<u64> {
        let mut child = self.agent_command().arg("run").spawn().context("start belay-agent")?;
        let policy = self.folder.path().join("agent/policy.json");
        let applied = self.folder.path().join("agent/applied.json");
        let fetched = until("the agent has a policy and knows what was applied", || policy.is_file() && applied.is_file());
        // It goes on to wait for news: what it takes then is what it takes all day.
        std::thread::sleep(Duration::from_secs(3));
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        stop(&mut child)?;
        fetched?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the agent has ended")?;
        line.trim().trim_end_matches(" kB").trim().parse().context("the resident memory is no number")
    }

    /// Median and 99th percentile of whole processes, in milliseconds.
    fn processes(&self, arguments: &[&str]) -> anyhow::Result<(f64, f64)> {
        let mut times = Vec::with_capacity(PROCESSES);
        for turn in 0..PROCESSES + 5 {
            let begun = Instant::now();
            let status = self.agent_command().args(arguments).status().context("start belay-agent")?;
            ensure!(status.code() == Some(0), "belay-agent {arguments:?} ended with {status}");
            if turn >= 5 {
                times.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
        }
        Ok(percentiles(times))
    }
}

fn percentiles(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1))).copied().unwrap_or_default();
    (at(0.5), at(0.99))
}

/// Sends reports at their rate until the time is over; how many a second were acknowledged.
fn steadily(to: SocketAddr, secret: &str, reports: &[Report]) -> anyhow::Result<f64> {
    let (begun, pace) = (Instant::now(), Duration::from_secs(1) / REPORTS);
    let mut sent = 0;
    for (report, nth) in reports.iter().zip(0..) {
        if begun.elapsed() >= LASTS {
            break;
        }
        if let Some(early) = (pace * nth).checked_sub(begun.elapsed()) {
            std::thread::sleep(early);
        }
        send::one(to, Some(secret), report)?;
        sent += 1;
    }
    Ok(f64::from(sent) / begun.elapsed().as_secs_f64())
}

/// Each connection asks at its share of the rate; a question that begins late because the one before
/// took long counts from when it should have begun.
fn at_the_server(port: u16, host: &str, token: &str) -> anyhow::Result<(f64, f64, f64)> {
    let request =
        format!("GET /api/v1/gate/{host}?environment=production HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n");
    let pace = Duration::from_secs(1) * CONNECTIONS / RATE;
    let begun = Instant::now();
    let ask = || -> anyhow::Result<Vec<f64>> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (mut answers, mut stream) = (BufReader::new(stream.try_clone()?), stream);
        let (mut times, mut due) = (Vec::new(), Instant::now());
        while begun.elapsed() < LASTS {
            if let Some(early) = due.checked_duration_since(Instant::now()) {
                std::thread::sleep(early);
            }
            stream.write_all(request.as_bytes())?;
            read_answer(&mut answers)?;
            times.push(due.elapsed().as_secs_f64() * 1000.0);
            due += pace;
        }
        Ok(times)
    };
    let all = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|one| one.join().unwrap_or_else(|_| bail!("an asker panicked"))).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let times = all.concat();
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    let (median, last) = percentiles(times);
    Ok((median, last, rate))
}

fn read_answer(answers: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    let (mut line, mut length, mut first) = (String::new(), 0, true);
    loop {
        line.clear();
        ensure!(answers.read_line(&mut line)? > 0, "the server closed the connection");
        ensure!(!first || line.contains(" 200 "), "the gate answered {line}");
        first = false;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    answers.read_exact(&mut vec![0; length])?;
    Ok(())
}

pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

pub fn until(what: &str, mut so: impl FnMut() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !so() {
        ensure!(begun.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Asks a child to end, as a service manager would.
pub fn stop(child: &mut Child) -> anyhow::Result<()> {
    Command::new("kill").arg(child.id().to_string()).status()?;
    until("it ends", || matches!(child.try_wait(), Ok(Some(_)) | Err(_)))
}
