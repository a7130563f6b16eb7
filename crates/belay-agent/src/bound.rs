//! The tool of this host: which one it is, where its files lie here, and what its command lines are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, bail};
use belay_adapters::tools::host::{HostTool, Layout, Places, all_host_tools, host_tool_by_name, schedule_of};
use belay_core::host::lock::Found;
use belay_core::host::talk::{RunLock, Schedule};
use belay_core::model::ids::HostId;
use belay_core::model::time::Timestamp;

use crate::config::ToolConfig;
use crate::durable;

/// The largest lock that is read, in bytes.
const LOCK_MAX: u64 = 1 << 20;
/// The largest settings of the tool that are read, in bytes.
const SETTINGS_MAX: u64 = 256 * 1024;
/// The largest file about the tool's start that is read, in bytes.
const SCHEDULE_MAX: u64 = 256 * 1024;
/// The most files about the tool's start that are read.
const SCHEDULE_FILES_MAX: usize = 500;

/// The tool, bound to this host.
pub struct Bound {
    /// How to read and write what is the tool's.
    pub tool: &'static dyn HostTool,
    /// Where it lies.
    pub places: Places,
    config: ToolConfig,
}

impl Bound {
    /// The tool of a configuration: the one it names, else the first that is installed.
    ///
    /// # Errors
    /// The configuration names a tool or a layout that is not known.
    pub fn new(config: &ToolConfig, host: &HostId) -> Result<Self> {
        let tool = match &config.name {
            Some(name) => match host_tool_by_name(name) {
                Some(tool) => tool,
                None => bail!("tool.name = {name:?}: there are {}", names()),
            },
            None => found(),
        };
        let layout = match &config.layout {
            Some(name) => match tool.layouts().iter().find(|layout| layout.name == name) {
                Some(layout) => layout,
                None => bail!("tool.layout = {name:?}: there are {}", layouts(tool)),
            },
            None => installed(tool).unwrap_or(&tool.layouts()[0]),
        };
        let mut places = tool.places(layout, host);
        for (what, path) in &config.places {
            *place(&mut places, what) = path.clone();
        }
        if let Some(schedules) = &config.schedules {
            places.schedules.clone_from(schedules);
        }
        Ok(Self { tool, places, config: config.clone() })
    }

    /// The lock as it is found, since when.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn lock(&self) -> Result<Found> {
        let Some(bytes) = durable::read(&self.places.lock, LOCK_MAX)? else { return Ok(Found::Absent) };
        Ok(match self.tool.read_lock(&bytes) {
            Found::Foreign { message, since: None } => Found::Foreign { message, since: written(&self.places.lock) },
            other => other,
        })
    }

    /// How the tool is started here.
    pub fn schedule(&self) -> Schedule {
        let files = self.places.schedules.iter().flat_map(|path| files(path)).take(SCHEDULE_FILES_MAX);
        let said = files.map(|path| {
            let text = durable::read(&path, SCHEDULE_MAX).ok().flatten()?;
            self.tool.schedule(&path.to_string_lossy(), &String::from_utf8_lossy(&text))
        });
        match schedule_of(said) {
            // A host on which nobody installed the tool misses nothing.
            Schedule::Missing if !self.places.program.is_file() => Schedule::Unknown,
            schedule => shortened(schedule),
        }
    }

    /// Whether a run goes on.
    pub fn running(&self) -> bool {
        let pid = durable::read(&self.places.running, 64).ok().flatten();
        let pid = pid.and_then(|text| String::from_utf8(text).ok()?.trim().parse::<u32>().ok());
        pid.is_some_and(|pid| Path::new("/proc").join(pid.to_string()).exists())
    }

    /// The lock of a run, if one stands. Whether its process is there is another question.
    pub fn run_lock(&self) -> Option<RunLock> {
        let since = written(&self.places.running)?;
        let settings = durable::read(&self.places.settings, SETTINGS_MAX).ok().flatten();
        let settings = settings.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Some(RunLock { since, limit: self.tool.run_limit(settings.as_deref()) })
    }

    /// The command line of a rehearsal.
    pub fn rehearse(&self) -> Vec<String> {
        self.wrapped(self.config.rehearse.clone().unwrap_or_else(|| self.tool.rehearse(&self.places)))
    }

    /// The command line of an ordinary run.
    pub fn apply_now(&self) -> Vec<String> {
        self.wrapped(self.config.run.clone().unwrap_or_else(|| self.tool.apply_now(&self.places)))
    }

    /// The command lines that bring a file back, the nearest backups first; `None` where path or sum are none.
    pub fn restore(&self, path: &str, sum: &str) -> Option<[Vec<String>; 2]> {
        let (own, servers) = (self.tool.restore(path, sum, &self.places)?, self.tool.restore_from_server(path, sum, &self.places)?);
        Some([own, servers].map(|argv| self.wrapped(argv)))
    }

    /// The command line of the declared restart.
    pub fn restart(&self) -> Option<Vec<String>> {
        self.config.restart.clone().map(|argv| self.wrapped(argv))
    }

    fn wrapped(&self, argv: Vec<String>) -> Vec<String> {
        self.config.wrap.iter().cloned().chain(argv).collect()
    }
}

fn place<'a>(places: &'a mut Places, what: &str) -> &'a mut PathBuf {
    match what {
        "program" => &mut places.program,
        "lock" => &mut places.lock,
        "rehearsal_lock" => &mut places.rehearsal_lock,
        "report" => &mut places.report,
        "summary" => &mut places.summary,
        "running" => &mut places.running,
        "settings" => &mut places.settings,
        "catalog" => &mut places.catalog,
        // The keys are those of the configuration's form, and there is no other.
        _ => &mut places.backups,
    }
}

fn installed(tool: &'static dyn HostTool) -> Option<&'static Layout> {
    tool.layouts().iter().find(|layout| Path::new(layout.sign).exists())
}

fn found() -> &'static dyn HostTool {
    static FOUND: OnceLock<usize> = OnceLock::new();
    let all = all_host_tools();
    all[*FOUND.get_or_init(|| all.iter().position(|tool| installed(*tool).is_some()).unwrap_or(0))]
}

fn names() -> String {
    all_host_tools().iter().map(|tool| tool.name()).collect::<Vec<_>>().join(", ")
}

fn layouts(tool: &dyn HostTool) -> String {
    tool.layouts().iter().map(|layout| layout.name).collect::<Vec<_>>().join(", ")
}

/// A file, or the files of a folder in their order.
fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return vec![path.to_owned()] };
    let mut files: Vec<PathBuf> = entries.take(SCHEDULE_FILES_MAX).filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

fn written(path: &Path) -> Option<Timestamp> {
    let since = path.metadata().ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_ms(i64::try_from(since.as_millis()).ok()?))
}

fn shortened(schedule: Schedule) -> Schedule {
    let short = |text: String| text.chars().take(400).collect();
    match schedule {
        Schedule::There(entry) => Schedule::There(short(entry)),
        Schedule::SwitchedOff(entry) => Schedule::SwitchedOff(short(entry)),
        other => other,
    }
}
