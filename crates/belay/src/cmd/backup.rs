//! `belay backup` and `belay restore`: all there is as one file, and back.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use belay_core::model::principal::Actor;
use belay_core::model::time::Timestamp;
use belay_server::backup::{self, BackupError, Manifest};
use belay_server::ledger::{self, StateLock};
use belay_server::{clock, ledger::LedgerError};
use hyper::Method;

use crate::fault::{Fault, code, fault};
use crate::out;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::progress::{Progress, Unit};
use crate::out::told::{count, told};
use crate::session::Reach;

/// How long a part may take to come: before the first, the ledger is copied.
const PATIENCE: Duration = Duration::from_secs(600);
/// What stands for stdin or stdout.
const PIPE: &str = "-";

/// Where to.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A backup is one moment of the ledger and of the samples beside it, taken while the server works; where none runs, straight from its
state directory. It holds everything, reports of hosts and hashes of tokens among it: keep it as you keep the server.
Example: belay backup /var/backups/belay-$(date +%F).tar.gz")]
pub struct Backup {
    /// The file to write, which is not there yet; - for stdout
    pub file: PathBuf,
    #[command(flatten)]
    reach: Reach,
}

/// From where, and where to.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The server that is started on DIR then begins a new history: hosts keep the holds they have, and tell of those placed since the backup.
Example: belay restore belay.tar.gz --into /var/lib/belay-new, then: belay serve --state /var/lib/belay-new")]
pub struct Restore {
    /// A file that `belay backup` wrote; - for stdin
    pub file: PathBuf,
    /// The state directory to make; it must be empty or not be there
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}

/// Takes a backup.
///
/// # Errors
/// Why it could not be taken.
pub async fn take(args: &Backup, colour: Colour) -> anyhow::Result<u8> {
    if args.file == Path::new(PIPE) {
        if std::io::stdout().is_terminal() {
            return Err(Fault::usage("a backup is no text for a terminal").help("name a file, or pipe it on").into());
        }
        from_server_or_directory(args, &mut std::io::stdout().lock(), colour).await?;
        return Ok(code::OK);
    }
    let part = Part::new(&args.file)?;
    from_server_or_directory(args, &mut &part.file, colour).await?;
    let manifest = checked(&part.path, colour)?;
    part.finish(&args.file)?;
    let bytes = std::fs::metadata(&args.file).map_or(0, |meta| meta.len());
    let what = format!("{} into {}: {}", mib(bytes), args.file.display(), said(&manifest));
    out::note(&told(Paint::stderr(colour), Tone::Good, "Backed up", &what));
    Ok(code::OK)
}

async fn from_server_or_directory(args: &Backup, out: &mut impl Write, colour: Colour) -> anyhow::Result<()> {
    let mut out = Counting { out, progress: Progress::new("Backing up", Unit::Bytes, None, colour) };
    let state = &args.reach.state;
    // Whoever gets the lock knows that no server works there, and keeps one from being started meanwhile.
    let alone = args.reach.is_local()? && state.join(ledger::FILE).exists();
    if let Some(_lock) = alone.then(|| StateLock::take(state).ok()).flatten() {
        backup::take(state, now(), &mut out).map_err(not_taken)?;
        return Ok(());
    }
    let client = args.reach.client()?;
    client.download(Method::POST, "/api/v1/backup", PATIENCE, |part| out.write_all(part).context("could not write the backup")).await
}

/// Reads what was written: a backup that nobody has read is a hope.
fn checked(path: &Path, colour: Colour) -> anyhow::Result<Manifest> {
    let file = File::open(path).with_context(|| format!("could not read {}", path.display()))?;
    let progress = Progress::new("Checking", Unit::Bytes, file.metadata().ok().map(|meta| meta.len()), colour);
    backup::verify(Counted { inner: file, progress }).map_err(not_taken)
}

fn not_taken(error: BackupError) -> anyhow::Error {
    let text = format!("no backup was taken: {error}");
    match error {
        BackupError::Broken(_) => fault(text, "the server's log says why it broke off; try again"),
        BackupError::Ledger(_) => fault(text, "belay fsck names what is damaged"),
        _ => Fault::new(text).into(),
    }
}

/// Puts a backup back.
///
/// # Errors
/// Why it could not be put back; the directory is as empty as before then.
pub fn restore(args: &Restore, colour: Colour) -> anyhow::Result<u8> {
    let paint = Paint::stderr(colour);
    let restored = if args.file == Path::new(PIPE) {
        let progress = Progress::new("Restoring", Unit::Bytes, None, colour);
        backup::restore(Counted { inner: std::io::stdin().lock(), progress }, &args.into, actor(), now())
    } else {
        let file = File::open(&args.file).with_context(|| format!("could not open {}", args.file.display()))?;
        let progress = Progress::new("Restoring", Unit::Bytes, file.metadata().ok().map(|meta| meta.len()), colour);
        backup::restore(Counted { inner: file, progress }, &args.into, actor(), now())
    };
    let restored = restored.map_err(|error| not_restored(error, args))?;
    let line = format!("{} into {}; history {} begins", said(&restored.manifest), args.into.display(), restored.incarnation);
    out::note(&told(paint, Tone::Good, "Restored", &line));
    out::note(&told(paint, Tone::Busy, "Next", &format!("belay fsck --state {0}; belay serve --state {0}", args.into.display())));
    Ok(code::OK)
}

fn not_restored(error: BackupError, args: &Restore) -> anyhow::Error {
    let text = format!("nothing was restored from {}: {error}", args.file.display());
    match error {
        BackupError::Occupied { .. } => {
            fault(text, "name a directory that is not there yet; move it into its place when no server runs there")
        }
        BackupError::Broken(_) => fault(text, "use an earlier backup"),
        BackupError::Ledger(LedgerError::Locked { .. }) => fault(text, "restore beside it, stop that server, then change the directories"),
        _ => Fault::new(text).into(),
    }
}

fn actor() -> Actor {
    let name = ["SUDO_USER", "USER"].iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    Actor(name.unwrap_or_else(|| "restore".to_owned()))
}

fn now() -> Timestamp {
    clock::system()()
}

fn said(manifest: &Manifest) -> String {
    let facts = count(manifest.facts, "fact");
    format!("{facts}, {} unpacked, as of {} (belay {})", mib(manifest.bytes()), manifest.taken, manifest.belay)
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The file while it is written: nobody else's, and gone when it does not become whole.
struct Part {
    file: File,
    path: PathBuf,
    done: bool,
}

impl Part {
    fn new(to: &Path) -> anyhow::Result<Self> {
        if to.symlink_metadata().is_ok() {
            return Err(fault(
                format!("{} is there already: nothing was written", to.display()),
                "name a new file; backups are not overwritten",
            ));
        }
        let mut name = to.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = made.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                fault(format!("{} is there already: another backup is being written there, or died", path.display()), "remove it")
            }
            _ => anyhow::Error::new(error).context(format!("could not create {}", path.display())),
        })?;
        Ok(Self { file, path, done: false })
    }

    fn finish(mut self, to: &Path) -> anyhow::Result<()> {
        let doing = || format!("could not keep {}", to.display());
        self.file.sync_all().with_context(doing)?;
        // Unlike a rename, this never replaces a file that came meanwhile.
        std::fs::hard_link(&self.path, to).or_else(|_| no_link(&self.path, to)).with_context(doing)?;
        self.done = true;
        // After a rename there is none any more.
        let _ = std::fs::remove_file(&self.path);
        let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir).and_then(|dir| dir.sync_all()).with_context(doing)
    }
}

/// Some file systems know no second names.
fn no_link(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.symlink_metadata().is_ok() { Err(std::io::ErrorKind::AlreadyExists.into()) } else { std::fs::rename(from, to) }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            // What stays is named by the next attempt.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Writes on, and shows how much.
struct Counting<'a, W> {
    out: &'a mut W,
    progress: Progress,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.progress.step(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Reads on, and shows how much.
struct Counted<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(into)?;
        self.progress.step(read as u64);
        Ok(read)
    }
}
