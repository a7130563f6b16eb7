//! What every tool promises, checked in one place. A tool's test calls [`breaches`] with its
//! fixtures and expects nothing back.

use belay_core::model::ids::ToolName;
use belay_core::model::report::{Decoded, Report};

use super::Tool;

/// Prefixes tried of each fixture, besides those that end with a line.
const CUTS: usize = 100;

/// A recorded report.
#[derive(Clone, Copy, Debug)]
pub struct Fixture<'a> {
    /// Its name, for people.
    pub name: &'a str,
    /// Its bytes as they came.
    pub body: &'a [u8],
    /// The same report with keys in it that nobody knows.
    pub with_strangers: &'a [u8],
}

/// Promises that are broken, in plain words; none when all are kept:
/// - a fixture decodes, to the same value each time, with host and start in it;
/// - a truncated report is unreadable, wherever it was cut: never a run with less in it;
/// - keys that nobody knows change nothing, are complained about, and the complaints are bounded;
/// - the tool's name is one, and its doors are its own.
pub fn breaches(tool: &dyn Tool, fixtures: &[Fixture<'_>]) -> Vec<String> {
    let mut breaches = Vec::new();
    if ToolName::parse(tool.name()).is_err() {
        breaches.push(format!("{:?} is no name of a tool", tool.name()));
    }
    for door in tool.doors() {
        if door.tool != tool.name() || !door.path.starts_with('/') {
            breaches.push(format!("{door:?} is no door of {}", tool.name()));
        }
    }
    for fixture in fixtures {
        match tool.decode(fixture.body) {
            Ok(whole) => {
                let said = [
                    repeats(tool, fixture, &whole),
                    names_host_and_start(&whole),
                    cuts(tool, fixture, &whole),
                    strangers(tool, fixture, &whole),
                ];
                breaches.extend(said.into_iter().flatten().map(|said| format!("{}: {said}", fixture.name)));
            }
            Err(unreadable) => breaches.push(format!("{}: {unreadable}", fixture.name)),
        }
    }
    breaches
}

fn repeats(tool: &dyn Tool, fixture: &Fixture<'_>, whole: &Decoded) -> Option<String> {
    (tool.decode(fixture.body).as_ref() != Ok(whole)).then(|| "decodes to another value the second time".to_owned())
}

fn names_host_and_start(whole: &Decoded) -> Option<String> {
    let report = &whole.report;
    (report.host.is_empty() || report.started.ms() <= 0 || report.tool_run_id.is_empty())
        .then(|| "host, start or run id is missing".to_owned())
}

fn cuts(tool: &dyn Tool, fixture: &Fixture<'_>, whole: &Decoded) -> Option<String> {
    let lines = fixture.body.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let step = (fixture.body.len() / CUTS).max(1);
    let thinned = fixture.body.iter().filter(|byte| **byte == b'\n').count() / CUTS + 1;
    let places = lines
        .step_by(thinned)
        .chain((0..fixture.body.len()).step_by(step))
        .chain(fixture.body.len().saturating_sub(40)..fixture.body.len());
    for at in places {
        match tool.decode(&fixture.body[..at]) {
            // Nothing but the last line end is missing.
            Ok(cut) if same(&cut.report, &whole.report) => {}
            Ok(cut) => return Some(format!("cut at byte {at} it is a run all the same: {:?}", cut.report.kind)),
            Err(unreadable) if unreadable.reason.is_empty() => return Some(format!("cut at byte {at} it is unreadable for no reason")),
            Err(unreadable) if unreadable.offset > at as u64 => {
                return Some(format!("cut at byte {at} reading ended at {}", unreadable.offset));
            }
            Err(_) => {}
        }
    }
    None
}

fn strangers(tool: &dyn Tool, fixture: &Fixture<'_>, whole: &Decoded) -> Option<String> {
    match tool.decode(fixture.with_strangers) {
        Ok(decoded) if !same(&decoded.report, &whole.report) => Some("unknown keys change what is decoded".to_owned()),
        Ok(decoded) if decoded.complaints.len() <= whole.complaints.len() => Some("nobody complains of unknown keys".to_owned()),
        Ok(decoded) if decoded.complaints.len() > 100 => Some(format!("{} complaints", decoded.complaints.len())),
        Ok(_) => None,
        Err(unreadable) => Some(format!("with unknown keys: {unreadable}")),
    }
}

/// The same testimony, whatever the bytes.
fn same(one: &Report, other: &Report) -> bool {
    let mut one = one.clone();
    one.digest = other.digest;
    one == *other
}
