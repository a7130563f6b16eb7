use proptest::prelude::*;

use super::*;

#[test]
fn secrets_are_taken_out_and_the_rest_stays() {
    for (text, redacted) in [
        ("mysql --password=hunter2 -e 'select 1'", "mysql --password=[redacted] -e 'select 1'"),
        ("mysql --password hunter2 -u root", "mysql --password [redacted] -u root"),
        ("DB_PASSWORD: 'a b c', port: 3", "DB_PASSWORD: '[redacted]', port: 3"),
        ("{\"api_key\": \"abc\"}", "{\"api_key\": \"[redacted]\"}"),
        ("token => \"t0p\"", "token => \"[redacted]\""),
        ("curl -H 'Authorization: Basic dXNlcjpwdw=='", "curl -H 'Authorization: [redacted]'"),
        ("sent Bearer abcdef123456.x", "sent Bearer [redacted]"),
        ("git clone https://bob:s3cret@git.example.com/x", "git clone https://bob:[redacted]@git.example.com/x"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key [redacted] used"),
        ("password changed to $6$salt$abcdefghijkl ok", "password changed to [redacted] ok"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b", "a [redacted] b"),
        ("cut -----BEGIN PRIVATE KEY-----\nMIIE", "cut [redacted]"),
        ("password=[redacted]", "password=[redacted]"),
        ("changed [redacted] to [redacted]", "changed [redacted] to [redacted]"),
    ] {
        assert_eq!(secrets(text), redacted);
    }
}

#[test]
fn what_is_no_secret_is_left_alone() {
    for text in [
        "content changed '{sha256}1bf3b7ed' to '{sha256}61417c3d'",
        "Could not find class ::role::token_store for web01.example.com",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "see http://belay.example.com:8080/r/17",
        "The password policy was applied",
        "costs $1 or $5 a month",
    ] {
        assert!(matches!(secrets(text), Cow::Borrowed(_)), "{text:?} became {:?}", secrets(text));
    }
}

#[test]
fn control_characters_escapes_and_bidi_marks_are_inert() {
    assert_eq!(inert("a\u{1b}[31mred\u{7}"), "a\\u{1b}[31mred\\u{7}");
    assert_eq!(inert("one\r\ntwo\tthree\n"), "one | two three");
    assert_eq!(inert("user\u{202e}txt.exe\u{200b}"), "user\\u{202e}txt.exe\\u{200b}");
    assert_eq!(inert("<script>alert(1)</script> =cmd() @channel"), "<script>alert(1)</script> =cmd() @channel");
    assert_eq!(inert("Zoe\u{308} \u{1f600}"), "Zoe\u{308} \u{1f600}");
}

#[test]
fn a_long_text_is_shortened_with_its_length_shown() {
    assert_eq!(clean(&"x".repeat(1000), 10), "xxxxxxxxxx... (1000 bytes in all)");
    assert_eq!(clean(&"\u{e9}".repeat(10_000_000), 3), "\u{e9}\u{e9}\u{e9}... (20000000 bytes in all)");
    assert_eq!(clean("short", 10), "short");
}

#[test]
fn a_secret_is_taken_out_before_the_text_is_cut() {
    let text = format!("{}password=hunter2-hunter2-hunter2", "x".repeat(290));
    assert!(!clean(&text, TEXT_MAX).contains("hunter"), "{}", clean(&text, TEXT_MAX));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn cleaning_any_text_is_bounded_inert_and_repeatable(text in "(?s)[a-z=:'\" \\-\\n\u{1b}\u{202e}\u{e9}$./@]{0,60}(password|token|://|bearer |-----begin private key-----|\\$6\\$)?(?s).{0,60}") {
        let once = clean(&text, TEXT_MAX);
        prop_assert!(once.chars().count() <= TEXT_MAX + 40);
        prop_assert!(!once.chars().any(|c| c.is_control()));
        let out = secrets(&text).into_owned();
        prop_assert_eq!(secrets(&out).into_owned(), out);
    }
}
