//! The daemon: a few threads, each with one thing to do and an end to its waiting.
//!
//! - `watch` (the main one): lock, banner, new reports; once a second.
//! - `talk`: polls the server and keeps what it answers; `news` tells what happens meanwhile.
//! - `ship`: sends the spool, in order.
//! - `work`: rehearsals and reverts, one at a time.
//! - `scrape`, `count`, `send`: samples, where some are declared.
//! - `relay`: the policies of other hosts, where this one classifies them; `deployed` tells what it has to make them of.

mod bell;
mod count;
mod deployed;
mod recent;
mod relay;
mod samples;
mod scrape;
mod ship;
mod talk;
mod watch;
mod work;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use belay_core::model::ids::Environment;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::bound::Bound;
use crate::config::Config;
use crate::kept::Kept;
use crate::spool::Spool;

use bell::{Bell, Stop};
use recent::Recent;

/// The stack of a thread: what it does is shallow, and there are a few of them.
const STACK: usize = 512 * 1024;

/// What was begun and not ended by another process so long ago is swept away.
const LEFT: Duration = Duration::from_secs(60);

/// What the threads share.
struct Shared {
    config: Config,
    kept: Kept,
    bound: Bound,
    spool: Spool,
    stop: Stop,
    /// Something happened that the server should hear of soon.
    tell: Bell,
    /// There is something in the spool.
    send: Bell,
    /// There is another policy.
    policy: Bell,
    /// What the patterns of logs matched last.
    recent: Recent,
}

impl Shared {
    /// The environment of the catalog the host got last, where that can be told.
    fn environment_applied(&self) -> Option<Environment> {
        let catalog = crate::durable::read(&self.bound.places.catalog, crate::ask::CATALOG_MAX).ok()??;
        self.bound.tool.offered(&catalog, &self.config.host).ok()?.environment
    }
}

/// Runs until a signal says that it is to end.
///
/// # Errors
/// What the daemon cannot be without cannot be had; another daemon is running.
pub fn run(config: Config) -> Result<()> {
    let kept = Kept::new(&config.state_dir);
    kept.make()?;
    let only = crate::durable::guard(&kept.path("daemon")).context("only one daemon may run on a host")?;
    let bound = Bound::new(&config.tool, &config.host)?;
    let spool = Spool::open(&kept)?;
    // In the spool only the daemon writes, and this is the only one.
    crate::durable::sweep(&kept.path("spool"), Duration::ZERO);
    crate::durable::sweep(&config.state_dir, LEFT);
    let stop = Stop::default();
    ends(&stop)?;
    let recent = Recent::new(kept.lines());
    let (tell, send, policy) = (Bell::default(), Bell::default(), Bell::default());
    let shared = Arc::new(Shared { config, kept, bound, spool, stop, tell, send, policy, recent });
    say(&format!("{} on {}, state in {}", crate::AGENT, shared.config.host, shared.config.state_dir.display()));
    // Before anything is sent: what was spooled and not noted before a crash is noted now.
    let mut watch = watch::Watch::new(Arc::clone(&shared));
    watch.look();
    let mut threads = Vec::new();
    if shared.config.server.is_some() {
        threads.push(started("talk", &shared, talk::run)?);
        threads.push(started("news", &shared, talk::news)?);
        threads.push(started("ship", &shared, ship::run)?);
    } else {
        say("no server is configured: reports are kept, holds stand, nothing is told");
    }
    threads.push(started("work", &shared, work::run)?);
    if shared.config.relay.is_some() {
        threads.push(started("relay", &shared, relay::run)?);
        if shared.config.enc.deployments.is_some() {
            threads.push(started("deployed", &shared, deployed::run)?);
        }
    }
    threads.extend(samples::start(&shared)?);
    watch.run();
    for thread in threads {
        // One that waits for the server is not waited for: nothing depends on its end.
        if thread.is_finished() {
            _ = thread.join();
        }
    }
    say("ended");
    drop(only);
    Ok(())
}

fn started(name: &str, shared: &Arc<Shared>, run: impl FnOnce(&Arc<Shared>) + Send + 'static) -> Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    thread.spawn(move || run(&shared)).with_context(|| format!("cannot start the thread {name}"))
}

/// Ends when SIGTERM or SIGINT comes.
fn ends(stop: &Stop) -> Result<()> {
    let (mut heard, signal) = std::os::unix::net::UnixStream::pair().context("cannot listen for signals")?;
    for number in [SIGTERM, SIGINT] {
        let signal = signal.try_clone().context("cannot listen for signals")?;
        pipe::register(number, signal).context("cannot listen for signals")?;
    }
    let stop = stop.clone();
    let listening = thread::Builder::new().name("signals".to_owned()).stack_size(64 * 1024);
    let listened = move || {
        use std::io::Read as _;
        let mut one = [0];
        _ = heard.read_exact(&mut one);
        stop.now();
    };
    listening.spawn(listened).context("cannot listen for signals")?;
    Ok(())
}

/// A line for the journal.
fn say(text: &str) {
    eprintln!("{}", crate::lock::inert(text));
}

/// Says what goes wrong when it begins, when it alters, and when it is over; not each time.
#[derive(Default)]
struct Trouble(Option<String>);

impl Trouble {
    fn is(&mut self, text: &str) {
        if self.0.as_deref() != Some(text) {
            say(&format!("warning: {text}"));
            self.0 = Some(text.to_owned());
        }
    }

    fn over(&mut self, text: &str) {
        if self.0.take().is_some() {
            say(text);
        }
    }
}
