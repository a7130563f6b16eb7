//! A PuppetDB and its PostgreSQL: the programs of the distribution's packages with their own settings, on free ports and in a folder that
//! goes with them. Each is a process of ours, and is ended by its number.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::Taker;
use super::meter::Tree;
use crate::night::belay::end;
use crate::night::http::{self, free_port};
use crate::night::install::is_root;
use crate::night::lab::{fill, tail, write};
use crate::night::tale::wait_for;

/// Where the packages put things.
const JAR: &str = "/usr/share/puppetdb/puppetdb.jar";
const PACKAGED: &str = "/etc/puppetdb";
const DEFAULTS: &str = "/etc/default/puppetdb";
const POSTGRES: &str = "/usr/lib/postgresql";
/// The first start makes the tables; on a busy machine that takes minutes.
const START_LIMIT: Duration = Duration::from_secs(600);
const COUNT: &str = "/pdb/query/v4/reports?query=%5B%22extract%22%2C%5B%5B%22function%22%2C%22count%22%5D%5D%5D";

/// Why there is none here, if there is none and it cannot be installed.
pub fn missing() -> anyhow::Result<Option<String>> {
    let there = || Path::new(JAR).is_file() && binaries().is_some();
    super::installed(there, &["puppetdb", "postgresql"])
}

/// Where the newest PostgreSQL's programs are.
fn binaries() -> Option<PathBuf> {
    let version = |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let folders = std::fs::read_dir(POSTGRES).ok()?.flatten().map(|entry| entry.path());
    folders.filter(|folder| folder.join("bin/initdb").is_file()).max_by_key(version).map(|folder| folder.join("bin"))
}

/// How it is reached by a puppetserver: its certificate, its key and its authority, each a file.
pub struct Tls {
    /// Where it listens.
    pub port: u16,
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signed it, and the puppetserver's.
    pub ca: PathBuf,
}

impl Tls {
    fn settings(&self) -> String {
        let (certificate, key, ca) = (self.certificate.display(), self.key.display(), self.ca.display());
        format!("ssl-host = 127.0.0.1\nssl-port = {}\nssl-cert = {certificate}\nssl-key = {key}\nssl-ca-cert = {ca}\n", self.port)
    }
}

/// Both programs.
pub struct PuppetDb {
    folder: PathBuf,
    /// Where it listens, unencrypted.
    pub address: SocketAddr,
    child: Child,
    // After its user, which loses its connections otherwise.
    postgres: Postgres,
}

impl PuppetDb {
    /// Starts both in this folder, and waits until commands are taken. With a port and certificates it takes them over TLS, too.
    pub fn start(folder: &Path, tls: Option<&Tls>) -> anyhow::Result<Self> {
        let postgres = Postgres::start(folder)?;
        postgres.database("puppetdb")?;
        let (port, own) = (free_port()?, folder.join("puppetdb"));
        let words = [("FOLDER", own.display().to_string()), ("PORT", port.to_string()), ("DATABASE", postgres.port.to_string())];
        let words: Vec<(&str, &str)> = words.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let files = [
            ("conf.d/config.ini", include_str!("files/config.ini")),
            ("conf.d/database.ini", include_str!("files/database.ini")),
            ("conf.d/jetty.ini", &format!("{}{}", include_str!("files/jetty.ini"), tls.map(Tls::settings).unwrap_or_default())),
            ("logback.xml", include_str!("../../night/files/server/logback.xml")),
        ];
        std::fs::create_dir_all(own.join("var")).context("make PuppetDB's folder")?;
        for (name, content) in files {
            write(&own.join(name), &fill(content, &words))?;
        }
        for (from, to) in [("conf.d/auth.conf", "conf.d/auth.conf"), ("bootstrap.cfg", "bootstrap.cfg")] {
            let from = Path::new(PACKAGED).join(from);
            std::fs::copy(&from, own.join(to)).with_context(|| format!("copy {}", from.display()))?;
        }
        write(&own.join("restart"), "0")?;
        let child = java(&own)?;
        let mut puppetdb = Self { folder: own, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), child, postgres };
        puppetdb.ready().inspect_err(|_| println!("{}", puppetdb.said(40)))?;
        Ok(puppetdb)
    }

    fn ready(&mut self) -> anyhow::Result<()> {
        let (address, child) = (self.address, &mut self.child);
        wait_for("PuppetDB to be ready", START_LIMIT, || {
            if let Some(status) = child.try_wait()? {
                bail!("it ended with {status}");
            }
            Ok(match http::send(address, "GET", "/pdb/meta/v1/version", &[], b"") {
                Ok(reply) if reply.status == 200 => Ok(()),
                Ok(reply) => Err(format!("{} {}", reply.status, reply.text())),
                Err(error) => Err(format!("{error:#}")),
            })
        })
    }

    fn ask(&self, path: &str) -> anyhow::Result<Value> {
        let reply = http::send(self.address, "GET", path, &[("Accept", "application/json")], b"")?;
        ensure!(reply.status == 200, "GET {path} answered {}: {}", reply.status, reply.text());
        serde_json::from_slice(&reply.body).with_context(|| format!("GET {path}"))
    }

    /// Reports that it has of a host.
    pub fn reports_of(&self, host: &str) -> anyhow::Result<usize> {
        let query = format!("/pdb/query/v4/reports?query=%5B%22%3D%22%2C%22certname%22%2C%22{host}%22%5D");
        Ok(self.ask(&query)?.as_array().map_or(0, Vec::len))
    }

    /// Hosts whose facts it knows.
    pub fn with_facts(&self) -> anyhow::Result<usize> {
        let nodes = self.ask("/pdb/query/v4/nodes")?;
        Ok(nodes.as_array().into_iter().flatten().filter(|node| node["facts_timestamp"].is_string()).count())
    }

    /// The last lines of its log.
    pub fn said(&self, lines: usize) -> String {
        let said = std::fs::read(self.folder.join("puppetdb.out")).unwrap_or_default();
        tail(&String::from_utf8_lossy(&said), lines)
    }
}

impl Drop for PuppetDb {
    fn drop(&mut self) {
        end(&mut self.child, "puppetdb");
    }
}

impl Taker for PuppetDb {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn trees(&self) -> anyhow::Result<(Tree, Option<Tree>)> {
        Ok((Tree::of(self.child.id())?, Some(Tree::of(self.postgres.child.id())?)))
    }

    fn secret(&self) -> Option<&str> {
        None
    }

    fn waiting(&self) -> anyhow::Result<u64> {
        let services = self.ask("/status/v1/services")?;
        services["puppetdb-status"]["status"]["queue_depth"].as_u64().context("PuppetDB tells no queue_depth")
    }

    fn stored(&self) -> anyhow::Result<u64> {
        let counted = self.ask(COUNT)?;
        counted[0]["count"].as_u64().with_context(|| format!("PuppetDB counts no reports: {counted}"))
    }
}

/// With the memory that the package gives it, and the compiler that the machine's Java has.
fn java(folder: &Path) -> anyhow::Result<Child> {
    let log = File::create(folder.join("puppetdb.out")).context("make PuppetDB's log")?;
    let defaults = std::fs::read_to_string(DEFAULTS).unwrap_or_default();
    let arguments = defaults.lines().find_map(|line| line.strip_prefix("JAVA_ARGS=")).unwrap_or("-Xmx192m").trim_matches('"').to_owned();
    let mut java = Command::new("java");
    java.args(arguments.split_whitespace()).args(["-Djava.security.egd=/dev/urandom", "-cp", JAR]);
    java.args(["clojure.main", "-m", "puppetlabs.puppetdb.core", "services", "--config"]).arg(folder.join("conf.d"));
    java.arg("--bootstrap-config").arg(folder.join("bootstrap.cfg")).arg("--restart-file").arg(folder.join("restart"));
    java.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().context("start java")
}

/// A PostgreSQL with its own settings, but for where it listens.
struct Postgres {
    port: u16,
    user: Option<(u32, u32)>,
    binaries: PathBuf,
    child: Child,
}

impl Postgres {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let binaries = binaries().context("PostgreSQL's programs are gone")?;
        // It refuses to be root's.
        let user = if is_root()? { Some((id("-u")?, id("-g")?)) } else { None };
        let (data, port) = (folder.join("postgresql"), free_port()?);
        std::fs::create_dir_all(&data).context("make PostgreSQL's folder")?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).context("let PostgreSQL's user reach its folder")?;
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(&data, Some(user), Some(group)).context("give PostgreSQL its folder")?;
        }
        let made = command(&binaries, "initdb", user, &data).args(["-A", "trust", "-U", "postgres", "-D"]).arg(&data).output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = File::create(folder.join("postgresql.out")).context("make PostgreSQL's log")?;
        let mut postgres = command(&binaries, "postgres", user, &data);
        postgres.arg("-D").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        let child = postgres.arg("-p").arg(port.to_string()).stdout(log.try_clone()?).stderr(log).spawn().context("start postgres")?;
        Ok(Self { port, user, binaries, child })
    }

    fn database(&self, name: &str) -> anyhow::Result<()> {
        let commands = [
            ("postgres", format!("create role {name} login")),
            ("postgres", format!("create database {name} encoding 'UTF8' template template0 owner {name}")),
            (name, "create extension pg_trgm".to_owned()),
        ];
        wait_for("PostgreSQL to be ready", Duration::from_secs(60), || {
            Ok(if self.sql("postgres", "select 1").is_ok() { Ok(()) } else { Err("no answer".to_owned()) })
        })?;
        commands.iter().try_for_each(|(database, sql)| self.sql(database, sql))
    }

    fn sql(&self, database: &str, sql: &str) -> anyhow::Result<()> {
        let mut psql = command(&self.binaries, "psql", self.user, Path::new("/"));
        psql.args(["-h", "127.0.0.1", "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql, "-p"]);
        let said = psql.arg(self.port.to_string()).output().context("start psql")?;
        ensure!(said.status.success(), "{sql}: {}", String::from_utf8_lossy(&said.stderr));
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        end(&mut self.child, "postgres");
    }
}

fn command(binaries: &Path, program: &str, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(binaries.join(program));
    command.current_dir(folder).stdin(Stdio::null());
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

/// A number of the user that the package made.
fn id(which: &str) -> anyhow::Result<u32> {
    let said = Command::new("id").args([which, "postgres"]).output().context("ask for PostgreSQL's user (id)")?;
    String::from_utf8_lossy(&said.stdout).trim().parse().context("there is no user postgres")
}
