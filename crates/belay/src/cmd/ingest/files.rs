//! Which files there are.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Deeper directories are no archive of reports, or a circle.
const DEPTH_MAX: usize = 32;

/// The files that are meant: those named, and of directories all that look like reports, in the order of their paths.
///
/// # Errors
/// When one cannot be found or a directory not be listed.
pub fn below(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        let kind = std::fs::metadata(path).with_context(|| format!("could not find {}", path.display()))?;
        if kind.is_dir() {
            walk(path, 0, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn walk(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.with_context(|| format!("could not list {}", dir.display()))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().with_context(|| format!("could not look at {}", entry.path().display()))?);
        // A link to a directory could lead in circles; it is not followed.
        if kind.is_dir() && depth < DEPTH_MAX {
            walk(&path, depth + 1, files)?;
        } else if looks_like_a_report(&path) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// By its name: the tool keeps its summary beside its report, and one is not the other.
fn looks_like_a_report(path: &Path) -> bool {
    let ending = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    ending && path.file_name().is_some_and(|name| name != "last_run_summary.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_walked_in_order_and_circles_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("b/c")).unwrap();
        for name in ["z.json", "b/2.yaml", "b/10.yaml", "b/c/x.yml", "b/notes.txt", "b/last_run_summary.yaml"] {
            std::fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(dir.path(), at("b/c/up")).unwrap();
        let found = below(&[dir.path().to_owned(), at("b/notes.txt")]).unwrap();
        assert_eq!(found, ["b/10.yaml", "b/2.yaml", "b/c/x.yml", "z.json", "b/notes.txt"].map(at));
        assert!(below(&[at("none")]).unwrap_err().to_string().contains("none"));
    }
}
