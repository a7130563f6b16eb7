//! The interval of a share.

/// The 95 % score interval of `hits` of `n` (Wilson, "Probable inference, the law of succession, and statistical inference", 1927).
pub fn wilson(hits: u64, n: u64) -> (f64, f64) {
    const Z: f64 = 1.96;
    if n == 0 {
        return (0.0, 0.0);
    }
    let (p, n) = (hits as f64 / n as f64, n as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    ((centre - half) / whole, (centre + half) / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_published_figures() {
        // False rejections in docs that come with the development cases: 5 and 1 of 30.
        for (hits, low, high) in [(5, 0.073, 0.336), (1, 0.006, 0.167)] {
            let (a, b) = wilson(hits, 30);
            assert!((a - low).abs() < 5e-4 && (b - high).abs() < 5e-4, "{hits}: {a} {b}");
        }
        assert_eq!(wilson(0, 0), (0.0, 0.0));
    }
}
