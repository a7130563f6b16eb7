//! **What it asks**: does no configuration come about for hosts, with the same error on each?
//!
//! **Why**: nothing was applied, so no signal will show it; but the same error for two hosts is the
//! content's fault and will meet every host.
//!
//! **Example**: `no configuration could be made for 2 of 2 hosts: Syntax error at 'x'`.

use std::collections::BTreeMap;

use crate::model::change::Trial;
use crate::model::ids::HostId;
use crate::model::verdict::{Check, Finding, Numbers, Says};

pub(super) fn check(trial: &Trial) -> Option<Finding> {
    let mut by_error: BTreeMap<&str, Vec<HostId>> = BTreeMap::new();
    for (host, treated) in &trial.treated {
        if let Some(error) = &treated.compile_error {
            by_error.entry(error).or_default().push(host.clone());
        }
    }
    let (error, hosts) = by_error.into_iter().max_by_key(|(_, hosts)| hosts.len())?;
    let says = if hosts.len() >= 2 { Says::Harm } else { Says::Suspicion };
    Some(Finding {
        check: Check::CompileError,
        signal: None,
        says,
        text: format!("no configuration could be made for {} of {} hosts: {error}", hosts.len(), trial.treated.len()),
        of: trial.treated.len().try_into().unwrap_or(u32::MAX),
        hosts,
        peers_alike: (0, 0),
        numbers: Numbers::default(),
        since: None,
    })
}
