//! PuppetDB's terminus, submit-only: the puppetserver sends each command over TLS, with the certificate that Puppet's own authority gave
//! it, to a second Belay which hears of the site by nothing else. What that one knows at the end is compared with what the first one
//! knows by the report processor.
//!
//! First there is no PuppetDB: the terminus is told of one that is down, and goes on (`soft_write_failure`). Then there is one, and
//! each gets all of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::{CLASSIFIED, LIMIT, Stage};
use crate::bench::reports::puppetdb::{PuppetDb, Tls};
use crate::night::belay::end;
use crate::night::http::{self, free_port};
use crate::night::lab::{fill, tail, write};
use crate::night::tale::wait_for;

/// The terminus, where the distribution's package puts it.
const TERMINUS: &str = "/usr/lib/ruby/vendor_ruby/puppet/reports/puppetdb.rb";
/// The package.
pub const PACKAGE: &str = "puppet-terminus-puppetdb";
/// Patience of the socket.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether there is one here.
pub fn found() -> bool {
    Path::new(TERMINUS).is_file()
}

/// The second Belay.
pub struct Witness {
    /// Where the terminus finds it.
    pub port: u16,
    /// Where the terminus looks for PuppetDB.
    pub puppetdb: u16,
    folder: PathBuf,
    child: Option<Child>,
}

impl Witness {
    /// One that will listen on a port that is free now.
    pub fn at(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { port: free_port()?, puppetdb: free_port()?, folder: folder.to_owned(), child: None })
    }

    /// Gives it a certificate of the puppetserver's authority, which is there by now, and starts it.
    pub fn start(&mut self, program: &Path, server: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder).context("make the folder of the second belay")?;
        self.certificate(&server.join("ca"))?;
        let (folder, ca) = (self.folder.display().to_string(), server.join("ca").display().to_string());
        let text = fill(include_str!("../files/server/witness.toml"), &[("FOLDER", folder.as_str()), ("CA", ca.as_str())]);
        write(&self.folder.join("belay.toml"), &text)?;
        let log = File::create(self.folder.join("belay.out")).context("make the log of the second belay")?;
        let mut belay = Command::new(program);
        belay.args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--config"]).arg(self.folder.join("belay.toml"));
        belay.arg("--state").arg(self.folder.join("state")).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(belay.spawn().context("start the second belay")?);
        wait_for("the second belay to answer", LIMIT, || {
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                bail!("it ended with {status}: {}", self.said(20));
            }
            Ok(self.get("/api/v1/status").map(drop).map_err(|error| format!("{error:#}")))
        })
    }

    /// As a site would by `puppetserver ca generate --subject-alt-names`, in less than a JVM's start.
    fn certificate(&self, ca: &Path) -> anyhow::Result<()> {
        signed(&self.folder, "belay.example.com", ca)?;
        let file = |name: &str| self.folder.join(name);
        let both =
            [file("crt"), file("key")].map(|path| std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display())));
        let [certificate, key] = both;
        write(&self.folder.join("belay.pem"), &format!("{}{}", certificate?, key?))
    }

    /// What a path of its API answers, over its socket, as the operator on its machine asks.
    fn get(&self, path: &str) -> anyhow::Result<Value> {
        let stream = UnixStream::connect(self.folder.join("state/belay.sock")).context("connect to the second belay's socket")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        std::io::Write::write_all(&mut &stream, format!("GET {path} HTTP/1.1\r\nHost: belay\r\nConnection: close\r\n\r\n").as_bytes())?;
        let reply = http::answer(&mut BufReader::new(stream))?;
        ensure!(reply.status == 200, "GET {path} answered {}: {}", reply.status, reply.text());
        serde_json::from_slice(&reply.body).with_context(|| format!("GET {path}"))
    }

    fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.get(path)?;
        Ok(answer["items"].as_array().with_context(|| format!("{path} is no list: {answer}"))?.clone())
    }

    /// The last lines it printed.
    pub fn said(&self, lines: usize) -> String {
        tail(&String::from_utf8_lossy(&std::fs::read(self.folder.join("belay.out")).unwrap_or_default()), lines)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            end(child, "the second belay");
        }
    }
}

/// A certificate of an authority and its key, in a folder: `crt`, `key`.
pub(super) fn signed(folder: &Path, name: &str, ca: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    write(&folder.join("names"), &format!("subjectAltName = DNS:localhost, DNS:{name}\n"))?;
    let file = |name: &str| folder.join(name).display().to_string();
    let of_ca = |name: &str| ca.join(name).display().to_string();
    let subject = format!("/CN={name}");
    openssl(&["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &file("key"), "-out", &file("csr")])?;
    let by = ["x509", "-req", "-days", "2", "-in", &file("csr"), "-CA", &of_ca("ca_crt.pem"), "-CAkey", &of_ca("ca_key.pem")];
    let serial = format!("9{:04}", name.len());
    let rest = ["-set_serial", &serial, "-extfile", &file("names"), "-out", &file("crt")];
    openssl(&[by.as_slice(), rest.as_slice()].concat())
}

fn openssl(arguments: &[&str]) -> anyhow::Result<()> {
    let said = Command::new("openssl").args(arguments).stdin(Stdio::null()).output().context("start openssl")?;
    ensure!(said.status.success(), "openssl {}: {}", arguments.join(" "), String::from_utf8_lossy(&said.stderr));
    Ok(())
}

/// The runs of a host by the tool's own ids, with how they ended.
fn runs(list: Vec<Value>, host: &str, get: impl Fn(&str) -> anyhow::Result<Value>) -> anyhow::Result<BTreeMap<String, String>> {
    let of_host = list.into_iter().filter(|run| run["host"] == host);
    of_host
        .map(|run| {
            let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("a run without a number: {run}"));
            let whole = get(&format!("/api/v1/runs/{}", text(&run["id"])?))?;
            Ok((text(&whole["tool_run_id"])?, text(&whole["kind"])?))
        })
        .collect()
}

/// A real PuppetDB is there: both get everything, and a run is no slower than it has to be. Then PuppetDB is gone again, and nobody
/// notices but it.
pub(super) fn beside_puppetdb(stage: &mut Stage<'_>) -> anyhow::Result<Value> {
    let (tale, [host, other]) = (stage.tale, CLASSIFIED);
    let witness = stage.witness.as_ref().context("there is no terminus")?;
    tale.say("-- PuppetDB: a real one starts, where the puppetserver's terminus looks for it");
    // A folder of its own, as PostgreSQL's user has to reach it.
    let folder = tempfile::Builder::new().prefix("belay-puppetdb-").tempdir().context("make PuppetDB's folder")?;
    let (own, ca) = (folder.path(), stage.puppetserver.authority());
    signed(own, "puppetdb.example.com", &ca)?;
    let tls = Tls { port: witness.puppetdb, certificate: own.join("crt"), key: own.join("key"), ca: ca.join("ca_crt.pem") };
    let began = tale.elapsed();
    let puppetdb = PuppetDb::start(own, Some(&tls))?;
    tale.say(&format!("it is ready after {} s", (tale.elapsed() - began).as_secs()));
    let known =
        |host: &str| Ok::<_, anyhow::Error>(witness.list("/api/v1/runs?limit=500")?.iter().filter(|run| run["host"] == host).count());
    let run_of = |host: &str| {
        let before = known(host)?;
        let began = tale.elapsed();
        stage.hosts.run(host, &[])?.is(0)?;
        let took = (tale.elapsed() - began).as_secs();
        wait_for("the second belay to know the run", LIMIT, || {
            let now = known(host)?;
            Ok(if now > before { Ok(()) } else { Err(format!("{now} runs of {host}")) })
        })?;
        Ok::<_, anyhow::Error>(took)
    };
    let with_s = run_of(host)?;
    wait_for("PuppetDB to store the report", LIMIT, || Ok(if puppetdb.reports_of(host)? > 0 { Ok(()) } else { Err(puppetdb.said(2)) }))?;
    tale.say(&format!("{host} ran in {with_s} s: PuppetDB has its report, and so has belay"));
    let reports = puppetdb.reports_of(host)?;
    drop(puppetdb);
    let without_s = run_of(other)?;
    tale.say(&format!("PuppetDB is stopped; {other} ran in {without_s} s, and belay has its report"));
    let aside = witness.list("/api/v1/quarantine")?;
    ensure!(aside.is_empty(), "something was put aside: {aside:?}");
    Ok(json!({ "puppetdb_has_it": reports > 0, "belay_has_it": true, "run_with_puppetdb_s": with_s, "run_without_s": without_s }))
}

/// By both roads the same runs are known; by the terminus also facts, and what was offered.
pub(super) fn play(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let (tale, [host, other]) = (stage.tale, CLASSIFIED);
    let witness = stage.witness.as_ref().context("there is no terminus")?;
    tale.say(&format!("-- the terminus: {host} runs once more, and a second belay hears of it over TLS, by commands for PuppetDB alone"));
    let before = stage.runs_of(host)?.len();
    stage.hosts.run(host, &[])?.is(0)?;
    stage.next_run(host, before)?;
    let mut compared = 0;
    for host in [host, other] {
        let ours = runs(stage.belay.list("/api/v1/runs?limit=500")?, host, |path| stage.belay.get(path))?;
        wait_for("the second belay to know the same runs", LIMIT, || {
            let theirs = runs(witness.list("/api/v1/runs?limit=500")?, host, |path| witness.get(path))?;
            Ok(if theirs == ours { Ok(()) } else { Err(format!("by the terminus {theirs:?}, by the processor {ours:?}")) })
        })
        .inspect_err(|_| tale.say(&format!("what the terminus could not send: {}", stage.puppetserver.unsent(witness.port))))?;
        compared += ours.len();
    }
    let known = witness.get(&format!("/api/v1/hosts/{host}"))?;
    ensure!(known["facts"]["os.family"].is_string(), "no facts came: {known}");
    ensure!(known["class"] == "classified", "its class, which goes by a fact, is another: {known}");
    let offered = witness.get(&format!("/api/v1/hosts/{host}/diff"))?;
    ensure!(offered["environment"] == "r142" && offered["version"].is_string(), "what was offered is not known: {offered}");
    let aside = witness.list("/api/v1/quarantine")?;
    ensure!(aside.is_empty(), "something was put aside: {aside:?}");
    let doctor = witness.get("/api/v1/doctor")?;
    let feeds = doctor["checks"].as_array().into_iter().flatten().find(|check| check["name"] == "feeds").cloned().unwrap_or_default();
    let fits = feeds["text"].as_str().is_some_and(|text| text.contains("0 had another checksum"));
    ensure!(feeds["ok"] == true && fits, "the feed is not in order: {feeds}");
    tale.say(&format!("{compared} runs of two hosts are the same by both roads; facts and offers came by the terminus"));
    Ok(json!({ "runs_the_same": compared, "facts": true, "offered": true, "put_aside": 0 }))
}
