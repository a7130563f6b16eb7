//! Remote-write and the query API, by recorded bytes of Prometheus and VictoriaMetrics.

use belay_adapters::sources::prometheus::query::{self, NoAnswer, Shape};
use belay_adapters::sources::prometheus::remote_write::{Limits, Refused, decode, encode};
use belay_adapters::sources::prometheus::{STALE, WireSeries, is_stale};
use proptest::prelude::*;
use serde_json::Value;

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../src/sources/prometheus/fixtures/", $name)).as_slice()
    };
}

const WRITES: [(&[u8], &[u8]); 3] = [
    (recorded!("remote_write.001.snappy.bin"), recorded!("remote_write.001.decoded_head.json")),
    (recorded!("remote_write.017.snappy.bin"), recorded!("remote_write.017.decoded_head.json")),
    (recorded!("remote_write.030.snappy.bin"), recorded!("remote_write.030.decoded_head.json")),
];

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> WireSeries {
    WireSeries { labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), samples: samples.to_vec() }
}

fn take(body: &[u8]) -> Result<Vec<WireSeries>, Refused> {
    decode(body, &Limits::default())
}

type Bits<'a> = (&'a [(String, String)], Vec<(i64, u64)>);

/// The same series with values as bits, so that NaNs compare.
fn bits(all: &[WireSeries]) -> Vec<Bits<'_>> {
    all.iter().map(|one| (one.labels.as_slice(), one.samples.iter().map(|(at, value)| (*at, value.to_bits())).collect())).collect()
}

#[test]
fn recorded_writes_decode_to_what_was_recorded_of_them() {
    for (body, head) in WRITES {
        let head: Value = serde_json::from_slice(head).unwrap();
        let got = take(body).unwrap();
        assert_eq!(got.len() as u64, head["n_series"].as_u64().unwrap());
        assert_eq!(got.iter().map(|one| one.samples.len()).sum::<usize>() as u64, head["n_samples"].as_u64().unwrap());
        for (one, expected) in got.iter().zip(head["timeseries"].as_array().unwrap()) {
            let labels: Vec<(String, String)> = expected["labels"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect();
            assert_eq!(one.labels, labels);
            for (sample, expected) in one.samples.iter().zip(expected["samples"].as_array().unwrap()) {
                assert_eq!(sample.0, expected[0].as_i64().unwrap());
                assert!(expected[1].as_f64().is_none_or(|value| value.to_bits() == sample.1.to_bits()), "{sample:?} {expected}");
            }
        }
        assert_eq!(bits(&take(&encode(&got)).unwrap()), bits(&got));
    }
}

#[test]
fn staleness_nan_and_infinity_come_through_bit_for_bit() {
    let values = [f64::from_bits(STALE), f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, 5e-324, 0.0];
    let one = series(&[("__name__", "up")], &values.iter().enumerate().map(|(i, value)| (i as i64 - 3, *value)).collect::<Vec<_>>());
    let got = take(&encode(std::slice::from_ref(&one))).unwrap();
    assert_eq!(bits(&got), bits(&[one]));
    assert_eq!(got[0].samples.iter().filter(|(_, value)| is_stale(*value)).count(), 1);
}

#[test]
fn labels_are_sorted_when_the_sender_did_not() {
    let got = take(&encode(&[series(&[("z", "1"), ("__name__", "up"), ("a", "2")], &[(1, 1.0)])])).unwrap();
    assert_eq!(got[0].labels.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["__name__", "a", "z"]);
}

#[test]
fn labels_that_make_no_sense_are_refused_by_name() {
    let refused = |labels: &[(&str, &str)]| take(&encode(&[series(labels, &[(1, 1.0)])])).unwrap_err().to_string();
    let long = "x".repeat(64 * 1024);
    assert!(refused(&[("__name__", "up"), ("path", &long)]).contains("\"path\" has a value of 65536 bytes"));
    assert!(refused(&[("__name__", "up"), (&long, "x")]).contains("has a name of 65536 bytes"));
    assert!(refused(&[("__name__", "up"), ("a", "1"), ("a", "2")]).contains("\"a\" occurs twice"));
    assert!(refused(&[("a", "1")]).contains("without the label \"__name__\""));
    assert!(refused(&[("__name__", "")]).contains("without the label \"__name__\""));
    for name in ["", "1a", "a-b", "a b", "\u{e9}", "a:b", "\u{1b}[31m"] {
        let text = refused(&[("__name__", "up"), (name, "x")]);
        assert!(text.contains("is not valid") && !text.contains('\u{1b}'), "{text}");
    }
    let many: Vec<(String, String)> = (0..65).map(|i| (format!("l{i:02}"), "x".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(refused(&many).contains("more than 64 labels"));
}

fn squeezed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

#[test]
fn bodies_beyond_the_limits_are_refused_before_anything_is_allocated() {
    // A length of 4 GiB, and nothing behind it.
    assert!(matches!(take(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x00]), Err(Refused::TooLarge { .. })));
    // 30 MiB announced by ten bytes.
    assert!(matches!(take(&[0x80, 0x80, 0x80, 0x0f, 0, 0, 0, 0, 0, 0]), Err(Refused::NotSnappy(_))));
    // Hundreds of thousands of empty series in two bytes each are passed over, not kept.
    assert_eq!(take(&squeezed(&[0x0a, 0x00].repeat(1 << 18))).unwrap(), []);
    let limits = Limits { series_max: 2, samples_max: 3, ..Limits::default() };
    let some = |count: usize, samples: usize| {
        let one = series(&[("__name__", "up")], &vec![(1, 1.0); samples]);
        decode(&encode(&vec![one; count]), &limits)
    };
    assert!(some(2, 1).is_ok());
    assert!(some(3, 1).unwrap_err().to_string().contains("more than 2 series"));
    assert!(some(1, 4).unwrap_err().to_string().contains("more than 3 samples"));
}

#[test]
fn what_is_no_remote_write_1_0_is_refused_with_its_offset() {
    assert!(matches!(take(b""), Err(Refused::NotSnappy(_))));
    assert!(matches!(take(b"hello world, this is not snappy"), Err(Refused::NotSnappy(_) | Refused::TooLarge { .. })));
    for (message, at) in
        [(&[0x0a, 0x05, 0x01][..], 2), (&[0x07], 1), (&[0x00], 1), (&[0xff; 11], 10), (&[0x0a, 0x02, 0x0a, 0x09], 4), (&[0x08, 0x01], 2)]
    {
        match take(&squeezed(message)) {
            Err(Refused::NotARequest { at: got, .. }) => assert_eq!(got, at, "{message:?}"),
            other => panic!("{message:?}: {other:?}"),
        }
    }
    // Version 2.0 keeps its symbols in field 4 and its series in field 5.
    assert_eq!(take(&squeezed(&[0x22, 0x00, 0x2a, 0x00])), Err(Refused::Version2));
    // A label whose value is not UTF-8.
    let label = [0x0a, 0x01, b'a', 0x12, 0x01, 0xff];
    let message = [&[0x0a, 0x08, 0x0a, 0x06][..], &label].concat();
    assert_eq!(take(&squeezed(&message)), Err(Refused::NotText { name: "a".to_owned() }));
}

#[test]
fn recorded_answers_are_read() {
    for (body, shape, count) in [
        (recorded!("query.up.prometheus.json"), Shape::Vector, 6),
        (recorded!("query.up.victoriametrics.json"), Shape::Vector, 6),
        (recorded!("query_range.flow.prometheus.json"), Shape::Matrix, 1),
        (recorded!("query_range.flow.victoriametrics.json"), Shape::Matrix, 1),
        (recorded!("query_range.absent.prometheus.json"), Shape::Matrix, 1),
        (recorded!("query_range.absent.victoriametrics.json"), Shape::Matrix, 1),
        (recorded!("query_range.probe.prometheus.json"), Shape::Matrix, 5),
        (recorded!("query_range.probe.victoriametrics.json"), Shape::Matrix, 5),
    ] {
        let answer = query::decode(body).unwrap();
        assert_eq!((answer.shape, answer.series.len()), (shape, count));
        assert_eq!(answer.complaints, Vec::<String>::new());
        assert!(answer.series.iter().all(|one| !one.samples.is_empty()));
    }
    let flow = query::decode(recorded!("query_range.flow.prometheus.json")).unwrap();
    assert_eq!(flow.series[0].samples[0], (1_795_329_360_000, 1.878_166_666_666_666_5));
    assert_eq!(flow.series[0].labels, [("host".to_owned(), "web01".to_owned())]);
    let up = query::decode(recorded!("query.up.prometheus.json")).unwrap();
    assert_eq!(up.series[0].samples, [(1_795_330_112_552, 1.0)]);
}

#[test]
fn what_prometheus_answers_we_would_answer_byte_for_byte() {
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap().trim_end().to_owned();
    for body in [
        recorded!("query_range.flow.prometheus.json"),
        recorded!("query_range.probe.prometheus.json"),
        recorded!("query_range.absent.prometheus.json"),
    ] {
        assert_eq!(query::encode_matrix(&query::decode(body).unwrap().series), text(body));
    }
    let up = recorded!("query.up.prometheus.json");
    assert_eq!(query::encode_vector(&query::decode(up).unwrap().series), text(up));
    let bad = recorded!("query.badquery.prometheus.json");
    let Err(NoAnswer::Refused { kind, text: said }) = query::decode(bad) else { panic!() };
    assert_eq!(query::encode_error(&kind, &said), text(bad));
    assert!(
        matches!(query::decode(recorded!("query.badquery.victoriametrics.json")), Err(NoAnswer::Refused { kind, .. }) if kind == "422")
    );
}

#[test]
fn odd_values_and_odd_answers() {
    let one =
        series(&[("a", "\"\n\u{1f600}")], &[(-1500, f64::NAN), (0, f64::INFINITY), (50, f64::NEG_INFINITY), (1_795_329_886_623, 1e300)]);
    let text = query::encode_matrix(std::slice::from_ref(&one));
    assert!(text.contains(r#"[-1.5,"NaN"],[0,"+Inf"],[0.05,"-Inf"],[1795329886.623,"1000"#), "{text}");
    let back = query::decode(text.as_bytes()).unwrap().series;
    assert_eq!((&back[0].labels, back[0].samples[3]), (&one.labels, one.samples[3]));
    assert!(back[0].samples[0].1.is_nan());
    assert_eq!(query::encode_vector(&[series(&[], &[])]), query::encode_vector(&[]));
    let partial = br#"{"status":"success","isPartial":true,"warnings":["w"],"data":{"resultType":"vector","result":[]}}"#;
    assert_eq!(query::decode(partial).unwrap().complaints.len(), 2);
    let scalar = query::decode(br#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"2"]}}"#).unwrap();
    assert_eq!((scalar.shape, scalar.series[0].samples[0]), (Shape::Scalar, (1500, 2.0)));
    for bad in [
        &b""[..],
        b"{}",
        b"<html>502 Bad Gateway</html>",
        br#"{"status":"success"}"#,
        br#"{"status":"fine","data":{"resultType":"vector","result":[]}}"#,
        br#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#,
        br#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}"#,
        br#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1e300,"1"]}]}}"#,
    ] {
        assert!(matches!(query::decode(bad), Err(NoAnswer::NotUnderstood(_))), "{}", String::from_utf8_lossy(bad));
    }
}

fn any_series() -> impl Strategy<Value = WireSeries> {
    let labels = prop::collection::btree_map("[a-z_][a-z0-9_]{0,8}", ".{0,12}", 0..6);
    let samples = prop::collection::vec((any::<i64>(), any::<u64>().prop_map(f64::from_bits)), 1..8);
    ("[a-z:_]{1,12}", labels, samples).prop_map(|(name, mut labels, samples)| {
        labels.insert("__name__".to_owned(), name);
        WireSeries { labels: labels.into_iter().collect(), samples }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_series_survive_the_wire(all in prop::collection::vec(any_series(), 0..6)) {
        let got = take(&encode(&all)).unwrap();
        prop_assert_eq!(bits(&got), bits(&all));
    }

    #[test]
    fn mutated_bodies_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), inside in any::<bool>()) {
        let mut body = WRITES[2].0.to_vec();
        if inside {
            body = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
        }
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = take(&if inside { squeezed(&body) } else { body });
    }
}
