//! `cargo xtask tidy`: the rules of the house that no compiler checks. One test runs them too, so that `cargo test` is enough.
//!
//! Every rule is a pure function from the tree to its violations; each table of names and exceptions stands in one place, with reasons.

mod crates;
mod leftovers;
mod lengths;
mod lockfile;
mod manifests;
mod names;
mod places;
mod scan;
mod synonyms;
mod tree;
mod words;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use self::tree::Tree;

/// One rule broken at one place, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    path: String,
    line: usize,
    what: String,
    remedy: String,
}

impl Violation {
    fn new(path: &str, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Violation {
        Violation { path: path.to_owned(), line, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}; {}", self.path, self.line, self.what, self.remedy)
    }
}

type Rule = fn(&Tree) -> Vec<Violation>;

const RULES: &[Rule] = &[names::check, synonyms::check, manifests::check, crates::check, lockfile::check, lengths::check, leftovers::check];

pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let tree = Tree::load(root)?;
    let violations = check(&tree);
    for exception in names::EXCEPTIONS {
        println!("products may be named in {exception}");
    }
    violations.iter().for_each(|violation| println!("{violation}"));
    if violations.is_empty() {
        println!("tidy: {} files, all in order", tree.files.len());
        Ok(ExitCode::SUCCESS)
    } else {
        println!("tidy: {} files, {} violations", tree.files.len(), violations.len());
        Ok(ExitCode::FAILURE)
    }
}

fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations: Vec<Violation> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    violations.sort();
    violations.dedup();
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let tree = Tree::load(&crate::root()).expect("the tree can be read");
        let violations: Vec<String> = check(&tree).iter().map(Violation::to_string).collect();
        assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
    }
}
