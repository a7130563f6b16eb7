//! The reasons of one case in plain words.

use belay_core::model::verdict::{Finding, Gap, Look, Outcome, Says, Standing};

use super::case::Case;
use super::feed::{Judged, speaks_for_a_host};
use crate::out::inert::inert_lines;
use crate::out::told::count;

/// What was decided and by what, then everything that was found, what weighs most first.
pub fn explanation(case: &Case, judged: &Judged) -> String {
    let by = deciding(judged);
    let by = if by.is_empty() { String::new() } else { format!(": {}", by.join("; ")) };
    let when = match judged.outcome {
        Outcome::Rejected => format!("at sample {}", judged.last),
        Outcome::Accepted | Outcome::Inconclusive(_) => format!("after {}", count(judged.last + 1, "sample")),
    };
    let mut lines = vec![format!("{}: {} {when}{by}", case.id, judged.outcome)];
    if judged.outcome == Outcome::Rejected && judged.look.standing != Standing::Final(Outcome::Rejected) {
        lines.push("  one host is ill by itself; in production its wave is held, a verdict file counts it as rejected".to_owned());
    }
    lines.extend(reasons(&judged.look).map(|reason| format!("  {reason}")));
    // A terminal's prompt would follow the last word.
    inert_lines(&lines.join("\n")) + "\n"
}

/// The findings without which it would have been decided otherwise.
fn deciding(judged: &Judged) -> Vec<String> {
    let look = &judged.look;
    let by = |wanted: &dyn Fn(&Finding) -> bool| look.findings.iter().filter(|finding| wanted(finding)).map(named).collect::<Vec<_>>();
    let suspected = |finding: &Finding| finding.says == Says::Suspicion;
    let mut names = match judged.outcome {
        Outcome::Accepted => vec!["nothing got worse, and what had to be seen was seen".to_owned()],
        Outcome::Rejected => match by(&|finding| finding.says == Says::Harm) {
            harm if harm.is_empty() => by(&|finding| suspected(finding) && speaks_for_a_host(finding)),
            harm => harm,
        },
        Outcome::Inconclusive(Gap::NoSignals) => vec!["no signal is must_have".to_owned()],
        Outcome::Inconclusive(Gap::NoData) => {
            let lacks = look.lacks.iter().filter(|lack| lack.must_have);
            lacks.map(|lack| format!("{} was not seen", lack.signal)).collect()
        }
        Outcome::Inconclusive(Gap::Conflicting) => by(&suspected),
        Outcome::Inconclusive(gap) => by(&|finding| finding.says == Says::CannotTell(gap)),
    };
    names.dedup();
    names
}

fn named(finding: &Finding) -> String {
    match &finding.signal {
        Some(signal) => format!("{} of {signal}", finding.check.code()),
        None => finding.check.code().to_owned(),
    }
}

fn reasons(look: &Look) -> impl Iterator<Item = String> + '_ {
    let findings = look.findings.iter().map(|finding| format!("{:<10} {:<14} {}", finding.says.word(), finding.check.code(), finding.text));
    let lack = |lack: &belay_core::model::verdict::Lack| {
        format!("{:<10} {:<14} {}: {}", "lack", lack.signal, count(lack.hosts.len() as u64, "host"), lack.why.words())
    };
    findings.chain(look.lacks.iter().map(lack))
}
