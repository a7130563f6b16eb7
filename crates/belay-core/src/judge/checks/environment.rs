//! **What it asks**: did a host get an environment that does not belong to the release it runs?
//!
//! **Why**: old files on new code. The operator declared which environment each release needs; no
//! signal has to move to see that this one is wrong.
//!
//! **When it cannot tell**: no environment is declared for the release.
//!
//! **Example**: `environment production does not belong to release 142, which needs r142: 15 of 15 changed hosts`.

use std::collections::BTreeSet;

use crate::model::change::Trial;
use crate::model::ids::HostId;
use crate::model::item::branch;
use crate::model::verdict::{Check, Finding, Numbers, Says};

pub(super) fn check(trial: &Trial) -> Option<Finding> {
    let (due, release) = (trial.environment_due.as_ref()?, trial.release.as_ref()?);
    let got = |host: &HostId| trial.treated.get(host).and_then(|treated| treated.environment.as_ref());
    let wrong: Vec<HostId> = trial
        .treated
        .keys()
        .filter(|host| got(host).is_some_and(|environment| branch(environment.as_str()) != branch(due.as_str())))
        .cloned()
        .collect();
    let names: BTreeSet<&str> = wrong.iter().filter_map(got).map(|environment| environment.as_str()).collect();
    let of = trial.treated.len();
    let (says, text) = if wrong.is_empty() {
        (Says::Fine, format!("environment {due} belongs to release {release}"))
    } else {
        let names: Vec<&str> = names.into_iter().collect();
        let text = format!(
            "environment {} does not belong to release {release}, which needs {due}: {} of {of} changed hosts",
            names.join(", "),
            wrong.len()
        );
        (Says::Harm, text)
    };
    Some(Finding {
        check: Check::EnvironmentMismatch,
        signal: None,
        says,
        hosts: wrong,
        of: of.try_into().unwrap_or(u32::MAX),
        peers_alike: (0, 0),
        text,
        numbers: Numbers::default(),
        since: None,
    })
}
