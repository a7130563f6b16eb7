//! Words: lengths of time as people write them, and the nearest word to a mistaken one.

use belay_core::model::policy::Budget;
use belay_core::model::time::Span;

const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// The longest length of time that can be configured.
const SPAN_MAX_MS: i64 = 366 * 86_400_000;

/// How many known words are named at once.
const NAMED_MAX: usize = 20;

const NO_SPAN: &str = "it is no length of time";
const TOO_LONG: &str = "it is longer than 366 days";

/// Reads a length of time: numbers with `d`, `h`, `m`, `s` or `ms`, larger units first, for
/// example `90s` or `1h30m`.
pub(crate) fn span(text: &str) -> Result<Span, &'static str> {
    let (mut rest, mut units, mut total) = (text, &UNITS[..], 0_i64);
    if rest.is_empty() {
        return Err(NO_SPAN);
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let position = units.iter().position(|(word, _)| *word == unit).ok_or(NO_SPAN)?;
        let count: i64 = number.parse().map_err(|_| NO_SPAN)?;
        total = count.checked_mul(units[position].1).and_then(|ms| total.checked_add(ms)).ok_or(TOO_LONG)?;
        units = &units[position + 1..];
        rest = after;
    }
    if total > SPAN_MAX_MS { Err(TOO_LONG) } else { Ok(Span::from_ms(total)) }
}

/// Reads a budget: `1 per 30d`.
pub(super) fn budget(text: &str) -> Result<Budget, &'static str> {
    const NO_BUDGET: &str = "it is no budget; write for example \"1 per 30d\": so many good changes may end rejected in so long";
    let (count, per) = text.split_once(" per ").ok_or(NO_BUDGET)?;
    let count = count.trim().parse().ok().filter(|count| (1..=1_000).contains(count)).ok_or(NO_BUDGET)?;
    let per = span(per.trim())?;
    if per < Span::from_min(24 * 60) {
        return Err("a budget is for a day at least; write for example \"1 per 30d\"");
    }
    Ok(Budget { count, per })
}

/// A length of time as it is configured.
pub(super) fn said(span: Span) -> String {
    let mut rest = span.ms();
    let mut text = String::new();
    for (word, ms) in UNITS {
        if rest / ms > 0 {
            text.push_str(&format!("{}{word}", rest / ms));
            rest %= ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// What to say of a word that is none of the known ones: the nearest, or all of them.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> String {
    let word = &word.to_lowercase();
    let near = |candidate: &str| {
        let begins = candidate.len() > 2 && word.starts_with(candidate);
        begins || distance(word, candidate) <= (candidate.chars().count() / 3).max(1)
    };
    match known.iter().min_by_key(|candidate| distance(word, candidate)) {
        Some(nearest) if near(nearest) => format!("did you mean `{nearest}`?"),
        Some(_) if known.len() > NAMED_MAX => format!("known here: {} and {} more", known[..NAMED_MAX].join(", "), known.len() - NAMED_MAX),
        Some(_) => format!("known here: {}", known.join(", ")),
        None => "nothing may stand here".to_owned(),
    }
}

/// How many letters have to be changed, put in, left out or swapped with their neighbour to make
/// one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(64).collect(), other.chars().take(64).collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let same = one[i - 1] == other[j - 1];
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + usize::from(!same));
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_numbers_with_units_larger_ones_first() {
        for (text, ms) in [("30m", 1_800_000), ("90s", 90_000), ("1h30m", 5_400_000), ("500ms", 500), ("2d4h", 187_200_000), ("0s", 0)] {
            assert_eq!(span(text), Ok(Span::from_ms(ms)), "{text}");
            assert_eq!(span(&said(Span::from_ms(ms))), Ok(Span::from_ms(ms)), "{text}");
        }
        for text in ["", "30", "m", "-5m", "30 m", "5x", "30m1h", "5m5m", "1.5h", "\u{663}m", "99999999999999999999s", "400d", "5M"] {
            assert!(span(text).is_err(), "{text} was taken");
        }
    }

    #[test]
    fn the_nearest_word_is_named_and_all_of_them_when_none_is_near() {
        let known = ["horizon", "bake", "hosts", "kin"];
        assert_eq!(did_you_mean("horizn", &known), "did you mean `horizon`?");
        assert_eq!(did_you_mean("hsots", &known), "did you mean `hosts`?");
        assert_eq!(did_you_mean("Bake", &known), "did you mean `bake`?");
        assert_eq!(did_you_mean("colour", &known), "known here: horizon, bake, hosts, kin");
    }
}
