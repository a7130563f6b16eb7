use proptest::prelude::*;

use super::*;
use crate::sources::prometheus::is_stale;

const AT: i64 = 1_795_329_886_000;

fn added() -> Vec<(String, String)> {
    [("instance", "web01"), ("job", "app")].map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn read(text: &str, form: Form) -> Result<Vec<WireSeries>, BadExposition> {
    parse(text.as_bytes(), form, &Scrape { at_ms: AT, labels: &[] }, &Limits::default())
}

/// The only sample of a text.
fn one(text: &str) -> (Vec<(String, String)>, i64, f64) {
    let series = read(text, Form::Text).unwrap();
    assert_eq!(series.len(), 1, "{text}");
    (series[0].labels.clone(), series[0].samples[0].0, series[0].samples[0].1)
}

#[test]
fn recorded_scrapes_are_read_to_the_last_sample() {
    for (name, body, samples) in [
        ("dns", include_str!("../fixtures/blackbox.dns_local_.txt"), 12),
        ("http, refused", include_str!("../fixtures/blackbox.http_2xx_http_1_.txt"), 17),
        ("http", include_str!("../fixtures/blackbox.http_2xx_http_38080_.txt"), 17),
        ("icmp", include_str!("../fixtures/blackbox.icmp_.txt"), 9),
        ("tcp", include_str!("../fixtures/blackbox.tcp_38080.txt"), 6),
    ] {
        let labels = added();
        let series = parse(body.as_bytes(), Form::Text, &Scrape { at_ms: AT, labels: &labels }, &Limits::default()).unwrap();
        assert_eq!(series.len(), samples, "{name}");
        assert_eq!(body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count(), samples, "{name}");
        for one in &series {
            assert_eq!(one.samples.len(), 1);
            assert_eq!(one.samples[0].0, AT);
            assert!(one.labels.is_sorted());
            for label in &labels {
                assert!(one.labels.contains(label), "{name}");
            }
        }
    }
    let http = include_str!("../fixtures/blackbox.http_2xx_http_1_.txt");
    let series = read(http, Form::Text).unwrap();
    let hash = series.iter().find(|one| one.labels[0].1 == "probe_ip_addr_hash").unwrap();
    assert_eq!(hash.samples, [(AT, 3.668_918_509e9)]);
    let phase = ("phase".to_owned(), "resolve".to_owned());
    assert_eq!(series.iter().find(|one| one.labels.contains(&phase)).unwrap().samples, [(AT, 1.9057e-05)]);
}

#[test]
fn every_way_of_writing_a_sample_is_read() {
    let metric = |name: &str| ("__name__".to_owned(), name.to_owned());
    assert_eq!(one("a 1\n"), (vec![metric("a")], AT, 1.0));
    assert_eq!(one(" \ta:b_c\t{ } \t-.5e-3 -17 \r\n"), (vec![metric("a:b_c")], -17, -0.5e-3));
    let (labels, ..) = one("a{x=\"q\\\"\\\\\\n\\d}, \", y = \"z\" ,} 1\n");
    assert_eq!(labels[1..], [("x".to_owned(), "q\"\\\n\\d}, ".to_owned()), ("y".to_owned(), "z".to_owned())]);
    assert_eq!(one("a{x=\"\"}1\n").0, [metric("a")], "an empty label is none");
    for (text, value) in [("+Inf", f64::INFINITY), ("-Inf", f64::NEG_INFINITY), ("1e+06", 1e6), ("0", 0.0), ("-0", -0.0)] {
        assert_eq!(one(&format!("a {text}\n")).2.to_bits(), value.to_bits(), "{text}");
    }
    let nan = one("a NaN\n").2;
    assert!(nan.is_nan() && !is_stale(nan));
    assert_eq!(read("# HELP a b\n#\n\n  # c\n", Form::Text).unwrap(), []);
    assert_eq!(read("", Form::Text).unwrap(), []);
}

#[test]
fn what_the_scraper_knows_is_not_for_the_program_to_say() {
    let labels = added();
    let text = "a{job=\"x\",exported_job=\"y\",instance=\"z\"} 1\n";
    let series = parse(text.as_bytes(), Form::Text, &Scrape { at_ms: AT, labels: &labels }, &Limits::default()).unwrap();
    let shown: Vec<String> = series[0].labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(shown, ["__name__=a", "exported_exported_job=x", "exported_instance=z", "exported_job=y", "instance=web01", "job=app"]);
}

#[test]
fn one_series_has_one_sample_a_time() {
    let series = read("a{x=\"1\",y=\"2\"} 1 10\na{y=\"2\",x=\"1\"} 2 20\na{x=\"1\",y=\"2\"} 3 10\nb 4\n", Form::Text).unwrap();
    assert_eq!(series.len(), 2);
    assert_eq!(series[0].samples, [(10, 1.0), (20, 2.0)]);
}

#[test]
fn openmetrics_counts_in_seconds_and_says_where_it_ends() {
    let text =
        "# TYPE a counter\n# UNIT a seconds\na_total{x=\"1 # 2\"} 5 1795329886.123 # {trace_id=\"q\"} 0.3 1795329880\na_created 1\n# EOF";
    for text in [text.to_owned(), format!("{text}\n")] {
        let series = read(&text, Form::OpenMetrics).unwrap();
        assert_eq!(series.len(), 2);
        assert_eq!(series[1].samples, [(1_795_329_886_123, 5.0)]);
        assert_eq!(series[1].labels[1].1, "1 # 2");
    }
    assert!(read("a 1\n", Form::OpenMetrics).unwrap_err().reason.contains("EOF"));
    assert_eq!(read("a 1\n# EOF\na 2\n", Form::OpenMetrics).unwrap_err().line, 3);
    assert_eq!(Form::of(Some("application/openmetrics-text; version=1.0.0; charset=utf-8")), Form::OpenMetrics);
    assert_eq!(Form::of(Some("text/plain; version=0.0.4")), Form::Text);
    assert_eq!(Form::of(None), Form::Text);
}

#[test]
fn a_line_that_cannot_be_read_refuses_the_scrape_and_is_named() {
    for (line, reason) in [
        ("a", "no value"),
        ("a one", "no number"),
        ("a 1 1.5", "no timestamp"),
        ("a 1 2 3", "something follows"),
        ("a 1 # {x=\"1\"} 1", "no timestamp"),
        ("1a 1", "no name of a metric"),
        ("a-b 1", "neither a blank nor a brace"),
        ("a{x=\"1\" 1", "neither a comma nor a brace"),
        ("a{x=\"1} 1", "does not end"),
        ("a{x=1} 1", "no =\"value\""),
        ("a{1x=\"1\"} 1", "no name of a label"),
        ("a{x=\"1\",x=\"2\"} 1", "twice"),
        ("a{__name__=\"b\"} 1", "may not"),
        ("<html>", "no name of a metric"),
    ] {
        let bad = read(&format!("ok 1\n{line}\nok 2\n"), Form::Text).unwrap_err();
        assert!(bad.line == 2 && bad.reason.contains(reason), "{line}: {bad}");
    }
    let cut = read("a 12345\nb 12", Form::Text).unwrap_err();
    assert!(cut.line == 2 && cut.reason.contains("cut off"), "{cut}");
    let bad = parse(b"a 1\nb{x=\"\xff\"} 1\n", Form::Text, &Scrape { at_ms: AT, labels: &[] }, &Limits::default()).unwrap_err();
    assert_eq!((bad.line, bad.reason.as_str()), (2, "not UTF-8"));
    assert!(!read("\u{1b}[2J 1\n", Form::Text).unwrap_err().reason.contains('\u{1b}'));
}

#[test]
fn nothing_goes_beyond_the_limits() {
    let limits = Limits { body_max: 200, samples_max: 2, labels_max: 2, name_max: 5, value_max: 5 };
    let labels = [("job".to_owned(), "app".to_owned())];
    let read = |text: &str| parse(text.as_bytes(), Form::Text, &Scrape { at_ms: AT, labels: &labels }, &limits);
    assert!(read("abcde{x=\"12345\"} 1\nb 2\n").is_ok());
    for (text, reason) in [
        ("a 1\nb 1\nc 1\n".to_owned(), "2 samples"),
        ("abcdef 1\n".to_owned(), "name of 6"),
        ("a{abcdef=\"\"} 1\n".to_owned(), "name of 6"),
        ("a{x=\"123456\"} 1\n".to_owned(), "value of 6"),
        ("a{x=\"1\",y=\"1\"} 1\n".to_owned(), "2 labels"),
        ("a{x=\"1\",y=\"1\",z=\"1\"} 1\n".to_owned(), "2 labels"),
        ("#".repeat(201), "201 bytes"),
    ] {
        assert!(read(&text).unwrap_err().reason.contains(reason), "{text}");
    }
}

fn series() -> impl Strategy<Value = WireSeries> {
    let labels = prop::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,5}", "\\PC{1,6}|[\\\\\"\n{}, #=]{1,6}", 0..4);
    let value = prop_oneof![any::<f64>(), Just(f64::INFINITY), Just(-0.0), Just(5e-324), Just(f64::MAX)];
    let samples = prop::collection::btree_map(any::<i64>(), value, 1..4);
    ("[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", labels, samples).prop_map(|(name, mut labels, samples)| {
        labels.insert("__name__".to_owned(), name);
        WireSeries { labels: labels.into_iter().collect(), samples: samples.into_iter().collect() }
    })
}

/// A series with the bits of its values.
type Bits = (Vec<(String, String)>, Vec<(i64, u64)>);

/// Bits, so that NaN equals NaN and 0 does not equal -0.
fn bits(series: &[WireSeries]) -> Vec<Bits> {
    let bits = |(at, value): &(i64, f64)| (*at, if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() });
    series.iter().map(|one| (one.labels.clone(), one.samples.iter().map(bits).collect())).collect()
}

proptest! {
    #[test]
    fn any_series_survive_the_text(series in prop::collection::vec(series(), 0..5)) {
        let mut series = series;
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        series.dedup_by(|a, b| a.labels == b.labels);
        let text = encode(&series);
        let back = read(&text, Form::Text).map_err(|bad| TestCaseError::fail(format!("{bad}: {text}")))?;
        prop_assert_eq!(bits(&back), bits(&series));
    }

    #[test]
    fn no_text_breaks_the_reader(text in "([a-c{}=\",\\\\ #\t0-9.eE+-]|\\PC|\n){0,80}") {
        for form in [Form::Text, Form::OpenMetrics] {
            if let Err(bad) = read(&text, form) {
                prop_assert!(bad.line >= 1 && bad.line <= text.lines().count().max(1) + 1);
            }
        }
    }
}
