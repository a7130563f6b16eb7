//! Two rules of control charts, as they are found in monitoring: each compares the changed hosts with nothing but their own past.

use super::cases::{Case, Signal, Worse};
use super::scorer::Verdict;
use super::series::{self, Spread};

/// Beyond three standard deviations of the day before the change, three samples in a row, in any signal.
pub fn three_sigma(case: &Case) -> Verdict {
    const SIGMAS: f64 = 3.0;
    const IN_A_ROW: usize = 3;
    first(case, |signal| {
        let line = series::mean_of(&signal.treated);
        let usual = Spread::of(&line[case.past - case.season.min(case.past)..case.past])?;
        let mut row = 0;
        line[case.past + case.grace..].iter().position(|value| {
            let z = usual.z(*value);
            let beyond = match signal.worse {
                Worse::Both => z.abs() > SIGMAS,
                Worse::Up => z > SIGMAS,
                Worse::Down => z < -SIGMAS,
            };
            row = if beyond { row + 1 } else { 0 };
            row >= IN_A_ROW
        })
    })
}

/// The cumulative sum of standardised values beyond an allowance, since the change (Page, "Continuous inspection schemes", 1954).
pub fn cusum(case: &Case) -> Verdict {
    const ALLOWANCE: f64 = 0.5;
    const LIMIT: f64 = 5.0;
    first(case, |signal| {
        let line = series::mean_of(&signal.treated);
        let usual = Spread::of(&line[..case.past])?;
        let (mut up, mut down) = (0.0_f64, 0.0_f64);
        line[case.past + case.grace..].iter().position(|value| {
            let z = usual.z(*value);
            // A missing value says nothing, and ends nothing.
            if z.is_finite() {
                up = (up + z - ALLOWANCE).max(0.0);
                down = (down - z - ALLOWANCE).max(0.0);
            }
            match signal.worse {
                Worse::Both => up.max(down) > LIMIT,
                Worse::Up => up > LIMIT,
                Worse::Down => down > LIMIT,
            }
        })
    })
}

/// The earliest sample after the grace at which any signal cries. Neither rule knows another end than acceptance.
fn first(case: &Case, cries: impl Fn(&Signal) -> Option<usize>) -> Verdict {
    let earliest = case.signals.iter().filter_map(cries).min();
    earliest.map_or(Verdict::Accepted, |sample| Verdict::Rejected { at: (case.grace + sample) as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A past of -1 and 1 in turn (mean 0, deviation 1), two samples of grace, and what follows.
    fn case(worse: Worse, after: &[f64]) -> Case {
        let mut row: Vec<f64> = (0..20).map(|t| if t % 2 == 0 { -1.0 } else { 1.0 }).collect();
        row.extend([50.0, 50.0]);
        row.extend(after);
        Case { past: 20, grace: 2, season: 10, signals: vec![Signal { worse, treated: vec![row], peers: Vec::new() }] }
    }

    #[test]
    fn three_sigma_wants_three_in_a_row() {
        let verdict = |worse, after: &[f64]| three_sigma(&case(worse, after));
        assert_eq!(verdict(Worse::Both, &[4.0, 4.0, 0.0, 4.0, -4.0, 4.0]), Verdict::Rejected { at: 7.0 });
        assert_eq!(verdict(Worse::Up, &[4.0, 4.0, 0.0, 4.0, -4.0, 4.0]), Verdict::Accepted);
        assert_eq!(verdict(Worse::Down, &[-4.0, -4.0, -4.0]), Verdict::Rejected { at: 4.0 });
        // What makes it dangerous: no data, no alarm.
        assert_eq!(verdict(Worse::Both, &[4.0, 4.0, f64::NAN, 4.0, 4.0]), Verdict::Accepted);
    }

    #[test]
    fn a_cumulative_sum_needs_more_than_its_limit() {
        let verdict = |worse, after: &[f64]| cusum(&case(worse, after));
        // 1.5 a sample beyond the allowance: 4.5 after three, 6 after four.
        assert_eq!(verdict(Worse::Up, &[2.0; 4]), Verdict::Rejected { at: 5.0 });
        assert_eq!(verdict(Worse::Up, &[2.0, 2.0, f64::NAN, 2.0, 2.0]), Verdict::Rejected { at: 6.0 });
        assert_eq!(verdict(Worse::Down, &[2.0; 9]), Verdict::Accepted);
        assert_eq!(verdict(Worse::Both, &[-2.0; 4]), Verdict::Rejected { at: 5.0 });
        assert_eq!(verdict(Worse::Both, &[0.4; 40]), Verdict::Accepted);
    }
}
