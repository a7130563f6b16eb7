//! The hours of a week by the clock on the wall, through its jumps; freezes and hours together.

use std::sync::Arc;

use belay_core::model::closed::{ClosedBy, Freeze};
use belay_core::model::gate::Enforce;
use belay_core::model::hours::{Hours, Zone};
use belay_core::model::policy::{ClassPolicy, Policy, WaveSize};
use belay_core::model::time::{Span, Timestamp};

use crate::lab::class;

const MON: u32 = 0;
const FRI: u32 = 4;
const SAT: u32 = 5;
const SUN: u32 = 6;

/// Berlin in 2026 and 2027: summer time from 29 March to 25 October, and from 28 March.
fn berlin() -> Arc<Zone> {
    let hours = |hours: i64| Span::from_min(60 * hours);
    let changes = vec![(utc("2026-03-29", 1, 0), hours(2)), (utc("2026-10-25", 1, 0), hours(1)), (utc("2027-03-28", 1, 0), hours(2))];
    Arc::new(Zone { name: "Europe/Berlin".into(), first: hours(1), changes })
}

/// An instant of the months that are needed here.
fn utc(day: &str, hour: i64, minute: i64) -> Timestamp {
    let (month, of_month) = (&day[..7], day[8..].parse::<i64>().unwrap());
    let begins = match month {
        "2026-03" => 1_772_323_200_000,
        "2026-10" => 1_790_812_800_000,
        "2026-11" => 1_793_491_200_000,
        "2026-12" => 1_796_083_200_000,
        "2027-01" => 1_798_761_600_000,
        "2027-03" => 1_803_859_200_000,
        _ => panic!("{month}"),
    };
    let at = Timestamp::from_ms(begins) + Span::from_min((of_month - 1) * 1440 + hour * 60 + minute);
    assert_eq!(at.to_string(), format!("{day}T{hour:02}:{minute:02}:00Z"));
    at
}

fn span(day: u32, from: u32, to: u32) -> (u32, u32) {
    (day * 1440 + from, (day * 1440 + to) % 10_080)
}

fn hours(spans: &[(u32, u32)]) -> Hours {
    Hours { zone: berlin(), spans: spans.to_vec() }
}

/// When hours begin and end from a moment on, `count` times.
fn turns(hours: &Hours, from: Timestamp, count: usize) -> Vec<String> {
    let (mut at, mut on, mut said) = (from, hours.are_on(from), Vec::new());
    for _ in 0..count {
        at = hours.next(!on, at).unwrap();
        on = !on;
        said.push(format!("{} {}", if on { "on" } else { "off" }, at));
    }
    said
}

#[test]
fn hours_begin_and_end_by_the_clock_on_the_wall_in_summer_and_winter() {
    let mondays = hours(&[span(MON, 9 * 60, 16 * 60)]);
    // 23 and 30 March, 19 and 26 October 2026 are Mondays; the offset changes between each two.
    assert_eq!(
        turns(&mondays, utc("2026-03-22", 12, 0), 4),
        ["on 2026-03-23T08:00:00Z", "off 2026-03-23T15:00:00Z", "on 2026-03-30T07:00:00Z", "off 2026-03-30T14:00:00Z"]
    );
    assert_eq!(
        turns(&mondays, utc("2026-10-19", 8, 0), 3),
        ["off 2026-10-19T14:00:00Z", "on 2026-10-26T08:00:00Z", "off 2026-10-26T15:00:00Z"]
    );
    assert!(mondays.are_on(utc("2026-03-23", 8, 0)), "the first moment is within");
    assert!(!mondays.are_on(utc("2026-03-23", 15, 0)), "the end is not");
}

#[test]
fn hours_that_begin_in_a_skipped_hour_begin_with_the_jump_and_those_within_it_do_not_come() {
    let night = utc("2026-03-29", 0, 0);
    // 02:00 becomes 03:00 on 29 March, a Sunday.
    assert_eq!(turns(&hours(&[span(SUN, 150, 240)]), night, 2), ["on 2026-03-29T01:00:00Z", "off 2026-03-29T02:00:00Z"]);
    let within = hours(&[span(SUN, 130, 170)]);
    assert_eq!(turns(&within, night, 1), ["on 2026-04-05T00:10:00Z"], "a week later there is such an hour again");
    let until = hours(&[span(SUN, 60, 150)]);
    assert_eq!(turns(&until, utc("2026-03-28", 12, 0), 2), ["on 2026-03-29T00:00:00Z", "off 2026-03-29T01:00:00Z"]);
}

#[test]
fn an_hour_that_is_repeated_counts_twice() {
    // 03:00 becomes 02:00 on 25 October, a Sunday.
    let twice = hours(&[span(SUN, 120, 150)]);
    assert_eq!(
        turns(&twice, utc("2026-10-24", 12, 0), 4),
        ["on 2026-10-25T00:00:00Z", "off 2026-10-25T00:30:00Z", "on 2026-10-25T01:00:00Z", "off 2026-10-25T01:30:00Z"]
    );
}

#[test]
fn hours_may_cross_midnight_and_the_end_of_the_week() {
    let late = hours(&[span(FRI, 22 * 60, 26 * 60)]);
    assert_eq!(turns(&late, utc("2026-11-27", 12, 0), 2), ["on 2026-11-27T21:00:00Z", "off 2026-11-28T01:00:00Z"]);
    let weekend = hours(&[span(SUN, 22 * 60, 26 * 60)]);
    assert_eq!(turns(&weekend, utc("2026-11-29", 12, 0), 2), ["on 2026-11-29T21:00:00Z", "off 2026-11-30T01:00:00Z"]);
    let joined = hours(&[span(SAT, 0, 1440), span(SUN, 0, 1440)]);
    assert_eq!(turns(&joined, utc("2026-11-27", 12, 0), 2), ["on 2026-11-27T23:00:00Z", "off 2026-11-29T23:00:00Z"]);
    let always: Vec<(u32, u32)> = (0..7).map(|day| span(day, 0, 1440)).collect();
    assert_eq!(hours(&always).next(false, utc("2026-11-27", 12, 0)), None, "a week without a gap never ends");
}

#[test]
fn a_time_on_the_wall_is_found_through_jumps() {
    let zone = berlin();
    let found = |wall: Timestamp| (zone.first_at(wall).to_string(), zone.last_at(wall).to_string());
    let same = |text: &str| (text.to_owned(), text.to_owned());
    assert_eq!(found(utc("2026-11-25", 9, 0)), same("2026-11-25T08:00:00Z"));
    assert_eq!(found(utc("2026-03-01", 9, 0)), same("2026-03-01T08:00:00Z"), "before all that is known");
    assert_eq!(found(utc("2026-03-29", 2, 30)), same("2026-03-29T01:00:00Z"), "skipped: the jump");
    assert_eq!(found(utc("2026-10-25", 2, 30)), ("2026-10-25T00:30:00Z".to_owned(), "2026-10-25T01:30:00Z".to_owned()), "shown twice");
}

fn waves(hours: Option<Hours>) -> ClassPolicy {
    let waves = vec![WaveSize::Hosts(1), WaveSize::Percent(100)];
    ClassPolicy { enforce: Enforce::Waves, waves, hours, ..class("web") }
}

fn freeze(from: Timestamp, until: Timestamp, reason: &str) -> Freeze {
    Freeze { from, until, reason: reason.to_owned(), classes: Vec::new() }
}

#[test]
fn a_freeze_over_new_year_ends_with_the_next_hours_after_it() {
    let weekdays: Vec<(u32, u32)> = (0..4).map(|day| span(day, 9 * 60, 16 * 60)).collect();
    let web = waves(Some(hours(&weekdays)));
    let freezes = vec![
        freeze(utc("2026-12-18", 15, 0), utc("2027-01-03", 23, 0), "end of the year"),
        freeze(utc("2027-01-04", 6, 0), utc("2027-01-04", 10, 0), "stocktaking"),
    ];
    let policy = Policy { classes: vec![web.clone()], freezes, ..Policy::default() };
    let at = |now: Timestamp| policy.closed(&web, now).map(|closed| (closed.by, closed.until.unwrap().to_string()));
    let frozen = |reason: &str| ClosedBy::Freeze(reason.to_owned());
    let opens = "2027-01-04T10:00:00Z".to_owned();
    // Thursday within hours; Thursday night; Friday, when there are none.
    assert_eq!(at(utc("2026-12-17", 12, 0)), None);
    assert_eq!(at(utc("2026-12-17", 15, 0)), Some((ClosedBy::Hours, opens.clone())), "the freeze comes before the next hours");
    assert_eq!(at(utc("2026-12-31", 23, 59)), Some((frozen("end of the year"), opens.clone())));
    assert_eq!(at(utc("2027-01-01", 0, 0)), Some((frozen("end of the year"), opens.clone())));
    assert_eq!(at(utc("2027-01-03", 23, 0)), Some((ClosedBy::Hours, opens.clone())));
    assert_eq!(at(utc("2027-01-04", 9, 0)), Some((frozen("stocktaking"), opens)));
    assert_eq!(at(utc("2027-01-04", 10, 0)), None, "a freeze ends at its end");
    let closes = policy.closes(&web, utc("2026-12-17", 12, 0)).unwrap();
    assert_eq!((closes.at, closes.closed.by), (utc("2026-12-17", 15, 0), ClosedBy::Hours));
}

#[test]
fn a_freeze_is_about_its_classes_and_only_where_waves_are_kept() {
    let (now, long) = (utc("2026-12-24", 0, 0), utc("2027-01-01", 0, 0));
    let only = Freeze { classes: vec![class("db").name], ..freeze(now, long, "db only") };
    let policy = Policy { freezes: vec![only, freeze(now, now + Span::from_min(1), "all")], ..Policy::default() };
    let until = |class: &ClassPolicy, now| policy.closed(class, now).and_then(|closed| closed.until);
    let db = ClassPolicy { name: class("db").name, ..waves(None) };
    assert_eq!(until(&waves(None), now), Some(now + Span::from_min(1)));
    assert_eq!(until(&db, now), Some(long), "of two freezes the longer one counts");
    assert_eq!(policy.closed(&class("db"), now), None, "a gate that does not defer freezes nothing");
}
