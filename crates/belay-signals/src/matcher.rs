//! Which series are asked for.
//!
//! A label that a series does not have counts as empty, so an empty value, or a pattern that matches the empty string, also matches
//! series without the label. Patterns must match the whole value and run in time linear in it.

use crate::error::SelectError;
use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1024;

/// The most a pattern may compile to, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// How the value of a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// The whole value matches the pattern.
    Re,
    /// The whole value does not match the pattern.
    Nre,
}

/// One condition on a series; a select wants all of its conditions met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    /// The name of the label.
    pub label: String,
    /// How it is compared.
    pub op: Op,
    /// With what: a value, or for [`Op::Re`] and [`Op::Nre`] a pattern of at most 1 KiB.
    pub value: String,
}

impl Matcher {
    /// A condition on `label`.
    pub fn new(label: impl Into<String>, op: Op, value: impl Into<String>) -> Matcher {
        Matcher { label: label.into(), op, value: value.into() }
    }

    /// `label` has exactly this value: the commonest condition.
    pub fn eq(label: impl Into<String>, value: impl Into<String>) -> Matcher {
        Matcher::new(label, Op::Eq, value)
    }
}

/// A matcher ready to be asked.
pub(crate) struct Compiled<'a> {
    pub(crate) label: &'a str,
    /// The condition is that the test fails.
    negated: bool,
    test: Test<'a>,
}

enum Test<'a> {
    Is(&'a str),
    Like(Regex),
}

impl<'a> Compiled<'a> {
    pub(crate) fn new(matcher: &'a Matcher) -> Result<Compiled<'a>, SelectError> {
        let (negated, pattern) = match matcher.op {
            Op::Eq => (false, false),
            Op::Ne => (true, false),
            Op::Re => (false, true),
            Op::Nre => (true, true),
        };
        let test = if pattern { Test::Like(compile(matcher)?) } else { Test::Is(&matcher.value) };
        Ok(Compiled { label: &matcher.label, negated, test })
    }

    /// Does this value of the label meet the condition? An absent label is asked as "".
    pub(crate) fn accepts(&self, value: &str) -> bool {
        let positive = match &self.test {
            Test::Is(wanted) => *wanted == value,
            Test::Like(pattern) => pattern.is_match(value),
        };
        positive != self.negated
    }

    /// The only value that can meet the condition, if there is only one: found in the index without a look at the others.
    pub(crate) fn only_value(&self) -> Option<&str> {
        match &self.test {
            Test::Is(wanted) if !self.negated => Some(wanted),
            Test::Is(_) | Test::Like(_) => None,
        }
    }
}

fn compile(matcher: &Matcher) -> Result<Regex, SelectError> {
    let pattern = &matcher.value;
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(SelectError::PatternTooLong { label: matcher.label.clone(), found: pattern.len(), limit: MAX_PATTERN_BYTES });
    }
    let build = |text: &str| {
        let built = RegexBuilder::new(text).size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_COMPILED_BYTES).build();
        built.map_err(|error| SelectError::BadPattern { label: matcher.label.clone(), why: error.to_string() })
    };
    // On its own first: "a)|(b" is no pattern, but would become one between our parentheses and escape the anchors.
    if pattern.contains(')') {
        build(pattern)?;
    }
    build(&format!(r"\A(?s:{pattern})\z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(op: Op, value: &str, asked: &str) -> bool {
        Compiled::new(&Matcher::new("l", op, value)).unwrap().accepts(asked)
    }

    #[test]
    fn patterns_match_the_whole_value() {
        assert!(accepts(Op::Re, "web|db", "db"));
        assert!(!accepts(Op::Re, "web|db", "dbx") && !accepts(Op::Re, "web|db", "xweb"));
        assert!(accepts(Op::Re, "a.c", "a\nc"), "a dot is any character, a line end too");
        assert!(accepts(Op::Nre, "web", "web1"));
        assert!(accepts(Op::Re, "", "") && !accepts(Op::Re, "", "x"));
        assert!(!accepts(Op::Re, "(?m)^a$", "a\nb"), "multi-line anchors do not open ours");
    }

    #[test]
    fn a_pattern_cannot_escape_its_anchors() {
        for hostile in ["a)|(b", "a)|(?:b", "(", "[", "a\\"] {
            let error = Compiled::new(&Matcher::new("host", Op::Re, hostile)).err().unwrap();
            assert!(matches!(error, SelectError::BadPattern { ref label, .. } if label == "host"), "{hostile}");
        }
    }

    #[test]
    fn long_and_huge_patterns_are_refused() {
        let long = "a".repeat(MAX_PATTERN_BYTES + 1);
        assert!(matches!(Compiled::new(&Matcher::new("l", Op::Re, long)), Err(SelectError::PatternTooLong { found: 1025, .. })));
        let huge = r"(\w{200}){200}";
        assert!(matches!(Compiled::new(&Matcher::new("l", Op::Re, huge)), Err(SelectError::BadPattern { .. })));
    }

    #[test]
    fn an_absent_label_is_the_empty_value() {
        assert!(accepts(Op::Eq, "", "") && accepts(Op::Ne, "x", "") && accepts(Op::Re, "x?", "") && accepts(Op::Nre, "x", ""));
        assert!(!accepts(Op::Ne, "", "") && !accepts(Op::Re, "x+", "") && !accepts(Op::Nre, ".*", ""));
    }
}
