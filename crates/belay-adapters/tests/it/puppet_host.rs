//! Puppet as a host's agent sees it: recorded files, and command lines as they are passed on.

use std::path::Path;

use belay_adapters::tools::host::{Ended, Places, all_host_tools, host_tool_by_name};
use belay_adapters::tools::puppet::Puppet;
use belay_adapters::tools::{HostTool, Tool, by_name};
use belay_core::model::ids::HostId;

use crate::convert;
use crate::puppet_fixtures::{fixture, recorded};

fn places(layout: usize) -> Places {
    Puppet.places(&Puppet.layouts()[layout], &HostId::parse("Web01.example.com").unwrap())
}

#[test]
fn a_glance_tells_what_decoding_tells() {
    for (name, body) in recorded() {
        let kind = Puppet.decode(&body).unwrap().report.kind;
        let idle = matches!(kind.word(), "unchanged" | "noop-would-change" | "noop-unchanged" | "cached-catalog");
        assert_eq!(Puppet.changed(&body), !idle, "{name}");
        assert_eq!(Puppet.changed(&convert::json(std::str::from_utf8(&body).unwrap())), !idle, "{name} as JSON");
    }
}

#[test]
fn a_report_that_was_cut_off_matters() {
    let whole = fixture("unchanged");
    let json = convert::json(&whole);
    let end = whole.find("\ncached_catalog_status").unwrap();
    for at in (0..end).step_by(101) {
        assert!(Puppet.changed(&whole.as_bytes()[..at]), "cut at {at}");
    }
    for at in (0..json.len() - 1).step_by(101) {
        assert!(Puppet.changed(&json[..at]), "JSON cut at {at}");
    }
    // What a command printed, indented in a log line, is no status.
    assert!(Puppet.changed(b"status: failed\nlogs:\n- message: |-\n    a\n    status: unchanged\ncached_catalog_status: not_used\n"));
    assert!(!Puppet.changed(whole.replace('\n', "\r\n").as_bytes()));
}

#[test]
fn both_layouts_are_known_and_name_the_hosts_own_catalog() {
    let (aio, debian) = (places(0), places(1));
    assert_eq!(debian.program, Path::new("/usr/bin/puppet"));
    assert_eq!(debian.lock, Path::new("/var/cache/puppet/state/agent_disabled.lock"));
    assert_eq!(debian.catalog, Path::new("/var/cache/puppet/client_data/catalog/web01.example.com.json"));
    assert_eq!(aio.lock, Path::new("/opt/puppetlabs/puppet/cache/state/agent_disabled.lock"));
    assert_eq!(aio.summary, Path::new("/opt/puppetlabs/puppet/public/last_run_summary.yaml"));
    for places in [aio, debian] {
        assert_ne!(places.lock, places.rehearsal_lock);
    }
}

#[test]
fn a_rehearsal_is_seen_as_one_and_a_run_is_not() {
    let places = places(1);
    let rehearsal = Puppet.rehearse(&places);
    assert!(Puppet.is_noop(&rehearsal));
    assert!(rehearsal.contains(&places.rehearsal_lock.to_str().unwrap().to_owned()));
    assert!(!rehearsal.contains(&places.lock.to_str().unwrap().to_owned()));
    let run = Puppet.apply_now(&places);
    assert!(!Puppet.is_noop(&run));
    assert_eq!(run, ["/usr/bin/puppet", "agent", "--onetime", "--no-daemonize", "--no-splay", "--detailed-exitcodes"]);
    let named: Vec<String> = ["puppet", "agent", "--environment=r142"].map(str::to_owned).to_vec();
    assert_eq!(Puppet.environment_of(&named).unwrap().as_str(), "r142");
    let bad: Vec<String> = ["puppet", "agent", "--environment", "../x"].map(str::to_owned).to_vec();
    assert_eq!(Puppet.environment_of(&bad), None);
}

#[test]
fn only_a_plain_path_and_a_sum_are_restored() {
    let places = places(1);
    let sum = "01d09d19c2139a46aebfb577780d123d7396e97201bc7ead210a2ebff8239dee";
    let argv = Puppet.restore("/etc/app.conf", &format!("{{sha256}}{sum}"), &places).unwrap();
    assert_eq!(
        argv,
        ["/usr/bin/puppet", "filebucket", "restore", "--local", "--bucket", "/var/cache/puppet/clientbucket", "/etc/app.conf", sum]
    );
    let remote = Puppet.restore_from_server("/etc/app.conf", sum, &places).unwrap();
    assert_eq!(remote, ["/usr/bin/puppet", "filebucket", "restore", "--remote", "/etc/app.conf", sum]);
    for (path, sum) in
        [("etc/app.conf", sum), ("--x", sum), ("/etc/../x", sum), ("/a\nb", sum), ("/", sum), ("/a", "--all"), ("/a", ""), ("/a", "abc")]
    {
        assert_eq!(Puppet.restore(path, sum, &places), None, "{path:?} {sum:?}");
        assert_eq!(Puppet.restore_from_server(path, sum, &places), None, "{path:?} {sum:?}");
    }
}

#[test]
fn exit_codes_are_told_apart() {
    let ended = [Some(0), Some(2), Some(4), Some(6), Some(1), Some(127), None].map(|code| Puppet.ended(code));
    assert_eq!(ended[..4], [Ended::Unchanged, Ended::Changed, Ended::Failed, Ended::Failed]);
    assert_eq!(ended[4..], [Ended::NoRun; 3]);
}

#[test]
fn every_tool_of_hosts_is_a_tool() {
    for tool in all_host_tools() {
        assert!(by_name(tool.name()).is_some() && host_tool_by_name(tool.name()).is_some());
        assert!(!tool.layouts().is_empty());
    }
    assert!(host_tool_by_name("").is_none());
}
