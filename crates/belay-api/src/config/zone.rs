//! Time zones as data: the core knows no table of them, so each zone that a configuration names is
//! read into its offsets here. A recorded configuration brings its zones with it, because what it
//! meant must not change with the tables of the machine that reads it back.

use std::collections::BTreeMap;
use std::sync::Arc;

use belay_core::model::hours::Zone;
use belay_core::model::time::{Span, Timestamp};
use jiff::tz::TimeZone;

/// Offsets are read from here on ...
const FROM: &str = "2020-01-01T00:00:00Z";
/// ... until here; after that the last one stays.
const TO: &str = "2070-01-01T00:00:00Z";

/// The zones of a configuration.
#[derive(Debug, Default)]
pub(super) struct Zones {
    recorded: BTreeMap<String, Arc<Zone>>,
    /// Those that were named so far. UTC is not among them: nothing about it can change.
    pub used: BTreeMap<String, Arc<Zone>>,
}

impl Zones {
    /// The zones that a recorded configuration brought.
    pub(super) fn recorded(zones: BTreeMap<String, Arc<Zone>>) -> Self {
        Self { recorded: zones, used: BTreeMap::new() }
    }

    /// The zone of this name.
    pub(super) fn get(&mut self, name: &str) -> Result<Arc<Zone>, String> {
        if name == "UTC" {
            return Ok(Arc::new(Zone::utc()));
        }
        if let Some(known) = self.used.get(name) {
            return Ok(Arc::clone(known));
        }
        let zone = match self.recorded.get(name) {
            Some(zone) => Arc::clone(zone),
            None => Arc::new(read(name)?),
        };
        self.used.insert(name.to_owned(), Arc::clone(&zone));
        Ok(zone)
    }
}

/// Reads a zone from the tables of this machine.
fn read(name: &str) -> Result<Zone, String> {
    let unknown = || {
        format!(
            "{name:?} is no time zone that this machine knows; write a name such as \"Europe/Berlin\", or \"UTC\", \
             and see that its tables (tzdata) are installed"
        )
    };
    let zone = TimeZone::get(name).map_err(|_| unknown())?;
    let instant = |text: &str| text.parse::<jiff::Timestamp>().map_err(|error| error.to_string());
    let (from, to) = (instant(FROM)?, instant(TO)?);
    let span = |offset: jiff::tz::Offset| Span::from_s(i64::from(offset.seconds()));
    let first = span(zone.to_offset(from));
    let mut changes: Vec<(Timestamp, Span)> = Vec::new();
    for change in zone.following(from).take_while(|change| change.timestamp() < to) {
        let offset = span(change.offset());
        if changes.last().map_or(first, |(_, before)| *before) != offset {
            changes.push((Timestamp::from_ms(change.timestamp().as_millisecond()), offset));
        }
    }
    Ok(Zone { name: name.to_owned(), first, changes })
}
