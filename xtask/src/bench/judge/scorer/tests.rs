//! The scorer against figures that others computed, and at its edges.

use super::*;
use crate::bench::judge::check_published;

/// The first sixty development cases: kind, onset and the verdict of three sigma, made by a script of its own.
const FIRST_60: &str = include_str!("../fixtures/three-sigma-60.tsv");

fn label(kind: &str, truth: Truth) -> Label {
    Label { id: "dev-1-00000".to_owned(), kind: kind.to_owned(), size: 2.0, truth }
}

fn line(text: &str) -> (Label, Verdict) {
    let cells: Vec<&str> = text.split('\t').collect();
    let truth = match (cells[1], cells[2]) {
        ("missing", _) => Truth::Missing,
        (_, "-") => Truth::Good,
        (_, onset) => Truth::Bad { onset: onset.parse().expect("an onset") },
    };
    let verdict = match cells[3] {
        "-" => Verdict::Accepted,
        at => Verdict::Rejected { at: at.parse().expect("a sample") },
    };
    (label(cells[1], truth), verdict)
}

fn first_60() -> Tally {
    let mut tally = Tally::default();
    for text in FIRST_60.lines().filter(|text| !text.starts_with('#')) {
        let (label, verdict) = line(text);
        tally.add(&label, verdict);
    }
    tally
}

#[test]
fn three_sigma_on_the_first_sixty_has_the_published_figures() {
    let tally = first_60();
    assert_eq!((tally.cases(), tally.found().of, tally.false_ones().of), (60, 24, 30));
    check_published(&tally).expect("the published figures");
}

#[test]
fn another_verdict_is_other_figures() {
    for (kind, truth, verdict) in [
        ("clean", Truth::Good, Verdict::Accepted),
        ("ramp", Truth::Bad { onset: 2.0 }, Verdict::Rejected { at: 3.0 }),
        ("missing", Truth::Missing, Verdict::Accepted),
    ] {
        let mut tally = first_60();
        tally.add(&label(kind, truth), verdict);
        assert!(check_published(&tally).is_err(), "{kind}");
    }
}

#[test]
fn a_rejection_before_the_harm_is_false_and_a_miss() {
    let mut tally = Tally::default();
    let late = label("delayed", Truth::Bad { onset: 14.0 });
    tally.add(&late, Verdict::Rejected { at: 13.0 });
    tally.add(&late, Verdict::Rejected { at: 14.0 });
    assert_eq!((tally.early, tally.precision(), tally.found().value()), (1, 0.5, 0.5));
    assert_eq!((tally.delay(0.5), tally.false_ones().of), (Some(0.0), 0));
}

#[test]
fn delays_are_interpolated_and_nothing_found_has_none() {
    let mut tally = Tally::default();
    assert_eq!((tally.delay(0.5), tally.precision(), tally.f1()), (None, 0.0, 0.0));
    for at in [2.0, 4.0, 10.0, 3.0] {
        tally.add(&label("ramp", Truth::Bad { onset: 2.0 }), Verdict::Rejected { at });
    }
    assert_eq!((tally.delay(0.5), tally.delay(1.0)), (Some(1.5), Some(8.0)));
}

#[test]
fn missing_data_enter_no_other_figure() {
    let mut tally = Tally::default();
    for verdict in [Verdict::Accepted, Verdict::Rejected { at: 2.0 }, Verdict::Inconclusive, Verdict::Inconclusive] {
        tally.add(&label("missing", Truth::Missing), verdict);
    }
    assert_eq!(tally.missing, Missing { accepted: 1, rejected: 1, inconclusive: 2 });
    assert_eq!((tally.undecided.of, tally.found().of, tally.false_ones().of, tally.cases()), (0, 0, 0, 4));
}

#[test]
fn clear_shifts_are_lasting_steps_of_four_deviations() {
    let mut tally = Tally::default();
    for (kind, size) in [("level_shift", 2.0), ("level_shift", 4.0), ("level_shift", 8.0), ("ramp", 8.0), ("level_shift", f64::NAN)] {
        let label = Label { size, ..label(kind, Truth::Bad { onset: 2.0 }) };
        tally.add(&label, if size == 8.0 { Verdict::Rejected { at: 2.0 } } else { Verdict::Accepted });
    }
    assert_eq!(tally.clear_shifts, Share { hits: 1, of: 2 });
}
