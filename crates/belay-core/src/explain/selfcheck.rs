//! Self-checks in plain words.

use crate::model::selfcheck::{Rate, SelfCheck};

/// How often the judge rejects nothing at all in a class, in one line; none where no trial could be judged.
pub fn rate(check: &SelfCheck) -> Option<String> {
    let rate = check.rate()?;
    Some(format!(
        "self-check of class {} on {}: of {} trials in which nothing had changed, {} were rejected ({}); the budget of a trial is {}{}",
        check.class,
        check.at,
        check.judged,
        check.rejected,
        interval(&rate),
        percent(check.budget),
        if check.exceeds() { ": rejections in this class deserve a second look" } else { "" }
    ))
}

/// A self-check in one line, whatever came of it.
pub fn summary(check: &SelfCheck) -> String {
    let none = || format!("self-check of class {}: none of {} trials could be judged", check.class, check.drawn);
    match &check.skipped {
        Some(why) => format!("self-check of class {} skipped: {why}", check.class),
        None => rate(check).unwrap_or_else(none),
    }
}

/// A rate with its interval: `1.5 %, 95 % between 0.3 and 4.3 %`.
pub fn interval(rate: &Rate) -> String {
    let high = percent(rate.high);
    format!("{}, 95 % between {} and {high}", percent(rate.seen), percent(rate.low).trim_end_matches(" %"))
}

/// A part of one, as people write it: two digits that count.
pub fn percent(part: f64) -> String {
    let percent = part * 100.0;
    match percent {
        _ if percent == 0.0 => "0 %".to_owned(),
        _ if percent >= 10.0 => format!("{percent:.0} %"),
        _ if percent >= 0.095 => format!("{percent:.1} %"),
        _ => format!("{percent:.2} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_said_with_its_interval() {
        let rate = Rate::of(3, 200, 200).unwrap();
        assert_eq!(interval(&rate), "1.5 %, 95 % between 0.3 and 4.3 %");
        assert_eq!([0.0, 0.0005, 0.02, 0.1234].map(percent), ["0 %", "0.05 %", "2.0 %", "12 %"]);
    }
}
