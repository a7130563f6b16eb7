//! One word a thing: identifiers use the glossary's word, not its synonyms; and no file is a drawer for things without a name.

use super::Violation;
use super::places::{self, Place};
use super::tree::{File, Tree};
use super::words;

/// A word that the glossary replaces.
struct Synonym {
    word: &'static str,
    reach: Reach,
    instead: &'static str,
    reason: &'static str,
}

enum Reach {
    /// As any part of an identifier: `node_name`, `NodeId`.
    Part,
    /// Only as the whole identifier: others' libraries use the word in longer ones.
    Whole,
}

use Reach::{Part, Whole};

const SYNONYMS: &[Synonym] = &[
    Synonym { word: "node", reach: Part, instead: "host", reason: "a managed machine is a Host" },
    Synonym { word: "nodes", reach: Part, instead: "hosts", reason: "a managed machine is a Host" },
    Synonym { word: "minion", reach: Part, instead: "host", reason: "one tool's word; adapters translate it" },
    Synonym { word: "minions", reach: Part, instead: "hosts", reason: "one tool's word; adapters translate it" },
    Synonym { word: "certname", reach: Part, instead: "host", reason: "one tool's word; adapters translate it" },
    Synonym { word: "cmtool", reach: Part, instead: "tool", reason: "a product of configuration management is a Tool" },
    Synonym { word: "provider", reach: Whole, instead: "tool or source", reason: "what it provides has a name" },
    Synonym { word: "pause", reach: Part, instead: "hold", reason: "an intentional pause is a Hold, with owner, reason and expiry" },
    Synonym { word: "decisionresult", reach: Part, instead: "verdict", reason: "what a trial ends with is a Verdict" },
    Synonym { word: "verdictscore", reach: Part, instead: "verdict", reason: "a verdict has reasons, never a bare score" },
    Synonym { word: "score", reach: Whole, instead: "verdict or finding", reason: "a verdict has reasons, never a bare score" },
    Synonym { word: "baseline", reach: Part, instead: "own_past or peers", reason: "two different comparisons hide behind this word" },
];

/// Where others' words are at home.
const HOMES: &[Place] = &[
    Place { path: "crates/belay-adapters/", reason: "translates the products' words" },
    Place { path: "crates/belay-stats/", reason: "numbers only: has no domain word, and so no synonym of one" },
    Place { path: "integrations/", reason: "written in the products' words" },
    Place { path: "xtask/", reason: "plays the night with the real products, and holds this list" },
];

/// Names of files and folders that say nothing about what is inside.
const DRAWERS: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

pub fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust() {
        found.extend(drawers(file));
        if !places::covers(HOMES, &file.path) {
            found.extend(synonyms(file));
        }
    }
    found
}

fn synonyms(file: &File) -> Vec<Violation> {
    let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    let mut found: Vec<Violation> = of_identifier(stem).map(|synonym| violation(file, 1, stem, synonym)).collect();
    for (index, line) in file.code.lines().enumerate() {
        for identifier in words::words(line) {
            found.extend(of_identifier(identifier).map(|synonym| violation(file, index + 1, identifier, synonym)));
        }
    }
    found
}

fn of_identifier(identifier: &str) -> impl Iterator<Item = &'static Synonym> {
    let parts = words::parts(identifier);
    SYNONYMS.iter().filter(move |synonym| match synonym.reach {
        Part => words::holds(&parts, synonym.word),
        Whole => parts.len() == 1 && parts[0] == synonym.word,
    })
}

fn violation(file: &File, line: usize, identifier: &str, synonym: &Synonym) -> Violation {
    let what = format!("`{identifier}` uses a word the glossary replaces ({})", synonym.reason);
    Violation::new(&file.path, line, what, format!("say {}", synonym.instead))
}

fn drawers(file: &File) -> Option<Violation> {
    let name = file.path.trim_end_matches(".rs").split('/').find(|segment| DRAWERS.contains(segment))?;
    Some(Violation::new(&file.path, 1, format!("`{name}` does not say what is inside"), "name the file after the thing it is about"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|violation| violation.line).collect()
    }

    const CORE: &str = "crates/belay-core/src/a.rs";

    #[test]
    fn identifiers_are_checked_part_by_part() {
        assert_eq!(found(CORE, "struct NodeId;\nlet host = 1;\nlet node_name = 2;\nfn baseline() {}\nlet cm_tool = 3;"), [1, 3, 4, 5]);
        assert_eq!(found("crates/belay-core/src/model/node.rs", ""), [1]);
    }

    #[test]
    fn comments_strings_and_longer_words_are_left_alone() {
        assert_eq!(found(CORE, "// a node\nlet a = \"certname\";\nlet anode = canary;\n"), Vec::<usize>::new());
    }

    #[test]
    fn words_of_libraries_are_refused_only_alone() {
        assert_eq!(found(CORE, "let crypto = ring::default_provider();\nlet z_score = 1;"), Vec::<usize>::new());
        assert_eq!(found(CORE, "struct Provider;\nlet score = 1;"), [1, 2]);
    }

    #[test]
    fn adapters_keep_their_products_words() {
        assert_eq!(found("crates/belay-adapters/src/tools/salt/decode.rs", "let minion = certname;"), Vec::<usize>::new());
    }

    #[test]
    fn drawers_are_refused_everywhere() {
        for path in
            ["crates/belay-adapters/src/utils.rs", "crates/a/src/common/mod.rs", "crates/a/tests/it/helpers.rs", "xtask/src/manager.rs"]
        {
            assert_eq!(found(path, "").len(), 1, "{path}");
        }
        assert_eq!(found("crates/a/src/common_cause.rs", "").len(), 0);
    }

    #[test]
    fn every_synonym_and_place_has_its_reason() {
        assert!(SYNONYMS.iter().all(|synonym| !synonym.reason.is_empty() && !synonym.instead.is_empty()));
        assert!(HOMES.iter().all(|place| !place.reason.is_empty()));
    }
}
