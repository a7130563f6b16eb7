//! Progress as it is told: a right-aligned verb in twelve columns, then what.

use super::inert::inert;
use super::paint::{Paint, Tone};

/// The width of the verb.
const VERB: usize = 12;

/// A line of progress.
pub fn told(paint: Paint, tone: Tone, verb: &str, what: &str) -> String {
    let verb = format!("{verb:>VERB$}");
    format!("{} {}", paint.tone(&verb, tone), inert(what))
}

/// A heading with its lines, the heading in a column of its own: as alerts and single things are shown.
pub fn part(paint: Paint, heading: &str, lines: &[String]) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let head = if index == 0 { heading } else { "" };
        text.push_str(&format!("{} {}\n", paint.tone(&format!("{head:<8}"), Tone::Strong), inert(line)));
    }
    text
}

/// A number with its noun: `1 host`, `2 hosts`.
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        number if noun.ends_with("ss") => format!("{number} {noun}es"),
        number => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_end_in_one_column_and_headings_start_in_one() {
        assert_eq!(told(Paint::plain(), Tone::Good, "Accepted", "c-1\n"), "    Accepted c-1\\n");
        assert_eq!(part(Paint::plain(), "Why", &["one".into(), "two".into()]), "Why      one\n         two\n");
        assert_eq!(part(Paint::plain(), "Why", &[]), "");
        assert_eq!([count(1, "host"), count(0, "host"), count(2_u32, "class")], ["1 host", "0 hosts", "2 classes"]);
    }
}
