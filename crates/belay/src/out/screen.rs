//! A terminal on which a text is drawn again and again in the same place.

use terminal_size::{Height, terminal_size};

/// Of a terminal that does not say how high it is.
const ROWS: u16 = 24;

/// The terminal's screen.
#[derive(Debug, Default)]
pub struct Screen {
    begun: bool,
}

impl Screen {
    /// Draws a text in the place of the one before. Lines that are too long are cut at the edge, and lines below the edge are counted.
    ///
    /// # Errors
    /// When stdout cannot be written to.
    pub fn draw(&mut self, text: &str) -> anyhow::Result<()> {
        let rows = terminal_size().map_or(ROWS, |(_, Height(rows))| rows);
        let begin = if self.begun { "\x1b[H" } else { "\x1b[2J\x1b[H" };
        self.begun = true;
        super::put(&format!("\x1b[?7l{begin}{}\x1b[J\x1b[?7h", page(text, usize::from(rows))))
    }
}

/// The lines that fit, each with the rest of what stood there cleared.
fn page(text: &str, rows: usize) -> String {
    let all = text.lines().count();
    let room = rows.saturating_sub(1).max(1);
    let fit = if all > room { room - 1 } else { all };
    let mut page: String = text.lines().take(fit).map(|line| format!("{line}\x1b[K\r\n")).collect();
    if all > fit {
        page.push_str(&format!("... and {} more lines\x1b[K\r\n", all - fit));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_never_scrolls() {
        assert_eq!(page("a\nb\n", 4), "a\x1b[K\r\nb\x1b[K\r\n");
        assert_eq!(page("a\nb\nc\nd\n", 4), "a\x1b[K\r\nb\x1b[K\r\n... and 2 more lines\x1b[K\r\n");
        for rows in 0..6 {
            assert!(page("a\nb\nc\nd\n", rows).lines().count() <= rows.saturating_sub(1).max(1), "{rows}");
        }
    }
}
