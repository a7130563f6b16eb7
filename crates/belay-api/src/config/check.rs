//! Checks of the whole: names are unique, classes that are named exist, nothing is beyond its limit.

use std::collections::BTreeMap;

use belay_core::model::policy::DEFAULT_CLASS;

use super::draft::{Declared, Draft};
use super::error::{At, ConfigError};
use super::words::did_you_mean;
use super::{ALERTS_MAX, CLASSES_MAX, FREEZES_MAX, SIGNALS_MAX};

/// What is wrong with the whole.
pub(super) fn mistakes(draft: &Draft) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    list("class", "classes", &draft.classes, CLASSES_MAX, &mut errors);
    list("signal", "signals", &draft.signals, SIGNALS_MAX, &mut errors);
    list("alert", "alerts", &draft.alerts, ALERTS_MAX, &mut errors);
    let mut known: Vec<&str> = draft.classes.iter().map(|class| class.name.value.as_str()).collect();
    if !known.contains(&DEFAULT_CLASS) {
        known.push(DEFAULT_CLASS);
    }
    classes(&draft.classes, &known, &mut errors);
    classes(&draft.signals, &known, &mut errors);
    classes(&draft.alerts, &known, &mut errors);
    classes(&draft.freezes, &known, &mut errors);
    freezes(draft, &mut errors);
    errors.extend(draft.server.mistakes());
    errors.extend(super::inventory::mistakes(&draft.inventories));
    errors
}

/// A freeze that no gate keeps would hold nothing up, and nobody would notice.
fn freezes(draft: &Draft, errors: &mut Vec<ConfigError>) {
    const REMEDY: &str = "give the class enforce = \"waves\" and waves, or leave it out of the freeze";
    let keeps = |name: &str| draft.classes.iter().any(|class| class.name.value == name && class.what.keeps_waves());
    let declared = |name: &str| draft.classes.iter().any(|class| class.name.value == name);
    for freeze in &draft.freezes {
        for named in freeze.classes.iter().filter(|named| declared(named.value.as_str()) && !keeps(named.value.as_str())) {
            let text = format!("`freeze.class` names class `{}`, whose gate defers nothing: it would not be frozen", named.value);
            errors.push(named.at.mistake_with(text, REMEDY));
        }
        if freeze.classes.is_empty() && !draft.classes.iter().any(|class| class.what.keeps_waves()) {
            let text = "no class keeps waves, so this freeze would hold nothing up";
            errors.push(freeze.at().mistake_with(text, "give a class enforce = \"waves\" and waves, or leave out the freeze"));
        }
    }
    if let Some(beyond) = draft.freezes.get(FREEZES_MAX) {
        errors.push(beyond.at().mistake(format!("{} freezes are declared; at most {FREEZES_MAX} can be", draft.freezes.len())));
    }
}

fn list<T>(noun: &str, plural: &str, all: &[Declared<T>], max: usize, errors: &mut Vec<ConfigError>) {
    let mut names: BTreeMap<&str, &At> = BTreeMap::new();
    for one in all {
        if let Some(first) = names.insert(&one.name.value, one.at()) {
            let text = format!("{noun} `{}` is declared twice: here and at {first}", one.name.value);
            errors.push(one.at().mistake_with(text, "give one of them another name"));
        }
    }
    if let Some(first_beyond) = all.get(max) {
        let text = format!("{} {plural} are declared; at most {max} can be", all.len());
        errors.push(first_beyond.at().mistake(text));
    }
}

fn classes<T>(all: &[Declared<T>], known: &[&str], errors: &mut Vec<ConfigError>) {
    for named in all.iter().flat_map(|one| &one.classes) {
        if !known.contains(&named.value.as_str()) {
            let text = format!("`{}` names class `{}`, which is not declared", named.at.key, named.value);
            errors.push(named.at.mistake_with(text, did_you_mean(named.value.as_str(), known)));
        }
    }
}
