//! Where a rule does not hold, and why: one row a place.

use std::fmt;

/// A place in the tree that a rule leaves alone. A `*` in the path stands for one folder or for any end of a file's name.
pub struct Place {
    pub path: &'static str,
    pub reason: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.path, self.reason)
    }
}

pub fn covers(places: &[Place], path: &str) -> bool {
    places.iter().any(|place| place.covers(path))
}

impl Place {
    /// A path that ends with `/` covers everything below it, any other exactly one file.
    fn covers(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let below = self.path.ends_with('/');
        let matched = self.path.trim_end_matches('/').split('/').all(|wanted| {
            segments.next().is_some_and(|segment| match wanted.strip_suffix('*') {
                Some(start) => segment.starts_with(start),
                None => segment == wanted,
            })
        });
        matched && segments.next().is_some() == below
    }
}

/// What was recorded elsewhere is kept as it was recorded: it is evidence, not our writing.
pub fn is_recording(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "fixtures" | "snapshots"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_covers_a_folder_or_a_file_and_nothing_else() {
        for (place, path, covered) in [
            ("crates/belay/", "crates/belay/src/main.rs", true),
            ("crates/belay/", "crates/belay-core/src/lib.rs", false),
            ("crates/*/tests/", "crates/belay-core/tests/it/main.rs", true),
            ("crates/*/tests/", "crates/belay-core/src/tests/x.rs", false),
            ("crates/a/src/b.rs", "crates/a/src/b.rs", true),
            ("crates/a/src/b.rs", "crates/a/src/b.rs/c.rs", false),
            ("README*", "README.md", true),
            ("README*", "docs/README.md", false),
        ] {
            assert_eq!(Place { path: place, reason: "" }.covers(path), covered, "{place} {path}");
        }
    }
}
