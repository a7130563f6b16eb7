//! Where verdicts are written. A file takes the place of the one before only when it is done: what goes wrong on the way costs nothing
//! that was there.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::fault::fault;

/// Verdicts on their way.
pub struct Sink {
    to: To,
    place: String,
}

enum To {
    /// A file beside the one that it becomes.
    Beside(BufWriter<NamedTempFile>, PathBuf),
    /// What has no content to lose: standard output, a pipe, a device.
    Straight(BufWriter<Box<dyn Write>>),
}

impl Sink {
    /// Opens a file for verdicts on these cases; `-` is standard output.
    ///
    /// # Errors
    /// When it is the file of cases itself, or cannot be written.
    pub fn open(path: &Path, cases: &Metadata) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::straight(std::io::stdout(), "standard output".to_owned()));
        }
        let place = path.display().to_string();
        let doing = || format!("could not write {place}");
        let there = match path.metadata() {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let file = beside(path).with_context(doing)?;
                return Ok(Self { to: To::Beside(BufWriter::new(file), path.to_owned()), place });
            }
            Err(error) => return Err(error).with_context(doing),
        };
        if there.is_file() && same(&there, cases) {
            return Err(fault(format!("--out {place} is the file of cases itself"), "name another file for the verdicts"));
        }
        // /dev/stdout, sent to a file: what the shell opened to append to is not replaced.
        let stdout = std::io::stdout().as_fd().try_clone_to_owned().and_then(|stdout| File::from(stdout).metadata());
        if stdout.is_ok_and(|stdout| same(&stdout, &there)) {
            return Ok(Self::straight(std::io::stdout(), place));
        }
        // Also asks whether it may be written at all: a rename would not.
        let file = OpenOptions::new().write(true).open(path).with_context(doing)?;
        if !there.is_file() {
            return Ok(Self::straight(file, place));
        }
        // Through a link to the file itself: the link stays one.
        let path = path.canonicalize().with_context(doing)?;
        let file = beside(&path).with_context(doing)?;
        file.as_file().set_permissions(there.permissions()).with_context(doing)?;
        Ok(Self { to: To::Beside(BufWriter::new(file), path), place })
    }

    fn straight(to: impl Write + 'static, place: String) -> Self {
        Self { to: To::Straight(BufWriter::new(Box::new(to))), place }
    }

    /// What it is called.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn line(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let to: &mut dyn Write = match &mut self.to {
            To::Beside(file, _) => file,
            To::Straight(to) => to,
        };
        let text = serde_json::to_string(line)?;
        writeln!(to, "{text}").with_context(|| format!("could not write {}", self.place))
    }

    /// Lets what was written stand. Dropped without it, it is as if nothing had been.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(self) -> anyhow::Result<()> {
        let kept = match self.to {
            To::Beside(file, path) => into_place(file, &path),
            To::Straight(mut to) => to.flush(),
        };
        kept.with_context(|| format!("could not write {}", self.place))
    }
}

/// Whether it is one file, by whatever names.
fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn into_place(file: BufWriter<NamedTempFile>, path: &Path) -> std::io::Result<()> {
    let file = file.into_inner().map_err(|failed| failed.into_error())?;
    file.as_file().sync_all()?;
    file.persist(path).map(|_: File| ()).map_err(|failed| failed.error)
}

fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prefix = path.file_name().ok_or(ErrorKind::IsADirectory)?.to_owned();
    prefix.push(".");
    // Permissions as of any new file: the umask takes its part.
    tempfile::Builder::new().prefix(&prefix).suffix(".partial").permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}
