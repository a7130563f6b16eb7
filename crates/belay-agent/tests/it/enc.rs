//! `belay-agent enc HOST`: the environment from the last policy, and never a failure of its own.

use belay_core::host::policy::Pin;
use belay_core::model::gate::Enforce;
use belay_core::model::ids::{Environment, HostId, Release};
use belay_core::model::time::Timestamp;

use crate::lab::{HOST, Lab, policy, write_program};

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

#[test]
fn a_host_that_answers_for_others_has_their_policies() {
    let lab = Lab::new(None, "");
    let mut other = policy(1, Enforce::Off);
    other.host = HostId::parse("db01.example.com").unwrap();
    let kept = lab.kept();
    kept.keep_of_other(&kept.guard().unwrap(), &other).unwrap();
    assert_eq!(enc(&lab, "DB01.example.com"), "---\nenvironment: r142\n");
    std::fs::write(lab.path("state/policies/db01.example.com.json"), "{").unwrap();
    assert_eq!(enc(&lab, "db01.example.com"), "--- {}\n");
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
