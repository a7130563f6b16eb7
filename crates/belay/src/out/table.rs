//! Tables: the status first, so that it can be painted; everything inert.

use comfy_table::{ContentArrangement, Table as Layout, presets};

use super::inert::inert;
use super::paint::{Paint, Tone};

/// A table with its rows.
#[derive(Debug)]
pub struct Table {
    layout: Layout,
    tones: Vec<(Tone, String)>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut layout = Layout::new();
        layout.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(headings.iter().copied());
        for column in layout.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self { layout, tones: Vec::new() }
    }

    /// Adds a row; the first cell gets the tone.
    pub fn row(&mut self, tone: Tone, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| inert(&cell).into_owned()).collect();
        self.tones.push((tone, cells.first().cloned().unwrap_or_default()));
        self.layout.add_row(cells);
    }

    /// The table as text, with a line end.
    pub fn render(&self, paint: Paint) -> String {
        let mut text = String::new();
        for (index, line) in self.layout.lines().enumerate() {
            let line = line.trim_end();
            let row = index.checked_sub(1).and_then(|row| self.tones.get(row));
            match row.and_then(|(tone, first)| Some((tone, first, line.strip_prefix(first.as_str())?))) {
                Some((tone, first, rest)) => text.push_str(&format!("{}{rest}\n", paint.tone(first, *tone))),
                None if index == 0 => text.push_str(&format!("{}\n", paint.tone(line, Tone::Strong))),
                None => text.push_str(&format!("{line}\n")),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_hostile_cells_stay_in_their_row() {
        let mut table = Table::new(&["VERDICT", "CHANGE", "WHAT"]);
        table.row(Tone::Bad, ["x rejected".to_owned(), "c-2".to_owned(), "a\nb\x1b[2J".to_owned()]);
        table.row(Tone::Good, ["+ accepted".to_owned(), "c-1".to_owned(), String::new()]);
        let plain = table.render(Paint::plain());
        assert_eq!(plain, "VERDICT     CHANGE  WHAT\nx rejected  c-2     a\\nb\\x1b[2J\n+ accepted  c-1\n");
    }
}
