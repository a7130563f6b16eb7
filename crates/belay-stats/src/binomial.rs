//! The binomial distribution, exactly: log-gamma, choose, probabilities, tails and the Clopper-Pearson interval.
//!
//! Small counts are where a normal approximation lies, and small counts are what a change on three hosts leaves behind. Tails keep their
//! relative precision far below 1e-15, because they are multiplied and compared in logarithms. Reference values: `reference/binomial.tsv`.

/// `ln(sqrt(2 pi))`.
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// `ln(2 pi)`.
const LN_2PI: f64 = 2.0 * LN_SQRT_2PI;

/// Steps after which a continued fraction is given up; it needs about the square root of the larger parameter.
const MAX_STEPS: u32 = 100_000;

/// The natural logarithm of the gamma function, for `x > 0`; infinite at 0, NaN below.
///
/// Stirling's series above 10, the recurrence below. Relative error about 1e-15 (absolute near the zeros at 1 and 2).
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 || x.is_infinite() {
        return f64::INFINITY;
    }
    let (mut shifted, mut product) = (x, 1.0);
    while shifted < 10.0 {
        product *= shifted;
        shifted += 1.0;
    }
    (shifted - 0.5) * shifted.ln() - shifted + LN_SQRT_2PI + stirling_series(shifted) - product.ln()
}

/// `ln(n choose k)`; minus infinity where there is nothing to choose (`k > n`).
#[must_use]
pub fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    if k == 0 || k == n {
        return 0.0;
    }
    ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
}

/// The logarithm of the probability of exactly `k` of `n` at probability `p` (`0..=1`).
///
/// Loader's saddle-point form ("Fast and accurate computation of binomial probabilities", 2000): full precision also for `n` of millions.
#[must_use]
pub fn ln_pmf(k: u64, n: u64, p: f64) -> f64 {
    if k > n || !(0.0..=1.0).contains(&p) {
        return if k > n { f64::NEG_INFINITY } else { f64::NAN };
    }
    ln_pmf_real(k as f64, (n - k) as f64, p)
}

/// The probability of `k` or fewer of `n` at probability `p` (`0..=1`).
#[must_use]
pub fn lower_tail(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    regularized_beta((n - k) as f64, k as f64 + 1.0, 1.0 - p)
}

/// The probability of `k` or more of `n` at probability `p` (`0..=1`).
#[must_use]
pub fn upper_tail(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    regularized_beta(k as f64, (n - k) as f64 + 1.0, p)
}

/// The regularised incomplete beta function `I_x(a, b)` for positive `a`, `b` and `x` in `0..=1`; NaN outside.
///
/// The continued fraction of the incomplete beta function, by Lentz's method, on the side where it converges quickly.
#[must_use]
pub fn regularized_beta(a: f64, b: f64, x: f64) -> f64 {
    if !(a > 0.0 && b > 0.0 && (0.0..=1.0).contains(&x)) {
        return f64::NAN;
    }
    if x == 0.0 || x == 1.0 {
        return x;
    }
    if x <= (a + 1.0) / (a + b + 2.0) { beta_fraction(a, b, x) } else { 1.0 - beta_fraction(b, a, 1.0 - x) }
}

/// The two-sided Clopper-Pearson interval of a probability of which `k` of `n` were seen: it covers the truth with at least `1 - alpha`.
///
/// Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934. Conservative on
/// purpose: an interval that is too short would accept harm. Nothing seen (`n = 0`) leaves `(0, 1)`; `k` is taken as at most `n`.
#[must_use]
pub fn clopper_pearson(k: u64, n: u64, alpha: f64) -> (f64, f64) {
    let k = k.min(n);
    if n == 0 || alpha.is_nan() || alpha <= 0.0 {
        return (0.0, 1.0);
    }
    let tail = alpha.min(1.0) / 2.0;
    let low = if k == 0 { 0.0 } else { where_rising_reaches(tail, |p| upper_tail(k, n, p)) };
    let high = if k == n { 1.0 } else { where_rising_reaches(1.0 - tail, |p| 1.0 - lower_tail(k, n, p)) };
    (low, high)
}

/// The `p` in `0..=1` at which the rising function `f` reaches `target`, by bisection down to neighbouring doubles.
fn where_rising_reaches(target: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0f64, 1.0f64);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high || (high - low) <= 1e-15 * high {
            return middle;
        }
        if f(middle) < target {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// `ln` of `Gamma(k+m+1) / (Gamma(k+1) Gamma(m+1)) p^k (1-p)^m` for real `k`, `m >= 0`: the binomial probability of `k` against `m`.
fn ln_pmf_real(k: f64, m: f64, p: f64) -> f64 {
    let (n, q) = (k + m, 1.0 - p);
    if p == 0.0 || q == 0.0 {
        let certain = if p == 0.0 { k } else { m };
        return if certain == 0.0 { 0.0 } else { f64::NEG_INFINITY };
    }
    if k == 0.0 {
        return m * (-p).ln_1p();
    }
    if m == 0.0 {
        return k * p.ln();
    }
    let core = stirling_error(n) - stirling_error(k) - stirling_error(m) - deviance(k, n * p) - deviance(m, n * q);
    core + 0.5 * (n.ln() - LN_2PI - k.ln() - m.ln())
}

/// `ln(x!)` minus Stirling's approximation of it.
fn stirling_error(x: f64) -> f64 {
    if x >= 10.0 {
        return stirling_series(x);
    }
    ln_gamma(x + 1.0) - (x + 0.5) * x.ln() + x - LN_SQRT_2PI
}

/// Stirling's series `1/(12 x) - 1/(360 x^3) + ...`, for `x >= 10` (the first term left out is below 1e-16).
fn stirling_series(x: f64) -> f64 {
    let inverse_square = 1.0 / (x * x);
    let terms = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0, -3617.0 / 122_400.0];
    terms.iter().rev().fold(0.0, |sum, term| sum * inverse_square + term) / x
}

/// `x ln(x / mean) + mean - x`, without cancellation when `x` is near `mean` (`bd0` of Loader).
fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - difference;
    }
    let v = difference / (x + mean);
    let mut sum = difference * v;
    let mut power = 2.0 * x * v;
    for j in 1..200 {
        power *= v * v;
        let next = sum + power / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// `I_x(a, b)` where the continued fraction converges: `x <= (a+1)/(a+b+2)`.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let factor = (ln_pmf_real(a, b, x)).exp() * b / (a + b);
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for step in 1..MAX_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let change = d * c;
        h *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (factor * h).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(got: f64, want: f64, relative: f64) -> bool {
        (got - want).abs() <= relative * want.abs() || (got - want).abs() < 1e-300
    }

    /// One row of the table: the name, the arguments and values as doubles.
    fn rows(of: &str) -> Vec<Vec<f64>> {
        let table = include_str!("../reference/binomial.tsv");
        let rows = table.lines().filter_map(|line| line.strip_prefix(of)).filter(|rest| rest.starts_with('\t'));
        rows.map(|rest| rest[1..].split('\t').map(|v| v.parse().unwrap()).collect()).collect()
    }

    #[test]
    fn log_gamma_and_the_beta_function_agree_with_the_reference() {
        let gammas = rows("ln_gamma");
        assert_eq!(gammas.len(), 16);
        for r in gammas {
            assert!((ln_gamma(r[0]) - r[1]).abs() <= 4e-15 * r[1].abs().max(1.0), "{r:?} {}", ln_gamma(r[0]));
        }
        let betas = rows("regularized_beta");
        assert_eq!(betas.len(), 7);
        for r in betas {
            assert!(near(regularized_beta(r[0], r[1], r[2]), r[3], 1e-12), "{r:?} {}", regularized_beta(r[0], r[1], r[2]));
        }
    }

    #[test]
    fn probabilities_and_tails_agree_with_the_reference() {
        let check = |name: &str, f: fn(u64, u64, f64) -> f64| {
            let table = rows(name);
            assert_eq!(table.len(), 14);
            for r in table {
                let got = f(r[0] as u64, r[1] as u64, r[2]);
                assert!(near(got, r[3], 2e-11), "{name} {r:?} {got}");
            }
        };
        check("pmf", |k, n, p| ln_pmf(k, n, p).exp());
        check("lower_tail", lower_tail);
        check("upper_tail", upper_tail);
    }

    #[test]
    fn the_interval_agrees_with_the_reference() {
        let table = rows("interval");
        assert_eq!(table.len(), 27);
        for r in table {
            let (low, high) = clopper_pearson(r[0] as u64, r[1] as u64, r[2]);
            assert!(near(low, r[3], 1e-9) && near(high, r[4], 1e-9), "{r:?} {low} {high}");
        }
        assert_eq!(clopper_pearson(0, 0, 0.05), (0.0, 1.0), "nothing seen excludes nothing");
    }

    #[test]
    fn choosing_is_exact_in_small_cases() {
        assert!(near(ln_choose(10, 3).exp(), 120.0, 1e-13));
        assert_eq!((ln_choose(10, 0), ln_choose(10, 10), ln_choose(3, 4)), (0.0, 0.0, f64::NEG_INFINITY));
    }

    proptest! {
        #[test]
        fn the_two_tails_overlap_in_one_outcome(n in 1u64..3000, part in 0.0f64..=1.0, p in 0.001f64..0.999) {
            let k = (part * n as f64) as u64;
            let sum = lower_tail(k, n, p) + upper_tail(k, n, p) - ln_pmf(k, n, p).exp();
            prop_assert!((sum - 1.0).abs() < 1e-10, "{}", sum);
        }

        #[test]
        fn the_interval_holds_what_was_seen_and_shrinks_with_alpha(n in 1u64..2000, part in 0.0f64..=1.0) {
            let k = (part * n as f64) as u64;
            let seen = k as f64 / n as f64;
            let (wide, narrow) = (clopper_pearson(k, n, 0.01), clopper_pearson(k, n, 0.2));
            prop_assert!(wide.0 <= narrow.0 && narrow.0 <= seen + 1e-12);
            prop_assert!(seen <= narrow.1 + 1e-12 && narrow.1 <= wide.1);
        }
    }
}
