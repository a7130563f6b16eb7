//! The catch in virtual time: up to five hundred agents against one server, with partitions, a server
//! that restarts or comes back from a backup, clocks that drift, agents that crash, hands on locks
//! people who alter the same holds, windows and freezes. The agents decide with the code of the real one; what became
//! of every run is weighed against what its host could know.

mod acts;
mod calendar;
mod check;
mod site;

use belay_stats::rng::Rng;

use crate::checkers::Breach;
use site::Site;

/// Minutes that a story lasts before everything is put right.
const MINUTES: u64 = 240;

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Played {
    /// The seed.
    pub seed: u64,
    /// What must never be, and was.
    pub breaches: Vec<Breach>,
    /// What was counted.
    pub tally: Tally,
}

/// What happened: stories in which hardly anything happens prove nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Agents.
    pub agents: u64,
    /// Runs that went ahead.
    pub went: u64,
    /// Runs that the tool's lock or the gate's hold kept from beginning.
    pub held: u64,
    /// Runs that were refused.
    pub refused: u64,
    /// Runs that were deferred: by their wave, or because the server was away.
    pub deferred: u64,
    /// Those of them that waited for a class to open.
    pub closed: u64,
    /// Waves that opened after the first.
    pub waves: u64,
    /// Runs of content unknown to their host, let through after the server had been away too long.
    pub let_through: u64,
    /// Holds placed.
    pub holds: u64,
    /// Locks found broken by hand.
    pub broken: u64,
    /// Hosts handed over after the expiry of a hold.
    pub handed_over: u64,
    /// Times that the server came back from its journal.
    pub restarts: u64,
    /// Times that it came back from an older backup.
    pub restores: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self { agents, went, held, refused, deferred, closed, waves, let_through, holds, broken, handed_over, restarts, restores } =
            other;
        self.agents += agents;
        self.went += went;
        self.held += held;
        self.refused += refused;
        self.deferred += deferred;
        self.closed += closed;
        self.waves += waves;
        self.let_through += let_through;
        self.holds += holds;
        self.broken += broken;
        self.handed_over += handed_over;
        self.restarts += restarts;
        self.restores += restores;
    }
}

/// Plays a seed. One in fifty has five hundred agents, the others five to forty.
pub fn play(seed: u64) -> Played {
    let mut rng = Rng::new(seed).fork(7);
    let agents = if seed.is_multiple_of(50) { 500 } else { 5 + rng.below(36) };
    let minutes = if agents == 500 { MINUTES / 4 } else { MINUTES };
    let mut site = Site::new(rng, agents);
    for _ in 0..minutes {
        site.minute();
    }
    site.settle();
    let tally = site.tally;
    Played { seed, breaches: site.breaches(), tally }
}
