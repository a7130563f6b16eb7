//! A signal as the checks see it: one row of steps a host, each row knowing where its own change
//! is. Hosts of a wave change at different moments, so "since the change" is per host; peers and
//! treated hosts share the calendar, so rows have a common beginning.

use crate::model::change::{Nearness, Peer, Trial};
use crate::model::ids::HostId;
use crate::model::signal::{Signal, Window};
use crate::model::time::{Span, Timestamp};

/// A signal of a trial, ready to be looked at.
pub(super) struct Sight<'a> {
    /// The signal.
    pub(super) signal: &'a Signal,
    /// Start of step 0.
    pub(super) from: Timestamp,
    /// Number of steps.
    pub(super) steps: usize,
    /// Hosts that changed, without those whose clock forbids tight comparisons.
    pub(super) treated: Vec<Row>,
    /// Hosts compared with, nearest first.
    pub(super) peers: Vec<(Nearness, Row)>,
}

/// What all rows of a sight have in common.
struct Calendar<'a> {
    window: Option<&'a Window>,
    from: Timestamp,
    step: Span,
    steps: usize,
    grace: Span,
}

/// One host's steps.
pub(super) struct Row {
    /// The host.
    pub(super) host: HostId,
    /// A value for each step, absent where there was none.
    pub(super) values: Vec<Option<f64>>,
    /// First step that lies wholly after the host's own change (for a peer: its end).
    pub(super) onset: usize,
    /// First step after the grace.
    pub(super) settled: usize,
    /// First step that is no evidence any more, because the host had left the Change.
    pub(super) end: usize,
    /// When anything at all was last heard of the host.
    pub(super) heard: Option<Timestamp>,
}

impl<'a> Sight<'a> {
    /// Lays the window of a signal out in rows.
    pub(super) fn of(trial: &'a Trial, signal: &'a Signal, window: Option<&Window>) -> Self {
        let from = window.map_or(Timestamp::default(), |window| window.from);
        let span = window.map_or(Span::ZERO, |window| window.to.since(window.from));
        let steps = usize::try_from(span.ms() / signal.step.ms().max(1)).unwrap_or(0);
        let calendar = Calendar { window, from, step: signal.step, steps, grace: trial.grace };
        let tight = trial.treated.iter().filter(|(_, treated)| !treated.skewed);
        let treated = tight.map(|(host, treated)| Row::of(host, &calendar, Some(treated.onset), treated.left));
        let peer = |(host, peer): (&HostId, &Peer)| (peer.nearness, Row::of(host, &calendar, peer.until, None));
        let mut peers: Vec<(Nearness, Row)> = trial.peers.iter().map(peer).collect();
        peers.sort_by(|a, b| (a.0, &a.1.host).cmp(&(b.0, &b.1.host)));
        Self { signal, from, steps, treated: treated.collect(), peers }
    }

    /// When a step begins.
    pub(super) fn time(&self, step: usize) -> Timestamp {
        self.from + self.signal.step.times(i64::try_from(step).unwrap_or(i64::MAX))
    }

    /// Whether there are peers that can contradict: with a past of their own and values since the
    /// first host changed.
    pub(super) fn has_peers(&self) -> bool {
        let first = self.treated.iter().map(|row| row.onset).min().unwrap_or(self.steps);
        self.nearest().any(|row| row.past_count() > 0 && row.values[first.min(row.onset)..row.onset].iter().any(Option::is_some))
    }

    /// The nearest peers that are enough to compare with: those of the same release where there
    /// are at least three, else all.
    pub(super) fn nearest(&self) -> impl Iterator<Item = &Row> {
        let same = self.peers.iter().filter(|(nearness, _)| *nearness == Nearness::SameRelease).count();
        let all = same < 3;
        self.peers.iter().filter(move |(nearness, _)| all || *nearness == Nearness::SameRelease).map(|(_, row)| row)
    }
}

impl Row {
    fn of(host: &HostId, calendar: &Calendar<'_>, changed: Option<Timestamp>, left: Option<Timestamp>) -> Self {
        let Calendar { window, from, step, steps, grace } = *calendar;
        let mut values = vec![None; steps];
        let samples = window.and_then(|window| window.hosts.get(host)).map_or(&[][..], |series| series.samples());
        for sample in samples {
            let index = usize::try_from(sample.at.since(from).ms() / step.ms().max(1)).ok().filter(|_| sample.at >= from);
            if let Some(slot) = index.and_then(|index| values.get_mut(index)) {
                *slot = Some(sample.value).filter(|value| value.is_finite());
            }
        }
        let first_after = |at: Timestamp| {
            let ms = at.since(from).ms().max(0);
            usize::try_from((ms + step.ms() - 1) / step.ms().max(1)).unwrap_or(steps).min(steps)
        };
        let onset = changed.map_or(steps, first_after);
        let end = left.map_or(steps, |at| first_after(at - step)).max(onset);
        values[end..].fill(None);
        let settled = changed.map_or(steps, |at| first_after(at + grace)).min(end);
        let heard = window.and_then(|window| window.heard.get(host)).copied();
        Self { host: host.clone(), values, onset, settled, end, heard }
    }

    /// The steps before the host's own change.
    pub(super) fn past(&self) -> &[Option<f64>] {
        &self.values[..self.onset]
    }

    /// The steps since the grace ended, as long as the host carried the Change.
    pub(super) fn settled(&self) -> &[Option<f64>] {
        &self.values[self.settled..self.end]
    }

    /// Whether the host ceased to carry the Change.
    pub(super) fn has_left(&self) -> bool {
        self.end < self.values.len()
    }

    /// Steps after `begin` that do not count by themselves because a restart is expected in them. A
    /// peer, asked about a time before its own change, has none.
    pub(super) fn grace_after(&self, begin: usize) -> usize {
        if begin < self.onset { 0 } else { self.settled.saturating_sub(begin) }
    }

    /// Where the answer of a host that is asked from step `begin` on must end: a peer is asked about
    /// the time before its own change only.
    pub(super) fn end_after(&self, begin: usize) -> usize {
        if begin < self.onset { self.onset } else { self.end }
    }

    /// How many past steps have a value.
    pub(super) fn past_count(&self) -> usize {
        self.past().iter().flatten().count()
    }
}

/// Mean of the values that are there.
pub(super) fn mean<'b>(values: impl IntoIterator<Item = &'b Option<f64>>) -> Option<f64> {
    let (sum, count) = values.into_iter().flatten().fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}
