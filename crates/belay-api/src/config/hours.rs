//! `windows` and `timezone` of a class: the hours of a week in which its waves may open.

use std::sync::Arc;

use belay_core::model::gate::Enforce;
use belay_core::model::hours::{Hours, WEEK_MINUTES, Zone};
use belay_core::model::policy::ClassPolicy;

use super::server::filled;
use super::table::Table;
use super::zone::Zones;

const EXAMPLE: &str = "write days and hours: windows = [\"Mon-Thu 09:00-16:00\", \"Fri 09:00-12:00\"]";
/// The most windows of a class.
const WINDOWS_MAX: usize = 50;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_MINUTES: u32 = 24 * 60;

/// Reads when the waves of a class may open.
pub(super) fn read(table: &mut Table<'_>, class: &mut ClassPolicy, zones: &mut Zones) {
    let named = table.parsed("timezone", filled);
    let windows = table.texts("windows");
    if let (Some(zone), true) = (&named, windows.is_empty()) {
        let text = "`class.timezone` says nothing without `windows`";
        table.errors.push(zone.at.mistake_with(text, format!("{EXAMPLE}, or leave it out")));
    }
    let Some(first) = windows.first() else { return };
    if class.enforce < Enforce::Waves {
        let text = format!("`windows` are kept by the gate only, and `enforce = {:?}` does not keep them", class.enforce.word());
        table.errors.push(first.at.mistake_with(text, "write enforce = \"waves\", or leave out windows"));
    }
    if let Some(beyond) = windows.get(WINDOWS_MAX) {
        table.errors.push(beyond.at.mistake(format!("`class.windows`: {} windows; at most {WINDOWS_MAX} are kept", windows.len())));
    }
    let zone = match named.as_ref().map(|named| zones.get(&named.value)) {
        None => Arc::new(Zone::utc()),
        Some(Ok(zone)) => zone,
        Some(Err(why)) => {
            let at = named.map_or_else(|| table.at.clone(), |named| named.at);
            table.errors.push(at.mistake(format!("`class.timezone`: {why}")));
            return;
        }
    };
    let mut spans = Vec::new();
    for found in windows {
        match window(&found.value) {
            Ok(more) => spans.extend(more),
            Err(why) => table.errors.push(found.at.mistake_with(format!("`class.windows`: {:?}: {why}", found.value), EXAMPLE)),
        }
    }
    class.hours = Some(Hours { zone, spans });
}

/// Reads days and hours, for example `Mon-Thu 09:00-16:00`, `Sat,Sun 10:00-12:00` or `Fri 22:00-02:00`,
/// which ends on Saturday.
fn window(text: &str) -> Result<Vec<(u32, u32)>, String> {
    let (days, hours) = text.trim().split_once(char::is_whitespace).ok_or("there are no hours in it")?;
    let (from, to) = hours.trim().split_once('-').ok_or("the hours are no span of time, such as 09:00-16:00")?;
    let (from, to) = (time(from)?, time(to)?);
    if from == to || from == DAY_MINUTES {
        return Err("that is no time at all; a whole day is 00:00-24:00".to_owned());
    }
    let end = if to > from { to } else { to + DAY_MINUTES };
    let mut spans = Vec::new();
    for part in days.split(',') {
        for day in self::days(part)? {
            spans.push((day * DAY_MINUTES + from, (day * DAY_MINUTES + end) % WEEK_MINUTES));
        }
    }
    Ok(spans)
}

/// A day, or days from one to another, also around the end of the week.
fn days(text: &str) -> Result<Vec<u32>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    Ok((0..=(last + 7 - first) % 7).map(|more| (first + more) % 7).collect())
}

fn day(text: &str) -> Result<u32, String> {
    let place = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text));
    place.and_then(|place| u32::try_from(place).ok()).ok_or_else(|| format!("{text:?} is no day: they are Mon Tue Wed Thu Fri Sat Sun"))
}

/// Minutes since midnight.
fn time(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no time of day, such as 09:00");
    let two = |text: &str| (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<u32>().ok()).flatten();
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    match (two(hour).ok_or_else(wrong)?, two(minute).ok_or_else(wrong)?) {
        (24, 0) => Ok(DAY_MINUTES),
        (hour @ 0..=23, minute @ 0..=59) => Ok(hour * 60 + minute),
        _ => Err(wrong()),
    }
}
