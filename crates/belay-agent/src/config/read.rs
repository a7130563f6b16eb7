//! The configuration from its text: checked once, here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use belay_core::decide::{FACT_BYTES_MAX, FACTS_MAX};
use belay_core::model::ids::HostId;
use belay_core::model::policy::Pattern;

use super::form::{EncForm, Form, LogForm, PeopleForm, RelayForm, ReleaseForm, RevertForm, ScrapeForm, ToolForm};
use super::{
    Config, EncConfig, LOGS_MAX, LogFile, PATTERN_BYTES_MAX, PATTERNS_MAX, PeopleConfig, Proof, ReleaseFrom, RevertConfig, SCRAPES_MAX,
    Scrape, ServerConfig, ToolConfig,
};

const STATE_DIR: &str = "/var/lib/belay-agent";
const BANNER: &str = "/run/motd.d/belay";
const DAY_S: u64 = 86_400;
/// What a compiled pattern may take, in bytes.
const COMPILED_MAX: usize = 1 << 20;

/// Reads a configuration. `name` is what mistakes call it; `host` goes before the name in the text.
///
/// # Errors
/// The first mistake, with its place and what to do.
pub fn parse(name: &str, text: &str, host: Option<&str>) -> Result<Config> {
    let form: Form = toml::from_str(text).map_err(|error| anyhow!("{name}: {}", error.to_string().trim_end()))?;
    config(form, host).with_context(|| name.to_owned())
}

fn config(form: Form, host: Option<&str>) -> Result<Config> {
    let host = match host.map(str::to_owned).or(form.host) {
        Some(name) => name,
        None => own_name()?,
    };
    let host = HostId::parse(&host).map_err(|bad| anyhow!("host = {host:?}: {bad}"))?;
    let proof = proof("", form.token_file.clone(), form.certificate.clone(), form.key.clone())?;
    ensure!(form.server.is_some() || proof.token_file.is_none(), "token_file without server: say which server it is for, or remove it");
    ensure!(form.server.is_some() || proof.certificate.is_none(), "certificate without server: say which server it is for, or remove it");
    let server = form.server.as_deref().map(|url| server(url, proof, form.ca.clone())).transpose()?;
    let relay = form.relay.map(|relay| self::relay(server.as_ref(), relay)).transpose()?;
    ensure!(
        relay.is_some() || form.enc.deployments.is_none(),
        "enc.deployments without [relay]: only who classifies other hosts tells what is deployed"
    );
    if let Some(facts) = &form.facts {
        check_facts(facts)?;
    }
    ensure!(form.scrape.len() <= SCRAPES_MAX, "{} [[scrape]]; at most {SCRAPES_MAX} are taken", form.scrape.len());
    ensure!(form.log.len() <= LOGS_MAX, "{} [[log]]; at most {LOGS_MAX} are taken", form.log.len());
    let logs: Vec<LogFile> = form.log.into_iter().map(log).collect::<Result<_>>()?;
    let names: BTreeSet<&str> = logs.iter().map(|log| log.name.as_str()).collect();
    ensure!(names.len() == logs.len(), "two [[log]] have one name: their counts would be one");
    Ok(Config {
        server,
        relay,
        host,
        state_dir: whole("state_dir", form.state_dir)?.unwrap_or_else(|| STATE_DIR.into()),
        banner: match form.banner.as_deref() {
            Some("") => None,
            other => whole("banner", Some(other.unwrap_or(BANNER).into()))?,
        },
        release: form.release.map(release).transpose()?,
        facts: form.facts,
        tool: tool(form.tool)?,
        scrapes: form.scrape.into_iter().map(scrape).collect::<Result<_>>()?,
        logs,
        revert: revert(form.revert)?,
        enc: enc(form.enc)?,
        people: people(form.people)?,
    })
}

fn people(form: PeopleForm) -> Result<PeopleConfig> {
    let usual = PeopleConfig::default();
    Ok(PeopleConfig {
        terminals: whole("people.terminals", form.terminals)?.unwrap_or(usual.terminals),
        sessions: whole("people.sessions", form.sessions)?.unwrap_or(usual.sessions),
        audit: whole("people.audit", form.audit)?.unwrap_or(usual.audit),
        accounts: whole("people.accounts", form.accounts)?.unwrap_or(usual.accounts),
    })
}

fn own_name() -> Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").context("this host's name cannot be read: set `host`")?;
    Ok(name.trim().to_owned())
}

/// What proves who speaks, under this table of the text.
fn proof(table: &str, token_file: Option<PathBuf>, certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Proof> {
    let named = |name: &str, path: Option<PathBuf>| whole(&format!("{table}{name}"), path);
    let token_file = named("token_file", token_file)?;
    let certificate = match (named("certificate", certificate)?, named("key", key)?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => bail!("{table}certificate without {table}key: name the file with its private key"),
        (None, Some(_)) => bail!("{table}key without {table}certificate: name the file with the certificate it belongs to"),
    };
    Ok(Proof { token_file, certificate })
}

fn server(url: &str, proof: Proof, ca: Option<PathBuf>) -> Result<ServerConfig> {
    let url = url.trim_end_matches('/');
    check_url("server", url)?;
    ensure!(
        proof != Proof::default(),
        "server without token_file or certificate: name the file that holds this host's secret, or its certificate and key"
    );
    ensure!(
        proof.certificate.is_none() || url.starts_with("https:"),
        "server = {url:?}: a certificate is shown over https only: write https://, or give a token_file instead"
    );
    let ca = whole("ca", ca)?;
    ensure!(
        ca.is_some() || !url.starts_with("https:"),
        "server = {url:?}: https needs `ca`, the file with the certificate that the server's chains to"
    );
    Ok(ServerConfig { url: url.to_owned(), proof, ca })
}

/// The same server, with the credential that speaks for other hosts. A certificate may be the host's own one: the server's
/// configuration says that it speaks for others too.
fn relay(server: Option<&ServerConfig>, form: RelayForm) -> Result<ServerConfig> {
    let server = server.context("[relay] without server: say which server is to be asked for the other hosts")?;
    let proof = proof("relay.", form.token_file, form.certificate, form.key)?;
    ensure!(proof != Proof::default(), "[relay] without token_file or certificate: name what speaks for the other hosts");
    ensure!(
        proof.certificate.is_none() || server.url.starts_with("https:"),
        "relay.certificate: a certificate is shown over https only: write server = \"https://...\", or give relay.token_file"
    );
    ensure!(
        proof.token_file.is_none() || proof.token_file != server.proof.token_file,
        "relay.token_file is this host's own token_file: a relay needs a credential that speaks for other hosts (belay token add NAME --relay 'web*')"
    );
    Ok(ServerConfig { proof, ..server.clone() })
}

fn check_url(key: &str, url: &str) -> Result<()> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let sound = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('@')) && !url.contains(char::is_whitespace);
    ensure!(sound, "{key} = {url:?}: it must be http://... or https://..., without a user or a space in it");
    Ok(())
}

fn whole(key: &str, path: Option<PathBuf>) -> Result<Option<PathBuf>> {
    if let Some(path) = &path
        && !path.is_absolute()
    {
        bail!("{key} = {:?}: it must begin with /", path.display().to_string());
    }
    Ok(path)
}

fn argv(key: &str, argv: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    if let Some(argv) = &argv {
        let program = argv.first().map(String::as_str).unwrap_or_default();
        ensure!(!program.is_empty(), "{key}: a list of program and arguments, for example [\"/usr/bin/true\"]");
        ensure!(!argv.iter().any(|word| word.contains('\0')), "{key}: an argument with a NUL in it");
    }
    Ok(argv)
}

fn check_facts(facts: &BTreeMap<String, String>) -> Result<()> {
    ensure!(facts.len() <= FACTS_MAX, "{} facts; at most {FACTS_MAX} are taken", facts.len());
    for (name, value) in facts {
        ensure!(!name.trim().is_empty(), "[facts]: a fact needs a name");
        ensure!(name.len() <= FACT_BYTES_MAX && value.len() <= FACT_BYTES_MAX, "[facts] {name:.40}: at most {FACT_BYTES_MAX} bytes each");
    }
    Ok(())
}

fn release(form: ReleaseForm) -> Result<ReleaseFrom> {
    match (whole("release.file", form.file)?, argv("release.command", form.command)?) {
        (Some(file), None) => Ok(ReleaseFrom::File(file)),
        (None, Some(command)) => Ok(ReleaseFrom::Command(command)),
        _ => bail!("release: give either {{ file = \"/path\" }} or {{ command = [\"/program\"] }}"),
    }
}

fn tool(form: ToolForm) -> Result<ToolConfig> {
    let places = [
        ("program", form.program),
        ("lock", form.lock),
        ("rehearsal_lock", form.rehearsal_lock),
        ("report", form.report),
        ("summary", form.summary),
        ("running", form.running),
        ("settings", form.settings),
        ("catalog", form.catalog),
        ("backups", form.backups),
    ];
    let mut elsewhere = BTreeMap::new();
    for (what, path) in places {
        if let Some(path) = whole(&format!("tool.{what}"), path)? {
            elsewhere.insert(what.to_owned(), path);
        }
    }
    Ok(ToolConfig {
        name: form.name,
        layout: form.layout,
        wrap: form.wrap,
        places: elsewhere,
        schedules: form.schedules,
        rehearse: argv("tool.rehearse", form.rehearse)?,
        run: argv("tool.run", form.run)?,
        restart: argv("tool.restart", form.restart)?,
        limit: span("tool.limit", form.limit.as_deref(), 3_600, 10..=DAY_S)?,
        splay: span("tool.splay", form.splay.as_deref(), 120, 0..=DAY_S)?,
    })
}

fn scrape(form: ScrapeForm) -> Result<Scrape> {
    check_url("scrape.url", &form.url)?;
    for name in form.labels.keys() {
        check_label(name)?;
    }
    let every = span("scrape.every", form.every.as_deref(), 15, 1..=3_600)?;
    Ok(Scrape { url: form.url, every, labels: form.labels })
}

fn check_label(name: &str) -> Result<()> {
    let mut letters = name.chars();
    let sound = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    ensure!(sound && name != "__name__", "labels: {name:?} is no label's name: letters, digits and _, no digit first");
    Ok(())
}

fn log(form: LogForm) -> Result<LogFile> {
    let at = format!("[[log]] {:.40}", form.name);
    ensure!(!form.name.is_empty() && form.name.len() <= 200, "{at}: a name of 1 to 200 bytes");
    ensure!((1..=PATTERNS_MAX).contains(&form.patterns.len()), "{at}: 1 to {PATTERNS_MAX} patterns");
    let mut patterns = Vec::new();
    for (name, pattern) in form.patterns {
        ensure!(
            pattern.len() <= PATTERN_BYTES_MAX,
            "{at}: the pattern {name:.40} has {} bytes; at most {PATTERN_BYTES_MAX}",
            pattern.len()
        );
        let built = regex::bytes::RegexBuilder::new(&pattern).size_limit(COMPILED_MAX).dfa_size_limit(COMPILED_MAX).build();
        patterns.push((name.clone(), built.map_err(|bad| anyhow!("{at}: the pattern {name:.40}: {bad}"))?));
    }
    let every = span("log.every", form.every.as_deref(), 15, 1..=3_600)?;
    let file = whole("log.file", Some(form.file))?.unwrap_or_default();
    Ok(LogFile { name: form.name, file, patterns, every })
}

fn revert(form: RevertForm) -> Result<RevertConfig> {
    for pattern in &form.paths {
        ensure!(Path::new(pattern).is_absolute(), "revert.paths: {pattern:?} must begin with /");
    }
    let paths = form.paths.iter().map(|pattern| Pattern::new(pattern)).collect();
    Ok(RevertConfig { command: argv("revert.command", form.command)?, paths })
}

fn enc(form: EncForm) -> Result<EncConfig> {
    let environments = form.environments.iter().map(|pattern| Pattern::new(pattern)).collect();
    let deployments = whole("enc.deployments", form.deployments)?;
    Ok(EncConfig { wrap: argv("enc.wrap", form.wrap)?, environments, deployments })
}

fn span(key: &str, text: Option<&str>, otherwise_s: u64, bounds: std::ops::RangeInclusive<u64>) -> Result<Duration> {
    let s = match text {
        Some(text) => seconds(text).with_context(|| format!("{key} = {text:?}: write it as 15s, 5m, 2h or 1d"))?,
        None => otherwise_s,
    };
    ensure!(bounds.contains(&s), "{key}: {s} s; it may be {} s to {} s", bounds.start(), bounds.end());
    Ok(Duration::from_secs(s))
}

/// A length of time as people write it: `90s`, `15m`, `2h`, `1d`.
pub fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let factor = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => DAY_S,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        format!("{:#}", parse("agent.toml", text, Some("web01")).unwrap_err())
    }

    #[test]
    fn nothing_at_all_is_the_configuration_that_only_observes() {
        let config = parse("agent.toml", "", Some("WEB01.example.com")).unwrap();
        assert_eq!(config.host.as_str(), "web01.example.com");
        assert!(config.server.is_none() && config.release.is_none() && config.scrapes.is_empty());
        assert_eq!(config.state_dir, Path::new(STATE_DIR));
        assert!(parse("agent.toml", "host = \"a/b\"", None).is_err());
    }

    #[test]
    fn a_key_that_is_not_known_is_named_with_its_place_and_the_keys_there_are() {
        let said = mistake("server = \"http://a\"\ntokenfile = \"/x\"\n");
        assert!(said.contains("agent.toml") && said.contains("line 2") && said.contains("unknown field `tokenfile`"), "{said}");
        assert!(said.contains("`token_file`"), "{said}");
        assert!(mistake("[tool]\nrun = \"agent -t\"").contains("line 2"));
    }

    #[test]
    fn a_certificate_does_without_a_secret_and_may_be_the_relays_too() {
        let own = "certificate = \"/c\"\nkey = \"/k\"\n";
        let text = format!("server = \"https://a\"\nca = \"/a\"\n{own}[relay]\n{own}");
        let config = parse("agent.toml", &text, Some("web01")).unwrap();
        let proof = Proof { token_file: None, certificate: Some(("/c".into(), "/k".into())) };
        assert_eq!((config.server.unwrap().proof, config.relay.unwrap().proof), (proof.clone(), proof));
    }

    #[test]
    fn mistakes_say_what_to_do() {
        for (text, wanted) in [
            ("server = \"http://a\"", "server without token_file or certificate"),
            ("token_file = \"/t\"", "token_file without server"),
            ("certificate = \"/c\"\nkey = \"/k\"", "certificate without server"),
            ("server = \"https://a\"\nca = \"/a\"\ncertificate = \"/c\"", "certificate without key: name"),
            ("server = \"https://a\"\nca = \"/a\"\nkey = \"/k\"", "key without certificate: name"),
            ("server = \"https://a\"\nca = \"/a\"\ncertificate = \"c\"\nkey = \"/k\"", "it must begin with /"),
            ("server = \"https://a\"\ncertificate = \"/c\"\nkey = \"/k\"", "https needs `ca`"),
            ("server = \"http://a\"\ncertificate = \"/c\"\nkey = \"/k\"", "over https only: write https://"),
            ("server = \"http://a\"\ntoken_file = \"/t\"\n[relay]", "[relay] without token_file or certificate"),
            ("server = \"http://a\"\ntoken_file = \"/t\"\n[relay]\ntoken_file = \"/t\"", "relay.token_file is this host's own"),
            ("server = \"http://a\"\ntoken_file = \"/t\"\n[relay]\ncertificate = \"/c\"", "relay.certificate without relay.key"),
            ("server = \"http://a\"\ntoken_file = \"/t\"\n[relay]\ncertificate = \"/c\"\nkey = \"/k\"", "shown over https only"),
            ("server = \"https://a\"\ntoken_file = \"/t\"", "https needs `ca`"),
            ("server = \"a:1\"\ntoken_file = \"/t\"", "it must be http://"),
            ("server = \"http://u:p@a\"\ntoken_file = \"/t\"", "without a user"),
            ("state_dir = \"x\"", "it must begin with /"),
            ("release = {}", "give either"),
            ("release = { command = [] }", "a list of program and arguments"),
            ("[[scrape]]\nurl = \"file:///etc/passwd\"", "scrape.url"),
            ("[[scrape]]\nurl = \"http://a\"\nevery = \"soon\"", "write it as 15s"),
            ("[[scrape]]\nurl = \"http://a\"\nevery = \"0s\"", "it may be 1 s to"),
            ("[[scrape]]\nurl = \"http://a\"\nlabels = { \"a-b\" = \"c\" }", "no label's name"),
            ("[[log]]\nname = \"a\"\nfile = \"/l\"\npatterns = {}", "1 to 32 patterns"),
            ("[[log]]\nname = \"a\"\nfile = \"/l\"\npatterns = { x = \"(\" }", "the pattern x"),
            ("[[log]]\nname = \"a\"\nfile = \"/l\"\npatterns = { x = \"(a{1000}){1000}\" }", "the pattern x"),
            ("[revert]\npaths = [\"etc\"]", "must begin with /"),
        ] {
            let said = mistake(text);
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
