//! The files of the tree as text: what git tracks, and what it would track. The rules read nothing else.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::scan;

pub struct File {
    /// From the workspace's root, with forward slashes.
    pub path: String,
    pub text: String,
    /// Rust source with comments and the insides of literals blanked, line for line; empty for other files.
    pub code: String,
}

pub struct Tree {
    pub files: Vec<File>,
}

impl Tree {
    pub fn load(root: &Path) -> anyhow::Result<Tree> {
        let mut paths = if root.join(".git").exists() { listed(root)? } else { walked(root, root)? };
        paths.sort();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            let full = root.join(&path);
            // Listed but deleted, a link, a submodule: not a file of ours to read.
            if !full.symlink_metadata().is_ok_and(|known| known.is_file()) {
                continue;
            }
            let bytes = std::fs::read(&full).with_context(|| format!("read {path}"))?;
            if !bytes.contains(&0) {
                files.push(File::new(path, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        Ok(Tree { files })
    }

    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The Rust source files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The names of the folders under `crates/` that are crates.
    pub fn crates(&self) -> Vec<&str> {
        self.files.iter().filter_map(|file| file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")).collect()
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| File::new((*path).to_owned(), (*text).to_owned())).collect() }
    }
}

impl File {
    fn new(path: String, text: String) -> File {
        let code = if path.ends_with(".rs") { scan::blank(&text) } else { String::new() };
        File { path, text, code }
    }

    /// The first line that contains the words, or the first of all: a violation has to point somewhere.
    pub fn line_of(&self, words: &str) -> usize {
        self.text.lines().position(|line| line.contains(words)).map_or(1, |index| index + 1)
    }
}

fn listed(root: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("git")
        // The tree may belong to another user than the one who checks it.
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("start git")?;
    anyhow::ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// For a tree that came without git, such as an unpacked archive.
fn walked(root: &Path, folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if folder != root || entry.file_name() != "target" {
                paths.extend(walked(root, &path)?);
            }
        } else {
            paths.push(path.strip_prefix(root)?.to_str().context("a file name is not UTF-8")?.to_owned());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_git_is_walked_without_its_build() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in ["Cargo.toml", "crates/a/Cargo.toml", "crates/a/src/lib.rs", "target/debug/x.rs"] {
            let full = folder.path().join(path);
            std::fs::create_dir_all(full.parent().expect("a parent")).expect("a folder");
            std::fs::write(full, "// text\nfn a() {}\n").expect("a file");
        }
        std::fs::write(folder.path().join("picture.png"), [1, 0, 2]).expect("a file");
        let tree = Tree::load(folder.path()).expect("a tree");
        let paths: Vec<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["Cargo.toml", "crates/a/Cargo.toml", "crates/a/src/lib.rs"]);
        assert_eq!(tree.crates(), ["a"]);
        assert_eq!(tree.file("crates/a/src/lib.rs").map(|file| file.code.trim()), Some("fn a() {}"));
    }
}
