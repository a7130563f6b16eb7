use proptest::prelude::*;

use super::*;

fn matchers(text: &str) -> Vec<(String, MatchOp, String)> {
    parse(text).unwrap().matchers.into_iter().map(|matcher| (matcher.label, matcher.op, matcher.value)).collect()
}

fn owned(label: &str, op: MatchOp, value: &str) -> (String, MatchOp, String) {
    (label.to_owned(), op, value.to_owned())
}

#[test]
fn plain_selectors_are_read() {
    assert_eq!(matchers("up"), [owned("__name__", MatchOp::Eq, "up")]);
    assert_eq!(matchers(" job:rate5m { } "), [owned("__name__", MatchOp::Eq, "job:rate5m")]);
    assert_eq!(
        matchers(r#"name{a="b",c=~"re.*" , d!="x",e!~'y',}"#),
        [
            owned("__name__", MatchOp::Eq, "name"),
            owned("a", MatchOp::Eq, "b"),
            owned("c", MatchOp::Re, "re.*"),
            owned("d", MatchOp::Ne, "x"),
            owned("e", MatchOp::Nre, "y")
        ]
    );
    assert_eq!(matchers(r#"{__name__=~"a|b"}"#), [owned("__name__", MatchOp::Re, "a|b")]);
    assert_eq!(parse("up").unwrap().range_ms, None);
}

#[test]
fn ranges_are_read_in_milliseconds() {
    for (text, ms) in [
        ("up[300s]", 300_000),
        ("up{a='b'}[5m]", 300_000),
        ("up [ 1h30m ]", 5_400_000),
        ("up[1d]", 86_400_000),
        ("up[15ms]", 15),
        ("up[1w]", 604_800_000),
    ] {
        assert_eq!(parse(text).unwrap().range_ms, Some(ms), "{text}");
    }
    for bad in [
        "up[]",
        "up[5]",
        "up[m]",
        "up[5m",
        "up[0s]",
        "up[30m1h]",
        "up[5m5m]",
        "up[99999999999999999999s]",
        "up[9223372036854775807y]",
        "up[-5m]",
        "up[1.5h]",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn texts_have_the_escapes_of_promql() {
    let value = |text: &str| matchers(&format!("x{{a={text}}}"))[1].2.clone();
    assert_eq!(value(r#""a\"b\\c\n\t\x41\u00e9\U0001F600\101""#), "a\"b\\c\n\tA\u{e9}\u{1f600}A");
    assert_eq!(value(r"'it\'s'"), "it's");
    assert_eq!(value(r"`raw \n 'x'`"), r"raw \n 'x'");
    assert_eq!(value(r#""\\d+""#), r"\d+");
    for bad in [r#""\q""#, r#""\'""#, r#""\x4""#, r#""\ud800""#, r#""\xff""#, "\"a", "\"a\nb\"", r#""\8""#, r#""\777""#] {
        assert!(parse(&format!("x{{a={bad}}}")).is_err(), "{bad}");
    }
}

#[test]
fn everything_else_is_refused_by_name_and_position() {
    for (text, at, named) in [
        ("rate(up[5m])", 0, "function"),
        ("(up)", 0, "parenthesis"),
        ("up offset 5m", 3, "`offset`"),
        ("up[5m] offset 1h", 7, "`offset`"),
        ("up @ 1609746000", 3, "`@`"),
        ("up[5m:1m]", 5, "a subquery"),
        ("up + 1", 3, "operator"),
        ("up == 1", 3, "operator"),
        ("up and down", 3, "the operator `and`"),
        ("up[5m][5m]", 6, "second bracket"),
        ("up{a=\"b\"}{c=\"d\"}", 9, "second bracket"),
        ("sum by (job) (up)", 4, "`by`"),
        ("1", 0, "no selector"),
        ("", 0, "no selector"),
        ("up{a}", 4, "none of"),
        ("up{a=b}", 5, "no quoted text"),
        ("up{\"a.b\"=\"c\"}", 3, "no label name"),
        ("up{a:b=\"c\"}", 4, "none of"),
        ("up{a=\"b\" c=\"d\"}", 9, "neither"),
        ("up{", 3, "no label name"),
        ("up{__name__=\"x\"}", 3, "twice"),
        ("{}", 0, "everything"),
        ("{a=\"\"}", 0, "everything"),
        ("{a=~\".*\"}", 0, "everything"),
        ("up # comment", 3, "`#`"),
        ("caf\u{e9}", 3, "`\u{e9}`"),
    ] {
        let bad = parse(text).unwrap_err();
        assert_eq!(bad.at, at, "{text}: {bad}");
        assert!(bad.reason.contains(named), "{text}: {bad}");
        assert!(bad.to_string().contains("only plain selectors are understood here"));
    }
}

#[test]
fn long_patterns_and_selectors_are_refused() {
    assert!(parse(&format!("x{{a=~\"{}\"}}", "x".repeat(1025))).unwrap_err().reason.contains("1025 bytes"));
    assert!(parse(&format!("x{{a=\"{}\"}}", "x".repeat(1025))).is_ok());
    assert!(parse(&"x".repeat(10_000_000)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_read_or_refused(text in "(?s)[a-z{}=~!\"'`\\\\\\[\\],:0-9 \u{e9}\n]{0,60}") {
        if let Err(bad) = parse(&text) {
            prop_assert!(bad.at <= text.len());
        }
    }

    #[test]
    fn any_value_survives_quoting(value in "(?s).{0,40}") {
        let quoted = serde_json::to_string(&value).unwrap();
        // JSON's escapes are a subset of Go's, but for `\/`, which it does not write.
        prop_assert_eq!(&matchers(&format!("x{{a={quoted}}}"))[1].2, &value);
    }
}
