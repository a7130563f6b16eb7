//! `cargo xtask bench reports [REPORTS]`: the same `store_report` commands, made of two recorded ones, to Belay and to a real PuppetDB with
//! its PostgreSQL, one after the other, over as many connections. Counted is what can be read again, not what was acknowledged.
//! Then another Belay, on whose hosts nothing is installed and to which nobody sends, learns the fleet from that PuppetDB.

pub mod fleet;
mod meter;
mod ours;
mod pull;
pub mod puppetdb;
pub mod send;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use self::fleet::{Command, Fleet, HOSTS};
use self::meter::{Spent, Tree};
use crate::night::install;
use crate::night::tale::wait_for;

/// Reports that are timed when nobody says how many.
const REPORTS: usize = 1_000;
/// Senders at one time: a puppetserver has about as many JRubies.
const SENDERS: usize = 4;
/// The slower of the two needs half a second for a report in which everything changed.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A server that takes reports.
trait Taker {
    /// Where the commands go.
    fn address(&self) -> std::net::SocketAddr;
    /// Its processes, and those of its database where it has one of its own.
    fn trees(&self) -> anyhow::Result<(Tree, Option<Tree>)>;
    /// The secret to show, where it wants one.
    fn secret(&self) -> Option<&str>;
    /// How many reports wait to be read.
    fn waiting(&self) -> anyhow::Result<u64>;
    /// How many reports can be read.
    fn stored(&self) -> anyhow::Result<u64>;
}

/// What taking the fleet's reports came to.
struct Taken {
    acknowledged: Duration,
    stored: Duration,
    server: Spent,
    database: Option<Spent>,
}

pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<ExitCode> {
    let reports = match words {
        [] => REPORTS,
        [number] => number.parse().ok().filter(|number| *number > 0).with_context(|| format!("`{number}` is no number of reports"))?,
        _ => anyhow::bail!("say how many reports, or nothing"),
    };
    let program = super::build(root, &["-p", "belay"])?.join("belay");
    let fleet = Fleet::make(root, reports)?;
    println!(
        "{} timed reports of 200 resources, {} of them all changed; {HOSTS} hosts; {SENDERS} senders",
        fleet.timed.len(),
        fleet.changed
    );
    let ours = {
        let folder = tempfile::tempdir()?;
        let belay = ours::Ours::start(&program, folder.path())?;
        take("belay", &belay, &fleet)?
    };
    println!("{}", line("belay", &ours, &fleet));
    let (peer, beside) = match puppetdb::missing()? {
        Some(why) => {
            println!("puppetdb absent: {why}");
            (json!({ "absent": why }), json!(null))
        }
        None => {
            let folder = tempfile::tempdir()?;
            let puppetdb = puppetdb::PuppetDb::start(folder.path(), None)?;
            let theirs = take("puppetdb", &puppetdb, &fleet).inspect_err(|_| println!("{}", puppetdb.said(40)))?;
            println!("{}", line("puppetdb", &theirs, &fleet));
            let pulled = pull::all(&program, &puppetdb, &fleet).inspect_err(|_| println!("{}", puppetdb.said(40)))?;
            let rate_times = round(theirs.stored.as_secs_f64() / ours.stored.as_secs_f64());
            let memory_part = round(ours.memory_mb() / theirs.memory_mb());
            (told(&theirs, &fleet), json!({ "rate_times": rate_times, "memory_part": memory_part, "pulled": pulled }))
        }
    };
    println!("{}", json!({ "bench": "reports", "ours": told(&ours, &fleet), "peers": { "puppetdb": peer }, "beside": beside }));
    Ok(ExitCode::SUCCESS)
}

/// Lets the fleet become known, which warms the server up, and then times its reports.
fn take(name: &str, taker: &dyn Taker, fleet: &Fleet) -> anyhow::Result<Taken> {
    pour(taker, &fleet.known)?;
    settled(name, taker, fleet.known.len())?;
    let (server, database) = taker.trees()?;
    server.forget_peak()?;
    let before = (server.cpu()?, database.as_ref().map(Tree::cpu).transpose()?);
    let began = Instant::now();
    pour(taker, &fleet.timed)?;
    let acknowledged = began.elapsed();
    let mut database_mb = 0.0_f64;
    wait_for("everything to be read", PATIENCE, || {
        if let Some(database) = &database {
            database_mb = database_mb.max(database.shared_out_mb()?);
        }
        let waiting = taker.waiting()?;
        Ok(if waiting == 0 { Ok(()) } else { Err(format!("{waiting} wait")) })
    })?;
    let stored = began.elapsed();
    let spent = |tree: &Tree, before: f64, peak_mb: f64| -> anyhow::Result<Spent> { Ok(Spent { cpu_s: tree.cpu()? - before, peak_mb }) };
    let server_spent = spent(&server, before.0, server.peak_mb()?)?;
    let database_spent = match (&database, before.1) {
        (Some(tree), Some(before)) => Some(spent(tree, before, database_mb)?),
        _ => None,
    };
    settled(name, taker, fleet.known.len() + fleet.timed.len())?;
    Ok(Taken { acknowledged, stored, server: server_spent, database: database_spent })
}

/// Waits until so many reports can be read.
fn settled(name: &str, taker: &dyn Taker, reports: usize) -> anyhow::Result<()> {
    wait_for("everything to be read", PATIENCE, || {
        let waiting = taker.waiting()?;
        Ok(if waiting == 0 { Ok(()) } else { Err(format!("{waiting} wait")) })
    })?;
    let stored = taker.stored()?;
    ensure!(stored == reports as u64, "{name} took {reports} reports and has {stored}");
    Ok(())
}

fn pour(taker: &dyn Taker, commands: &[Command]) -> anyhow::Result<()> {
    send::all(taker.address(), taker.secret(), commands, SENDERS)
}

impl Taken {
    fn memory_mb(&self) -> f64 {
        self.server.peak_mb + self.database.as_ref().map_or(0.0, |database| database.peak_mb)
    }
}

fn told(taken: &Taken, fleet: &Fleet) -> Value {
    let reports = fleet.timed.len() as f64;
    let mut told = json!({
        "reports": fleet.timed.len(), "reports_all_changed": fleet.changed,
        "acknowledged_per_s": round(reports / taken.acknowledged.as_secs_f64()),
        "stored_per_s": round(reports / taken.stored.as_secs_f64()),
        "cpu_ms_per_report": round(taken.server.cpu_s * 1000.0 / reports),
        "resident_peak_mb": round(taken.server.peak_mb),
    });
    if let (Some(database), Some(told)) = (&taken.database, told.as_object_mut()) {
        told.insert("database_cpu_ms_per_report".to_owned(), json!(round(database.cpu_s * 1000.0 / reports)));
        told.insert("database_resident_peak_mb".to_owned(), json!(round(database.peak_mb)));
    }
    told
}

fn line(name: &str, taken: &Taken, fleet: &Fleet) -> String {
    let reports = fleet.timed.len() as f64;
    let database = taken.database.as_ref().map_or(String::new(), |database| {
        format!("; its database {:.1} ms, {:.0} MB", database.cpu_s * 1000.0 / reports, database.peak_mb)
    });
    format!(
        "{name:9} {:.1} reports/s stored, {:.1}/s acknowledged, {:.2} ms CPU a report, {:.0} MB resident at most{database}",
        reports / taken.stored.as_secs_f64(),
        reports / taken.acknowledged.as_secs_f64(),
        taken.server.cpu_s * 1000.0 / reports,
        taken.server.peak_mb
    )
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Why a package's files are not here, after an attempt to have them.
fn installed(there: fn() -> bool, packages: &[&str]) -> anyhow::Result<Option<String>> {
    if there() {
        return Ok(None);
    }
    let tried = install::packages(packages)?;
    Ok(match tried {
        _ if there() => None,
        Ok(()) => Some(format!("the packages {} brought not what was expected", packages.join(", "))),
        Err(why) => Some(why),
    })
}
