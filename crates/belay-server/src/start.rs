//! Starting and stopping: everything that runs is begun here, and ended here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use belay_adapters::tools::inventory_by_name;
use belay_api::config::{InventoryConfig, ServerConfig};
use belay_core::decide::{Answer, Input};
use belay_core::model::ids::Digest;
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Actor, Principal, Role, Token};
use belay_core::state::State;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{self, Configuration, LoadError};
use crate::drive::intake::Intake;
use crate::drive::inventory::Puller;
use crate::drive::observe::Observer;
use crate::drive::outbox::Outbox;
use crate::drive::selfcheck::SelfChecker;
use crate::drive::{self, Drive, Fatal, Keep, housekeeping};
use crate::http::body::Bodies;
use crate::http::passwords::Passwords;
use crate::http::serve::{Connections, Listener, serve};
use crate::http::{self, App, Issuer, RequestIds, Streams};
use crate::ledger::{Ledger, Readers};
use crate::net::Client;
use crate::options::{Exposure, LISTEN, Options, STATE_DIR, StartError};
use crate::secret;
use crate::signals::Signals;
use crate::tls::{Tls, Wanted};

/// A credential that was issued because there was none. It is never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct FirstSecret {
    /// What it is called.
    pub name: String,
    /// The secret. It is nowhere else.
    pub secret: String,
}

/// A server that runs.
pub struct Running {
    address: SocketAddr,
    socket: PathBuf,
    first: Vec<FirstSecret>,
    app: Arc<App>,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    owner: drive::Owner,
}

/// What was opened before anything runs.
struct Opened {
    configuration: Configuration,
    config: belay_api::config::Config,
    ledger: Ledger,
    signals: Signals,
    client: Client,
    network: Listener,
    address: SocketAddr,
    unix: (tokio::net::UnixListener, PathBuf, u32),
    state_dir: PathBuf,
}

/// Starts a server.
///
/// # Errors
/// See [`StartError`]; nothing is left running then.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let opened = open(&options).await?;
    let Opened { configuration, config, ledger, signals, client, network, address, unix, state_dir } = opened;
    let issuer = issuer(&config.server, &client)?;
    let readers = Arc::new(Readers::new(ledger.path(), 4));
    let (drive, owner) = drive::start(ledger, Arc::clone(&options.clock), options.bounds.drive, Arc::clone(&options.fatal))?;
    let declared = config.inventories.clone();
    let first = match prepare(&drive, config).await {
        Ok(first) => first,
        Err(error) => {
            owner.stop().await;
            return Err(error);
        }
    };
    let bounds = &options.bounds;
    let intake = Intake::new(drive.clone(), Arc::clone(&readers), bounds.readers_of_reports, bounds.queue);
    let started = drive.now();
    let signals = Arc::new(signals);
    let selfcheck = Arc::new(SelfChecker::new(drive.clone(), Arc::clone(&signals)));
    let (stop, stopped) = watch::channel(false);
    let app = Arc::new(App {
        drive,
        intake: Arc::new(intake),
        readers,
        signals,
        selfcheck,
        inventories: Arc::default(),
        configuration: Arc::new(configuration),
        bodies: Bodies::new(bounds.bodies),
        polls: Default::default(),
        tables: Default::default(),
        passwords: Passwords::new(bounds.passwords),
        logins: Default::default(),
        issuer,
        streams: Streams::new(stopped.clone()),
        requests: RequestIds::new(started),
        state_dir,
        started,
        backups: Arc::new(tokio::sync::Semaphore::new(1)),
    });
    let mut tasks = JoinSet::new();
    begin(&mut tasks, &app, client, &options, &stopped);
    read_inventories(&mut tasks, &app, declared, &options.fatal, &stopped);
    let router = http::router(&app);
    tasks.spawn(serve(network, router.clone(), bounds.connections, stopped.clone()));
    let (unix, socket, own) = unix;
    let local = Connections { most: 64, ..bounds.connections };
    tasks.spawn(serve(Listener::Unix(unix, own), router, local, stopped));
    Ok(Running { address, socket, first, app, tasks, stop, owner })
}

async fn open(options: &Options) -> Result<Opened, StartError> {
    let config = config::read(options.config.as_deref())?;
    let clients = Wanted::of(&config.server);
    let tls = config.server.certificate.as_deref().map(|path| Tls::start(Path::new(path), clients.as_ref())).transpose()?.map(Arc::new);
    let address = address(options, config.server.listen.as_deref(), tls.is_some())?;
    let state_dir = options.state_dir.clone().or_else(|| config.server.state_dir.clone().map(PathBuf::from));
    let state_dir = state_dir.unwrap_or_else(|| PathBuf::from(STATE_DIR));
    let ledger = Ledger::open(&state_dir, options.hook.clone())?;
    let signals = Signals::open(&state_dir, options.bounds.signals.clone())?;
    let client = Client::new(options.bounds.client)?;
    let listen = |source| StartError::Listen { address, source };
    let tcp = TcpListener::bind(address).await.map_err(listen)?;
    let address = tcp.local_addr().map_err(listen)?;
    let network = match &tls {
        Some(tls) => Listener::Tls(tcp, Arc::clone(tls)),
        None => Listener::Tcp(tcp),
    };
    let unix = local(&state_dir)?;
    let configuration = Configuration::new(options.config.clone(), tls, (options.clock)());
    Ok(Opened { configuration, config, ledger, signals, client, network, address, unix, state_dir })
}

/// The identity provider, where one is configured. It is asked when somebody logs in: a provider that is away keeps no
/// server from starting.
fn issuer(config: &ServerConfig, client: &Client) -> Result<Option<Issuer>, StartError> {
    let Some(oidc) = config.oidc.clone() else { return Ok(None) };
    let public = config.public_url.as_deref().unwrap_or_default();
    Issuer::new(oidc, public, client.clone()).map(Some).map_err(StartError::Issuer)
}

fn address(options: &Options, configured: Option<&str>, encrypted: bool) -> Result<SocketAddr, StartError> {
    let configured = || {
        let text = configured.unwrap_or(LISTEN);
        text.parse().map_err(|_| StartError::BadAddress(text.to_owned()))
    };
    let address = options.listen.map_or_else(configured, Ok)?;
    match options.exposure {
        Exposure::LoopbackOnly if !encrypted && !address.ip().is_loopback() => Err(StartError::InTheClear(address)),
        Exposure::LoopbackOnly | Exposure::Plaintext => Ok(address),
    }
}

/// The socket belongs to whoever the server runs as: that is the own user of the socket's file.
fn local(state_dir: &Path) -> Result<(tokio::net::UnixListener, PathBuf, u32), StartError> {
    use std::os::unix::fs::MetadataExt;
    let path = state_dir.join(http::SOCKET);
    let made = http::listen_local(&path).and_then(|listener| Ok((listener, std::fs::metadata(&path)?.uid())));
    match made {
        Ok((listener, own)) => Ok((listener, path, own)),
        Err(source) => Err(StartError::Socket { path, source }),
    }
}

/// Loads the configuration, and issues the first credentials where there are none.
async fn prepare(drive: &Drive, config: belay_api::config::Config) -> Result<Vec<FirstSecret>, StartError> {
    config::load(drive, config, Actor("start".to_owned())).await?;
    if !drive.read(|state| state.tokens.is_empty()) {
        return Ok(Vec::new());
    }
    let admin = Principal::person("admin", Role::Admin);
    let mut first = Vec::new();
    for (name, principal) in [("admin", admin.clone()), ("relay", Principal::Relay(Pattern::new("*")))] {
        let secret = secret::fresh()?;
        let token = Token { hash: Digest::of(secret.as_bytes()), name: name.to_owned(), principal, issued: drive.now() };
        let input = Input::IssueToken { principal: Principal::person("start", Role::Admin), token };
        match drive.decide(input, Keep::default()).await? {
            Answer::Done => first.push(FirstSecret { name: name.to_owned(), secret }),
            other => return Err(StartError::NoCredentials(other)),
        }
    }
    Ok(first)
}

/// Begins what is done beside answering.
fn begin(tasks: &mut JoinSet<()>, app: &Arc<App>, client: Client, options: &Options, stop: &watch::Receiver<bool>) {
    let (drive, signals) = (app.drive.clone(), Arc::clone(&app.signals));
    let (bounds, fatal) = (&options.bounds, &options.fatal);
    let observer = Arc::new(Observer::new(drive.clone(), Arc::clone(&signals)));
    let outbox = Arc::new(Outbox::new(drive.clone(), client, bounds.spacing));
    let dir = app.state_dir.clone();
    tasks.spawn(watched("the sweep of the inbox", fatal, Arc::clone(&app.intake).sweep(stop.clone())));
    tasks.spawn(watched("the look at trials", fatal, observer.run(bounds.tick, stop.clone())));
    tasks.spawn(watched("the self-check", fatal, Arc::clone(&app.selfcheck).run(stop.clone())));
    tasks.spawn(watched("the watch on time", fatal, housekeeping::wake(drive.clone(), bounds.tick, stop.clone())));
    tasks.spawn(watched("the look at run health", fatal, housekeeping::run_health(drive.clone(), bounds.tick, stop.clone())));
    tasks.spawn(watched("the outbox", fatal, outbox.run(bounds.tick, stop.clone())));
    tasks.spawn(watched("the watch on the disk", fatal, housekeeping::watch_disk(drive.clone(), dir, stop.clone())));
    tasks.spawn(watched("pruning", fatal, housekeeping::prune(drive.clone(), stop.clone())));
    tasks.spawn(watched("the sync of samples", fatal, housekeeping::sync(Arc::clone(&signals), Arc::clone(fatal), stop.clone())));
    if let Some(tls) = app.configuration.tls() {
        tasks.spawn(watched("the watch on revocations", fatal, housekeeping::watch_clients(Arc::clone(tls), bounds.tick, stop.clone())));
    }
    tasks.spawn(watched("tidying", fatal, housekeeping::tidy(signals, drive, stop.clone())));
    // Listened for before the server counts as started: a hangup that nobody hears would end the process.
    match signal(SignalKind::hangup()) {
        Ok(hangup) => {
            tasks.spawn(watched("reloading", fatal, reload_on_hangup(hangup, Arc::clone(app), stop.clone())));
        }
        Err(error) => tracing::warn!(%error, "hangups cannot be heard: restart the server to load another configuration"),
    }
}

/// Begins to read what knows the fleet already. What was declared when the server started is read; another one takes a restart.
fn read_inventories(tasks: &mut JoinSet<()>, app: &Arc<App>, declared: Vec<InventoryConfig>, fatal: &Fatal, stop: &watch::Receiver<bool>) {
    for config in declared {
        // What is not known was refused when the configuration was read.
        let Some(inventory) = inventory_by_name(&config.kind) else { continue };
        let puller = Puller::new(app.drive.clone(), Arc::clone(&app.intake), Arc::clone(&app.inventories), inventory, config);
        tasks.spawn(watched("reading an inventory", fatal, puller.run(stop.clone())));
    }
}

/// A task without which the server would look well and be blind must not end unseen.
fn watched(
    name: &'static str,
    fatal: &Fatal,
    task: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let fatal = Arc::clone(fatal);
    async move {
        let mut one = JoinSet::new();
        one.spawn(task);
        if let Some(Err(error)) = one.join_next().await
            && error.is_panic()
        {
            fatal(&format!("{name} failed: {error}. This is a mistake in Belay"));
        }
    }
}

/// A hangup asks for the configuration to be read anew.
async fn reload_on_hangup(mut hangup: Signal, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            Some(()) = hangup.recv() => {
                if app.configuration.reload(&app.drive, Actor("hangup".to_owned())).await.is_ok() {
                    tracing::info!("the configuration was loaded");
                }
            }
            _ = stop.changed() => return,
        }
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How its address begins for whoever asks it over the network: `https` with a certificate, else `http`.
    pub fn scheme(&self) -> &'static str {
        if self.app.configuration.tls().is_some() { "https" } else { "http" }
    }

    /// The unix socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The credentials that were issued because there were none: shown once, kept nowhere.
    pub fn first_secrets(&self) -> &[FirstSecret] {
        &self.first
    }

    /// The published state, copied.
    pub fn state(&self) -> State {
        self.app.drive.read(State::clone)
    }

    /// The drive, for whoever runs in the same process.
    pub fn drive(&self) -> &Drive {
        &self.app.drive
    }

    /// Reads the configuration anew, as a hangup does.
    ///
    /// # Errors
    /// See [`LoadError`]; what was loaded before stays.
    pub async fn reload(&self) -> Result<(), LoadError> {
        self.app.configuration.reload(&self.app.drive, Actor("reload".to_owned())).await
    }

    /// Stops: no new connections, the ones there are finish, the batch in hand is committed, samples
    /// are synced.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let patience = Duration::from_secs(20);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, ended).await.is_err() {
            tracing::warn!("some tasks did not end in time and were cut");
            self.tasks.shutdown().await;
        }
        self.owner.stop().await;
        if let Err(error) = self.app.signals.sync().await {
            tracing::error!(%error, "samples could not be synced to disk");
        }
        // Whoever comes next makes its own; a file that stays does no harm.
        let _ = std::fs::remove_file(&self.socket);
    }
}
