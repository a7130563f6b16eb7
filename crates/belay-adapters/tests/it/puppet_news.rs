//! What is new in a catalog, found by its parts, is what comparing both catalogs as wholes finds.

use belay_adapters::tools::HostTool;
use belay_adapters::tools::host::{News, OfferedCatalog, Part, PartedCatalog, UnreadableCatalog};
use belay_adapters::tools::puppet::Puppet;
use belay_core::model::gate::Offered;
use belay_core::model::ids::HostId;
use belay_core::model::item::Items;
use proptest::prelude::*;

const HOST: &str = "web01.example.com";

fn host() -> HostId {
    HostId::parse(HOST).unwrap()
}

fn catalog(resources: &[String], metadata: &[String]) -> String {
    format!(
        r#"{{"name":"{HOST}","version":"v","environment":"e","resources":[{}],"metadata":{{{}}}}}"#,
        resources.join(","),
        metadata.join(",")
    )
}

fn parted(catalog: &str) -> PartedCatalog {
    Puppet.parted(catalog.as_bytes(), &host()).unwrap()
}

fn news(catalog: &str, before: &PartedCatalog) -> Result<News, UnreadableCatalog> {
    Puppet.news(catalog.as_bytes(), &host(), &before.known())
}

/// What the gate is asked, by the parts that are news beside those of before they name.
fn by_parts(after: &str, before: &PartedCatalog) -> Offered {
    let news = news(after, before).unwrap();
    let beside: Vec<Part> = news.against.iter().map(|at| before.parts[*at].clone()).collect();
    let beside = OfferedCatalog::setting(beside.into_iter().map(|part| part.sets));
    news.catalog.against(Some(&beside), &|key, _| &*key.parameter != "dport")
}

fn as_wholes(after: &str, before: &PartedCatalog) -> Offered {
    let after = Puppet.offered(after.as_bytes(), &host()).unwrap();
    after.against(Some(&before.clone().whole()), &|key, _| &*key.parameter != "dport")
}

fn file(title: &str, parameters: &str) -> String {
    format!(r#"{{"type":"File","title":"{title}","parameters":{{{parameters}}}}}"#)
}

/// Few of each, so that the same ones meet. Titles that are one and the same once the host's own
/// words are masked are among them.
fn resource() -> impl Strategy<Value = String> {
    let title = prop::sample::select(vec!["/a", "/b", "/c", "/web01", "/WEB01", "/<host>"]);
    let kind = prop::sample::select(vec!["File", "Package", "Firewall", "Exec", "Class", "Notify"]);
    let parameters = prop::sample::select(vec![
        "",
        r#""content":"1""#,
        r#""content":"2","mode":"0644""#,
        r#""source":"puppet:///m/a""#,
        r#""ensure":"present","owner":1000"#,
        r#""ensure":"absent","noop":true"#,
        r#""dport":1"#,
        r#""dport":2,"action":"accept""#,
        r#""action":{"__ptype":"Deferred","name":"f"}"#,
    ]);
    let plain = (kind, title, parameters).prop_map(|(kind, title, parameters)| {
        format!(r#"{{"type":"{kind}","title":"{title}","tags":["x"],"parameters":{{{parameters}}}}}"#)
    });
    let glass = prop::sample::select(vec!["one", "two"])
        .prop_map(|why| format!(r#"{{"type":"Notify","title":"belay-break-glass","parameters":{{"message":"{why}"}}}}"#));
    prop_oneof![12 => plain, 1 => glass]
}

fn metadata() -> impl Strategy<Value = Vec<String>> {
    let one = |title: &'static str| {
        prop::option::of(0..3_u8).prop_map(move |sum| {
            sum.map(|sum| format!(r#""{title}":{{"type":"file","checksum":{{"type":"md5","value":"{{md5}}{sum}"}}}}"#))
        })
    };
    (one("/a"), one("/b"), one("/elsewhere")).prop_map(|(a, b, c)| [a, b, c].into_iter().flatten().collect())
}

/// What becomes of a catalog's resources.
#[derive(Clone, Debug)]
enum Edit {
    Drop(prop::sample::Index),
    Put(prop::sample::Index, String),
    Replace(prop::sample::Index, String),
    Swap(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Edit::Drop),
        (at(), resource()).prop_map(|(at, new)| Edit::Put(at, new)),
        (at(), resource()).prop_map(|(at, new)| Edit::Replace(at, new)),
        (at(), at()).prop_map(|(one, other)| Edit::Swap(one, other)),
        at().prop_map(Edit::Repeat),
    ]
}

fn edited(mut resources: Vec<String>, edits: Vec<Edit>) -> Vec<String> {
    for edit in edits {
        let length = resources.len();
        match edit {
            Edit::Put(at, new) => resources.insert(at.index(length + 1), new),
            _ if length == 0 => {}
            Edit::Drop(at) => _ = resources.remove(at.index(length)),
            Edit::Replace(at, new) => resources[at.index(length)] = new,
            Edit::Swap(one, other) => resources.swap(one.index(length), other.index(length)),
            Edit::Repeat(at) => resources.push(resources[at.index(length)].clone()),
        }
    }
    resources
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn news_by_parts_are_those_of_the_wholes(
        before in prop::collection::vec(resource(), 0..8),
        edits in prop::collection::vec(edit(), 0..4),
        sums in (metadata(), prop::option::of(metadata())),
    ) {
        let (old_sums, new_sums) = sums;
        let after = catalog(&edited(before.clone(), edits), new_sums.as_ref().unwrap_or(&old_sums));
        let before = parted(&catalog(&before, &old_sums));
        prop_assert_eq!(by_parts(&after, &before), as_wholes(&after, &before));
    }
}

#[test]
fn parts_that_are_as_they_were_are_passed_over_wherever_they_stand() {
    let resources: Vec<String> = ["/a", "/b", "/c"].map(|title| file(title, r#""content":"1""#)).into();
    let before = parted(&catalog(&resources, &[]));
    let moved: Vec<String> = resources.iter().rev().cloned().collect();
    for same in [&resources, &moved] {
        let news = news(&catalog(same, &[]), &before).unwrap();
        assert_eq!((news.catalog.items, news.against), (Items::new(), vec![]));
    }
    let mut one = resources;
    one[1] = file("/b", r#""content":"2""#);
    let news = news(&catalog(&one, &[]), &before).unwrap();
    assert_eq!(news.against, [1]);
    let titles: Vec<&str> = news.catalog.items.keys().map(|key| &*key.title).collect();
    assert_eq!(titles, ["/b", "/b"], "content and ensure");
}

#[test]
fn what_another_host_applied_is_no_part_of_this_ones() {
    let text = catalog(&[file("/web01", r#""content":"1""#)], &[]);
    let other = HostId::parse("db02.example.com").unwrap();
    let before = Puppet.parted(text.replace(HOST, "db02.example.com").as_bytes(), &other).unwrap();
    let news = news(&text, &before).unwrap();
    assert_eq!((news.catalog.items.len(), news.against), (2, vec![0]));
    let upper = text.replace(HOST, "WEB01.example.com");
    assert_eq!(by_parts(&upper, &parted(&text)).delta, Some(Items::new()), "a name in capitals is the same host's");
}

#[test]
fn a_request_to_open_the_gate_counts_each_time() {
    let glass = r#"{"type":"Notify","title":"belay-break-glass","parameters":{"message":"why"}}"#;
    let text = catalog(&[file("/a", ""), glass.to_owned()], &[]);
    assert_eq!(by_parts(&text, &parted(&text)).break_glass.as_deref(), Some("why"));
}

#[test]
fn a_fault_is_told_with_its_place_in_the_whole_catalog() {
    let good = file("/a", r#""content":"1""#);
    let before = parted(&catalog(std::slice::from_ref(&good), &[]));
    let bad = r#"{"type":"File","title":5}"#.to_owned();
    let text = catalog(&[good.clone(), bad], &[]);
    let fault = news(&text, &before).unwrap_err();
    let place = text.find(":5}").unwrap() as u64 + 1;
    assert!(fault.offset.abs_diff(place) <= 1, "{fault}, and not {place}");
    assert!(fault.reason.contains("invalid type: integer `5`, expected a string"), "{fault}");
    assert_eq!(Puppet.offered(text.as_bytes(), &host()).unwrap_err(), fault);
    let sums = [r#""/nowhere":{"type":7}"#.to_owned()];
    let text = catalog(&[good], &sums);
    assert!(news(&text, &before).unwrap_err().reason.contains("integer `7`"), "also where no resource is of it");
    for at in (0..text.len()).step_by(7) {
        let cut = news(&text[..at], &before).unwrap_err();
        assert!(cut.offset <= at as u64 && cut.reason == "it ends too early", "{cut}");
    }
}
