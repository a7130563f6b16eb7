//! Answers of an external node classifier (`external_nodes`): YAML on the standard output. Belay
//! names an environment only where there is a reason, and can speak over another classifier: then
//! it alters the environment and keeps all the rest.

mod tree;

use belay_core::model::ids::Environment;

use crate::tools::host::BadAnswer;
use tree::{Node, read};

/// Bytes of another classifier's answer.
const ANSWER_MAX: usize = 1024 * 1024;
/// Words that would be read back as something other than a text.
const NOT_TEXTS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// The answer of a classifier that says nothing but the environment. Without one it is an empty
/// mapping and not empty: to an empty answer Puppet says that the host is not known.
pub(super) fn answer(environment: Option<&Environment>) -> String {
    match environment {
        Some(environment) => format!("---\nenvironment: {}\n", name(environment)),
        None => "--- {}\n".to_owned(),
    }
}

/// Another classifier's answer with this environment; as it came where there is none to name.
pub(super) fn wrap(inner: &[u8], environment: Option<&Environment>) -> Result<String, BadAnswer> {
    let bad = |at: usize, reason: &str| BadAnswer { at: at as u64, reason: reason.to_owned() };
    if inner.len() > ANSWER_MAX {
        return Err(bad(ANSWER_MAX, &format!("more than {ANSWER_MAX} bytes")));
    }
    let text = std::str::from_utf8(inner).map_err(|error| bad(error.valid_up_to(), "not UTF-8"))?;
    let Some(environment) = environment else {
        return Ok(text.to_owned());
    };
    let entries = match read(text)? {
        Some(Node::Map(entries)) => entries,
        // Its way to say that it does not know the host. To name an environment would make it known.
        None => return Err(bad(0, "it is empty: the host is not known there")),
        Some(Node::List(_) | Node::Single { .. }) => return Err(bad(0, "it is no mapping")),
    };
    let mut out = answer(Some(environment));
    for (key, value) in entries {
        // Puppet takes a symbol for the same key.
        if !key.is_text("environment") && !key.is_text(":environment") {
            tree::write_entry(&key, &value, 0, &mut out);
        }
    }
    Ok(out)
}

/// An environment's name as a text, in quotes only where it needs them.
fn name(environment: &Environment) -> String {
    let name = environment.as_str();
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !NOT_TEXTS.contains(&name.to_ascii_lowercase().as_str());
    if is_word { name.to_owned() } else { tree::quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Environment {
        Environment::parse(name).unwrap()
    }

    fn wrapped(inner: &str) -> String {
        wrap(inner.as_bytes(), Some(&environment("r142"))).unwrap()
    }

    #[test]
    fn an_environment_is_named_only_where_there_is_one_and_is_always_a_text() {
        assert_eq!(answer(None), "--- {}\n");
        assert_eq!(answer(Some(&environment("production_9f2c1e0"))), "---\nenvironment: production_9f2c1e0\n");
        for (odd, written) in
            [("142", "\"142\""), ("yes", "\"yes\""), ("NULL", "\"NULL\""), ("a:b", "\"a:b\""), ("{x}", "\"{x}\""), ("a\"b", "\"a\\\"b\"")]
        {
            assert_eq!(answer(Some(&environment(odd))), format!("---\nenvironment: {written}\n"));
        }
    }

    #[test]
    fn only_the_environment_is_altered() {
        let recorded = include_str!("fixtures/enc/output-environment.yaml");
        let expected = "---\nenvironment: r142\nclasses: {}\nparameters:\n  belay_verdict: accepted\n  belay_release: \"r142\"\n";
        assert_eq!(wrapped(&recorded.replace("environment: r142", "environment: r141")), expected);
        assert_eq!(wrapped("--- {}"), "---\nenvironment: r142\n");
        assert_eq!(
            wrapped("{classes: {ntp: {servers: [a, 'b c', 1]}, base: }}\n"),
            "---\nenvironment: r142\nclasses:\n  ntp:\n    servers:\n      - a\n      - \"b c\"\n      - 1\n  base:\n"
        );
        assert_eq!(wrapped("? environment\n: x\n:environment: y\n'environment': z\na: 1\n"), "---\nenvironment: r142\na: 1\n");
        assert_eq!(wrapped("a: |\n  x: 1\n  é\n"), "---\nenvironment: r142\na: \"x: 1\\n\\u00E9\\n\"\n");
        assert_eq!(
            wrapped("a:\n- - 1\n  - b: 2\n    c: []\n"),
            "---\nenvironment: r142\na:\n  -\n    - 1\n    -\n      b: 2\n      c: []\n"
        );
    }

    #[test]
    fn without_a_reason_the_other_answer_stays_as_it_is() {
        let odd = "---\n- not: [what\n";
        assert_eq!(wrap(odd.as_bytes(), None).unwrap(), odd);
    }

    #[test]
    fn what_cannot_be_kept_for_certain_is_refused() {
        let refused = |inner: &[u8]| wrap(inner, Some(&environment("r142"))).unwrap_err();
        for (inner, reason) in [
            ("", "not known"),
            ("---\n", "not known"),
            ("# nothing\n", "not known"),
            ("- a\n", "no mapping"),
            ("held by alice", "no mapping"),
            ("a: &x {b: 1}\nc: *x\n", "alias"),
            ("a: &x 1\nb:\n  <<: *x\n", "alias"),
            ("a: 1\n--- \nb: 1\n", "more than one document"),
            ("a: ! 3\n", "the tag !"),
            ("a: !ruby/object:Puppet::Node {}\n", "tag"),
            ("? [a, b]\n: c\n", "a key that is a list or a mapping"),
            (": : not yaml [", "a key that is nothing"),
            ("a: [1, 2", "not YAML"),
        ] {
            let said = refused(inner.as_bytes()).to_string();
            assert!(said.contains(reason), "{inner:?}: {said}");
        }
        assert_eq!(refused(b"a: \xff").at, 3);
        for nested in ["[".repeat(10_000), format!("{}a{}", "[".repeat(40), "]".repeat(40)), format!("\n{}a", "- ".repeat(40))] {
            let said = refused(format!("a: {nested}\n").as_bytes()).reason;
            assert!(said.contains("deep") || said.contains("limit"), "{said}");
        }
        assert!(refused("a: 1\n".repeat(300_000).as_bytes()).reason.contains("bytes"));
        assert!(refused("a: b\n".repeat(60_000).as_bytes()).reason.contains("values"));
    }
}
