//! `belay-agent enc HOST`: the environment from the last policy, and never a failure of its own.

use belay_core::host::policy::{HostPolicy, Pin};
use belay_core::model::gate::Enforce;
use belay_core::model::ids::{Environment, HostId, Release};
use belay_core::model::time::Timestamp;

use crate::lab::{HOST, Lab, policy, write_program};
use crate::server::Server;

fn enc(lab: &Lab, host: &str) -> String {
    let output = lab.agent(&["enc", host]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn pinned(environment: &str) -> Pin {
    Pin {
        environment: Environment::parse(environment).unwrap(),
        until: Timestamp::from_ms(4_000_000_000_000),
        reason: "c-2".to_owned(),
        by: "alice".to_owned(),
    }
}

#[test]
fn the_release_that_is_read_now_decides_while_the_server_is_away() {
    let lab = Lab::new(Some("127.0.0.1:9"), "");
    assert_eq!(enc(&lab, HOST), "--- {}\n", "without a policy there is nothing to say");
    let mut mapped = policy(1, Enforce::Off);
    mapped.environments.insert(Release::parse("141").unwrap(), Environment::parse("r141").unwrap());
    lab.keep(&mapped);
    assert_eq!(enc(&lab, HOST), "---\nenvironment: r142\n");
    std::fs::write(lab.path("release"), "141\n").unwrap();
    assert_eq!(enc(&lab, HOST), "---\nenvironment: r141\n");
    std::fs::write(lab.path("release"), "999\n").unwrap();
    assert_eq!(enc(&lab, HOST), "--- {}\n");
    for unknown in ["db01.example.com", "../../etc/passwd", ""] {
        assert_eq!(enc(&lab, unknown), "--- {}\n", "{unknown}");
    }
}

fn of(host: &str, seq: u64) -> HostPolicy {
    HostPolicy { host: HostId::parse(host).unwrap(), ..policy(seq, Enforce::Off) }
}

#[test]
fn a_relay_fetches_the_policies_of_the_hosts_it_classifies_and_answers_without_the_server() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    server.alter(|known| known.relayed = (1..=5).map(|nth| of(&format!("db0{nth}.example.com"), 1)).collect());
    let lab = Lab::new(Some(&server.address), "[relay]\ntoken_file = \"DIR/relay\"\n");
    std::fs::write(lab.path("relay"), "relays\n").unwrap();
    let daemon = lab.daemon();
    crate::server::until("all pages", || (1..=5).all(|nth| lab.path(&format!("state/policies/db0{nth}.example.com.json")).is_file()));
    assert_eq!(enc(&lab, "DB01.example.com"), "---\nenvironment: r142\n");
    let written = || std::fs::metadata(lab.path("state/policies/db02.example.com.json")).unwrap().modified().unwrap();
    let before = written();
    server.alter(|known| {
        known.relayed = (1..=2).map(|nth| of(&format!("db0{nth}.example.com"), 2)).collect();
        known.relayed[0].pin = Some(pinned("r142_0123abc"));
    });
    crate::server::until("the pin", || enc(&lab, "db01.example.com").contains("r142_0123abc"));
    assert_eq!(before, written(), "a policy that says the same is not written again");
    assert_eq!(enc(&lab, "db05.example.com"), "---\nenvironment: r142\n", "a host that is not mentioned keeps its answer");
    server.alter(|known| known.relayed = vec![of("db01.example.com", 1)]);
    server.until("another question", |known| known.asks.iter().filter(|ask| ask.after.is_none()).count() > 3);
    assert!(enc(&lab, "db01.example.com").contains("r142_0123abc"), "an older policy takes no newer one's place");
    drop((daemon, server));
    assert!(enc(&lab, "db01.example.com").contains("r142_0123abc"), "the server is away");
    std::fs::write(lab.path("state/policies/db01.example.com.json"), "{").unwrap();
    assert_eq!(enc(&lab, "db01.example.com"), "--- {}\n");
}

#[test]
fn a_table_is_answered_by_from_the_time_that_the_server_says_and_not_before() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    let hosts = |seq| (1..=5).map(|nth| of(&format!("db0{nth}.example.com"), seq)).collect::<Vec<_>>();
    server.alter(|known| (known.relayed, known.table) = (hosts(1), Some((1, None))));
    let lab = Lab::new(Some(&server.address), "[relay]\ntoken_file = \"DIR/relay\"\n");
    std::fs::write(lab.path("relay"), "relays\n").unwrap();
    let daemon = lab.daemon();
    let stored = |number: u64| {
        let said = move |ask: &belay_api::agent::PoliciesAsk| ask.table.as_ref()?.stored.map(|table| table.number);
        server.until("the table is stored", |known| known.asks.last().and_then(said) == Some(number));
    };
    stored(1);
    assert_eq!(enc(&lab, "db05.example.com"), "--- {}\n", "nobody said that it is in force");
    let now = || belay_agent::clock::now().ms();
    server.alter(|known| known.table = Some((1, Some(now()))));
    crate::server::until("the first table", || enc(&lab, "db05.example.com") == "---\nenvironment: r142\n");
    server.alter(|known| {
        (known.relayed, known.table) = (hosts(2), Some((2, None)));
        known.relayed[4].pin = Some(pinned("r142_0123abc"));
    });
    stored(2);
    assert_eq!(enc(&lab, "db05.example.com"), "---\nenvironment: r142\n", "it lies beside the one in force");
    let from = now() + 2_000;
    server.alter(|known| known.table = Some((2, Some(from))));
    let told = |ask: &belay_api::agent::PoliciesAsk| ask.table.as_ref()?.in_force.map(|table| table.number);
    server.until("it was told", |known| known.asks.last().and_then(told) == Some(2));
    // The daemon is not needed for the switch, and neither is the server.
    drop((daemon, server));
    let early = enc(&lab, "db05.example.com");
    assert!(early == "---\nenvironment: r142\n" || now() > from - 100, "{early}");
    crate::server::until("its time", || enc(&lab, "db05.example.com").contains("r142_0123abc"));
    assert!(now() >= from - 100, "its time has come");
}

#[test]
fn only_declared_environments_are_ever_named() {
    let lab = Lab::new(None, "[enc]\nenvironments = [\"r14*\"]\n");
    for (seq, pin, named) in [(1, "r142_0123abc", true), (2, "production", false), (3, "r149", false)] {
        let mut pins = policy(seq, Enforce::Off);
        pins.pin = Some(pinned(pin));
        lab.keep(&pins);
        assert_eq!(enc(&lab, HOST).contains(pin), named, "{pin}");
    }
}

#[test]
fn another_classifier_keeps_its_say_but_for_the_environment() {
    let lab = Lab::new(None, "[enc]\nwrap = [\"DIR/other\"]\n");
    write_program(&lab.path("other"), "#!/bin/sh\nprintf -- '---\\nclasses: [web]\\nenvironment: production # as always\\n'\n");
    let unaltered = "---\nclasses: [web]\nenvironment: production # as always\n";
    assert_eq!(enc(&lab, HOST), unaltered);
    lab.keep(&policy(1, Enforce::Off));
    let altered = enc(&lab, HOST);
    assert!(altered.contains("environment: r142") && altered.contains("web") && !altered.contains("production"), "{altered}");
    assert_eq!(enc(&lab, "db01.example.com"), unaltered, "of another host nothing is known");
    write_program(&lab.path("other"), "#!/bin/sh\nprintf -- '- a list\\n'\n");
    assert_eq!(enc(&lab, HOST), "- a list\n", "what is not understood is left as it is");
    write_program(&lab.path("other"), "#!/bin/sh\necho broken >&2; exit 3\n");
    let output = lab.agent(&["enc", HOST]);
    assert!(!output.status.success(), "it fails as it did before");
}

#[test]
fn a_mistake_in_the_configuration_leaves_no_host_without_an_answer() {
    let lab = Lab::new(None, "");
    std::fs::write(lab.path("agent.toml"), "servre = 1\n").unwrap();
    assert_eq!(enc(&lab, HOST), "--- {}\n");
}
