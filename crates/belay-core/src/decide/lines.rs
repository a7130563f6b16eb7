//! Lines of logs that hosts tell of: evidence about the Changes of their class, for the people who
//! read the alert. They move no verdict; what the judge weighs is their count, a signal like any other.

use super::draft::Draft;
use super::notify::{self, Pace};
use super::polled::shortened;
use crate::host::talk::Poll;
use crate::model::change::Change;
use crate::model::ids::HostId;
use crate::model::log::{LINE_MAX, Line, PATTERNS_MAX};
use crate::model::time::Span;
use crate::model::verdict::{Outcome, Standing};
use crate::state::Fact;

/// The longest name of a log or a pattern that is taken.
const NAME_MAX: usize = 64;
/// A line this much before the change still counts as after it: the run and the clocks need time.
const MARGIN: Span = Span::from_s(5);

/// Takes what a host told of its logs.
pub(super) fn told(draft: &mut Draft<'_>, host: &HostId, poll: &Poll) {
    if poll.lines.is_empty() {
        return;
    }
    let Some(class) = draft.state.hosts.get(host).map(|host| host.class.clone()) else { return };
    let off = draft.now.since(poll.sent_at);
    let lines: Vec<Line> = poll.lines.iter().take(PATTERNS_MAX).map(|line| in_server_time(line, off)).collect();
    let changes: Vec<&Change> = draft.state.changes.values().filter(|change| change.class == class && matters(draft, change)).collect();
    for change in changes {
        for line in &lines {
            if let Some(treated) = evidence(change, host, line) {
                draft.push(Fact::LineTold { change: change.id, host: host.clone(), treated, line: line.clone() });
                if treated && was_told_of(change) {
                    notify::tell(draft, change.id, &class, Pace::Gathered);
                }
            }
        }
    }
}

fn in_server_time(line: &Line, off: Span) -> Line {
    Line {
        log: shortened(&line.log, NAME_MAX),
        pattern: shortened(&line.pattern, NAME_MAX),
        since: line.since + off,
        at: line.at + off,
        text: shortened(&line.text, LINE_MAX),
    }
}

/// Whether lines still say something about a Change: while it is open, and for a while after it
/// ended badly, because the host may tell later than the flow stopped.
fn matters(draft: &Draft<'_>, change: &Change) -> bool {
    let horizon = draft.state.policy.class(&change.class).horizon;
    match &change.verdict {
        None => true,
        Some(verdict) => verdict.outcome != Outcome::Accepted && draft.now.since(verdict.at) <= horizon,
    }
}

fn was_told_of(change: &Change) -> bool {
    matches!(change.standing, Standing::Suspect | Standing::Final(_))
}

/// On which side a line stands, where it is evidence and not known yet: of a host that changed, when
/// such lines began after that; of another, when there was one since the first host changed.
fn evidence(change: &Change, host: &HostId, line: &Line) -> Option<bool> {
    let known = change.logs.of(&line.log, &line.pattern);
    match change.treated.get(host) {
        Some(treated) => {
            let new = line.since + MARGIN >= treated.onset && treated.left.is_none_or(|left| line.since <= left);
            (new && known.is_none_or(|lines| !lines.treated.contains(host))).then_some(true)
        }
        None => (line.at >= change.began() && known.is_none_or(|lines| !lines.others.contains(host))).then_some(false),
    }
}
