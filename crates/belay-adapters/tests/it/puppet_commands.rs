//! What PuppetDB's terminus really sent: every recorded command is read, and means what the same run
//! means by the other roads.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use belay_adapters::tools::feed::{Message, Offer, Told, feed_by_name};
use belay_adapters::tools::puppet::{BODY_MAX, Puppet, PuppetDb};
use belay_adapters::tools::{Feed, Tool, all_feeds};
use belay_core::model::item::Items;
use belay_core::model::report::{Decoded, EventOutcome, RunKind};

use crate::dump::dump;
use crate::puppet_fixtures::fixture;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools/puppet/fixtures/commands")
}

/// A recorded command: the query of its request, and its payload.
struct Recorded {
    name: String,
    query: String,
    body: Vec<u8>,
}

#[expect(clippy::disallowed_methods, reason = "a test may read its fixtures")]
fn recorded() -> Vec<Recorded> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".head") else { continue };
        let head = std::fs::read_to_string(&path).unwrap();
        let query = head.lines().next().unwrap().split(' ').nth(1).unwrap().split_once('?').unwrap().1.to_owned();
        let gzip = std::fs::read(folder().join(format!("{name}.body.gz"))).unwrap();
        let mut body = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut body).unwrap();
        let announced = head.lines().find_map(|line| line.strip_prefix("X-Uncompressed-Length: ")).unwrap();
        assert_eq!(announced.parse::<usize>().unwrap(), body.len(), "{name}");
        found.push(Recorded { name: name.to_owned(), query, body });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(found.len(), 15);
    found
}

fn one(name: &str) -> Recorded {
    recorded().into_iter().find(|recorded| recorded.name == name).unwrap()
}

fn told(name: &str) -> Told {
    let Recorded { query, body, .. } = one(name);
    PuppetDb.read(&query, &body).unwrap_or_else(|bad| panic!("{name}: {bad}"))
}

fn report(name: &str) -> Decoded {
    match told(name).message {
        Message::Report(decoded) => *decoded,
        other => panic!("{name}: {other:?}"),
    }
}

fn offer(name: &str) -> Offer {
    match told(name).message {
        Message::Offered(offer) => *offer,
        other => panic!("{name}: {other:?}"),
    }
}

/// What a person can read and compare.
fn shown(told: &Told) -> String {
    let mut out = match &told.message {
        Message::Report(decoded) => dump(decoded),
        Message::Nothing(why) => format!("nothing: {why}\n"),
        Message::Facts { host, facts } => {
            let lines: String = facts.iter().map(|(name, value)| format!("  {name} = {value}\n")).collect();
            format!("facts of {host}\n{lines}")
        }
        Message::Offered(offer) => {
            let Offer { host, run, catalog, texts, texts_left_out } = &**offer;
            let frame = format!("{:?} {:?} {:?}, {} opaque", catalog.environment, catalog.version, catalog.uuid, catalog.opaque);
            let items: String = catalog.items.iter().map(|(key, content)| format!("  {key} {}\n", content.short())).collect();
            let texts: String = texts.iter().map(|text| format!("text of {}:\n{}", text.item, text.text)).take(3).collect();
            format!("offered to {host} in {run:?}: {frame}, {texts_left_out} texts left out\n{items}{texts}")
        }
    };
    let complaints = told.complaints.iter().filter(|complaint| complaint.place == "checksum");
    complaints.for_each(|complaint| out.push_str(&format!("complaint {}: {}\n", complaint.place, complaint.text)));
    out
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may read its fixtures, and write them when told so by BELAY_BLESS=1")]
fn every_recorded_command_says_what_its_expected_file_says() {
    let bless = std::env::var_os("BELAY_BLESS").is_some_and(|value| value == "1");
    for Recorded { name, query, body } in recorded() {
        let got = shown(&PuppetDb.read(&query, &body).unwrap_or_else(|bad| panic!("{name}: {bad}")));
        let path = folder().join(format!("{name}.expected.txt"));
        if bless {
            std::fs::write(&path, &got).unwrap();
        }
        assert_eq!(got, std::fs::read_to_string(&path).unwrap_or_default(), "{name}: BELAY_BLESS=1 writes it; read it");
    }
}

#[test]
fn the_checksum_is_that_of_the_terminus() {
    // The lab's product name was replaced in two recorded bodies, and their checksums no longer fit.
    let edited = ["enc-failed-store_report", "prerun-refused-store_report"];
    for recorded in recorded() {
        let told = PuppetDb.read(&recorded.query, &recorded.body).unwrap();
        let complains = told.complaints.iter().any(|complaint| complaint.place == "checksum");
        assert_eq!(complains, edited.contains(&recorded.name.as_str()), "{}: {:?}", recorded.name, told.complaints);
    }
    let Recorded { query, mut body, .. } = one("env-r142-replace_facts");
    let at = body.windows(6).position(|window| window == b"Debian").unwrap();
    body[at] = b'd';
    assert!(PuppetDb.read(&query, &body).unwrap().complaints.iter().any(|complaint| complaint.place == "checksum"));
}

/// Contents that a run set, by item.
fn applied(decoded: &Decoded) -> Items {
    let events = decoded.report.events.iter().filter(|event| event.outcome == EventOutcome::Applied);
    events.filter_map(|event| Some((event.item.clone()?, event.content?))).collect()
}

#[test]
fn a_run_that_came_by_two_roads_is_one_and_the_same() {
    for (command, yaml) in [
        ("big200-all-changed-store_report", "big200-all-changed"),
        ("big200-unchanged-include_unchanged-store_report", "big200-unchanged"),
        ("env-switch-5-store_report", "enc-overrides-agent-env"),
        ("enc-failed-store_report", "enc-exit1"),
        ("prerun-refused-store_report", "prerun-refused"),
    ] {
        let (mut by_terminus, by_host) = (report(command).report, Puppet.decode(fixture(yaml).as_bytes()).unwrap().report);
        by_terminus.digest = by_host.digest;
        // The terminus cuts instants to the millisecond and text differs in nothing else.
        assert_eq!(by_terminus, by_host, "{command}");
    }
    // Another run with the same contents: only what names the run and the compile differs.
    let (by_terminus, by_host) = (report("env-r142-store_report"), Puppet.decode(fixture("incident-6-enc-pinned-142").as_bytes()).unwrap());
    assert_eq!(applied(&by_terminus), applied(&by_host));
    assert_eq!(report("unchanged-store_report").report.kind, RunKind::Unchanged);
}

#[test]
fn what_is_offered_is_what_the_report_of_the_run_names() {
    for (catalog, run) in
        [("env-r142-replace_catalog", "env-r142-store_report"), ("env-switch-4-replace_catalog", "env-switch-5-store_report")]
    {
        let (offer, report) = (offer(catalog), report(run));
        assert_eq!(offer.run.as_deref(), Some(report.report.tool_run_id.as_str()), "one run");
        let known: Items = applied(&report).into_iter().filter(|(key, _)| &*key.kind != "Exec").collect();
        assert_eq!(known.len(), 1, "{known:?}");
        for (key, content) in &known {
            assert_eq!(offer.catalog.items.get(key), Some(content), "{key}");
        }
        // And its text is at hand, under the same content.
        let text = offer.texts.iter().find(|text| known.get(&text.item) == Some(&text.content)).unwrap();
        assert!(text.text.contains("submit_url"), "{}", text.text);
    }
    let by_name = |offer: &Offer| offer.texts.iter().map(|text| (text.item.clone(), text.content)).collect::<BTreeMap<_, _>>();
    let (old, new) = (offer("env-switch-4-replace_catalog"), offer("env-r142-replace_catalog"));
    assert_ne!(by_name(&old), by_name(&new));
}

#[test]
fn what_the_incident_did_is_known_by_the_catalogs_that_were_offered() {
    // The reports of the incident by YAML, the catalogs by the terminus.
    for (catalog, yaml) in
        [("env-r142-replace_catalog", "incident-2-manual-142"), ("env-switch-4-replace_catalog", "incident-4-reset-to-141")]
    {
        let (offered, run) = (offer(catalog).catalog.items, applied(&Puppet.decode(fixture(yaml).as_bytes()).unwrap()));
        let conf = run.iter().find(|(key, _)| key.title.ends_with("sitemonitor.conf")).unwrap();
        assert_eq!(offered.get(conf.0), Some(conf.1), "{catalog}");
    }
}

#[test]
fn a_stub_and_a_secret_are_not_kept() {
    assert!(matches!(told("env-switch-2-replace_catalog-empty-stub").message, Message::Nothing(_)));
    let offer = offer("sensitive-replace_catalog");
    assert!(offer.texts.is_empty(), "the terminus leaves the secret out: {:?}", offer.texts);
    let Recorded { query, body, .. } = one("env-r142-replace_catalog");
    let query = query.split('&').filter(|pair| !pair.starts_with("checksum")).collect::<Vec<_>>().join("&");
    let body = String::from_utf8(body).unwrap().replace("format = v2", "password = hunter2hunter2");
    let Message::Offered(offer) = PuppetDb.read(&query, body.as_bytes()).unwrap().message else { panic!("an offer") };
    assert!(offer.texts.iter().any(|text| text.text.contains("password") && !text.text.contains("hunter2")), "{:?}", offer.texts);
}

#[test]
fn whatever_is_cut_off_is_told_and_never_half_a_message() {
    for Recorded { name, query, body } in recorded().into_iter().filter(|recorded| recorded.body.len() < 8_000) {
        for cut in (1..body.len()).step_by(131) {
            if let Ok(told) = PuppetDb.read(&query, &body[..cut]) {
                panic!("{name} cut at {cut}: {told:?}");
            }
        }
    }
    let about = one("unchanged-store_report");
    let other = about.query.replace("certname=web01", "certname=web02");
    assert!(PuppetDb.read(&other, &about.body).unwrap_err().to_string().contains("the request is about web02.example.com"));
    for command in ["store_report&version=8", "replace_facts&version=5"] {
        let long = PuppetDb.read(&format!("command={command}"), &vec![b' '; BODY_MAX + 1]).unwrap_err().to_string();
        assert!(long.contains("at most"), "{long}");
    }
    let nested = "[".repeat(100_000);
    for command in ["store_report&version=8", "replace_facts&version=5", "replace_catalog&version=9"] {
        assert!(PuppetDb.read(&format!("command={command}"), nested.as_bytes()).is_err());
    }
}

#[test]
fn feeds_are_found_by_their_name_and_are_no_tools() {
    for feed in all_feeds() {
        assert_eq!(feed_by_name(feed.name()).map(Feed::name), Some(feed.name()));
        assert!(belay_adapters::tools::by_name(feed.name()).is_none());
        assert!(feed.acknowledgement("a-b").contains("a-b"));
    }
}
