//! Many tests at once: which of them to believe.

/// The e-values that are believed so that of those believed at most the part `alpha` is false on average, however they depend on each
/// other (Wang and Ramdas, "False discovery rate control with e-values", 2022). Given as logarithms; the indices, ascending.
#[must_use]
pub fn e_bh(ln_e: &[f64], alpha: f64) -> Vec<usize> {
    let n = ln_e.len() as f64;
    let mut order: Vec<usize> = (0..ln_e.len()).collect();
    order.sort_by(|&a, &b| ln_e[b].total_cmp(&ln_e[a]).then(a.cmp(&b)));
    let enough = |rank: usize| ln_e[order[rank]] >= (n / (alpha * (rank + 1) as f64)).ln();
    let believed = (0..order.len()).rev().find(|&rank| enough(rank)).map_or(0, |rank| rank + 1);
    let mut indices = order[..believed].to_vec();
    indices.sort_unstable();
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_needs_the_whole_price_and_many_share_it() {
        let ln = |e: f64| e.ln();
        assert_eq!(e_bh(&[ln(199.0), 0.0, 0.0, 0.0], 0.02), []);
        assert_eq!(e_bh(&[0.0, ln(200.0), 0.0, 0.0], 0.02), [1]);
        assert_eq!(e_bh(&[ln(100.0), 0.0, ln(101.0), 0.0], 0.02), [0, 2], "two are believed at half the price");
        assert_eq!(e_bh(&[], 0.02), []);
    }
}
