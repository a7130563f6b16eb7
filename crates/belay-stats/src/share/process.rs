//! The running test: counts in, evidence and effect out.

use super::{ShareTest, has_flow};

/// Nodes of the prior of the share, and how far they reach, in its standard deviations on the logit scale.
const NODES: usize = 61;
const REACH: f64 = 6.0;

/// The odds ratios that are bet on when a fall is harm; a rise bets on the inverses.
const FALLS: [f64; 6] = [0.02, 0.1, 0.25, 0.5, 0.7, 0.85];

/// What one step may add to the logarithm of one bet's capital.
const MAX_STEP_GAIN: f64 = 4.0;

/// The largest effect that is told apart from "everything" and "nothing": a factor of e^12.
const MAX_LN_RATIO: f64 = 12.0;

/// Which change of the treated share is harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A fall is harm: a flow that must not stop.
    Down,
    /// A rise is harm: errors, retries.
    Up,
    /// Either is harm; costs ln 2 of the evidence.
    Both,
}

/// How much the share changed, as a ratio of odds: 1 is no change, 0.5 half the odds. For a small share it is the ratio of shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The best estimate (with half a count added to each side, so that a total stop has one).
    pub odds_ratio: f64,
    /// Lower end of the interval, 0 if nothing bounds it.
    pub low: f64,
    /// Upper end of the interval, infinite if nothing bounds it.
    pub high: f64,
    /// The share in the past.
    pub share_before: f64,
    /// The share since the process began.
    pub share_now: f64,
}

/// One possible share, with its weight.
#[derive(Debug, Clone, Copy)]
struct Node {
    p: f64,
    ln_p: f64,
    ln_q: f64,
    ln_weight: f64,
}

/// One odds ratio that is bet on, with what it needs at every look.
#[derive(Debug, Clone)]
struct Bet {
    ln_ratio: f64,
    /// `ln(1 - p + p * ratio)` at each node, and at the share of the past.
    ln_norm: Vec<f64>,
    ln_norm_past: f64,
}

/// Counts, already divided by phi.
#[derive(Debug, Clone)]
struct Counts {
    treated: f64,
    peers: f64,
    /// The treated count as each bet sees it: every step held where it is worth [`MAX_STEP_GAIN`] to the bet.
    held: Vec<f64>,
}

/// The test while it runs. Begun by [`ShareTest::begin`]; a plain value that can be cloned and replayed.
#[derive(Debug, Clone)]
pub struct ShareProcess {
    test: ShareTest,
    nodes: Vec<Node>,
    bets: Vec<Bet>,
    counts: Counts,
    /// The counts before each possible onset (steps 0, 1, 2, 4, 8, ...).
    onsets: Vec<Counts>,
    steps: u64,
    ln_e: f64,
}

impl ShareProcess {
    pub(super) fn new(test: ShareTest, direction: Direction) -> ShareProcess {
        let nodes = nodes_of(&test);
        let falls = FALLS.iter().map(|r| r.ln());
        let rises = FALLS.iter().map(|r| -r.ln());
        let ratios: Vec<f64> = match direction {
            Direction::Down => falls.collect(),
            Direction::Up => rises.collect(),
            Direction::Both => falls.chain(rises).collect(),
        };
        let bet = |ln_ratio| Bet {
            ln_ratio,
            ln_norm: nodes.iter().map(|n| ln_norm(n.p, ln_ratio)).collect(),
            ln_norm_past: ln_norm(test.share, ln_ratio),
        };
        let bets: Vec<Bet> = ratios.into_iter().map(bet).collect();
        let counts = Counts { treated: 0.0, peers: 0.0, held: vec![0.0; bets.len()] };
        ShareProcess { test, nodes, bets, counts, onsets: Vec::new(), steps: 0, ln_e: 0.0 }
    }

    /// Takes the counts of the next step. A step in which nothing flowed at all, or that is negative or not finite, says nothing.
    pub fn step(&mut self, treated: f64, peers: f64) {
        if self.steps == 0 || self.steps.is_power_of_two() {
            self.onsets.push(self.counts.clone());
        }
        self.steps += 1;
        if !has_flow((treated, peers)) {
            return;
        }
        let phi = self.test.phi_at(treated + peers);
        let (x, y) = (treated / phi, peers / phi);
        self.counts.treated += x;
        self.counts.peers += y;
        for (held, bet) in self.counts.held.iter_mut().zip(&self.bets) {
            *held += bet.hold(x, x + y);
        }
        self.ln_e = self.evidence();
    }

    /// The natural logarithm of the evidence against "the share is what it was", after the steps so far. 0 at the start; the null may
    /// be rejected at level `alpha` as soon as this reaches `ln(1/alpha)`, at whichever step that is.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.ln_e
    }

    /// Steps taken, those without a flow included.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The effect with an interval that covers the truth at *all* looks with probability `1 - alpha`: the odds ratios which a mixture
    /// over all ratios does not reject. `None` before anything flowed.
    #[must_use]
    pub fn effect(&self, alpha: f64) -> Option<Effect> {
        let total = self.counts.treated + self.counts.peers;
        if total <= 0.0 {
            return None;
        }
        let before = self.test.share;
        let best = ((self.counts.treated + 0.5) / (self.counts.peers + 0.5)).ln() - (before / (1.0 - before)).ln();
        let best = best.clamp(-MAX_LN_RATIO, MAX_LN_RATIO);
        let mut mixture = LnSum::default();
        let grid = 48;
        for i in 0..=grid {
            mixture.add(self.ln_likelihood(MAX_LN_RATIO * (2.0 * f64::from(i) / f64::from(grid) - 1.0) / 2.0));
        }
        // The estimate joins the mixture's ends, so that the interval is never empty.
        let mixture = mixture.ln() - f64::from(grid + 1).ln();
        let excluded = |ln_ratio: f64| mixture - self.ln_likelihood(ln_ratio) >= -alpha.ln();
        let bound = |outermost: f64| {
            if !excluded(outermost) {
                return if outermost < 0.0 { 0.0 } else { f64::INFINITY };
            }
            let (mut inside, mut outside) = (best, outermost);
            for _ in 0..50 {
                let middle = f64::midpoint(inside, outside);
                if excluded(middle) { outside = middle } else { inside = middle }
            }
            inside.exp()
        };
        let share_now = self.counts.treated / total;
        Some(Effect { odds_ratio: best.exp(), low: bound(-MAX_LN_RATIO), high: bound(MAX_LN_RATIO), share_before: before, share_now })
    }

    /// ln of: likelihood of the counts, times the weight of the node, at every node, under the null.
    fn null(&self) -> Vec<f64> {
        let c = &self.counts;
        self.nodes.iter().map(|n| n.ln_weight + c.treated * n.ln_p + c.peers * n.ln_q).collect()
    }

    fn evidence(&self) -> f64 {
        let null = self.null();
        let mut denominator = LnSum::default();
        null.iter().for_each(|&v| denominator.add(v));
        let ln_bets = (self.bets.len() as f64).ln();
        let mut numerator = LnSum::default();
        for (k, before) in self.onsets.iter().enumerate() {
            let total = self.counts.treated + self.counts.peers - before.treated - before.peers;
            let ln_prior = onset_weight(k).ln() - ln_bets;
            for (b, bet) in self.bets.iter().enumerate() {
                let gain = ln_prior + (self.counts.held[b] - before.held[b]) * bet.ln_ratio;
                for (v, ln_norm) in null.iter().zip(&bet.ln_norm) {
                    numerator.add(v + gain - total * ln_norm);
                }
            }
        }
        // Onsets still to come have bet nothing yet: they keep their capital.
        let kept: f64 = 1.0 - (0..self.onsets.len()).map(onset_weight).sum::<f64>();
        numerator.add(denominator.ln() + kept.max(f64::MIN_POSITIVE).ln());
        numerator.ln() - denominator.ln()
    }

    /// ln of the likelihood of all counts at this odds ratio from the first step, averaged over the nodes.
    fn ln_likelihood(&self, ln_ratio: f64) -> f64 {
        let c = &self.counts;
        let mut sum = LnSum::default();
        for (v, node) in self.null().into_iter().zip(&self.nodes) {
            sum.add(v + c.treated * ln_ratio - (c.treated + c.peers) * ln_norm(node.p, ln_ratio));
        }
        sum.ln()
    }
}

impl Bet {
    /// The treated count of a step (of total `n`) as this bet sees it: `x`, or the count at which the step is worth all it may be.
    fn hold(&self, x: f64, n: f64) -> f64 {
        let at_limit = (MAX_STEP_GAIN + n * self.ln_norm_past) / self.ln_ratio;
        if self.ln_ratio < 0.0 { x.max(at_limit) } else { x.min(at_limit) }
    }
}

/// `ln(1 - p + p * ratio)`.
fn ln_norm(p: f64, ln_ratio: f64) -> f64 {
    (p * ln_ratio.exp_m1()).ln_1p()
}

/// What the k-th onset may spend: 1/2, 1/6, 1/12, ... (they sum to 1).
fn onset_weight(k: usize) -> f64 {
    1.0 / ((k + 1) * (k + 2)) as f64
}

/// The posterior of the share after the past, as weighted points at equal distances on the logit scale.
fn nodes_of(test: &ShareTest) -> Vec<Node> {
    let (a, b) = (test.effective.0 + 0.5, test.effective.1 + 0.5);
    let (centre, sd) = ((a / b).ln(), (1.0 / a + 1.0 / b).sqrt());
    let mut total = LnSum::default();
    let mut nodes = Vec::with_capacity(NODES);
    for i in 0..NODES {
        let logit = centre + sd * REACH * (2.0 * i as f64 / (NODES - 1) as f64 - 1.0);
        // p = 1 / (1 + e^-logit); both logarithms without cancellation.
        let (ln_p, ln_q) = (-softplus(-logit), -softplus(logit));
        let ln_weight = a * ln_p + b * ln_q;
        total.add(ln_weight);
        nodes.push(Node { p: ln_p.exp(), ln_p, ln_q, ln_weight });
    }
    nodes.iter_mut().for_each(|n| n.ln_weight -= total.ln());
    nodes
}

/// `ln(1 + e^x)`.
fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// The logarithm of a sum of exponentials, added one by one without overflow.
struct LnSum {
    largest: f64,
    sum: f64,
}

impl Default for LnSum {
    fn default() -> LnSum {
        LnSum { largest: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LnSum {
    fn add(&mut self, ln_term: f64) {
        if ln_term <= self.largest {
            // Beyond 40 nats below the largest a term is lost in rounding anyway.
            if ln_term > self.largest - 40.0 {
                self.sum += (ln_term - self.largest).exp();
            }
        } else if ln_term > f64::NEG_INFINITY {
            self.sum = self.sum * (self.largest - ln_term).exp() + 1.0;
            self.largest = ln_term;
        }
    }

    fn ln(&self) -> f64 {
        self.largest + self.sum.ln()
    }
}
