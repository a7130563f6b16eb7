//! The operator's configuration.

use belay_api::config::{self, ConfigError};
use belay_core::model::gate::Enforce;
use belay_core::model::policy::{COMPILE_SLOTS, Policy, ReleaseSource};
use belay_core::model::signal::{Harm, Reading};
use belay_core::model::time::Span;

const EXAMPLE: &str = include_str!("../../../../docs/examples/belay.toml");

fn errors(text: &str) -> Vec<ConfigError> {
    config::parse("belay.toml", text).expect_err(text)
}

/// The one error of a text, as it is shown.
fn said(text: &str) -> String {
    let errors = errors(text);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors[0].to_string()
}

const WEB: &str = "[[class]]\nname = \"web\"\nhosts = \"web*\"\n";

/// The error of a line in an otherwise good class; it stands in line 4.
fn class(line: &str) -> String {
    said(&format!("{WEB}{line}\n"))
}

/// The error of a line in an otherwise good signal; it stands in line 5.
fn signal(line: &str) -> String {
    said(&format!("[[signal]]\nname = \"s\"\nkind = \"gauge\"\nselect = \"s\"\n{line}\n"))
}

#[test]
fn the_example_is_valid_and_says_what_it_seems_to_say() {
    let config = config::parse("belay.toml", EXAMPLE).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(config.server.listen.as_deref(), Some("127.0.0.1:7878"));
    assert_eq!(config.server.public_url, config.policy.public_url);
    let [web, checker, shop] = &config.policy.classes[..] else { panic!("three classes") };
    assert_eq!((web.bake, web.horizon, web.grace), (Span::from_min(5), Span::from_min(30), Span::from_min(2)));
    let environments: Vec<String> = web.environments.iter().map(|(release, environment)| format!("{release} {environment}")).collect();
    assert_eq!(environments, ["141 production", "142 r142"]);
    assert_eq!((&web.release, &checker.release), (&ReleaseSource::Reported, &ReleaseSource::None));
    assert_eq!(checker.kin[0].as_str(), "web");
    let hours = shop.hours.as_ref().unwrap();
    assert_eq!((shop.apart.as_deref(), hours.zone.name.as_str(), hours.spans.len()), (Some("cluster"), "Europe/Berlin", 5));
    let [freeze] = &config.policy.freezes[..] else { panic!("one freeze") };
    assert_eq!((freeze.from.to_string(), freeze.until.to_string()), ("2026-12-18T15:00:00Z".into(), "2027-01-04T07:00:00Z".into()));
    let [flow, latency, check] = &config.policy.signals[..] else { panic!("three signals") };
    assert_eq!((flow.harm, flow.must_have, flow.reading, flow.step), (Harm::Down, true, Reading::Counter, Span::from_s(15)));
    assert_eq!((latency.harm, latency.must_have, latency.reading, latency.step), (Harm::Up, false, Reading::Value, Span::from_s(60)));
    assert_eq!((check.must_have, check.host_label.as_str(), latency.host_label.as_str()), (true, "host", "instance"));
    assert_eq!(config.policy.receivers[0].url, "https://chat.example.com/hooks/belay");
}

#[test]
fn what_the_example_says_is_the_default_is_the_default() {
    let config = config::parse("belay.toml", EXAMPLE).unwrap();
    let bare = config::parse("bare.toml", "[[class]]\nname = \"web\"\nhosts = [\"web*.example.com\"]\n").unwrap();
    // What the example sets otherwise, and says so.
    let web = belay_core::model::policy::ClassPolicy {
        environments: bare.policy.classes[0].environments.clone(),
        enforce: Enforce::Off,
        stale: None,
        ..config.policy.classes[0].clone()
    };
    assert_eq!(web, bare.policy.classes[0]);
}

#[test]
fn nothing_at_all_is_the_configuration_that_only_observes() {
    assert_eq!(config::parse("x", "").unwrap().policy, Policy::default());
    assert_eq!(config::parse_many(&[]).unwrap().policy, Policy::default());
}

#[test]
fn the_text_of_a_policy_gives_the_same_policy_also_with_drop_ins() {
    let drop_in = "[server]\nstate_dir = \"/srv/belay\"\n[[class]]\nname = \"db\"\nhosts = \"db*\"\nkin = \"web\"";
    let other = "[[signal]]\nname = \"load\"\nclass = \"db\"\nkind = \"gauge\"\nselect = \"load1\"\n";
    let first = "[server]\nlisten = \"[::1]:7878\"\ncertificate = \"/etc/belay.pem\"\npublic_url = \"http://belay/\"\n\
                 [[class]]\nname = \"web\"\nfacts = { role = \"web\" }\n";
    let files = [("belay.toml", first), ("10-db.toml", drop_in), ("20-signals.toml", other)];
    let config = config::parse_many(&files).unwrap();
    assert_eq!(config.policy.public_url.as_deref(), Some("http://belay"));
    assert_eq!(config.policy.compile_slots, COMPILE_SLOTS, "where nothing is said");
    assert_eq!(config.server.certificate.as_deref(), Some("/etc/belay.pem"));
    assert_eq!(config.policy.classes.len(), 2);
    assert_eq!(config::parse("recorded", &config.policy.text).unwrap(), config);
    assert_eq!(config::parse_many(&[("a", &config.policy.text), ("b", "")]).unwrap().policy.signals, config.policy.signals);
    let one = config::parse("belay.toml", EXAMPLE).unwrap();
    assert_eq!((&*one.policy.text, config::parse("other", &one.policy.text).unwrap()), (EXAMPLE, one.clone()));
}

#[test]
fn how_many_hosts_are_asked_at_a_time_is_set_for_the_server_and_bounded() {
    let slots = |text: &str| config::parse("belay.toml", text).unwrap().policy.compile_slots;
    assert_eq!((slots(""), slots("[server]\ncompile_slots = 8\n")), (COMPILE_SLOTS, 8));
    for bad in ["0", "10001", "\"8\""] {
        assert!(said(&format!("[server]\ncompile_slots = {bad}\n")).contains("compile_slots"), "{bad}");
    }
}

#[test]
fn an_error_in_a_drop_in_names_that_file_also_when_the_text_is_read_back() {
    let files = [("belay.toml", WEB), ("10.toml", "\n[[class]]\nname = \"db\"\nhosts = \"db*\"\nhorizn = \"1h\"\n")];
    let errors = config::parse_many(&files).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].to_string(), "10.toml:5:1: error: unknown key `horizn` in class\n  help: did you mean `horizon`?");
    assert_eq!(errors[0].key, "class.horizn");
    let joined = format!("#@file belay.toml\n{}#@file 10.toml\n{}", files[0].1, files[1].1);
    assert_eq!(config::parse("recorded", &joined).unwrap_err(), errors);
}

#[test]
fn a_single_value_given_twice_names_both_places() {
    let files = [("belay.toml", "[server]\nlisten = \"a:1\"\n"), ("10.toml", "[server]\n  listen = \"b:2\"\n")];
    let errors = config::parse_many(&files).unwrap_err();
    let said = "10.toml:2:12: error: `server.listen` is given twice: here and at belay.toml:2:10\n  help: keep one of them";
    assert_eq!(errors[0].to_string(), said);
}

#[test]
fn what_is_no_toml_is_said_with_its_place() {
    let said = said("[[class]]\nname = web\n");
    assert!(said.starts_with("belay.toml:2:8: error: no valid TOML: "), "{said}");
}

#[test]
fn every_mistake_is_reported_at_once_in_the_order_of_the_text() {
    let text = "[sever]\n[[class]]\nhosts = \"a*\"\nbake = 5\n[[signal]]\nname = \"s\"\nkind = \"flwo\"\nselect = \"x\"\n";
    let said: Vec<String> = errors(text).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "belay.toml:1:2: error: unknown key `sever`\n  help: did you mean `server`?",
            "belay.toml:2:1: error: this class has no `name`\n  help: write for example name = \"web\"",
            "belay.toml:4:8: error: `class.bake` is a length of time in quotes, not a TOML integer\n  help: write for example \"30m\", \"90s\", \"1h30m\" or \"500ms\"",
            "belay.toml:7:8: error: `signal.kind` has no word \"flwo\"\n  help: did you mean `flow`?",
        ]
    );
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    assert_eq!(class("revert = \"ask\""), "belay.toml:4:1: error: `class.revert` is not built yet\n  help: leave it out");
    for way in ["file = \"/etc/release\"", "command = \"app --version\""] {
        let said = class(&format!("release = {{ {way} }}"));
        assert!(said.contains("a server must not name files or commands of hosts"), "{said}");
        assert!(said.contains("agent.toml"), "{said}");
    }
    let budget = config::parse("x", "false_rejections = \"3 per 7d\"\n").unwrap().policy.false_rejections;
    assert_eq!((budget.count, budget.per), (3, Span::from_min(7 * 24 * 60)));
    for wrong in ["2 %", "0 per 30d", "1 per 30", "1 per 5m", "a per 1d"] {
        let said = said(&format!("false_rejections = \"{wrong}\"\n"));
        assert!(said.contains("belay.toml:") && said.contains("`false_rejections"), "{said}");
    }
}

#[test]
fn a_release_that_the_tool_installs_needs_an_environment_that_does() {
    let map = "environments = { \"141\" = \"production\", \"142\" = \"r142\" }\n";
    let read = |lines: &str| config::parse("x", &format!("{WEB}{lines}\n")).map(|config| config.policy.classes[0].clone());
    let class_of = read(&format!("{map}release_source = \"assigned\"\ntarget = \"142\"")).unwrap();
    assert_eq!(class_of.target_environment().map(ToString::to_string).as_deref(), Some("r142"));
    assert_eq!(read(&format!("{map}release_source = \"observed\"")).unwrap().target, None);
    for (lines, why) in [
        ("release_source = \"assigned\"", "without `target`"),
        ("target = \"142\"", "is for releases that the tool itself installs"),
        ("release_source = \"assigned\"\ntarget = \"143\"", "no environment installs this release"),
        ("release_source = \"given\"", "has no word"),
    ] {
        let said = read(&format!("{map}{lines}")).unwrap_err().iter().map(ToString::to_string).collect::<String>();
        assert!(said.contains(why), "{lines}: {said}");
    }
    assert_eq!(read("environment = \"production\"").unwrap().environment.map(|name| name.to_string()).as_deref(), Some("production"));
    assert!(class(&format!("{map}environment = \"production\"")).contains("leave one of the two out"));
}

#[test]
fn how_far_the_gate_goes_is_configured_and_what_cannot_work_is_refused() {
    let read = |lines: &str| config::parse("x", &format!("{WEB}{lines}\n")).map(|config| config.policy.classes[0].clone());
    for (level, known) in [("off", Enforce::Off), ("rejected", Enforce::Rejected)] {
        assert_eq!(read(&format!("enforce = {level:?}")).unwrap().enforce, known);
    }
    let map = "environments = { \"142\" = \"r142\" }";
    let class_of = read(&format!("enforce = \"release-match\"\n{map}\nmax_closed = \"2h\"\nstale = \"65m\"")).unwrap();
    assert_eq!(
        (class_of.enforce, class_of.max_closed, class_of.stale),
        (Enforce::ReleaseMatch, Span::from_min(120), Some(Span::from_min(65)))
    );
    assert!(class("enforce = \"release-match\"").contains("there is nothing that could match"));
    assert!(class("enforce = \"on\"").contains("known here: off, release-match, rejected, waves"));
}

#[test]
fn waves_are_sizes_that_the_gate_keeps() {
    use belay_core::model::policy::WaveSize::{Hosts, Percent};
    let read = |lines: &str| config::parse("x", &format!("{WEB}{lines}\n")).map(|config| config.policy.classes[0].clone());
    let waves = "waves = [1, \"5%\", \"100%\"]\ncanaries = [\"web01\"]\nspread = \"dc\"\non_inconclusive = \"hold\"\n\
        branches = { stable = \"production\", candidate = \"next\" }";
    let known = read(&format!("enforce = \"waves\"\n{waves}")).unwrap();
    assert_eq!((known.enforce, known.waves), (Enforce::Waves, vec![Hosts(1), Percent(5), Percent(100)]));
    assert_eq!((known.spread.as_deref(), known.branches.unwrap().candidate.to_string().as_str()), (Some("dc"), "next"));
    assert!(class("enforce = \"waves\"").contains("there is nothing to wait for"));
    assert!(class("waves = [1]").contains("does not keep them"));
    for bad in ["0", "\"101%\"", "\"all\"", "-1"] {
        let errors = read(&format!("enforce = \"waves\"\nwaves = [{bad}]")).unwrap_err();
        assert!(errors.iter().any(|error| error.text.contains("is no size of a wave")), "{bad}: {errors:#?}");
    }
}

#[test]
fn a_release_is_known_in_exactly_one_way() {
    let source =
        |line: &str| config::parse("x", &format!("{WEB}release = {{ {line} }}\n")).map(|config| config.policy.classes[0].release.clone());
    assert_eq!(source("reported = true"), Ok(ReleaseSource::Reported));
    assert_eq!(source("none = true"), Ok(ReleaseSource::None));
    assert_eq!(source("fact = \"app_release\""), Ok(ReleaseSource::Fact("app_release".into())));
    for (line, why) in [
        ("", "needs exactly one way of knowing the release; 0 are given"),
        ("reported = true, none = true", "2 are given"),
        ("reported = false", "`reported = false` says nothing"),
        ("fact = \"\"", "it is empty"),
        ("fcat = \"x\"", "unknown key `fcat` in class.release"),
    ] {
        let errors = source(line).unwrap_err();
        assert!(errors.iter().any(|error| error.text.contains(why)), "{line}: {errors:#?}");
    }
}

#[test]
fn mistakes_in_a_class_are_named() {
    for (line, why) in [
        ("bake = \"1h\"", "the horizon (30m) is shorter than the bake (1h)"),
        ("horizon = \"1m\"", "the horizon (1m) is shorter than the bake (5m)"),
        ("grace = \"-1m\"", "`class.grace = \"-1m\"`: it is no length of time"),
        ("past_steps = 0", "`class.past_steps = 0` is outside of 1 to 10000"),
        ("past_steps = -1", "is outside of"),
        ("past_steps = \"x\"", "`class.past_steps` is a whole number, not a TOML string"),
        ("kin = \"web\"", "`web` is its own kin"),
        ("kin = [\"wbe2\"]", "names class `wbe2`, which is not declared"),
        ("kin = []", "`class.kin` is empty"),
        ("environments = {}", "`class.environments` is empty"),
        ("environments = { \"142\" = \"\" }", "`class.environments`: \"\": the name is empty"),
        ("environments = { \"142\" = \"r142\" }\nrelease = { none = true }", "has no releases"),
        ("facts = { role = 1 }", "`class.facts` is a table of texts in quotes, not a TOML integer"),
        ("hots = \"x\"", "unknown key `hots` in class"),
    ] {
        let said = class(line);
        assert!(said.contains(why), "{line}: {said}");
    }
    for (text, why) in [
        ("[[class]]\nname = \"web\"\n", "no host can belong to class `web`"),
        ("[[class]]\nname = \"web\"\nhosts = []\n", "`class.hosts` is empty"),
        ("[[class]]\nname = \"web\"\nhosts = [\"\"]\n", "the pattern is empty"),
        ("[[class]]\nname = \"web\"\nhosts = [\"web 1\"]\n", "no host's name holds ' '"),
        ("[[class]]\nname = \"web\"\nhosts = [\"web*\", 7]\n", "`class.hosts` is a list of texts in quotes, not a TOML integer"),
        ("[[class]]\nname = \"a/b\"\nhosts = \"a\"\n", "`class.name = \"a/b\"`: the name holds '/'"),
        ("[class]\nname = \"web\"\n", "`class` is a list of tables, not a TOML table"),
        (&format!("{WEB}{WEB}"), "class `web` is declared twice: here and at belay.toml:2:8"),
    ] {
        let said = said(text);
        assert!(said.contains(why), "{text}: {said}");
    }
    assert!(config::parse("x", "[[class]]\nname = \"default\"\nbake = \"1m\"\n").is_ok(), "the default class matches the rest");
}

#[test]
fn mistakes_in_a_signal_or_an_alert_are_named() {
    for (line, why) in [
        ("step = \"500ms\"", "`signal.step = \"500ms\"` is outside of 1s to 1h"),
        ("step = \"2h\"", "is outside of 1s to 1h"),
        ("class = \"wbe\"", "`signal.class` names class `wbe`, which is not declared\n  help: known here: default"),
        ("harm = \"sideways\"", "`signal.harm` has no word \"sideways\"\n  help: known here: up, down, both"),
        ("reading = \"gauge\"", "help: known here: counter, value"),
        ("must_have = \"yes\"", "`signal.must_have` is true or false, not a TOML string"),
        ("host_label = \"\"", "it is no label's name"),
        ("classes = \"web\"", "unknown key `classes` in signal\n  help: did you mean `class`?"),
    ] {
        let said = signal(line);
        assert!(said.contains(why), "{line}: {said}");
    }
    assert!(said("[[signal]]\nname = \"s\"\nkind = \"flow\"\n").contains("this signal has no `select`"));
    for (url, why) in [("ftp://x", "has to begin with http:// or https://"), ("https:///x", "no host"), ("https://a b", "a space")] {
        let said = said(&format!("[[alert]]\nname = \"a\"\nurl = {url:?}\n"));
        assert!(said.contains(why), "{said}");
    }
    assert!(said("[server]\nlisten = \"7878\"\n").contains("no address with a port"));
    let near = said(&format!("{WEB}[[alert]]\nname = \"a\"\nurl = \"https://x\"\nclass = \"wbe\"\n"));
    assert!(
        near.ends_with("belay.toml:7:9: error: `alert.class` names class `wbe`, which is not declared\n  help: did you mean `web`?"),
        "{near}"
    );
}

#[test]
fn an_inventory_has_its_defaults_and_mistakes_in_it_are_named() {
    const MAIN: &str = "[[inventory]]\nname = \"main\"\nkind = \"db\"\nurl = \"https://db.example.com:8081/\"\n";
    let read = config::parse("x", MAIN).unwrap().inventories.remove(0);
    assert_eq!((read.url.as_str(), read.hosts.as_str(), read.kind.as_str()), ("https://db.example.com:8081", "*", "db"));
    assert_eq!((read.every, read.past), (Span::from_min(5), Span::from_min(14 * 24 * 60)));
    let with = |line: &str| said(&format!("{MAIN}{line}\n"));
    for (line, why) in [
        ("every = \"1s\"", "`inventory.every` is shorter than 10 s"),
        ("past = \"500d\"", "it is longer than 366 days"),
        ("certificate = \"/c.pem\"", "`inventory.certificate` without the other"),
        ("certificate = \"/c.pem\"\nkey = \"/k.pem\"", "`inventory.certificate` without `inventory.ca`"),
        ("hosts = \"\"", "the pattern is empty"),
        ("token = \"x\"", "unknown key `token` in inventory"),
    ] {
        let said = with(line);
        assert!(said.contains(why), "{line}: {said}");
    }
    assert!(said("[[inventory]]\nkind = \"db\"\nurl = \"https://x\"\n").contains("this inventory has no `name`"));
    assert!(said(&MAIN.replace("main", "ma in")).contains("letters, digits"));
    let twice = said(&format!("{MAIN}{MAIN}"));
    assert!(twice.contains("inventory `main` is declared twice: here and at belay.toml:2:8"), "{twice}");
    let many: String = (0..21).map(|n| MAIN.replace("main", &format!("i{n}"))).collect();
    assert!(said(&many).contains("21 inventories are declared; at most 20 can be"));
}

#[test]
fn more_than_a_server_can_bear_is_refused() {
    let many = |count: usize, one: fn(usize) -> String| said(&(0..count).map(one).collect::<String>());
    let class = many(201, |n| format!("[[class]]\nname = \"c{n}\"\nhosts = \"h{n}-*\"\n"));
    assert!(class.starts_with("belay.toml:602:8: error: 201 classes are declared; at most 200 can be"), "{class}");
    assert!(many(1001, |n| format!("[[signal]]\nname = \"s{n}\"\nkind = \"gauge\"\nselect = \"x\"\n")).contains("at most 1000"));
    assert!(many(51, |n| format!("[[alert]]\nname = \"a{n}\"\nurl = \"https://x\"\n")).contains("at most 50"));
}

#[test]
fn no_text_makes_the_reader_panic() {
    for cut in (0..EXAMPLE.len()).step_by(7).filter(|cut| EXAMPLE.is_char_boundary(*cut)) {
        let _ = config::parse("cut", &EXAMPLE[..cut]);
        let _ = config::parse("cut", &EXAMPLE[cut..]);
    }
    for text in
        ["\u{feff}[server]", "[[class]]\n\"\" = 1", "a.b.c.d = 1", "class = [1, [2]]", "server = 1", "[server]\nlisten = 1979-05-27"]
    {
        let _ = config::parse("odd", text);
    }
}

#[test]
fn certificates_of_hosts_are_read_and_what_would_count_for_nothing_is_a_mistake() {
    const SERVER: &str = "[server]\ncertificate = \"/c\"\nclient_ca = \"/ca\"\nclient_crl = \"/crl\"\n";
    let relay = |name: &str, hosts: &str| format!("[[server.relay]]\nname = \"{name}\"\nhosts = \"{hosts}\"\n");
    let drop_in = format!("{}{}", relay("PS1.example.com", "web*"), relay("ps2.example.com", "*"));
    let read = config::parse_many(&[("belay.toml", SERVER), ("10.toml", &drop_in)]).unwrap().server;
    assert_eq!((read.client_ca.as_deref(), read.client_crl.as_deref()), (Some("/ca"), Some("/crl")));
    let relays: Vec<_> = read.relays.iter().map(|relay| (relay.name.as_str(), relay.hosts.as_str())).collect();
    assert_eq!(relays, [("ps1.example.com", "web*"), ("ps2.example.com", "*")]);

    for (text, wanted) in [
        ("[server]\nclient_ca = \"/ca\"\n".to_owned(), "belay.toml:2:13: error: `server.client_ca` without `server.certificate`"),
        ("[server]\nclient_crl = \"/crl\"\n".to_owned(), "belay.toml:2:14: error: `server.client_crl` without `server.client_ca`"),
        (relay("ps", "*"), "belay.toml:2:8: error: `server.relay` without `server.client_ca`"),
        (format!("{SERVER}{}{}", relay("ps", "*"), relay("PS", "a*")), "relay `ps` is declared twice: here and at belay.toml:6:8"),
        (format!("{SERVER}[[server.relay]]\nname = \"ps\"\n"), "this server.relay has no `hosts`"),
        (format!("{SERVER}[[server.relay]]\nname = \"a b\"\nhosts = \"*\"\n"), "`server.relay.name = \"a b\"`"),
        (format!("{SERVER}[[server.relay]]\nname = \"a\"\nhosts = \"*\"\nhost = \"b\"\n"), "unknown key `host` in server.relay"),
        (format!("{SERVER}relay = \"ps\"\n"), "write [[server.relay]] before each"),
        (format!("{SERVER}{}", (0..=200).map(|n| relay(&format!("p{n}"), "*")).collect::<String>()), "201 relays are declared"),
    ] {
        let said = said(&text);
        assert!(said.contains(wanted) && (said.contains("help: ") || wanted.contains("201") || wanted.contains("a b")), "{said}");
    }
}

#[test]
fn an_identity_provider_is_read_whole_or_said_what_it_lacks() {
    const OIDC: &str = "issuer = \"https://login.example.com\"\nclient_id = \"belay\"\nclient_secret_file = \"/etc/s\"\n";
    let whole = |rest: &str| format!("[server]\npublic_url = \"https://belay.example.com\"\n[server.oidc]\n{OIDC}{rest}");
    let read = config::parse("belay.toml", &whole("roles = { ops = \"operator\" }\n")).unwrap().server.oidc.unwrap();
    assert_eq!((read.role_claim.as_str(), read.name_claim.word(), read.roles["ops"].word()), ("groups", "preferred_username", "operator"));
    for (text, why) in [
        (whole(""), "this server.oidc has no `roles`"),
        (whole("roles = { ops = \"god\" }\n"), "\"god\" is no role; there are viewer, operator, approver, admin"),
        (whole("roles = { ops = \"viewer\" }\nname_claim = \"nick\"\n"), "nick"),
        (whole("roles = { ops = \"viewer\" }\n").replace("https://login", "http://login"), "it has to begin with https://"),
        (format!("[server.oidc]\n{OIDC}roles = {{ ops = \"viewer\" }}\n"), "`server.oidc` without `server.public_url`"),
    ] {
        assert!(said(&text).contains(why), "{}", said(&text));
    }
}
