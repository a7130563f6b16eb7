//! Seeds that go wrong for a reason that is understood and said to users: they are told of, and fail nothing.

/// A seed, a part of what is told of it, and why it is so.
const KNOWN: &[(u64, &str, &str)] = &[(
    12406,
    "c-2 is harmless, and was rejected",
    "a release came to hosts within a minute before the content, and two of three told of it by their next report only (README)",
)];

/// Why something that is told of a seed is known and stays so for now; none where it is not.
#[must_use]
pub fn known(seed: u64, breach: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(known, part, _)| *known == seed && breach.contains(part)).map(|(.., why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::play;

    #[test]
    fn what_is_known_is_still_so_and_nothing_else_is_wrong_with_it() {
        for (seed, part, _) in KNOWN {
            let breaches: Vec<String> = play(*seed).breaches.iter().map(ToString::to_string).collect();
            assert!(!breaches.is_empty(), "seed {seed} holds now: it belongs among the pinned ones");
            assert!(breaches.iter().all(|breach| known(*seed, breach).is_some()), "seed {seed} ({part}): {breaches:?}");
        }
        assert_eq!(known(12406, "something was lost"), None);
        assert_eq!(known(1, "c-2 is harmless, and was rejected"), None);
    }
}
