//! The figures of all judges side by side, as Markdown: what is printed is what stands in docs/judge.md.

use std::collections::{BTreeMap, BTreeSet};

use super::Column;
use super::scorer::{Share, Tally};

/// A row's name and what stands in it for one judge.
type Row = (&'static str, fn(&Tally) -> String);

const ROWS: [Row; 8] = [
    ("precision", |tally| format!("{:.3}", tally.precision())),
    ("recall", |tally| share(tally.found())),
    ("F1", |tally| format!("{:.3}", tally.f1())),
    ("FRR", |tally| {
        let (low, high) = tally.false_interval();
        format!("{:.3} [{low:.3}, {high:.3}]", tally.false_ones().value())
    }),
    ("delay p50 / p90, samples", |tally| {
        let delay = |q| tally.delay(q).map_or_else(|| "-".to_owned(), |delay| format!("{delay:.1}"));
        format!("{} / {}", delay(0.5), delay(0.9))
    }),
    ("rejected before onset", |tally| tally.early.to_string()),
    ("inconclusive, complete data", |tally| format!("{:.1} % ({})", tally.undecided.value() * 100.0, tally.undecided.hits)),
    ("missing data: accepted / rejected / inconclusive", |tally| {
        format!("{} / {} / {}", tally.missing.accepted, tally.missing.rejected, tally.missing.inconclusive)
    }),
];

/// One table for the cases that were developed on, one for the others.
pub fn tables(columns: &[Column]) -> String {
    let even = table("even ids (developed on)", columns, |column| &column.even);
    let odd = table("odd ids", columns, |column| &column.odd);
    format!("{even}\n{odd}")
}

fn table(what: &str, columns: &[Column], part: fn(&Column) -> &Tally) -> String {
    let tallies: Vec<&Tally> = columns.iter().map(part).collect();
    let Some(first) = tallies.first() else { return String::new() };
    let title = format!("{what}: {} bad, {} good, {} missing", first.found().of, first.false_ones().of, first.missing.all());
    let names: Vec<String> = columns.iter().map(|column| column.name.replace('_', " ")).collect();
    let mut text = line(&title, &names) + &format!("|{}\n", "---|".repeat(columns.len() + 1));
    for (name, cell) in ROWS {
        text += &line(name, &tallies.iter().map(|tally| cell(tally)).collect::<Vec<_>>());
    }
    text += &line("recall: level_shift of 4 SD or more", &tallies.iter().map(|tally| share(tally.clear_shifts)).collect::<Vec<_>>());
    text += &kinds("recall", &tallies, |tally| &tally.bad_kinds);
    text + &kinds("FRR", &tallies, |tally| &tally.good_kinds)
}

fn kinds(what: &str, tallies: &[&Tally], of: fn(&Tally) -> &BTreeMap<String, Share>) -> String {
    let names: BTreeSet<&String> = tallies.iter().flat_map(|tally| of(tally).keys()).collect();
    let cell = |tally: &&Tally, kind: &str| of(tally).get(kind).map_or_else(|| "-".to_owned(), |found| share(*found));
    names.iter().map(|kind| line(&format!("{what}: {kind}"), &tallies.iter().map(|tally| cell(tally, kind)).collect::<Vec<_>>())).collect()
}

fn share(share: Share) -> String {
    if share.of == 0 {
        return "-".to_owned();
    }
    format!("{:.3} ({}/{})", share.value(), share.hits, share.of)
}

fn line(name: &str, cells: &[String]) -> String {
    format!("| {name} | {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::judge::cases::{Label, Truth};
    use crate::bench::judge::scorer::Verdict;

    #[test]
    fn every_judge_has_a_cell_in_every_row() {
        let mut columns = [Column::new("ours"), Column::new("three_sigma")];
        let label = Label { id: "dev-1-00001".to_owned(), kind: "ramp".to_owned(), size: 4.0, truth: Truth::Bad { onset: 2.0 } };
        columns[0].add(&label, false, Verdict::Rejected { at: 5.0 });
        columns[1].add(&label, false, Verdict::Accepted);
        let text = tables(&columns);
        assert!(text.contains("| odd ids: 1 bad, 0 good, 0 missing | ours | three sigma |\n|---|---|---|\n"), "{text}");
        assert!(text.contains("| recall: ramp | 1.000 (1/1) | 0.000 (0/1) |\n"), "{text}");
        assert!(text.contains("| delay p50 / p90, samples | 3.0 / 3.0 | - / - |\n"), "{text}");
        assert!(text.lines().filter(|line| !line.is_empty()).all(|line| line.matches('|').count() == 4), "{text}");
    }
}
