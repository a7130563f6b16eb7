//! The demo: the night for which Belay exists, played by simulated hosts on the real server, in this process, in a temporary
//! directory that is gone afterwards.
//!
//! What is told of the hosts comes from the story that plays them; what is told of Belay comes from its API and from the alert that
//! arrives at the demo's own receiver. Nothing here knows how the trials will end.

mod config;
mod house;
mod measure;
mod night;
mod receiver;
mod scenes;
mod teller;
mod watcher;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use belay_api::http::StatusView;
use belay_sim::live::story::Scene;
use belay_sim::live::{LiveError, LiveFleet, Spec};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::out::paint::Tone;

use house::House;
use scenes::Scenes;
use watcher::Watcher;

use measure::Caught;

pub use measure::Summary;
pub use teller::{Stream, Teller};

/// Between two looks at the API.
const EVERY: Duration = Duration::from_millis(200);
/// After this long without the verdict that is waited for, the story has failed.
const PATIENCE: Duration = Duration::from_secs(40);

/// How it is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port of the server; 0 for a free one.
    pub port: u16,
    /// Leave the state behind.
    pub keep: bool,
    /// Serve on when the story is over, until `stop`.
    pub stay: bool,
    /// Becomes true when nobody wants to see more of it.
    pub stop: watch::Receiver<bool>,
}

/// It was stopped before its end. Everything is removed all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the demo was stopped before its end")
    }
}

impl std::error::Error for Stopped {}

/// What it came to.
pub struct Played {
    /// What was measured.
    pub summary: Summary,
    /// Where the state was left, if it was.
    pub kept: Option<PathBuf>,
}

/// The play while it is on.
struct Play<'t> {
    house: House,
    fleet: Arc<LiveFleet>,
    watcher: Watcher,
    acts: JoinSet<Result<(), LiveError>>,
    /// What goes on beside the acts: the agents of the hosts, a schedule.
    beside: JoinSet<Result<(), LiveError>>,
    caught: Caught,
    scenes: Scenes,
    stage: mpsc::Sender<Scene>,
    heard: mpsc::Receiver<Scene>,
    stop: watch::Receiver<bool>,
    teller: &'t mut Teller,
}

/// Plays the story. Has to run inside a [`tokio::task::LocalSet`], because the acts stay on one thread.
///
/// # Errors
/// When the server cannot be started, or not be spoken to; [`Stopped`] when it was.
pub async fn play(options: &Options, teller: &mut Teller) -> anyhow::Result<Played> {
    let house = House::open(options, teller).await?;
    let fleet = Arc::new(LiveFleet::new(house.address(), &house.relay, &house.source, Spec::default()));
    let (stage, heard) = mpsc::channel(256);
    let watcher = Watcher::default();
    let mut play = Play {
        house,
        fleet,
        watcher,
        acts: JoinSet::new(),
        beside: JoinSet::new(),
        caught: Caught::default(),
        scenes: Scenes::default(),
        stage,
        heard,
        stop: options.stop.clone(),
        teller,
    };
    let told = play.acts().await;
    let summary = match told {
        Ok(()) => play.summary().await,
        Err(error) => Err(error),
    };
    if options.stay && summary.is_ok() {
        play.stay().await;
    }
    let Play { house, acts, beside, .. } = play;
    drop((acts, beside));
    // The house is closed whatever came of the play.
    let kept = house.close().await;
    Ok(Played { summary: summary?, kept: kept? })
}

impl Play<'_> {
    /// Begins an act; it goes on while its consequences are watched.
    fn begin<F>(&mut self, act: impl FnOnce(Arc<LiveFleet>, Box<dyn FnMut(Scene)>) -> F)
    where
        F: Future<Output = Result<(), LiveError>> + 'static,
    {
        let tell = self.tell();
        self.acts.spawn_local(act(Arc::clone(&self.fleet), tell));
    }

    /// Begins what goes on beside the acts, until it is ended.
    fn beside<F>(&mut self, what: impl FnOnce(Arc<LiveFleet>, Box<dyn FnMut(Scene)>) -> F) -> AbortHandle
    where
        F: Future<Output = Result<(), LiveError>> + 'static,
    {
        let tell = self.tell();
        self.beside.spawn_local(what(Arc::clone(&self.fleet), tell))
    }

    /// A scene that finds no place is not told; what it changed is seen all the same.
    fn tell(&self) -> Box<dyn FnMut(Scene)> {
        let stage = self.stage.clone();
        Box::new(move |scene| drop(stage.try_send(scene)))
    }

    /// Tells what happens until something is so. That it is not so in time is told, and no error: the summary says what came of it.
    async fn until(&mut self, waiting: &str, so: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let begun = tokio::time::Instant::now();
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stopped(&mut self.stop) => return Err(Stopped.into()),
                Some(scene) = self.heard.recv() => self.scenes.put(scene, self.teller),
                Some(ended) = self.acts.join_next() => ended??,
                Some(ended) = self.beside.join_next() => match ended {
                    Err(error) if error.is_cancelled() => {}
                    ended => ended??,
                },
                _ = ticks.tick() => {
                    self.scenes.tell_due(self.teller);
                    self.watcher.look(&mut self.house, &mut self.scenes, self.teller).await?;
                    if so(self) {
                        self.scenes.tell_all(self.teller);
                        return Ok(());
                    }
                    if begun.elapsed() > PATIENCE {
                        self.teller.tell(Tone::Bad, "Given up", &format!("waited {} s for this: {waiting}", PATIENCE.as_secs()));
                        return Ok(());
                    }
                    self.teller.wait(waiting);
                }
            }
        }
    }

    /// Serves on: the hosts go on as the story left them.
    async fn stay(&mut self) {
        let (address, secret) = (self.house.address(), self.house.admin.as_str());
        let what = format!("http://{address}/ shows it all; sign in with the credential {secret}; Ctrl-C ends it");
        self.teller.block("\n");
        self.teller.tell(Tone::Good, "Staying", &what);
        stopped(&mut self.stop).await;
    }

    fn heading(&mut self, act: &str, what: &str) {
        self.teller.block("\n");
        self.teller.tell(Tone::Strong, act, what);
    }

    async fn summary(&mut self) -> anyhow::Result<Summary> {
        self.watcher.look(&mut self.house, &mut self.scenes, self.teller).await?;
        let status: StatusView = self.house.client.get("/api/v1/status").await?;
        let spans = self.watcher.changes.bad().and_then(|bad| measure::spans(&self.house.state(), &bad.row.id));
        Ok(self.watcher.changes.summary(status.hosts, spans, self.watcher.alert.as_ref(), &self.caught))
    }
}

/// Returns when the demo is to stop; whoever says so is gone only when the demo is.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}
