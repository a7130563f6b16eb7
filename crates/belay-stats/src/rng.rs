//! A small seeded generator, passed around as a value.
//!
//! xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), seeded by splitmix64. Period 2^256 - 1.
//! For simulation, drawn waves and tests: never for keys, tokens or anything an attacker must not guess. The sequence of a seed is part
//! of the contract: recorded seeds must mean the same in every release.

use crate::binomial::ln_gamma;

/// One step of splitmix64: advances `state` and returns a well mixed value. Also a good hash of a counter.
pub fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The generator. A clone continues with the same numbers: use [`Rng::fork`] for an independent stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of `seed`; every seed is a good one.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        let mut s = seed;
        Rng { state: [splitmix64(&mut s), splitmix64(&mut s), splitmix64(&mut s), splitmix64(&mut s)] }
    }

    /// An independent generator for the part named by `stream`; does not advance `self`. So that one more draw in one part of a
    /// simulation does not shift the numbers of all others.
    #[must_use]
    pub fn fork(&self, stream: u64) -> Rng {
        let mut s = stream;
        let mixed = splitmix64(&mut s);
        Rng::new(self.state[0] ^ self.state[2].rotate_left(17) ^ mixed)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..bound`, without bias (Lemire, "Fast random integer generation in an interval", 2019). 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal (Marsaglia's polar method; the second value is thrown away to keep the state small and a fork simple).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }

    /// Exponential with the given mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Poisson with the given mean (0 if it is not positive or not finite). Inversion below 10, above it the transformed rejection
    /// PTRS of Hörmann ("The transformed rejection method for generating Poisson random variables", 1993).
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if !(mean > 0.0 && mean.is_finite()) {
            return 0;
        }
        if mean < 10.0 {
            let limit = (-mean).exp();
            let (mut count, mut product) = (0, self.unit());
            while product > limit {
                count += 1;
                product *= self.unit();
            }
            return count;
        }
        self.poisson_large(mean)
    }

    fn poisson_large(&mut self, mean: f64) -> u64 {
        let ln_mean = mean.ln();
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.unit() - 0.5;
            let v = self.unit();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= v_r {
                return k as u64;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let left = v.ln() + inverse_alpha.ln() - (a / (us * us) + b).ln();
            if left <= k * ln_mean - mean - ln_gamma(k + 1.0) {
                return k as u64;
            }
        }
    }

    /// Puts `items` into a uniformly random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_is_the_published_one() {
        // splitmix64 from 0: the values every implementation agrees on.
        let mut s = 0;
        assert_eq!([splitmix64(&mut s), splitmix64(&mut s)], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
        // xoshiro256++ with state [1, 2, 3, 4]: the first values of the authors' C code.
        let mut rng = Rng { state: [1, 2, 3, 4] };
        assert_eq!([rng.next_u64(), rng.next_u64(), rng.next_u64()], [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn a_fork_is_another_stream_and_leaves_the_parent_alone() {
        let parent = Rng::new(7);
        let (mut a, mut b) = (parent.fork(1), parent.fork(2));
        assert_ne!(a.next_u64(), b.next_u64());
        assert_eq!(parent, Rng::new(7));
        assert_eq!(parent.fork(1).next_u64(), parent.fork(1).next_u64());
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut rng = Rng::new(1);
        let mut seen = [0u32; 7];
        for _ in 0..7_000 {
            seen[rng.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn normal_and_poisson_have_their_mean_and_variance() {
        let mut rng = Rng::new(42);
        let n = 40_000.0;
        let moments = |draws: Vec<f64>| {
            let mean = draws.iter().sum::<f64>() / n;
            (mean, draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
        };
        let (mean, variance) = moments((0..40_000).map(|_| rng.normal()).collect());
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        for rate in [0.3, 4.0, 9.9, 10.1, 60.0, 5_000.0] {
            let (mean, variance) = moments((0..40_000).map(|_| rng.poisson(rate) as f64).collect());
            assert!((mean / rate - 1.0).abs() < 0.03 && (variance / rate - 1.0).abs() < 0.05, "{rate}: {mean} {variance}");
        }
        assert_eq!((rng.poisson(0.0), rng.poisson(f64::NAN), rng.poisson(-1.0)), (0, 0, 0));
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_every_order_comes_up() {
        let mut rng = Rng::new(5);
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut items = [1, 2, 3];
            rng.shuffle(&mut items);
            assert_eq!(items.iter().sum::<i32>(), 6);
            orders.insert(items);
        }
        assert_eq!(orders.len(), 6);
    }
}
