//! `[[freeze]]`: a time in which nothing new comes, such as the end of the year.

use std::sync::Arc;

use belay_core::model::closed::Freeze;
use belay_core::model::hours::Zone;
use belay_core::model::ids::ClassName;
use belay_core::model::time::Timestamp;

use super::draft::{Declared, Read};
use super::error::Found;
use super::server::filled;
use super::table::Table;
use super::zone::Zones;

const EXAMPLE: &str = "write a date and a time of day, with an offset or with a timezone beside it: \
    from = \"2026-12-18T16:00:00+01:00\", or from = \"2026-12-18T16:00\" and timezone = \"Europe/Berlin\"";

/// Reads one `[[freeze]]`. What it is called by, where it has to be named, is its reason.
pub(super) fn read(mut table: Table<'_>, zones: &mut Zones) -> Read<Freeze> {
    table.need("from", "\"2026-12-18T16:00:00+01:00\"");
    table.need("to", "\"2027-01-04T08:00:00+01:00\"");
    table.need("reason", "\"end of the year\"");
    let zone = zone(&mut table, zones);
    let (from, to) =
        (instant(&mut table, "from", zone.as_deref(), Zone::first_at), instant(&mut table, "to", zone.as_deref(), Zone::last_at));
    let reason = table.parsed("reason", filled);
    let classes = table.all_parsed("class", ClassName::parse);
    if let (Some(from), Some(to)) = (&from, &to)
        && to.value <= from.value
    {
        let text = format!("the freeze ends at {}, which is not after {}, when it begins", to.value, from.value);
        table.errors.push(to.at.mistake_with(text, "give it a later end, or swap `from` and `to`"));
    }
    let declared = match (from, to, reason) {
        (Some(from), Some(to), Some(reason)) => {
            let names = classes.iter().map(|class| class.value.clone()).collect();
            let what = Freeze { from: from.value, until: to.value, reason: reason.value.clone(), classes: names };
            Some(Declared { what, name: Found { value: reason.value, at: table.at.clone() }, classes })
        }
        _ => None,
    };
    (declared, table.finish())
}

/// The zone of times without an offset; none where none is given.
fn zone(table: &mut Table<'_>, zones: &mut Zones) -> Option<Arc<Zone>> {
    let named = table.parsed("timezone", filled)?;
    match zones.get(&named.value) {
        Ok(zone) => Some(zone),
        Err(why) => {
            table.errors.push(named.at.mistake(format!("`freeze.timezone`: {why}")));
            None
        }
    }
}

/// An instant: by its own offset, else by the clock on the wall in `zone`.
fn instant(
    table: &mut Table<'_>,
    key: &'static str,
    zone: Option<&Zone>,
    by: fn(&Zone, Timestamp) -> Timestamp,
) -> Option<Found<Timestamp>> {
    let text = table.time(key)?;
    let fixed = text.value.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
    if let Some(ms) = fixed {
        return Some(Found { value: Timestamp::from_ms(ms), at: text.at });
    }
    let wrong = match (wall(&text.value), zone) {
        (Some(wall), Some(zone)) => return Some(Found { value: by(zone, wall), at: text.at }),
        (Some(_), None) => format!("`freeze.{key} = {:?}` has neither an offset nor a timezone", text.value),
        (None, _) => format!("`freeze.{key} = {:?}` is no time", text.value),
    };
    table.errors.push(text.at.mistake_with(wrong, EXAMPLE));
    None
}

/// A date with a time of day, as the instant at which UTC shows it.
fn wall(text: &str) -> Option<Timestamp> {
    // A date alone would leave open whether its day belongs to the freeze.
    if !text.contains(':') {
        return None;
    }
    let shown = text.parse::<jiff::civil::DateTime>().ok()?;
    let utc = jiff::tz::TimeZone::UTC.to_timestamp(shown).ok()?;
    Some(Timestamp::from_ms(utc.as_millisecond()))
}
