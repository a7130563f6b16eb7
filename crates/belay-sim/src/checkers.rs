//! Checkers: what must hold of any world, whatever happened in it. Each looks at the journal, at
//! what was really done on the hosts and at the raw series; none asks the code under test whether
//! it was right.

mod acceptance;
mod evidence;
mod order;
mod replay;

use std::fmt;

use crate::world::World;

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which checker found it.
    pub checker: &'static str,
    /// What it found.
    pub text: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.checker, self.text)
    }
}

type Checker = fn(&World) -> Vec<String>;

/// All checkers that hold at any time, by name.
const ALWAYS: &[(&str, Checker)] = &[
    ("no acceptance without data", evidence::seen),
    ("no acceptance of a flow that stands still", evidence::flowing),
    ("the same evidence gives the same verdict", evidence::repeatable),
    ("acceptance never leaks", acceptance::rightful),
    ("nothing is accepted before its bake", acceptance::baked),
    ("replay = live", replay::journal),
    ("a snapshot is the state", replay::snapshot),
    ("one run per host and run id", order::one_run),
    ("hosts carry what was put there last", order::carried),
    ("one open Change per class and release", order::one_open),
    ("time never goes back", order::time),
];

/// Checkers that hold once everything has had time to end.
const AT_THE_END: &[(&str, Checker)] =
    &[("every Change ends", order::all_ended), ("every message is delivered or visibly dead", order::all_told)];

/// Everything that is wrong with a world, at any time.
pub fn check(world: &World) -> Vec<Breach> {
    run(ALWAYS, world)
}

/// Everything that is wrong with a world in which everything has had time to end.
pub fn check_ended(world: &World) -> Vec<Breach> {
    [run(ALWAYS, world), run(AT_THE_END, world)].concat()
}

fn run(checkers: &[(&'static str, Checker)], world: &World) -> Vec<Breach> {
    let breaches = |(name, checker): &(&'static str, Checker)| {
        let name = *name;
        checker(world).into_iter().map(move |text| Breach { checker: name, text })
    };
    checkers.iter().flat_map(breaches).collect()
}
