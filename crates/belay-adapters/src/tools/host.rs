//! What a host's agent has to know about a tool, as data and pure functions: where the tool keeps
//! its files, how to read and write its lock, what a kept catalog would apply, which command lines
//! mean what. The agent moves the bytes; nothing here reads a file or starts a program.

mod parts;

use std::path::PathBuf;

use belay_core::host::lock::Found;
use belay_core::host::talk::Schedule;
use belay_core::model::deployment::Deployed;
use belay_core::model::gate::{Gate, HoldOrder, Offered};
use belay_core::model::ids::{Environment, HostId};
use belay_core::model::item::{Content, ItemKey, Items};
use belay_core::model::time::{Span, Timestamp};
use thiserror::Error;

use super::redact::{clean, inert};
pub(super) use parts::sift;
pub use parts::{KnownPart, News, Part, PartedCatalog, Sets};

/// Begins the line that the gate prints when it does not let a run go ahead. A tool puts the line
/// into its report, and there it tells our gate's answer from the words of any other hook.
pub const GATE_SAYS: &str = "belay gate: ";
/// Characters of the reason in that line.
const WHY_MAX: usize = 400;

/// A tool as a host's agent sees it. Beside [`Tool`](super::Tool), which the server needs.
pub trait HostTool: Sync {
    /// Its name, the same as [`Tool::name`](super::Tool::name).
    fn name(&self) -> &'static str;

    /// The ways in which the tool is packaged, the likeliest first. The agent takes the first whose
    /// [`Layout::sign`] is a file on the host, unless its configuration names one.
    fn layouts(&self) -> &'static [Layout];

    /// Where the tool keeps its files in this layout. Every field can be overridden by the agent's
    /// configuration: they are defaults and nothing more.
    fn places(&self, layout: &Layout, host: &HostId) -> Places;

    /// Reads the tool's own lock. Never [`Found::Absent`]: where there is no file there is nothing
    /// to be read. What cannot be understood is somebody else's, with a message that says so. It is
    /// not known since when it is there; the file's own time tells.
    fn read_lock(&self, lock: &[u8]) -> Found;

    /// The tool's own lock for these holds: to be written whole or not at all. The tool shows its
    /// message (one line, inert) to whoever runs it.
    fn write_lock(&self, holds: &[HoldOrder], now: Timestamp) -> Vec<u8>;

    /// What people should see when they log in while these holds stand; empty without a hold. Lines
    /// end in `\n` and are inert.
    fn banner(&self, holds: &[HoldOrder], now: Timestamp) -> String;

    /// What a kept catalog would apply to this host. Contents are those that
    /// [`Tool::decode`](super::Tool::decode) gives for the same parameters.
    ///
    /// # Errors
    /// [`UnreadableCatalog`] when the bytes are not a whole catalog, or that of another host.
    fn offered(&self, catalog: &[u8], host: &HostId) -> Result<OfferedCatalog, UnreadableCatalog> {
        self.parted(catalog, host).map(PartedCatalog::whole)
    }

    /// The same by its parts, to be kept for [`news`](Self::news) once it is applied.
    ///
    /// # Errors
    /// [`UnreadableCatalog`] when the bytes are not a whole catalog, or that of another host.
    fn parted(&self, catalog: &[u8], host: &HostId) -> Result<PartedCatalog, UnreadableCatalog>;

    /// What is new in a kept catalog beside the parts of the one that was applied before. A run waits
    /// for it: parts that are as they were are not looked into.
    ///
    /// # Errors
    /// [`UnreadableCatalog`] when the bytes are not a whole catalog, or that of another host.
    fn news(&self, catalog: &[u8], host: &HostId, applied: &[KnownPart]) -> Result<News, UnreadableCatalog>;

    /// Whether a report matters to the spool: its run changed something, failed, or the report
    /// cannot be read. A glance, much cheaper than decoding.
    fn changed(&self, report: &[u8]) -> bool;

    /// How long the tool lets a run last, by its own settings (none where there is no such file); `None` where it sets no limit.
    fn run_limit(&self, settings: Option<&str>) -> Option<Span>;

    /// What a file says of how the tool is started: a crontab or a unit of a timer. `None` when it
    /// says nothing of this tool. Never [`Schedule::Unknown`] or [`Schedule::Missing`]: see
    /// [`schedule_of`] for several files together.
    fn schedule(&self, path: &str, text: &str) -> Option<Schedule>;

    /// Whether a command line is a rehearsal for certain. What is not understood is none. Takes a
    /// command as it is to be started, and the arguments of a process that runs (a hook is not told
    /// what kind of run it is part of, and has to look at its parents).
    fn is_noop(&self, argv: &[String]) -> bool;

    /// Whether a command line is limited, for certain, to what installs and configures Belay itself:
    /// an upgrade of Belay must not wait for its own gate.
    fn is_own(&self, argv: &[String]) -> bool;

    /// The environment that a command line names.
    fn environment_of(&self, argv: &[String]) -> Option<Environment>;

    /// The file with a catalog that a command line names, so that the gate can read it.
    fn catalog_of(&self, argv: &[String]) -> Option<PathBuf>;

    /// The command line of a rehearsal that goes past the lock and leaves it where it is. It takes
    /// no catalog from the cache: a rehearsal of an old one would show nothing of what comes.
    fn rehearse(&self, places: &Places) -> Vec<String>;

    /// The command line that brings a file back from the tool's own backups on the host; `None`
    /// where the path is not a plain absolute one or the sum is none.
    fn restore(&self, path: &str, sum: &str, places: &Places) -> Option<Vec<String>>;

    /// The command line that brings it back from the backups that the tool's server keeps, where it keeps some; `None` as for
    /// [`restore`](Self::restore).
    fn restore_from_server(&self, path: &str, sum: &str, places: &Places) -> Option<Vec<String>>;

    /// The command line of one ordinary run in the foreground.
    fn apply_now(&self, places: &Places) -> Vec<String>;

    /// The answer of a classifier that names this environment, or none: what the tool's server
    /// expects on the standard output.
    fn enc_answer(&self, environment: Option<&Environment>) -> String;

    /// Another classifier's answer with only its environment altered; as it came where there is none to
    /// name. The values are kept, comments and layout are not.
    ///
    /// # Errors
    /// [`BadAnswer`] when it cannot be kept for certain: not readable, empty (it does not know the
    /// host), aliases, tags of a program's own. The caller then prints the other answer as it came.
    fn enc_wrap(&self, inner: &[u8], environment: Option<&Environment>) -> Result<String, BadAnswer>;

    /// What the folder of an environment holds of its deployment: the name of the file in which whoever deploys notes it.
    fn deployment_note(&self) -> &'static str;

    /// What such a note says, its times by the clock of the machine. `None` when it cannot be understood, or the
    /// deployment it tells of failed.
    fn deployed(&self, note: &[u8]) -> Option<Deployed>;

    /// What the exit code of [`apply_now`](Self::apply_now) and [`rehearse`](Self::rehearse) says;
    /// `None` when the program was ended by a signal.
    fn ended(&self, code: Option<i32>) -> Ended;
}

/// All tools of hosts.
pub fn all_host_tools() -> &'static [&'static dyn HostTool] {
    &[&super::puppet::Puppet]
}

/// The tool of this name, exactly as [`HostTool::name`] says it.
pub fn host_tool_by_name(name: &str) -> Option<&'static dyn HostTool> {
    all_host_tools().iter().copied().find(|tool| tool.name() == name)
}

/// A way in which a tool is packaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its name, as it is configured.
    pub name: &'static str,
    /// The program of the tool: where this file is, the layout is used.
    pub sign: &'static str,
}

/// Where a tool keeps its files on a host, and how it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The program.
    pub program: PathBuf,
    /// The lock that holds the tool.
    pub lock: PathBuf,
    /// The lock a rehearsal looks for instead. It is never written.
    pub rehearsal_lock: PathBuf,
    /// The report of the last run, replaced when a run ends.
    pub report: PathBuf,
    /// The short summary of the last run; readable for everybody.
    pub summary: PathBuf,
    /// The lock of a run that goes on; holds its process id.
    pub running: PathBuf,
    /// The tool's own settings.
    pub settings: PathBuf,
    /// The catalog the host got last. A rehearsal does not replace it.
    pub catalog: PathBuf,
    /// The tool's own backups of the files it replaced.
    pub backups: PathBuf,
    /// Where the tool's start may be written down: files, and folders of which every file counts.
    /// Those that are not there are passed over. See [`HostTool::schedule`].
    pub schedules: Vec<PathBuf>,
    /// Names of timers that may start it, for whoever can ask the system whether they are on.
    pub timers: Vec<String>,
}

/// What a kept catalog would apply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfferedCatalog {
    /// The environment it was made from.
    pub environment: Option<Environment>,
    /// Provenance of its content, as the tool says it; `None` when that is only the time it was made.
    pub version: Option<String>,
    /// The tool's own id of this catalog; a report of a run that applied it names it too.
    pub uuid: Option<String>,
    /// What it sets, as far as that is known: keys and contents are those of a report's events.
    pub items: Items,
    /// Attributes of types that are not known here. Some are items a report names, others are only
    /// instructions to the tool: they count where something is known of them and else are opaque.
    pub perhaps: Items,
    /// Resources whose content cannot be told from the catalog.
    pub opaque: u32,
    /// The catalog itself asks for the gate to be opened, on every host that gets it: why.
    pub break_glass: Option<String>,
}

impl OfferedCatalog {
    /// What the gate is asked about: what differs from what was `applied` on the host before (all
    /// of it, where that is not known). `is_known` says whether anything at all is known of a content.
    pub fn against(&self, applied: Option<&OfferedCatalog>, is_known: &dyn Fn(&ItemKey, &Content) -> bool) -> Offered {
        let news = |items: &Items, before: Option<&Items>| -> Items {
            let is_new = |key: &ItemKey, content: &Content| before.is_none_or(|before| before.get(key) != Some(content));
            items.iter().filter(|(key, content)| is_new(key, content)).map(|(key, content)| (key.clone(), *content)).collect()
        };
        let mut delta = news(&self.items, applied.map(|applied| &applied.items));
        let mut opaque = self.opaque;
        for (key, content) in news(&self.perhaps, applied.map(|applied| &applied.perhaps)) {
            if is_known(&key, &content) {
                delta.insert(key, content);
            } else {
                opaque += 1;
            }
        }
        Offered {
            environment: self.environment.clone(),
            version: self.version.clone(),
            delta: Some(delta),
            opaque,
            noop: false,
            break_glass: self.break_glass.clone(),
        }
    }
}

/// Bytes that could not be read as a catalog of the host.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not a readable catalog: {reason} (at byte {offset})")]
pub struct UnreadableCatalog {
    /// Offset in bytes at which reading ended.
    pub offset: u64,
    /// Why, in plain words.
    pub reason: String,
}

/// Another classifier's answer that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the other classifier's answer is not taken: {reason} (at byte {at})")]
pub struct BadAnswer {
    /// Offset in bytes.
    pub at: u64,
    /// Why, in plain words.
    pub reason: String,
}

/// How a run ended, as far as its exit code tells. The report tells more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was done. A rehearsal that went well always ends so.
    Unchanged,
    /// Something was done.
    Changed,
    /// Resources failed.
    Failed,
    /// There was no run: held, refused, no catalog, another run going on, or no such program.
    NoRun,
}

/// How the tool is started, from what its files say one by one: what is there goes before what is
/// switched off.
pub fn schedule_of(found: impl IntoIterator<Item = Option<Schedule>>) -> Schedule {
    let mut best = Schedule::Missing;
    for one in found.into_iter().flatten() {
        match one {
            Schedule::There(_) => return one,
            Schedule::SwitchedOff(_) if best == Schedule::Missing => best = one,
            Schedule::SwitchedOff(_) | Schedule::Unknown | Schedule::Missing => {}
        }
    }
    best
}

/// The line the gate prints when it does not let a run go ahead: `belay gate: held: WHY`.
pub fn gate_line(gate: Gate, why: &str) -> String {
    format!("{GATE_SAYS}{}: {}", gate.word(), clean(why, WHY_MAX))
}

/// Reads [`gate_line`] back: the answer and why. Also reads the text of a refused run
/// ([`RunKind::Refused`](belay_core::model::report::RunKind::Refused)), which is this line where our
/// gate refused it; `None` when another hook did.
pub fn gate_in(line: &str) -> Option<(Gate, &str)> {
    let said = line.trim().strip_prefix(GATE_SAYS)?;
    let (word, why) = said.split_once(": ").unwrap_or((said, ""));
    let gate = [Gate::Deferred, Gate::Refused, Gate::Held].into_iter().find(|gate| gate.word() == word)?;
    Some((gate, why))
}

/// One sentence a hold, all on one inert line.
pub(crate) fn sentences(holds: &[HoldOrder], now: Timestamp) -> String {
    let said: Vec<String> = holds.iter().map(|hold| inert(&hold.sentence(now)).into_owned()).collect();
    said.join("; also ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::ids::Digest;

    #[test]
    fn what_is_there_goes_before_what_is_switched_off() {
        let (on, off) = (Schedule::There("a".to_owned()), Schedule::SwitchedOff("b".to_owned()));
        assert_eq!(schedule_of([None, Some(off.clone()), Some(on.clone())]), on);
        assert_eq!(schedule_of([Some(off.clone()), None]), off);
        assert_eq!(schedule_of([None, None]), Schedule::Missing);
    }

    #[test]
    fn the_gates_line_reads_back_and_no_other_line_does() {
        for gate in [Gate::Deferred, Gate::Refused, Gate::Held] {
            let line = gate_line(gate, "held by alice: ask\nher");
            assert_eq!(gate_in(&line), Some((gate, "held by alice: ask | her")));
        }
        for other in ["held: by alice", "belay gate: go: on", "belay gate: maybe", "say belay gate: held: x"] {
            assert_eq!(gate_in(other), None, "{other}");
        }
    }

    #[test]
    fn only_what_differs_is_offered_and_what_may_be_an_item_counts_where_it_is_known() {
        let key = |title: &str| ItemKey::new("File", title, "content");
        let before = OfferedCatalog {
            items: Items::from([(key("a"), Digest::of(b"1")), (key("b"), Digest::of(b"1"))]),
            perhaps: Items::from([(key("x"), Digest::of(b"1"))]),
            ..OfferedCatalog::default()
        };
        let after = OfferedCatalog {
            items: Items::from([(key("a"), Digest::of(b"1")), (key("b"), Digest::of(b"2"))]),
            perhaps: Items::from([(key("x"), Digest::of(b"2")), (key("y"), Digest::of(b"2"))]),
            opaque: 1,
            ..OfferedCatalog::default()
        };
        let offered = after.against(Some(&before), &|item, _| *item == key("y"));
        assert_eq!(offered.delta, Some(Items::from([(key("b"), Digest::of(b"2")), (key("y"), Digest::of(b"2"))])));
        assert_eq!(offered.opaque, 2);
        assert_eq!(after.against(None, &|_, _| false).delta.unwrap().len(), 2, "all of it where nothing is known");
    }
}
