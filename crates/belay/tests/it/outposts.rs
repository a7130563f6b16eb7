//! Several machines that classify the same hosts: a real server, and of each machine what its agent does
//! and what its classifier answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use belay_agent::config::{self, Config};
use belay_agent::enc::classified;
use belay_agent::kept::Kept;
use belay_agent::relay::{Again, Session, turn};
use belay_core::decide::tables::{LEAD, PATIENCE};
use belay_core::decide::{Answer, Input};
use belay_core::model::ids::{Digest, HostId, Release};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Principal, Role, Token};
use belay_core::model::table::InForce;
use belay_core::model::time::Timestamp;
use belay_server::drive::Keep;
use belay_server::{Options, Running, start};

use crate::wire::Wire;

const CONFIG: &str = "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\nenvironments = { \"141\" = \"r141\", \"142\" = \"r142\" }\n";
const NOON: i64 = 1_795_348_800_000;

/// A server whose clock the test holds.
struct Site {
    dir: tempfile::TempDir,
    clock: Arc<AtomicI64>,
    running: Running,
}

fn person() -> Principal {
    Principal::person("admin", Role::Admin)
}

impl Site {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("belay.toml"), CONFIG).unwrap();
        let clock = Arc::new(AtomicI64::new(NOON));
        let running = begin(dir.path(), &clock, "127.0.0.1:0".parse().unwrap()).await;
        Self { dir, clock, running }
    }

    /// Stops it and starts another on the same state, at the same address.
    async fn again(self) -> Self {
        let Self { dir, clock, running } = self;
        let address = running.address();
        running.shutdown().await;
        let running = begin(dir.path(), &clock, address).await;
        Self { dir, clock, running }
    }

    async fn decide(&self, input: Input) {
        assert_eq!(self.running.drive().decide(input, Keep::default()).await.unwrap(), Answer::Done);
    }

    async fn release(&self, host: &str, release: &str) {
        let (host, release) = (HostId::parse(host).unwrap(), Some(Release::parse(release).unwrap()));
        self.decide(Input::Facts { principal: person(), host, release, facts: Default::default() }).await;
    }

    fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn force(&self) -> Option<InForce> {
        self.running.drive().read(|state| state.tables.force)
    }
}

async fn begin(dir: &Path, clock: &Arc<AtomicI64>, listen: SocketAddr) -> Running {
    let time = Arc::clone(clock);
    let since = Instant::now();
    loop {
        let time = Arc::clone(&time);
        let options = Options {
            state_dir: Some(dir.join("state")),
            config: Some(dir.join("belay.toml")),
            listen: Some(listen),
            clock: Arc::new(move || Timestamp::from_ms(time.load(Ordering::SeqCst))),
            ..Options::default()
        };
        match start(options).await {
            Ok(running) => return running,
            Err(error) => assert!(since.elapsed() < Duration::from_secs(20), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A machine with an agent that answers the classifier.
struct Post {
    config: Config,
    kept: Kept,
}

impl Post {
    async fn new(site: &Site, name: &str) -> Self {
        let secret = format!("belay_{name}");
        let token = Token {
            hash: Digest::of(secret.as_bytes()),
            name: name.to_owned(),
            principal: Principal::Relay(Pattern::new("web*")),
            issued: Timestamp::from_ms(NOON),
        };
        site.decide(Input::IssueToken { principal: person(), token }).await;
        let dir = site.dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        let file = |file: &str, text: &str| -> PathBuf {
            std::fs::write(dir.join(file), format!("{text}\n")).unwrap();
            dir.join(file)
        };
        let text = format!(
            "server = \"http://{}\"\ntoken_file = \"{}\"\nhost = \"{name}\"\nstate_dir = \"{}\"\n[relay]\ntoken_file = \"{}\"\n",
            site.running.address(),
            file("token", "none").display(),
            dir.join("state").display(),
            file("relay", &secret).display()
        );
        let config = config::parse("agent.toml", &text, None).unwrap();
        let kept = Kept::new(&config.state_dir);
        kept.make().unwrap();
        Self { config, kept }
    }

    /// Asks once, as a process that knows nothing but what lies on the disk. Says whether it came through.
    async fn ask(&self) -> Option<Again> {
        let (config, kept) = (self.config.clone(), self.kept.clone());
        let asked = tokio::task::spawn_blocking(move || {
            turn(&kept, config.relay.as_ref().unwrap(), &config.host, &mut Session::default(), &|| false)
        });
        asked.await.unwrap().map(|turned| turned.again).ok()
    }

    /// Asks so often.
    async fn asks(&self, times: usize) {
        for _ in 0..times {
            self.ask().await;
        }
    }

    /// What its classifier answers for a host.
    fn enc(&self, host: &str) -> String {
        let answer = classified(&self.config, &self.kept, host).unwrap();
        answer.environment.map_or_else(|| "none".to_owned(), |environment| environment.to_string())
    }
}

/// What all of them answer; they have to agree.
fn all(posts: &[&Post]) -> String {
    let answers: Vec<String> = posts.iter().map(|post| format!("{} {}", post.enc("web01"), post.enc("web02"))).collect();
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    answers[0].clone()
}

/// Asks, in turn, until all know the table in force and its time has come for all.
async fn switched(site: &Site, posts: &[&Post]) -> InForce {
    for _ in 0..4 {
        for post in posts {
            post.ask().await.expect("it is reached");
        }
    }
    let force = site.force().expect("a table is in force");
    let told: Vec<_> = posts.iter().map(|post| post.kept.shelf()).collect();
    assert!(told.iter().all(|shelf| shelf.in_force() == Some(force.table)), "{force:?} {told:?}");
    let froms: Vec<_> = told.iter().filter_map(|shelf| shelf.next?.from).collect();
    assert!(froms.iter().all(|from| *from == force.from), "one time for all: {froms:?}");
    force
}

/// The time of the switch comes, on the server's clock and on the machines'.
async fn comes(site: &Site) {
    site.pass(Duration::from_millis(u64::try_from(LEAD.ms()).unwrap()));
    tokio::time::sleep(Duration::from_millis(u64::try_from(LEAD.ms()).unwrap() + 200)).await;
}

async fn two() -> (Site, Post, Post) {
    let site = Site::start().await;
    site.release("web01", "141").await;
    site.release("web02", "141").await;
    let (one, two) = (Post::new(&site, "ps1").await, Post::new(&site, "ps2").await);
    assert_eq!(all(&[&one, &two]), "none none", "before the first table there is no answer");
    switched(&site, &[&one, &two]).await;
    comes(&site).await;
    assert_eq!(all(&[&one, &two]), "r141 r141");
    (site, one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_is_cut_off_all_stay_on_the_table_before_and_then_switch_at_one_time() {
    let (site, one, cut) = two().await;
    site.release("web01", "142").await;
    for _ in 0..4 {
        one.ask().await;
        assert_eq!(all(&[&one, &cut]), "r141 r141", "the other one has not heard of it");
    }
    // A restart in between: what was to be given is gone, and what is in force stays so.
    let before = site.force().unwrap();
    let site = site.again().await;
    for _ in 0..4 {
        one.ask().await;
        assert_eq!((all(&[&one, &cut]), site.force()), ("r141 r141".to_owned(), Some(before)));
    }
    let said = doctor(&site).await;
    assert!(said.contains("ps2 by ps2 was not heard since the start"), "{said}");
    let force = switched(&site, &[&cut, &one]).await;
    assert_eq!(force.from, Timestamp::from_ms(site.clock.load(Ordering::SeqCst)) + LEAD);
    assert_eq!(all(&[&one, &cut]), "r141 r141", "its time has not come");
    comes(&site).await;
    assert_eq!(all(&[&one, &cut]), "r142 r141");
    // Belay is away: what they answer stays equal, and goes on to be.
    site.running.shutdown().await;
    assert_eq!((one.ask().await, cut.ask().await), (None, None));
    assert_eq!(all(&[&one, &cut]), "r142 r141");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_silent_for_ten_minutes_stops_nobody_and_comes_back_to_the_table_in_force() {
    let (site, one, silent) = two().await;
    site.release("web01", "142").await;
    one.asks(2).await;
    // It was last heard before the switch.
    site.pass(Duration::from_millis(u64::try_from(PATIENCE.ms() - LEAD.ms()).unwrap()));
    one.ask().await;
    assert_eq!(all(&[&one, &silent]), "r141 r141");
    site.pass(Duration::from_secs(1));
    one.asks(2).await;
    assert_eq!((one.enc("web01"), silent.enc("web01")), ("r142".to_owned(), "r141".to_owned()), "nobody waits for it any more");
    let said = doctor(&site).await;
    assert!(said.contains("ps2 by ps2 is not waited for since"), "{said}");
    let force = site.force().unwrap();
    for _ in 0..3 {
        silent.ask().await;
    }
    assert_eq!(
        (all(&[&one, &silent]), site.force()),
        ("r142 r141".to_owned(), Some(force)),
        "it caught up, and no table was needed for that"
    );
    // It counts again.
    site.release("web02", "142").await;
    one.asks(2).await;
    assert_eq!(all(&[&one, &silent]), "r142 r141");
    switched(&site, &[&one, &silent]).await;
    comes(&site).await;
    assert_eq!(all(&[&one, &silent]), "r142 r142");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_credential_is_revoked_is_not_waited_for() {
    let (site, one, gone) = two().await;
    site.release("web01", "142").await;
    one.ask().await;
    site.decide(Input::RevokeToken { principal: person(), name: "ps2".to_owned() }).await;
    one.asks(3).await;
    assert_eq!((one.enc("web01"), gone.ask().await), ("r142".to_owned(), None), "at once: it is alone");
}

/// What is said of Belay itself.
async fn doctor(site: &Site) -> String {
    let socket = site.running.socket().to_owned();
    tokio::task::spawn_blocking(move || Wire::connect(&socket).unwrap().json("/api/v1/doctor").to_string()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn under_steady_decisions_two_that_ask_as_agents_do_differ_for_moments_only() {
    let (site, one, two) = two().await;
    let over = Arc::new(AtomicBool::new(false));
    // From here on the server's clock goes as the machines' do.
    let goes = {
        let (clock, over) = (Arc::clone(&site.clock), Arc::clone(&over));
        std::thread::spawn(move || {
            let (begun, since) = (clock.load(Ordering::SeqCst), Instant::now());
            while !over.load(Ordering::SeqCst) {
                clock.store(begun + i64::try_from(since.elapsed().as_millis()).unwrap(), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    };
    let asks = |post: &Post| {
        let (config, kept, over) = (post.config.clone(), post.kept.clone(), Arc::clone(&over));
        std::thread::spawn(move || {
            let mut session = Session::default();
            while !over.load(Ordering::SeqCst) {
                let stop = || over.load(Ordering::SeqCst);
                let turned = turn(&kept, config.relay.as_ref().unwrap(), &config.host, &mut session, &stop).unwrap();
                std::thread::sleep(if turned.again == Again::AtOnce { Duration::ZERO } else { Duration::from_millis(500) });
            }
        })
    };
    let threads = [asks(&one), asks(&two), goes];
    let (mut differ, mut longest, mut seen) = (None, Duration::ZERO, std::collections::BTreeSet::new());
    let (begun, mut told) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(15) {
        if begun.elapsed() > Duration::from_millis(700) * told {
            told += 1;
            site.release("web01", if told % 2 == 0 { "141" } else { "142" }).await;
            site.release("web02", if told % 2 == 0 { "142" } else { "141" }).await;
        }
        let (first, second) = (one.enc("web01"), two.enc("web01"));
        let apart = first != second;
        seen.insert(site.force().map(|force| force.table));
        longest = longest.max(differ.map_or(Duration::ZERO, |since: Instant| since.elapsed()));
        differ = apart.then(|| differ.unwrap_or_else(Instant::now));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    over.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(seen.len() >= 3, "tables go on: {seen:?}");
    // Their clocks differ by the time that an answer takes on the network; the rest is a busy machine.
    assert!(longest < Duration::from_millis(500), "they differed for {longest:?}");
}
