//! The waves of a class: how many hosts each reaches, who comes first, what follows an outcome that
//! could not be told, and between which environments the classifier chooses.

use belay_core::model::gate::Enforce;
use belay_core::model::ids::Environment;
use belay_core::model::policy::{Branches, ClassPolicy, OnInconclusive, WaveSize};

use super::class::pattern;
use super::server::filled;
use super::table::Table;

const EXAMPLE: &str = "waves = [1, \"5%\", \"25%\", \"100%\"]";
const BRANCHES: &str = "branches = { stable = \"production\", candidate = \"candidate\" }";
/// The most waves.
const WAVES_MAX: usize = 20;

/// Reads what a class says of its waves.
pub(super) fn read(table: &mut Table<'_>, class: &mut ClassPolicy) {
    let sizes = table.texts_and_numbers("waves", EXAMPLE);
    if sizes.len() > WAVES_MAX {
        table.errors.push(table.at.mistake(format!("`class.waves`: {} waves; at most {WAVES_MAX} are kept", sizes.len())));
    }
    for found in sizes {
        match size(&found.value) {
            Some(size) => class.waves.push(size),
            None => {
                let text = format!("`{}`: {:?} is no size of a wave", found.at.key, found.value);
                table.errors.push(found.at.mistake_with(text, format!("a number of hosts, or a part of them: {EXAMPLE}")));
            }
        }
    }
    class.canaries = table.all_parsed("canaries", pattern).into_iter().map(|found| found.value).collect();
    class.spread = table.parsed("spread", filled).map(|found| found.value);
    let apart = table.parsed("apart", filled);
    if let Some(apart) = apart.as_ref().filter(|_| class.waves.is_empty()) {
        let text = "`class.apart` says nothing without `waves`";
        table.errors.push(apart.at.mistake_with(text, format!("{EXAMPLE}, or leave it out")));
    }
    class.apart = apart.map(|found| found.value);
    let words = [("next", OnInconclusive::Next), ("hold", OnInconclusive::Hold)];
    if let Some(word) = table.word("on_inconclusive", &words) {
        class.on_inconclusive = word.value;
    }
    class.branches = branches(table);
    if class.waves.is_empty() && class.enforce >= Enforce::Waves {
        let text = "`enforce = \"waves\"` without `waves`: there is nothing to wait for".to_owned();
        table.errors.push(table.at.mistake_with(text, format!("say how many hosts each wave reaches: {EXAMPLE}")));
    }
    if !class.waves.is_empty() && class.enforce < Enforce::Waves {
        let text = format!("`waves` are kept by the gate only, and `enforce = {:?}` does not keep them", class.enforce.word());
        table.errors.push(table.at.mistake_with(text, "write enforce = \"waves\", or leave out waves"));
    }
}

fn size(text: &str) -> Option<WaveSize> {
    match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().ok().filter(|percent| (1..=100).contains(percent)).map(WaveSize::Percent),
        None => text.parse().ok().filter(|hosts| *hosts > 0).map(WaveSize::Hosts),
    }
}

fn branches(table: &mut Table<'_>) -> Option<Branches> {
    let mut inner = table.table("branches", BRANCHES)?;
    inner.need("stable", "\"production\"");
    inner.need("candidate", "\"candidate\"");
    let stable = inner.parsed("stable", Environment::parse);
    let candidate = inner.parsed("candidate", Environment::parse);
    table.errors.extend(inner.finish());
    Some(Branches { stable: stable?.value, candidate: candidate?.value })
}
