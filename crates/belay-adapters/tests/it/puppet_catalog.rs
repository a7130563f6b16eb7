//! What a kept catalog offers is what the report of the run that applied it names: recorded pairs.

use std::collections::BTreeSet;

use belay_adapters::tools::host::OfferedCatalog;
use belay_adapters::tools::puppet::{Puppet, items};
use belay_adapters::tools::{HostTool, Tool};
use belay_core::model::ids::HostId;
use belay_core::model::item::{ItemKey, Items};
use belay_core::model::report::EventOutcome;

use crate::puppet_fixtures::fixture;

const R141: &str = include_str!("../../src/tools/puppet/fixtures/catalog/lab-r141.json");
const R142: &str = include_str!("../../src/tools/puppet/fixtures/catalog/lab-r142.json");

fn host() -> HostId {
    HostId::parse("web01.example.com").unwrap()
}

fn read(catalog: &str) -> OfferedCatalog {
    Puppet.offered(catalog.as_bytes(), &host()).unwrap()
}

/// A catalog of these resources.
fn with(resources: &str) -> OfferedCatalog {
    read(&format!(r#"{{"name":"web01.example.com","version":1,"environment":"e","resources":[{resources}]}}"#))
}

/// The one item of the only resource, with the text its content is the digest of.
fn is_item(resource: &str, key: (&str, &str, &str), text: &str) -> bool {
    let masks = belay_adapters::tools::mask::Masks::of("web01.example.com", &[]);
    let content = items::content(key.2, text, &masks).unwrap();
    with(resource).items.get(&ItemKey::new(key.0, key.1, key.2)) == Some(&content)
}

#[test]
fn every_item_of_a_recorded_report_is_in_the_catalog_with_the_same_content() {
    // What a catalog does not tell: commands, checksums that are not computed here, what is made on the
    // host or lies elsewhere, and accounts by a number that may be another name on each host.
    let common = [
        "Exec[named] returns",
        "File[/opt/lab/out/by_512] content",
        "File[/opt/lab/out/by_md5] content",
        "File[/opt/lab/out/late] content",
    ];
    let rehearsed = ["Package[hello-latest] ensure", "User[games] groups"];
    let first = ["Exec[/bin/touch /opt/lab/out/done-141] returns", "File[/opt/lab/out/plain.txt] content"];
    let second =
        ["Exec[/bin/touch /opt/lab/out/done-142] returns", "File[/opt/lab/out/app.conf] owner", "File[/opt/lab/out/numbered] group"];
    for (catalog, report, named, own) in [(R141, "lab-r141", 37, &first[..]), (R142, "lab-r142", 30, &second[..])] {
        // Packages and accounts were only rehearsed, so as not to alter the machine of the recording.
        let offered = read(&catalog.replace("\"noop\":true", "\"noop\":false"));
        let report = Puppet.decode(fixture(report).as_bytes()).unwrap().report;
        let (mut same, mut untold) = (0, BTreeSet::new());
        for event in report.events.iter().filter(|event| event.outcome != EventOutcome::Failed) {
            let Some((key, content)) = event.item.as_ref().zip(event.content) else { continue };
            match offered.items.get(key) {
                Some(found) => {
                    assert_eq!(*found, content, "{key}: {}", event.new);
                    same += 1;
                }
                None => _ = untold.insert(key.to_string()),
            }
        }
        assert_eq!(untold, common.iter().chain(&rehearsed).chain(own).map(ToString::to_string).collect());
        assert_eq!(same, named, "items that were compared");
        // Neither the secret nor anything about it.
        assert!(!offered.items.keys().any(|key| &*key.title == "/opt/lab/out/secret" && &*key.parameter != "mode"));
        assert_eq!(offered.perhaps, Items::new());
    }
}

#[test]
fn the_frame_of_a_recorded_catalog_is_read() {
    let (old, new) = (read(R141), read(R142));
    assert_eq!(new.environment.as_ref().unwrap().as_str(), "r142");
    assert_eq!(new.version.as_deref(), Some("r142-94f21930c957"));
    let report = fixture("lab-r142");
    assert!(report.contains(&format!("catalog_uuid: {}", new.uuid.unwrap())), "the report names the catalog it applied");
    assert_eq!(old.break_glass, None);
    assert_eq!(new.break_glass.as_deref(), Some("the registry is down, INC-7"));
    // Two commands, a secret and the making of its file, a deferred text, two checksums, a source; and two
    // accounts by number in the newer one.
    assert_eq!((old.opaque, new.opaque), (8, 10));
}

#[test]
fn the_delta_between_two_recorded_catalogs_is_what_the_run_changed() {
    let offered = read(R142).against(Some(&read(R141)), &|_, _| false);
    let delta = offered.delta.unwrap();
    let report = Puppet.decode(fixture("lab-r142").as_bytes()).unwrap().report;
    let changed: Vec<String> = report
        .events
        .iter()
        .filter(|event| event.outcome == EventOutcome::Applied && event.content.is_some())
        .filter_map(|event| event.item.as_ref())
        .filter(|key| delta.contains_key(key))
        .map(ToString::to_string)
        .collect();
    assert!(changed.contains(&"File[/opt/lab/out/app.conf] content".to_owned()), "{changed:?}");
    // Whatever the run did not touch is left out.
    let quiet: Vec<String> = delta.keys().map(ToString::to_string).filter(|key| !changed.contains(key)).collect();
    assert_eq!(quiet, Vec::<String>::new());
    assert_eq!(changed.len(), 17, "{changed:?}");
}

#[test]
fn values_are_put_as_events_put_them() {
    let file = |parameters: &str| format!(r#"{{"type":"File","title":"/a","parameters":{{{parameters}}}}}"#);
    for (parameters, parameter, text) in [
        (r#""mode":"644""#, "mode", "0644"),
        (r#""mode":"0644","ensure":"directory""#, "mode", "0755"),
        (r#""mode":"u=rw,go=""#, "mode", "u=rw,go="),
        (r#""owner":0"#, "owner", "root"),
        (r#""ensure":"/b""#, "target", "/b"),
        (r#""ensure":"/b""#, "ensure", "link"),
        (r#""content":"""#, "ensure", "file"),
        (r#""content":"""#, "content", "{sha256}e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (r#""content":"{md5}d41d8cd98f00b204e9800998ecf8427e""#, "content", "{md5}d41d8cd98f00b204e9800998ecf8427e"),
    ] {
        assert!(is_item(&file(parameters), ("File", "/a", parameter), text), "{parameters} {parameter}");
    }
    let other = |kind: &str, parameters: &str| format!(r#"{{"type":"{kind}","title":"a","parameters":{{{parameters}}}}}"#);
    assert!(is_item(&other("Package", r#""ensure":"installed""#), ("Package", "a", "ensure"), "present"));
    assert!(is_item(&other("Service", r#""ensure":true,"enable":true"#), ("Service", "a", "ensure"), "running"));
    assert!(is_item(&other("Service", r#""ensure":true,"enable":true"#), ("Service", "a", "enable"), "true"));
    assert!(is_item(r#"{"type":"Notify","title":"hello"}"#, ("Notify", "hello", "message"), "hello"));
}

#[test]
fn a_static_catalog_says_what_lies_behind_a_source() {
    let metadata = r#"{"/a":{"type":"file","checksum":{"type":"sha256","value":"{sha256}e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}}"#;
    let catalog = format!(
        r#"{{"name":"web01.example.com","resources":[{{"type":"File","title":"/a","parameters":{{"source":"puppet:///modules/a/a"}}}}],"metadata":{metadata}}}"#
    );
    let inline = with(r#"{"type":"File","title":"/a","parameters":{"content":""}}"#);
    let (key, content) = inline.items.iter().find(|(key, _)| &*key.parameter == "content").unwrap();
    assert_eq!(read(&catalog).items.get(key), Some(content));
    let untold = with(r#"{"type":"File","title":"/a","parameters":{"source":"puppet:///modules/a/a"}}"#);
    assert_eq!((untold.items.len(), untold.opaque), (0, 1));
}

#[test]
fn what_lies_behind_a_source_is_the_same_in_a_recorded_static_catalog_and_in_the_report() {
    let offered = read(include_str!("../../src/tools/puppet/fixtures/catalog/static.json"));
    let report = include_str!("../../src/tools/puppet/fixtures/catalog/static-report.yaml");
    let report = Puppet.decode(report.as_bytes()).unwrap().report;
    let motd = ItemKey::new("File", "/proc/self/cwd/etc/motd", "content");
    let event = report.events.iter().find(|event| event.item.as_ref() == Some(&motd)).unwrap();
    assert!(event.content.is_some());
    assert_eq!((offered.items.get(&motd).copied(), offered.opaque), (event.content, 0));
}

#[test]
fn what_cannot_be_resolved_is_opaque_and_never_half_an_item() {
    for resource in [
        r#"{"type":"Exec","title":"a","parameters":{"command":"/bin/true"}}"#,
        r#"{"type":"File","title":"/a","parameters":{"ensure":"present","content":{"__ptype":"Deferred","name":"f"}}}"#,
        r#"{"type":"File","title":"/a","parameters":{"ensure":"present","content":{"__ptype":"Sensitive","__pvalue":"x"}}}"#,
        r#"{"type":"File","title":"/a","parameters":{"ensure":"present","content":"{abc}x\ny"}}"#,
        r#"{"type":"File","title":"/a","parameters":{"ensure":"present","owner":1000}}"#,
        r#"{"type":"File","title":"/a","parameters":{"ensure":"present","recurse":true}}"#,
        r#"{"type":"Package","title":"a","parameters":{"ensure":"latest"}}"#,
        r#"{"type":"User","title":"a","parameters":{"password":"$6$abc$defghijklmnop"}}"#,
        r#"{"type":"User","title":"a","parameters":{"groups":["b","a"]}}"#,
        r#"{"type":"Firewall","title":"a","parameters":{"dport":{"__ptype":"Deferred","name":"f"}}}"#,
        r#"{"type":"Firewall","title":"a","parameters":{"dport":1},"sensitive_parameters":["dport"]}"#,
    ] {
        let offered = with(resource);
        assert_eq!(offered.opaque, 1, "{resource}");
        let others = offered.items.keys().filter(|key| &*key.parameter != "ensure").count();
        assert_eq!((others, offered.perhaps.len()), (0, 0), "{resource}");
    }
}

#[test]
fn what_sets_nothing_is_left_out() {
    for resource in [
        r#"{"type":"Class","title":"Role","kind":"class","parameters":{"release":"142"}}"#,
        r#"{"type":"Piece","title":"b","kind":"defined_type","parameters":{"text":"x"}}"#,
        r#"{"type":"Role::Piece","title":"b","parameters":{"text":"x"}}"#,
        r#"{"type":"Filebucket","title":"main","parameters":{"path":false}}"#,
        r#"{"type":"File","title":"/a","parameters":{"ensure":"file","noop":true}}"#,
        r#"{"type":"Exec","title":"a","parameters":{"noop":true}}"#,
        r#"{"type":"Firewall","title":"a","parameters":{"require":"File[/a]","tag":["x"],"provider":"y"}}"#,
    ] {
        let offered = with(resource);
        assert_eq!((offered.items.len(), offered.perhaps.len(), offered.opaque), (0, 0, 0), "{resource}");
    }
    // What is to be absent has no content.
    assert_eq!(with(r#"{"type":"File","title":"/a","parameters":{"ensure":"absent","content":"x","mode":"0644"}}"#).items.len(), 1);
}

#[test]
fn attributes_of_types_that_are_not_known_may_be_items() {
    let offered = with(r#"{"type":"Ini_setting","title":"web01 x","parameters":{"ensure":"present","value":1.50,"path":"/etc/x"}}"#);
    // As a report would name it: the host masked in the title, numbers in one way.
    assert_eq!(offered.items.keys().map(ToString::to_string).collect::<Vec<_>>(), ["Ini_setting[<host> x] ensure"]);
    let masks = belay_adapters::tools::mask::Masks::of("web01.example.com", &[]);
    let value = offered.perhaps.get(&ItemKey::new("Ini_setting", "<host> x", "value"));
    assert_eq!(value, items::content("value", "1.5", &masks).as_ref());
    assert_eq!(offered.perhaps.len(), 2);
}

#[test]
fn a_catalog_without_a_script_has_no_version() {
    let version = |version: &str| read(&format!(r#"{{"name":"web01.example.com","version":{version},"resources":[]}}"#)).version;
    assert_eq!(version("1795575317"), None);
    assert_eq!(version("\"1795575317\""), None);
    assert_eq!(version("null"), None);
    assert_eq!(version("42").as_deref(), Some("42"));
    assert_eq!(version("\" 9f2c1e04\\n\"").as_deref(), Some("9f2c1e04"));
}

#[test]
fn what_is_no_catalog_of_this_host_is_unreadable_with_its_place() {
    let fails = |bytes: &[u8]| Puppet.offered(bytes, &host()).unwrap_err();
    for at in (0..R141.len()).step_by(97) {
        let cut = fails(&R141.as_bytes()[..at]);
        assert!(cut.offset <= at as u64 && !cut.reason.is_empty(), "{cut}");
    }
    assert!(
        fails(R141.replace("\"name\":\"web01.example.com\"", "\"name\":\"web02.example.com\"").as_bytes()).reason.contains("not of web01")
    );
    assert!(fails(b"{\"name\":\"web01.example.com\"}").reason.contains("resources"));
    assert!(fails(b"[]").reason.contains("not a catalog"));
    assert_eq!(fails(b"{\"name\":\"\xff\"}").offset, 9);
    let deep = format!(r#"{{"name":"web01.example.com","version":{}"#, "[".repeat(100_000));
    assert!(fails(deep.as_bytes()).reason.contains("recursion"));
}
