//! A PuppetDB that is only read: a server that gives what a real one gave, over TLS with certificates on both sides.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use belay_server::Options;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::papers::{Authority, Papers, put};
use super::world::{World, recorded, until};

const HOST: &str = "web01.example.com";
/// An hour after the recorded database had taken what it tells.
const LATER: i64 = 1_795_939_200_000;

fn fixture(name: &str) -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../belay-adapters/src/tools/puppet/fixtures/query");
    let (gzip, mut text) = (std::fs::read(folder.join(name)).unwrap(), String::new());
    flate2::read::GzDecoder::new(&gzip[..]).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What the database tells, and what it was asked.
#[derive(Default)]
struct Told {
    facts: Vec<Value>,
    past: Vec<Value>,
    news: Vec<Value>,
    asked: Vec<String>,
}

struct Database {
    url: String,
    told: Arc<Mutex<Told>>,
    sick: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Database {
    async fn start(authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let told = Told { facts: fixture("inventory.json.gz"), past: fixture("reports.json.gz"), ..Told::default() };
        let (told, sick) = (Arc::new(Mutex::new(told)), Arc::new(AtomicBool::new(false)));
        let (telling, ill, acceptor) = (Arc::clone(&told), Arc::clone(&sick), acceptor(authority));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (telling, ill, acceptor) = (Arc::clone(&telling), Arc::clone(&ill), acceptor.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut part = [0; 4096];
                        match stream.read(&mut part).await {
                            Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                            _ => return,
                        }
                    }
                    let path = String::from_utf8(request).unwrap().split(' ').nth(1).unwrap().to_owned();
                    let (status, body) = match ill.load(Ordering::SeqCst) {
                        true => ("503 Service Unavailable", "PuppetDB is currently down. Try again later.".to_owned()),
                        false => ("200 OK", telling.lock().unwrap().answer(&path)),
                    };
                    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { url, told, sick, task }
    }

    fn asked(&self, what: &str) -> usize {
        self.told.lock().unwrap().asked.iter().filter(|path| path.contains(what)).count()
    }
}

impl Told {
    fn answer(&mut self, path: &str) -> String {
        self.asked.push(path.to_owned());
        let all = match path {
            path if path.contains("/inventory?") => &self.facts,
            path if path.contains("latest_report") => &self.past,
            _ => &self.news,
        };
        // As the real one does: from this time on, in its order.
        let asked = path.split("%3E%3D%22%2C%22").nth(1).unwrap().split("%22%2C%22").nth(1).unwrap().split("%22").next().unwrap();
        let from: jiff::Timestamp = asked.replace("%3A", ":").parse().unwrap();
        let time = |entry: &Value| {
            let text = entry.get("receive_time").or_else(|| entry.get("timestamp")).unwrap().as_str().unwrap().to_owned();
            text.parse::<jiff::Timestamp>().unwrap()
        };
        let mut all: Vec<&Value> = all.iter().filter(|entry| time(entry) >= from).collect();
        all.sort_by_key(|entry| time(entry));
        let number = |name: &str| path.split(name).nth(1).unwrap().split('&').next().unwrap().parse::<usize>().unwrap();
        let page: Vec<&Value> = all.into_iter().skip(number("offset=")).take(number("limit=")).collect();
        json!(page).to_string()
    }
}

/// Lets in who shows a certificate of this authority.
fn acceptor(authority: &Authority) -> TlsAcceptor {
    let papers = authority.issue(&["localhost"], (2099, 1, 1));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&ring)).build().unwrap();
    let builder = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(papers.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(papers.key.as_bytes()).unwrap();
    TlsAcceptor::from(Arc::new(builder.with_client_cert_verifier(clients).with_single_cert(chain, key).unwrap()))
}

/// The configuration that reads this database, with these papers.
fn config(dir: &Path, database: &Database, authority: &Authority, papers: &Papers, more: &str) -> PathBuf {
    for (name, text) in [("ca.pem", authority.pem()), ("cert.pem", papers.certificate.clone()), ("key.pem", papers.key.clone())] {
        put(&dir.join(name), &text);
    }
    let file = |name: &str| dir.join(name).display().to_string();
    let text = format!(
        "{more}[[inventory]]\nname = \"main\"\nkind = \"puppetdb\"\nurl = \"{}\"\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\nevery = \"10s\"\n",
        database.url,
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    std::fs::write(dir.join("belay.toml"), text).unwrap();
    dir.join("belay.toml")
}

const CLASS: &str = "[[class]]\nname = \"web\"\nhosts = [\"*\"]\nfacts = { \"os.family\" = \"Debian\" }\nrelease = { none = true }\n";

struct Site {
    dir: tempfile::TempDir,
    authority: Authority,
    database: Database,
}

impl Site {
    async fn new() -> Self {
        let authority = Authority::new();
        let database = Database::start(&authority).await;
        Self { dir: tempfile::tempdir().unwrap(), authority, database }
    }

    fn options(&self) -> impl FnOnce(&mut Options) {
        let papers = self.authority.host("belay.example.com", &["belay.example.com"], 7, (2099, 1, 1));
        let config = config(self.dir.path(), &self.database, &self.authority, &papers, CLASS);
        move |options| options.config = Some(config)
    }
}

async fn runs(world: &World) -> Vec<Value> {
    world.see("/api/v1/runs").await["items"].as_array().unwrap().clone()
}

async fn check(world: &World) -> Value {
    let doctor = world.see("/api/v1/doctor").await;
    doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "inventories").unwrap().clone()
}

async fn read_once(world: &World) {
    until("the inventory is read", || past_is_read(world)).await;
}

async fn past_is_read(world: &World) -> bool {
    let check = check(world).await;
    let text = check["text"].as_str().unwrap();
    check["ok"] == true && text.contains("read 0") && text.ends_with("its past is read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_is_known_by_what_a_database_knows_and_its_past_opens_nothing() {
    let site = Site::new().await;
    let world = World::at(LATER, site.options()).await;
    read_once(&world).await;
    let host = world.see(&format!("/api/v1/hosts/{HOST}")).await;
    assert_eq!((&host["class"], &host["facts"]["os.family"]), (&"web".into(), &"Debian".into()), "{host}");
    let mut kinds: Vec<String> = runs(&world).await.iter().map(|run| run["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["changed", "changed", "changed", "no-catalog", "refused", "unchanged", "unchanged"]);
    assert_eq!(world.see("/api/v1/changes").await["items"], json!([]), "the past is on no trial");
    assert_eq!(world.see("/api/v1/quarantine").await["items"], json!([]));
    let check = check(&world).await;
    assert!(check["text"].as_str().unwrap().contains("1 facts and 7 runs taken since the start, 0 entries left out"), "{check}");
    // What the host carries was there at first contact; what it carried before is not adopted with it.
    let state = world.running.state();
    let host = state.hosts.values().next().unwrap();
    assert!(!host.items.is_empty());
    let scope = belay_core::state::Scope { class: host.class.clone(), release: None };
    for (key, carried) in &host.items {
        assert!(state.acceptance.mark(&scope, key, &carried.content).is_some(), "{key:?} is adopted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_it_goes_on_where_it_was_and_what_is_new_is_on_trial() {
    let site = Site::new().await;
    let world = World::at(LATER, site.options()).await;
    read_once(&world).await;
    assert_eq!(site.database.asked("latest_report"), 1);
    // A run of now, with content that the host never had.
    let at = |ms: i64| belay_core::model::time::Timestamp::from_ms(LATER + ms).to_string();
    let text = serde_json::to_string(&site.database.told.lock().unwrap().past[4]).unwrap();
    let mut news: Value = serde_json::from_str(&text.replace("{sha256}", "{sha256}0000")).unwrap();
    assert_eq!(news["status"], "changed");
    news["transaction_uuid"] = "00000000-0000-4000-8000-000000000001".into();
    news["hash"] = "new".into();
    (news["start_time"], news["end_time"], news["receive_time"]) = (at(1_000).into(), at(5_000).into(), at(6_000).into());
    news["configuration_version"] = "a-new-one".into();
    for event in news["resource_events"]["data"].as_array_mut().unwrap() {
        event["timestamp"] = at(2_000).into();
    }
    site.database.told.lock().unwrap().news = vec![news];
    let world = world.again(site.options()).await;
    world.advance(Duration::from_secs(60));
    until("the new run is there", || async { runs(&world).await.len() == 8 }).await;
    assert_eq!(site.database.asked("latest_report"), 1, "the past is read once");
    let changes = world.see("/api/v1/changes").await;
    assert_eq!(changes["items"].as_array().unwrap().len(), 1, "{changes}");
    let feeds = world.see("/api/v1/status").await["feeds"].to_string();
    assert!(feeds.contains("puppetdb-pull from relay:*"), "it is noticed when nothing comes any more: {feeds}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_came_by_another_road_is_the_same_run() {
    let site = Site::new().await;
    site.database.sick.store(true, Ordering::SeqCst);
    let world = World::at(LATER, site.options()).await;
    assert_eq!(world.report(recorded("enc-overrides-agent-env")).await.status, 200);
    until("doctor says what is wrong", || async { check(&world).await["ok"] == false }).await;
    let ill = check(&world).await;
    assert!(ill["text"].as_str().unwrap().contains("503") && ill["text"].as_str().unwrap().contains("Try again later"), "{ill}");
    site.database.sick.store(false, Ordering::SeqCst);
    let world = world.again(site.options()).await;
    read_once(&world).await;
    assert_eq!(runs(&world).await.len(), 7);
    assert_eq!(world.see("/api/v1/audit?kind=security").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_outside_of_its_pattern_is_left_out_and_a_file_that_is_missing_is_named() {
    let site = Site::new().await;
    let path = site.dir.path().to_owned();
    let set = site.options();
    let world = World::at(LATER, |options| {
        set(options);
        let file = path.join("belay.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}hosts = \"db*\"\n")).unwrap();
    })
    .await;
    read_once(&world).await;
    assert!(check(&world).await["text"].as_str().unwrap().contains("0 facts and 0 runs taken since the start, 8 entries left out"));
    assert!(world.running.state().hosts.is_empty() && world.see("/api/v1/quarantine").await["items"] == json!([]));
    let set = site.options();
    let world = world
        .again(|options| {
            set(options);
            std::fs::remove_file(path.join("key.pem")).unwrap();
        })
        .await;
    until("doctor names the file", || async { check(&world).await["text"].as_str().unwrap().contains("key.pem cannot be used") }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_that_holds_more_than_an_answer_is_read_to_its_end() {
    let site = Site::new().await;
    {
        let mut told = site.database.told.lock().unwrap();
        let text = told.facts.remove(0).to_string();
        let mut of = |nth: usize, time: String| {
            let mut facts: Value = serde_json::from_str(&text.replace(HOST, &format!("web{nth:03}.example.com"))).unwrap();
            facts["timestamp"] = time.into();
            told.facts.push(facts);
        };
        (0..120).for_each(|nth| of(nth, format!("2026-11-29T06:59:54.{:03}Z", nth + 1)));
        (120..240).for_each(|nth| of(nth, "2026-11-29T06:59:54.500Z".to_owned()));
    }
    let world = World::at(LATER, site.options()).await;
    read_once(&world).await;
    assert_eq!(world.running.state().hosts.len(), 241, "240 with facts, and the one that the reports are of");
    assert!(site.database.asked("/inventory?") < 10, "{} questions", site.database.asked("/inventory?"));
}
