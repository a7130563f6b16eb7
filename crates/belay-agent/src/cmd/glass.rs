//! `break-glass` and `release`: what a person does on the host itself, also while nothing else works.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use belay_agent::bound::Bound;
use belay_agent::config::{Config, seconds};
use belay_agent::kept::{Kept, LastGood};
use belay_agent::{clock, lock};
use belay_core::host::talk::{BreakGlass, Happened};
use belay_core::model::ids::Release;
use belay_core::model::time::Span;
use clap::{Args, Subcommand};

/// The longest the glass may be broken, in seconds: a long weekend.
const GLASS_MAX_S: u64 = 96 * 3_600;
/// The longest reason, in bytes.
const REASON_MAX: usize = 1_000;

/// Arguments of `break-glass`.
#[derive(Args)]
pub struct GlassArgs {
    /// For how long, for example 2h.
    #[arg(long = "for", required_unless_present = "end")]
    span: Option<String>,
    /// Why; people are paged with it.
    #[arg(long, required_unless_present = "end")]
    reason: Option<String>,
    /// Make it whole again.
    #[arg(long, conflicts_with_all = ["span", "reason"])]
    end: bool,
}

/// What about the release.
#[derive(Subcommand)]
pub enum ReleaseCommand {
    /// Set the release this host runs; for hosts where no file and no command tells it.
    Set {
        /// The release.
        release: String,
    },
}

/// Breaks the glass, or makes it whole.
pub fn break_glass(path: &Path, args: &GlassArgs) -> Result<()> {
    // In need, a broken configuration is no reason to fail.
    let config = Config::load(path, None).or_else(|why| {
        eprintln!("warning: {why:#}; going on with what is the default");
        Config::load(Path::new("/dev/null/none"), None)
    })?;
    let kept = Kept::new(&config.state_dir);
    let now = clock::now();
    let guard = kept.guard()?;
    if args.end {
        kept.mend_glass(&guard)?;
        println!("The gate is at work again.");
    } else {
        let glass = glass(args)?;
        kept.break_glass(&guard, &glass)?;
        let mut notes = kept.notes(now);
        notes.add(now, Happened::BreakGlass(glass.clone()));
        kept.remember(&guard, &notes)?;
        println!("Everything is let through on {} until {}. It is told to the server, which pages.", config.host, glass.until);
    }
    // The daemon would do it within a second, where it runs.
    let holds = match kept.last_good(&config.host, &config.host) {
        LastGood::Good(held) => held.effective().holds,
        LastGood::Never | LastGood::Corrupt(_) if args.end => return Ok(()),
        LastGood::Never | LastGood::Corrupt(_) => Vec::new(),
    };
    let bound = Bound::new(&config.tool, &config.host)?;
    let wanted = if args.end { holds.as_slice() } else { &[] };
    lock::settle(&kept, &guard, &bound, &config.people, wanted, now).context("the tool's lock could not be altered; see to it by hand")?;
    lock::banner(&config, &kept, &bound, &holds, now).context("the login banner could not be altered")
}

fn glass(args: &GlassArgs) -> Result<BreakGlass> {
    let span = args.span.as_deref().unwrap_or_default();
    let s = seconds(span).with_context(|| format!("--for {span}: write it as 30m, 2h or 1d"))?;
    ensure!((1..=GLASS_MAX_S).contains(&s), "--for {span}: at most {} h; break it again if it must be longer", GLASS_MAX_S / 3_600);
    let reason = args.reason.as_deref().unwrap_or_default().trim();
    ensure!(!reason.is_empty(), "--reason: say why in a sentence; whoever is paged reads it");
    ensure!(reason.len() <= REASON_MAX, "--reason: at most {REASON_MAX} bytes");
    let until = clock::now() + Span::from_s(i64::try_from(s).unwrap_or(i64::MAX));
    Ok(BreakGlass { until, reason: reason.to_owned(), by: who() })
}

/// Who it is, as the host sees it: the person behind sudo where there is one.
fn who() -> String {
    let name = ["SUDO_USER", "LOGNAME", "USER"].iter().filter_map(|key| std::env::var(key).ok()).find(|name| !name.trim().is_empty());
    let name = name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    name.chars().take(200).collect()
}

/// Sets the release.
pub fn release(path: &Path, command: &ReleaseCommand) -> Result<()> {
    let ReleaseCommand::Set { release } = command;
    let config = Config::load(path, None)?;
    if config.release.is_some() {
        bail!("{} says where the release is read from; remove `release` there to set it by hand", path.display());
    }
    let release = Release::parse(release).map_err(|bad| anyhow::anyhow!("{release}: {bad}"))?;
    let kept = Kept::new(&config.state_dir);
    let guard = kept.guard()?;
    kept.set_release(&guard, &release)?;
    println!("{} runs release {release}.", config.host);
    Ok(())
}
