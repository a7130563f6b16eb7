use super::*;
use crate::matcher::Op;

fn head() -> Head {
    let mut head = Head::default();
    for (name, host, extra) in [("up", "a", ""), ("up", "b", "x"), ("req", "a", "y"), ("req", "c", "")] {
        let mut labels = vec![("__name__", name), ("host", host)];
        if !extra.is_empty() {
            labels.push(("mode", extra));
        }
        let id = head.define(&labels, "s1");
        head.insert(id, [(i64::from(id) * 10, 1.0)], &mut Tally::default());
    }
    head
}

fn ids(head: &Head, matchers: &[(&str, Op, &str)]) -> Vec<SeriesId> {
    let matchers: Vec<Matcher> = matchers.iter().map(|&(label, op, value)| Matcher::new(label, op, value)).collect();
    head.matching(&matchers).unwrap()
}

#[test]
fn conditions_are_met_all_together() {
    let head = head();
    assert_eq!(ids(&head, &[("__name__", Op::Eq, "up")]), [0, 1]);
    assert_eq!(ids(&head, &[("__name__", Op::Eq, "up"), ("host", Op::Re, "a|c")]), [0]);
    assert_eq!(ids(&head, &[("host", Op::Ne, "a")]), [1, 3]);
    assert_eq!(ids(&head, &[("host", Op::Re, ".+"), ("__name__", Op::Nre, "u.*")]), [2, 3]);
    assert_eq!(ids(&head, &[]), [0, 1, 2, 3]);
    assert_eq!(ids(&head, &[("host", Op::Eq, "nobody")]), []);
}

#[test]
fn an_absent_label_counts_as_empty() {
    let head = head();
    assert_eq!(ids(&head, &[("mode", Op::Eq, "")]), [0, 3]);
    assert_eq!(ids(&head, &[("mode", Op::Ne, "")]), [1, 2]);
    assert_eq!(ids(&head, &[("mode", Op::Re, "x|")]), [0, 1, 3]);
    assert_eq!(ids(&head, &[("mode", Op::Ne, "x")]), [0, 2, 3]);
    assert_eq!(ids(&head, &[("mode", Op::Nre, ".+")]), [0, 3]);
    assert_eq!(ids(&head, &[("never", Op::Eq, "")]), [0, 1, 2, 3]);
    assert_eq!(ids(&head, &[("never", Op::Ne, "")]), []);
}

#[test]
fn the_same_labels_are_the_same_series_and_others_are_not() {
    let mut head = head();
    assert_eq!(head.define(&[("__name__", "up"), ("host", "a")], "s2"), 0);
    assert_eq!(head.series_of_source("s2"), 0, "the first sender pays for it");
    // A separator inside of values must not make two label sets equal.
    let one = head.define(&[("__name__", "m"), ("a", "b"), ("c", "d")], "s1");
    let two = head.define(&[("__name__", "m"), ("a", "bc"), ("c", "d")], "s1");
    assert_ne!(one, two);
}

#[test]
fn a_dropped_series_leaves_nothing_in_the_index() {
    let mut head = head();
    head.drop_before(15);
    assert_eq!((head.len(), head.samples), (2, 2));
    assert_eq!(ids(&head, &[("__name__", Op::Eq, "up")]), []);
    assert_eq!(ids(&head, &[("host", Op::Re, ".*")]), [2, 3]);
    assert_eq!(head.symbols.get("b"), None);
    assert_eq!(head.values_of("host"), 2);
    assert_eq!(head.series_of_source("s1"), 2);
    let again = head.define(&[("__name__", "up"), ("host", "a")], "s1");
    assert_eq!(again, 4, "numbers are not used twice");
    head.drop_before(10);
    assert_eq!(head.floor, Some(15), "the floor never sinks");
}
