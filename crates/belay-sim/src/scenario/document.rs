//! The blocks of a story that are not prose.

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block<'t> {
    /// A configuration: the line of its fence, and its text.
    Config { line: usize, text: String },
    /// Commands, each with its line.
    Commands { lines: Vec<(usize, &'t str)> },
}

/// A block that is not closed yet: the line of its fence, its kind, its lines.
type Open<'t> = (usize, &'t str, Vec<(usize, &'t str)>);

/// All blocks, in order. Blocks of other kinds are prose.
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, (usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<Open<'_>> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        match (line.trim_end().strip_prefix("```"), open.take()) {
            (Some(""), Some((fence, kind, lines))) => blocks.extend(block(fence, kind, lines)),
            (Some(kind), None) => open = Some((number, kind.trim(), Vec::new())),
            (_, Some((fence, kind, mut lines))) => {
                lines.push((number, line));
                open = Some((fence, kind, lines));
            }
            (None, None) => {}
        }
    }
    match open {
        Some((fence, _, _)) => Err((fence, "this block is never closed".to_owned())),
        None if blocks.is_empty() => Err((1, "there is no block fenced as `belay`: nothing would be tested".to_owned())),
        None => Ok(blocks),
    }
}

fn block<'t>(line: usize, kind: &str, lines: Vec<(usize, &'t str)>) -> Option<Block<'t>> {
    match kind {
        "toml" => Some(Block::Config { line, text: lines.iter().map(|(_, text)| format!("{text}\n")).collect() }),
        "belay" => {
            let says = |text: &str| !text.is_empty() && !text.starts_with('#');
            let lines = lines.into_iter().map(|(line, text)| (line, text.trim())).filter(|(_, text)| says(text)).collect();
            Some(Block::Commands { lines })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_keep_their_lines_and_prose_is_left_out() {
        let text = "# Title\n\n```belay\nwait 1m\n\n# a remark\nwait 2m\n```\n\n```text\nwait 3m\n```\n";
        assert_eq!(blocks(text), Ok(vec![Block::Commands { lines: vec![(4, "wait 1m"), (7, "wait 2m")] }]));
        assert_eq!(blocks("a\n```belay\nwait 1m\n").unwrap_err().0, 2);
        assert!(blocks("only prose").is_err());
    }
}
