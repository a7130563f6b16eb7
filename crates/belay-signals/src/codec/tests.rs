use super::*;
use crate::STALE;
use proptest::prelude::*;

fn encode(base: i64, samples: &[(i64, f64)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(base, Hint::default());
    for &(t, v) in samples {
        encoder.push(&mut out, t, v);
    }
    out
}

fn decode(bytes: &[u8], base: i64, n: usize) -> Result<Vec<(i64, u64)>, Malformed> {
    let mut decoder = Decoder::new(bytes, base);
    let samples = (0..n).map(|_| decoder.next().map(|(t, v)| (t, v.to_bits()))).collect::<Result<_, _>>()?;
    assert!(decoder.rest().is_empty(), "the stream has another length than its samples");
    Ok(samples)
}

#[track_caller]
fn assert_round_trip(base: i64, samples: &[(i64, f64)]) {
    let bits: Vec<(i64, u64)> = samples.iter().map(|&(t, v)| (t, v.to_bits())).collect();
    assert_eq!(decode(&encode(base, samples), base, samples.len()), Ok(bits));
}

/// 15 s apart, with the given values.
fn every_15s(values: impl Iterator<Item = f64>) -> Vec<(i64, f64)> {
    values.enumerate().map(|(i, v)| (1_700_000_000_000 + i as i64 * 15_000, v)).collect()
}

#[test]
fn every_kind_of_double_comes_back_to_the_bit() {
    let odd = [
        0.0,
        -0.0,
        f64::NAN,
        f64::from_bits(STALE),
        f64::from_bits(0xfff8_0000_dead_beef),
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        EXACT,
        EXACT - 1.0,
        -EXACT,
        0.1,
        0.1 + 0.2,
        1e308,
        12.34,
        -7.25,
        1e9 + 0.5,
        0.000_000_001,
    ];
    let pairs = odd.iter().flat_map(|&a| odd.iter().flat_map(move |&b| [a, b, b, a]));
    assert_round_trip(0, &every_15s(pairs));
}

#[test]
fn extreme_times_and_any_order_come_back() {
    assert_round_trip(i64::MAX, &[(i64::MIN, 1.0), (i64::MAX, 2.0), (0, 3.0), (-1, 3.0), (i64::MIN, 3.0)]);
    assert_round_trip(5, &[(5, 1.0), (5, 1.0), (5, 0.0)]);
}

#[test]
fn what_stands_still_costs_almost_nothing() {
    let still = every_15s(std::iter::repeat_n(42.5, 1_000));
    let bytes = encode(still[0].0, &still);
    assert!(bytes.len() < 30, "{}", bytes.len());
    assert_round_trip(0, &still);
}

#[test]
fn counters_and_short_decimals_cost_two_to_three_bytes() {
    let mut sum = 0.0;
    let counter = every_15s((0..1_000u64).map(|i| {
        sum += (15_000 + i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 50) as f64;
        sum
    }));
    let gauge = every_15s((0..1_000u64).map(|i| ((i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 120) as f64 / 100.0 + 3.0));
    for (name, samples, limit) in [("counter", counter, 2.3), ("gauge", gauge, 2.8)] {
        let each = encode(0, &samples).len() as f64 / samples.len() as f64;
        assert!(each <= limit, "{name}: {each} bytes a sample");
        assert_round_trip(0, &samples);
    }
}

#[test]
fn bytes_that_are_no_stream_are_refused() {
    assert_eq!(decode(&[], 0, 1), Err(Malformed));
    assert_eq!(decode(&[30], 0, 1), Err(Malformed), "an unknown code");
    assert_eq!(decode(&[XOR_UPPER, 0x79, 1, 2], 0, 1), Err(Malformed), "more bytes than a double has");
    assert_eq!(decode(&[TIME_CHANGED, 0xff], 0, 1), Err(Malformed), "ends in the middle of a number");
    assert_eq!(Cursor::new(&[0xff; 11]).varint(), Err(Malformed));
}

proptest! {
    #[test]
    fn any_samples_come_back(base in any::<i64>(), samples in prop::collection::vec((any::<i64>(), any::<u64>()), 0..40)) {
        let samples: Vec<(i64, f64)> = samples.into_iter().map(|(t, bits)| (t, f64::from_bits(bits))).collect();
        assert_round_trip(base, &samples);
    }

    #[test]
    fn likely_samples_come_back(
        samples in prop::collection::vec(
            (0i64..3, prop_oneof![Just(1.5), Just(STALE_VALUE), -1e4..1e4, (0..500i32).prop_map(|c| f64::from(c) / 100.0)]),
            1..300,
        ),
    ) {
        let mut t = 0;
        let samples: Vec<(i64, f64)> = samples.into_iter().map(|(step, v)| { t += step * 15_000; (t, v) }).collect();
        assert_round_trip(0, &samples);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut decoder = Decoder::new(&bytes, 0);
        for _ in 0..1_000 {
            if decoder.next().is_err() {
                break;
            }
        }
    }

    #[test]
    fn numbers_come_back(v in any::<u64>(), z in any::<i64>()) {
        let mut out = Vec::new();
        put_varint(&mut out, v);
        put_zigzag(&mut out, z);
        let mut cursor = Cursor::new(&out);
        prop_assert_eq!((cursor.varint(), cursor.zigzag()), (Ok(v), Ok(z)));
        prop_assert!(cursor.rest.is_empty());
    }
}

const STALE_VALUE: f64 = f64::from_bits(STALE);
