//! Many tests at once: which of them to believe.

/// How many are believed, given for each the smallest number among which it would be (none: not at any), so that of those believed at
/// most the budget's part is false on average, however they depend on each other (Wang and Ramdas, "False discovery rate control with
/// e-values", 2022): the largest `k` of which `k` ask for no more than `k`; one if none. So said, prices may differ from test to test, as
/// weights and guards make them.
#[must_use]
pub fn together(least: impl IntoIterator<Item = Option<usize>>) -> usize {
    let mut least: Vec<usize> = least.into_iter().flatten().collect();
    least.sort_unstable();
    (1..=least.len()).rev().find(|k| least[k - 1] <= *k).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule as it was published, where all have one price: the e-values (logarithms) that are believed, indices ascending.
    fn e_bh(ln_e: &[f64], alpha: f64) -> Vec<usize> {
        let n = ln_e.len() as f64;
        let mut order: Vec<usize> = (0..ln_e.len()).collect();
        order.sort_by(|&a, &b| ln_e[b].total_cmp(&ln_e[a]).then(a.cmp(&b)));
        let enough = |rank: usize| ln_e[order[rank]] >= (n / (alpha * (rank + 1) as f64)).ln();
        let believed = (0..order.len()).rev().find(|&rank| enough(rank)).map_or(0, |rank| rank + 1);
        let mut indices = order[..believed].to_vec();
        indices.sort_unstable();
        indices
    }

    #[test]
    fn so_many_are_believed_as_ask_for_no_more() {
        assert_eq!(together([None, None]), 1);
        assert_eq!(together([Some(1), None, Some(3)]), 1);
        assert_eq!(together([Some(2), Some(2), None]), 2);
        assert_eq!(together([Some(2), None, Some(3), Some(3)]), 3);
        // The same as the rule on e-values, where all have one price.
        let (n, alpha) = (5_usize, 0.02_f64);
        for e in [[260.0, 120.0, 90.0, 3.0, 0.1], [130.0, 126.0, 80.0, 70.0, 50.1], [249.0, 0.0, 0.0, 0.0, 0.0]] {
            let least = |e: f64| (1..=n).find(|k| e >= n as f64 / (alpha * *k as f64));
            let ln: Vec<f64> = e.iter().map(|e: &f64| e.ln()).collect();
            let least = e.map(least);
            let k = together(least);
            let believed: Vec<usize> = (0..n).filter(|i| least[*i].is_some_and(|asks| asks <= k)).collect();
            assert_eq!(believed, e_bh(&ln, alpha), "{e:?}");
        }
    }

    #[test]
    fn one_needs_the_whole_price_and_many_share_it() {
        let ln = |e: f64| e.ln();
        assert_eq!(e_bh(&[ln(199.0), 0.0, 0.0, 0.0], 0.02), []);
        assert_eq!(e_bh(&[0.0, ln(200.0), 0.0, 0.0], 0.02), [1]);
        assert_eq!(e_bh(&[ln(100.0), 0.0, ln(101.0), 0.0], 0.02), [0, 2], "two are believed at half the price");
        assert_eq!(e_bh(&[], 0.02), []);
    }
}
