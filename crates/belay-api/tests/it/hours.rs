//! `windows`, `timezone`, `apart` and `[[freeze]]`: what is written is what is kept, by the same clock as
//! everybody's, and what cannot work is refused with its place.

use std::sync::Arc;

use belay_api::http::StatusView;
use belay_api::{config, journal};
use belay_core::decide::{Input, decide};
use belay_core::model::closed::{ClosedBy, Freeze};
use belay_core::model::hours::{Hours, Zone};
use belay_core::model::policy::{ClassPolicy, Policy};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, State};
use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use proptest::prelude::*;

const WEB: &str = "[[class]]\nname = \"web\"\nhosts = \"web*\"\nenforce = \"waves\"\nwaves = [1, \"100%\"]\n";

fn policy(lines: &str) -> Policy {
    config::parse("belay.toml", &format!("{WEB}{lines}\n")).unwrap_or_else(|errors| panic!("{}", errors[0])).policy
}

fn class(lines: &str) -> ClassPolicy {
    policy(lines).classes[0].clone()
}

/// The first mistake of a configuration with these lines after five others.
fn wrong(lines: &str) -> String {
    config::parse("belay.toml", &format!("{WEB}{lines}\n")).unwrap_err()[0].to_string()
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn spans(windows: &str) -> Vec<(u32, u32)> {
    class(&format!("windows = [{windows}]")).hours.unwrap().spans
}

#[test]
fn windows_are_days_and_hours_in_a_time_zone() {
    let read = class("windows = [\"Mon-Thu 09:00-16:00\"]\ntimezone = \"Europe/Berlin\"").hours.unwrap();
    assert_eq!(read.zone.name, "Europe/Berlin");
    assert_eq!(read.spans[3], (3 * 1440 + 540, 3 * 1440 + 960));
    assert_eq!((spans("\"Mon-Thu 09:00-16:00\"").len(), spans("\"sat,SUN 10:00-12:00\"").len()), (4, 2));
    assert_eq!(spans("\"Fri-Mon 00:00-24:00\"").iter().map(|(from, _)| from / 1440).collect::<Vec<_>>(), [4, 5, 6, 0]);
    assert_eq!(spans("\"Fri 22:00-02:00\""), [(4 * 1440 + 1320, 5 * 1440 + 120)], "it ends on Saturday");
    assert_eq!(spans("\"Sun 22:00-02:00\", \"Tue 08:00-08:30\""), [(6 * 1440 + 1320, 120), (1440 + 480, 1440 + 510)]);
    assert_eq!(spans("\"Sun 22:00-24:00\""), [(6 * 1440 + 1320, 0)]);
    assert_eq!(class("windows = \"Mon 09:00-16:00\"").hours.unwrap().zone, Arc::new(Zone::utc()), "the default is UTC");
    assert_eq!(class("apart = \"cluster\"").apart.as_deref(), Some("cluster"));
}

#[test]
fn a_window_that_means_nothing_is_refused_with_its_line_and_remedy() {
    let help = "\n  help: write days and hours: windows = [\"Mon-Thu 09:00-16:00\", \"Fri 09:00-12:00\"]";
    for (window, why) in [
        ("Mon", "there are no hours in it"),
        ("Mon 09:00", "the hours are no span of time, such as 09:00-16:00"),
        ("Mon 9:00-16:00", "\"9:00\" is no time of day, such as 09:00"),
        ("Mon 09:00-25:00", "\"25:00\" is no time of day, such as 09:00"),
        ("Mon 09:00-09:00", "that is no time at all; a whole day is 00:00-24:00"),
        ("Mon 24:00-02:00", "that is no time at all; a whole day is 00:00-24:00"),
        ("Mo-Do 09:00-16:00", "\"Mo\" is no day: they are Mon Tue Wed Thu Fri Sat Sun"),
    ] {
        let expected = format!("belay.toml:7:3: error: `class.windows`: {window:?}: {why}{help}");
        assert_eq!(wrong(&format!("windows = [\n  {window:?},\n]")), expected);
    }
    assert_eq!(
        wrong("windows = [\"Mon 09:00-16:00\"]\ntimezone = \"Europe/Berln\""),
        "belay.toml:7:12: error: `class.timezone`: \"Europe/Berln\" is no time zone that this machine knows; \
         write a name such as \"Europe/Berlin\", or \"UTC\", and see that its tables (tzdata) are installed"
    );
    assert!(wrong("timezone = \"UTC\"").contains("says nothing without `windows`"));
    let rejected = "[[class]]\nname = \"web\"\nhosts = \"web*\"\nenforce = \"rejected\"\n";
    let said = |line: &str| config::parse("x", &format!("{rejected}{line}\n")).unwrap_err()[0].to_string();
    assert!(said("windows = [\"Mon 09:00-16:00\"]").starts_with("x:5:12: error: `windows` are kept by the gate only"));
    assert!(said("apart = \"cluster\"").contains("says nothing without `waves`"));
}

#[test]
fn a_freeze_is_written_with_an_offset_or_by_the_clock_of_a_zone() {
    let freezes = policy(
        "[[freeze]]\nfrom = \"2026-12-18T16:00:00+01:00\"\nto = 2027-01-04T08:00:00Z\nreason = \"end of the year\"\nclass = \"web\"\n\
         [[freeze]]\nfrom = \"2026-03-29T02:30\"\nto = 2026-10-25T02:30:00\ntimezone = \"Europe/Berlin\"\nreason = \"summer\"",
    )
    .freezes;
    let [year, summer]: [Freeze; 2] = freezes.try_into().unwrap();
    assert_eq!((year.from, year.until), (at("2026-12-18T15:00:00Z"), at("2027-01-04T08:00:00Z")));
    assert_eq!((year.reason.as_str(), year.classes[0].as_str()), ("end of the year", "web"));
    // It begins with the jump over its beginning, and ends with the second 02:30.
    assert_eq!((summer.from, summer.until, summer.classes.len()), (at("2026-03-29T01:00:00Z"), at("2026-10-25T01:30:00Z"), 0));
}

#[test]
fn a_freeze_that_cannot_be_is_refused_with_its_place() {
    let freeze = |from: &str, to: &str, more: &str| wrong(&format!("[[freeze]]\nfrom = {from:?}\nto = {to:?}\n{more}"));
    let good = ("2026-12-18T16:00:00Z", "2027-01-04T08:00:00Z");
    assert_eq!(
        freeze(good.1, good.0, "reason = \"x\""),
        "belay.toml:8:6: error: the freeze ends at 2026-12-18T16:00:00Z, which is not after 2027-01-04T08:00:00Z, when it begins\n  \
         help: give it a later end, or swap `from` and `to`"
    );
    assert!(freeze(good.0, good.1, "").starts_with("belay.toml:6:1: error: this freeze has no `reason`"));
    let said = freeze("2026-12-18T16:00", good.1, "reason = \"x\"");
    assert!(said.starts_with("belay.toml:7:8: error: `freeze.from = \"2026-12-18T16:00\"` has neither an offset nor a timezone"), "{said}");
    for day in ["2026-12-18", "christmas"] {
        let said = freeze(day, good.1, "reason = \"x\"\ntimezone = \"UTC\"");
        assert!(said.contains(&format!("`freeze.from = \"{day}\"` is no time\n  help: write a date and a time of day")), "{said}");
    }
    assert!(freeze(good.0, good.1, "reason = \"x\"\nclasses = \"web\"").ends_with("help: did you mean `class`?"));
    assert!(freeze(good.0, good.1, "reason = \"x\"\nclass = \"wbe\"").contains("did you mean `web`?"));
    let observing = "[[class]]\nname = \"db\"\nhosts = \"db*\"\n";
    let whole = format!("{observing}[[freeze]]\nfrom = {:?}\nto = {:?}\nreason = \"x\"\n", good.0, good.1);
    let said = |text: &str| config::parse("x", text).unwrap_err()[0].to_string();
    assert!(said(&whole).contains("no class keeps waves, so this freeze would hold nothing up"));
    assert!(
        said(&format!("{whole}class = \"db\"\n")).starts_with("x:8:9: error: `freeze.class` names class `db`, whose gate defers nothing")
    );
}

#[test]
fn a_recorded_configuration_keeps_the_zones_it_was_read_with() {
    let policy = Arc::new(policy("windows = [\"Mon 09:00-16:00\"]\ntimezone = \"Europe/Berlin\""));
    let loaded = |policy: &Arc<Policy>| Fact::PolicyLoaded {
        policy: Arc::clone(policy),
        actor: belay_core::model::principal::Actor("x".into()),
        moved: std::collections::BTreeMap::new(),
    };
    let record = journal::encode(&loaded(&policy));
    assert_eq!(journal::decode(&record.kind, record.form, &record.body).unwrap(), loaded(&policy));
    // A machine whose tables have another rule, or none, reads the record as it was written.
    let elsewhere = record.body.replace("Europe/Berlin", "Nowhere/Else");
    let Fact::PolicyLoaded { policy: read, .. } = journal::decode(&record.kind, record.form, &elsewhere).unwrap() else { panic!() };
    let hours = |policy: &Policy| policy.classes[0].hours.clone().unwrap();
    assert_eq!(hours(&read).zone.changes, hours(&policy).zone.changes);
    assert!(hours(&read).zone.changes.len() > 80, "half a century has its changes");
}

/// Whether it is within a window of a day by jiff's own reckoning.
fn by_jiff(zone: &TimeZone, day: Weekday, from: i32, to: i32, now: Timestamp) -> bool {
    let wall: DateTime = zone.to_datetime(jiff::Timestamp::from_millisecond(now.ms()).unwrap());
    let minute = i32::from(wall.hour()) * 60 + i32::from(wall.minute());
    let crosses = to <= from;
    (wall.weekday() == day && from <= minute && (crosses || minute < to)) || (crosses && wall.weekday() == day.next() && minute < to)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The windows that the core keeps are those of the clock on the wall, in any zone, at any time,
    /// and the next turn that it names is one.
    #[test]
    fn windows_are_those_of_the_clock_on_the_wall(
        name in prop_oneof![Just("Europe/Berlin"), Just("America/New_York"), Just("Australia/Lord_Howe"), Just("Africa/Casablanca"), Just("Asia/Kolkata"), Just("UTC")],
        (day, from, length) in (0_i8..7, 0_i32..1440, 1_i32..1440),
        ms in 1_600_000_000_000_i64..2_500_000_000_000,
    ) {
        let to = (from + length) % 1440;
        let day = Weekday::from_monday_zero_offset(day).unwrap();
        let said = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][usize::try_from(day.to_monday_zero_offset()).unwrap()];
        let time = |minute: i32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let window = format!("windows = [\"{said} {}-{}\"]\ntimezone = {name:?}", time(from), time(to));
        let hours: Hours = class(&window).hours.unwrap();
        let zone = TimeZone::get(name).unwrap();
        let now = Timestamp::from_ms(ms);
        let on = hours.are_on(now);
        prop_assert_eq!(on, by_jiff(&zone, day, from, to, now));
        if let Some(turn) = hours.next(!on, now) {
            prop_assert_eq!(by_jiff(&zone, day, from, to, turn), !on);
            prop_assert_eq!(by_jiff(&zone, day, from, to, turn + Span::from_ms(-1)), on, "it turned earlier");
            let between = now + Span::from_ms(turn.since(now).ms() / 2);
            prop_assert_eq!(by_jiff(&zone, day, from, to, between), on, "it turned in between");
        }
    }
}

#[test]
fn freezes_and_windows_together_are_what_a_class_is_closed_by() {
    let read = policy(
        "windows = [\"Mon-Thu 09:00-16:00\"]\ntimezone = \"Europe/Berlin\"\n[[freeze]]\nfrom = \"2026-12-18T00:00\"\nto = \"2027-01-04T12:00\"\n\
         timezone = \"Europe/Berlin\"\nreason = \"end of the year\"",
    );
    let closed = |now: &str| read.closed(&read.classes[0], at(now)).map(|closed| (closed.by, closed.until));
    assert_eq!(closed("2026-12-17T12:00:00Z"), None);
    let opens = Some(at("2027-01-04T11:00:00Z"));
    assert_eq!(closed("2026-12-17T18:00:00Z"), Some((ClosedBy::Hours, opens)));
    assert_eq!(closed("2026-12-24T12:00:00Z"), Some((ClosedBy::Freeze("end of the year".to_owned()), opens)));
}

#[test]
fn the_status_tells_what_is_closed_and_which_freeze_comes_soon() {
    let freeze = "[[freeze]]\nfrom = \"2026-12-18T00:00:00Z\"\nto = \"2027-01-04T12:00:00Z\"\nreason = \"end of the year\"";
    let policy = Arc::new(policy(&format!("windows = [\"Mon-Thu 09:00-16:00\"]\n{freeze}")));
    let told = |now: &str| {
        let input = Input::Policy { policy: Arc::clone(&policy), actor: belay_core::model::principal::Actor("x".into()) };
        let mut state = State::default();
        let (facts, _) = decide(&state, at(now), &input);
        facts.iter().for_each(|fact| state.apply(at(now), fact));
        StatusView::of(at(now), &state, "0", at(now)).catch
    };
    let coming =
        "from 2026-12-18T00:00:00Z until 2027-01-04T12:00:00Z nothing new comes to every class that keeps waves: a freeze, end of the year";
    assert_eq!(told("2026-12-01T12:00:00Z"), [""; 0], "a Tuesday within the windows, long before");
    assert_eq!(told("2026-12-15T12:00:00Z"), [coming]);
    let night = "class web: nothing new comes before 2026-12-16T09:00:00Z: it is outside of the windows of its class";
    assert_eq!(told("2026-12-15T20:00:00Z"), [night, coming]);
    assert_eq!(told("2026-12-24T12:00:00Z"), ["class web: nothing new comes before 2027-01-04T12:00:00Z: a freeze, end of the year"]);
}
