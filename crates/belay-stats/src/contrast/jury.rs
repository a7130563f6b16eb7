//! The peers, each judged as if it had been treated.

use super::Contrast;
use super::subject::Subject;
use crate::panel::{Design, Panel};

/// Peers that are judged as if they were treated, at most.
const JURY_MAX: usize = 12;

/// A peer judged as if it were treated, by the others.
#[derive(Debug, Clone)]
pub(super) struct Juror {
    pub(super) subject: Subject,
    member: usize,
    pub(super) others: Panel,
}

impl Contrast {
    /// How many peers would look like that: each peer judged as if it were treated. Deviations at each look since the origin.
    #[must_use]
    pub fn jury(&mut self) -> Vec<&[f64]> {
        if self.rivals() < 2 {
            return Vec::new();
        }
        let mut jury = self.jury.take().unwrap_or_else(|| self.called());
        let looks = self.storms.len().min(self.question.shape.horizon);
        for juror in &mut jury {
            for step in juror.subject.moved.len()..looks {
                let value = |member: usize| self.panel.member(member)[step];
                juror.others.push((0..self.peers.len()).filter(|other| *other != juror.member).map(value));
                juror.subject.take(value(juror.member), &juror.others, (step, self.origin), step, (self.storms[step], self.storms[step]));
            }
        }
        self.jury.insert(jury).iter().map(|juror| &juror.subject.stream.shown().deviation[..]).collect()
    }

    fn called(&self) -> Vec<Juror> {
        let juror = |member: usize| {
            let others = self.panel_past.without(member);
            let design = Design::of(&others, self.question.season, self.origin, self.origin);
            let row = &self.panel_past.member(member)[..self.origin];
            let mut subject = Subject::fit(self.question, row, self.peers[member], self.origin, (&others, &design))?;
            subject.calibrate(self.question, false);
            Some(Juror { subject, member, others: Panel::empty(others.len()) })
        };
        (0..self.peers.len().min(JURY_MAX)).filter_map(juror).collect()
    }
}
