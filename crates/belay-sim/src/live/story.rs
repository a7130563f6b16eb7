//! The night, act by act, on a live fleet. Each act returns when its last report was taken; what
//! the server makes of it is for the caller to watch.

use std::fmt;
use std::time::Duration;

use belay_core::host::lock::LockEvent;
use belay_core::model::ids::{ClassName, Environment, HostId, Release};

use super::{Began, LiveError, LiveFleet};
use crate::fleet::Fleet;
use crate::fleet::branch::parse_item;

/// The file that has to fit the release.
pub const FILE: &str = "File[/etc/app/sitemonitor.conf] content";
/// A file that fits every release.
pub const OTHER_FILE: &str = "File[/etc/app/log.conf] content";
/// Hosts that take part in the act without data.
const DARK: usize = 5;
/// What one act may take at most.
const ACT_MAX: Duration = Duration::from_secs(120);

/// What just happened, for whoever tells the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scene {
    /// The past of all signals is there: this much of it.
    Remembered(Duration),
    /// All hosts were heard of.
    Enrolled(usize),
    /// A host came to run the newer release, and got the files made for it.
    Upgraded(HostId),
    /// The schedule brought a host round, and it got the older release's files.
    CameBack(HostId),
    /// A host got a new text.
    Changed(HostId),
    /// What exports the signals of these hosts fell silent.
    WentDark(Vec<HostId>),
    /// A host got back what was accepted for its release.
    PutRight(HostId),
    /// A lock was removed by hand, and its agent found out.
    Hand {
        /// Where.
        host: HostId,
        /// It is put back; else it is not fought for any more.
        put_back: bool,
    },
    /// A run did not go ahead: the tool's lock stood there, or the gate said no.
    NotNow {
        /// Where.
        host: HostId,
        /// Why, in the words of the lock or the gate.
        why: String,
    },
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remembered(past) => write!(f, "the monitoring remembers the last {} min", past.as_secs().div_ceil(60)),
            Self::Enrolled(hosts) => write!(f, "{hosts} hosts have reported for the first time"),
            Self::Upgraded(host) => write!(f, "{host} runs release {} and got environment {}", newer(), next()),
            Self::CameBack(host) => write!(f, "cron on {host} put the files of environment {} back", stable()),
            Self::Changed(host) => write!(f, "{host} got a new version of {OTHER_FILE}"),
            Self::WentDark(hosts) => write!(f, "what exports the signals of {} hosts fell silent", hosts.len()),
            Self::PutRight(host) => write!(f, "{host} got environment {} again", next()),
            Self::Hand { host, put_back: true } => write!(f, "the lock was removed from {host} by hand; it was put back"),
            Self::Hand { host, put_back: false } => write!(f, "the lock was removed from {host} by hand again"),
            Self::NotNow { host, why } => write!(f, "a run on {host} did not go ahead: {why}"),
        }
    }
}

/// Half of the fleet runs this release.
pub fn older() -> Release {
    Release::parse("141").expect("a constant that is a name")
}

/// The other half comes to run this one.
pub fn newer() -> Release {
    Release::parse("142").expect("a constant that is a name")
}

/// The environment of the older release, which everybody gets who does not ask for another.
pub fn stable() -> Environment {
    Environment::parse("production").expect("a constant that is a name")
}

/// The environment made for the newer release.
pub fn next() -> Environment {
    Environment::parse("r142").expect("a constant that is a name")
}

/// What the branches hold, and what the code of each release needs.
pub(super) fn write_branches(fleet: &mut Fleet, class: &ClassName) {
    for (environment, release, version) in [(stable(), older(), "1f3a9c2"), (next(), newer(), "8d20b7e")] {
        let branch = fleet.branches.entry(environment).or_default();
        branch.version = Some(version.to_owned());
        let text = format!("written for {release}");
        for (item, text) in [(FILE, text.as_str()), (OTHER_FILE, "level = info")] {
            branch.put(class, parse_item(item).expect("a constant that is an item"), text);
        }
        fleet.application.need(class, &release, parse_item(FILE).expect("a constant that is an item"), &text);
    }
}

/// The fleet is heard of: the past of its signals, its facts, its first runs.
///
/// # Errors
/// When the server does not take something.
pub async fn enrol(fleet: &LiveFleet, mut tell: impl FnMut(Scene)) -> Result<(), LiveError> {
    fleet.backfill().await?;
    tell(Scene::Remembered(fleet.spec.backfill));
    let hosts = fleet.hosts();
    fleet.tell_facts(&hosts).await?;
    one_by_one(fleet, &hosts, Duration::from_millis(600), async |host| fleet.run(host, None).await).await?;
    tell(Scene::Enrolled(hosts.len()));
    Ok(())
}

/// The good change: the upper half comes to run the newer release, each host with a run in the
/// environment made for it.
///
/// # Errors
/// When the server does not take something.
pub async fn good(fleet: &LiveFleet, splay: Duration, mut tell: impl FnMut(Scene)) -> Result<(), LiveError> {
    let (_, hosts) = fleet.halves();
    let tell = std::cell::RefCell::new(&mut tell);
    let upgrade = async |host: &HostId| {
        fleet.release(host, &newer()).await?;
        fleet.run(host, Some(&next())).await?;
        (tell.borrow_mut())(Scene::Upgraded(host.clone()));
        Ok(())
    };
    one_by_one(fleet, &hosts, splay, upgrade).await
}

/// The schedule comes round on the hosts of the newer release, and wants to bring them the older
/// release's files. Where nothing keeps it from it, their flow stops. Answers with the hosts it came
/// to, and when each one's gate was asked.
///
/// # Errors
/// When the server does not take something.
pub async fn bad(fleet: &LiveFleet, splay: Duration, mut tell: impl FnMut(Scene)) -> Result<(), LiveError> {
    let (_, hosts) = fleet.halves();
    let tell = std::cell::RefCell::new(&mut tell);
    let come_back = async |host: &HostId| {
        let scene = match fleet.begin_run(host, &stable()).await? {
            Began::Went(asked) => {
                fleet.with(|stage| stage.came_back.push((host.clone(), asked)));
                Scene::CameBack(host.clone())
            }
            Began::Locked(why) | Began::NotNow(why) => Scene::NotNow { host: host.clone(), why },
        };
        (tell.borrow_mut())(scene);
        Ok(())
    };
    one_by_one(fleet, &hosts, splay, come_back).await
}

/// The schedule of the hosts of the older release goes round and round, until it is dropped.
///
/// # Errors
/// When the server does not take something.
pub async fn schedule(fleet: &LiveFleet, every: Duration) -> Result<(), LiveError> {
    let (hosts, _) = fleet.halves();
    loop {
        one_by_one(fleet, &hosts, every, async |host| fleet.begin_run(host, &stable()).await.map(drop)).await?;
    }
}

/// The agents of all hosts look at their locks and ask for their policies, again and again, until it
/// is dropped.
///
/// # Errors
/// When the server cannot be spoken to.
pub async fn agents(fleet: &LiveFleet, every: Duration, mut tell: impl FnMut(Scene)) -> Result<(), LiveError> {
    loop {
        for (host, event) in fleet.agents_look().await? {
            if let LockEvent::Broken { put_back, .. } = event {
                tell(Scene::Hand { host, put_back });
            }
        }
        tokio::time::sleep(every).await;
    }
}

/// Everybody of the newer release gets back what was accepted for it.
///
/// # Errors
/// When the server does not take something.
pub async fn put_right(fleet: &LiveFleet, splay: Duration, mut tell: impl FnMut(Scene)) -> Result<(), LiveError> {
    let (_, hosts) = fleet.halves();
    let tell = std::cell::RefCell::new(&mut tell);
    let restore = async |host: &HostId| {
        fleet.run(host, Some(&next())).await?;
        (tell.borrow_mut())(Scene::PutRight(host.clone()));
        Ok(())
    };
    one_by_one(fleet, &hosts, splay, restore).await
}

/// The change nobody can see: a new text comes to some hosts of the older release, whose exporter
/// falls silent right after it.
///
/// # Errors
/// When the server does not take something.
pub async fn dark(fleet: &LiveFleet, splay: Duration, mut tell: impl FnMut(Scene)) -> Result<(), LiveError> {
    fleet.commit(&stable(), "77aa001", OTHER_FILE, "level = debug");
    let (mut hosts, _) = fleet.halves();
    hosts.truncate(DARK);
    {
        let tell = std::cell::RefCell::new(&mut tell);
        let change = async |host: &HostId| {
            fleet.run(host, None).await?;
            (tell.borrow_mut())(Scene::Changed(host.clone()));
            Ok(())
        };
        one_by_one(fleet, &hosts, splay, change).await?;
    }
    fleet.silence(&hosts, true);
    tell(Scene::WentDark(hosts));
    Ok(())
}

/// Does something on each host at its moment within the splay; hosts overlap. All of it is bounded
/// in time.
async fn one_by_one(
    fleet: &LiveFleet,
    hosts: &[HostId],
    splay: Duration,
    act: impl AsyncFn(&HostId) -> Result<(), LiveError>,
) -> Result<(), LiveError> {
    let step = splay / u32::try_from(hosts.len().max(1)).unwrap_or(u32::MAX);
    let all = async {
        let mut acts = Vec::new();
        for (place, host) in hosts.iter().enumerate() {
            let moment = step * u32::try_from(place).unwrap_or(u32::MAX);
            let act = &act;
            acts.push(Box::pin(async move {
                tokio::time::sleep(moment).await;
                act(host).await
            }));
        }
        join_all(acts).await
    };
    let late = || LiveError::Unreachable { path: "story".to_owned(), why: format!("{} hosts took too long", fleet.spec.hosts) };
    tokio::time::timeout(ACT_MAX, all).await.map_err(|_| late())?
}

/// Waits for all of them at once; the first failure ends it.
async fn join_all<F>(mut acts: Vec<std::pin::Pin<Box<F>>>) -> Result<(), LiveError>
where
    F: Future<Output = Result<(), LiveError>>,
{
    std::future::poll_fn(move |context| {
        let mut failed = None;
        acts.retain_mut(|act| match act.as_mut().poll(context) {
            std::task::Poll::Pending => true,
            std::task::Poll::Ready(done) => {
                failed = failed.take().or(done.err());
                false
            }
        });
        match failed {
            Some(failed) => std::task::Poll::Ready(Err(failed)),
            None if acts.is_empty() => std::task::Poll::Ready(Ok(())),
            None => std::task::Poll::Pending,
        }
    })
    .await
}
