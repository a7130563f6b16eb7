//! Text cut into the words that people see in it: `PuppetDB`, `puppet_db` and `puppet-db` have the same two parts.

/// A run of letters, digits and underscores, as its parts in lower case.
pub type Parts = Vec<String>;

/// The identifiers and words of a line.
pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

/// Cuts at underscores and at humps: `HTTPServer2_url` is `http`, `server2`, `url`.
pub fn parts(word: &str) -> Parts {
    let letters: Vec<char> = word.chars().collect();
    let mut parts = vec![String::new()];
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| letters[index]);
        let after = letters.get(index + 1);
        let hump =
            letter.is_uppercase() && before.is_some_and(|before| !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase()));
        if hump || *letter == '_' {
            parts.push(String::new());
        }
        if let (false, Some(part)) = (*letter == '_', parts.last_mut()) {
            part.extend(letter.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether neighbouring parts, put together, make the wanted word: `Pager`, `Duty` make `pagerduty`, but `basalt` holds no `salt`.
pub fn holds(parts: &[String], wanted: &str) -> bool {
    (0..parts.len()).any(|from| {
        let mut rest = wanted;
        for part in &parts[from..] {
            match rest.strip_prefix(part.as_str()) {
                Some("") => return true,
                Some(more) => rest = more,
                None => return false,
            }
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_cut_at_underscores_and_humps() {
        for (word, expected) in [
            ("puppet_run", "puppet run"),
            ("PuppetDB", "puppet db"),
            ("CFEngine", "cf engine"),
            ("HTTPServer2_url", "http server2 url"),
            ("MAX_WAIT", "max wait"),
            ("__x", "x"),
            ("r10k", "r10k"),
            ("_", ""),
        ] {
            assert_eq!(parts(word).join(" "), expected, "{word}");
        }
    }

    #[test]
    fn a_word_is_found_whole_or_across_parts_only() {
        for (word, wanted, found) in [
            ("from_puppet", "puppet", true),
            ("PagerDutyKey", "pagerduty", true),
            ("pager_duty", "pagerduty", true),
            ("CFEngineBundle", "cfengine", true),
            ("basalt", "salt", false),
            ("salted", "salt", false),
            ("SALT", "salt", true),
            ("pager", "pagerduty", false),
        ] {
            assert_eq!(holds(&parts(word), wanted), found, "{word}");
        }
        assert_eq!(words("a.b(\"c-d\", e_f)").collect::<Vec<_>>(), ["a", "b", "c", "d", "e_f"]);
    }
}
