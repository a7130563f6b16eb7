//! `[server]`: what the server itself needs before it can start.

use std::collections::BTreeMap;

use belay_core::model::ids::HostId;
use belay_core::model::policy::COMPILE_SLOTS;

use super::class::pattern;
use super::error::{At, ConfigError, Found};
use super::table::Table;
use super::{IssuerConfig, RELAYS_MAX, RelayConfig, ServerConfig, issuer};

/// `[server]`, with places, as several files may give parts of it.
#[derive(Debug, Default)]
pub(super) struct ServerDraft {
    listen: Option<Found<String>>,
    certificate: Option<Found<String>>,
    state_dir: Option<Found<String>>,
    public_url: Option<Found<String>>,
    client_ca: Option<Found<String>>,
    client_crl: Option<Found<String>>,
    relays: Vec<Found<RelayConfig>>,
    oidc: Option<Found<IssuerConfig>>,
    compile_slots: Option<Found<u32>>,
}

impl ServerDraft {
    /// Reads one `[server]`.
    pub(super) fn read(&mut self, mut table: Table<'_>) -> Vec<ConfigError> {
        let (listen, state_dir) = (table.parsed("listen", address), table.parsed("state_dir", filled));
        let certificate = table.parsed("certificate", filled);
        let public_url = table.parsed("public_url", |text| url(text).map(|url| url.trim_end_matches('/').to_owned()));
        let (client_ca, client_crl) = (table.parsed("client_ca", filled), table.parsed("client_crl", filled));
        let slots = table.number("compile_slots", &(1..=10_000));
        let relays = table.tables("relay");
        let oidc = table.table("oidc", "[server.oidc]").map(issuer::read);
        let mut errors = table.finish();
        merge(&mut self.listen, listen, &mut errors);
        merge(&mut self.certificate, certificate, &mut errors);
        merge(&mut self.state_dir, state_dir, &mut errors);
        merge(&mut self.public_url, public_url, &mut errors);
        merge(&mut self.client_ca, client_ca, &mut errors);
        merge(&mut self.client_crl, client_crl, &mut errors);
        merge(&mut self.compile_slots, slots, &mut errors);
        if let Some((oidc, wrong)) = oidc {
            merge(&mut self.oidc, oidc, &mut errors);
            errors.extend(wrong);
        }
        for table in relays {
            let (relay, wrong) = read_relay(table);
            self.relays.extend(relay);
            errors.extend(wrong);
        }
        errors
    }

    /// What is wrong with the whole: a certificate that nobody asks for proves nothing, and a list or a relay that
    /// counts for nothing would be missed only when it was needed.
    pub(super) fn mistakes(&self) -> Vec<ConfigError> {
        const CA: &str = "add client_ca, the file with the authorities that sign the hosts' certificates";
        let mut errors = Vec::new();
        fn at<T>(found: &Option<Found<T>>) -> Option<At> {
            found.as_ref().map(|found| found.at.clone())
        }
        if let (Some(ca), None) = (at(&self.client_ca), &self.certificate) {
            let text = "`server.client_ca` without `server.certificate`: hosts show their certificates only to a port that speaks TLS";
            errors.push(ca.mistake_with(text, "add certificate, the server's own, or leave out client_ca"));
        }
        if let (Some(crl), None) = (at(&self.client_crl), &self.client_ca) {
            errors.push(crl.mistake_with("`server.client_crl` without `server.client_ca`: no certificate would be checked against it", CA));
        }
        if let (Some(relay), None) = (self.relays.first(), &self.client_ca) {
            errors.push(relay.at.mistake_with("`server.relay` without `server.client_ca`: no certificate would make it one", CA));
        }
        if let (Some(oidc), None) = (at(&self.oidc), &self.public_url) {
            let text = "`server.oidc` without `server.public_url`: the provider has to send people back to an address";
            errors.push(oidc.mistake_with(text, "add public_url, the address under which people reach Belay"));
        }
        let mut names: BTreeMap<&HostId, &At> = BTreeMap::new();
        for relay in &self.relays {
            if let Some(first) = names.insert(&relay.value.name, &relay.at) {
                let text = format!("relay `{}` is declared twice: here and at {first}", relay.value.name);
                errors.push(relay.at.mistake_with(text, "keep one of them, with a pattern for all of its hosts"));
            }
        }
        if let Some(beyond) = self.relays.get(RELAYS_MAX) {
            errors.push(beyond.at.mistake(format!("{} relays are declared; at most {RELAYS_MAX} can be", self.relays.len())));
        }
        errors
    }

    /// How many hosts are asked to run or to rehearse at the same time.
    pub(super) fn compile_slots(&self) -> u32 {
        self.compile_slots.as_ref().map_or(COMPILE_SLOTS, |found| found.value)
    }

    pub(super) fn into_config(self) -> ServerConfig {
        let value = |found: Option<Found<String>>| found.map(|found| found.value);
        ServerConfig {
            listen: value(self.listen),
            certificate: value(self.certificate),
            state_dir: value(self.state_dir),
            public_url: value(self.public_url),
            client_ca: value(self.client_ca),
            client_crl: value(self.client_crl),
            relays: self.relays.into_iter().map(|relay| relay.value).collect(),
            oidc: self.oidc.map(|found| found.value),
        }
    }
}

/// Reads one `[[server.relay]]`.
fn read_relay(mut table: Table<'_>) -> (Option<Found<RelayConfig>>, Vec<ConfigError>) {
    table.need("name", "\"relay.example.com\"");
    table.need("hosts", "\"*.example.com\"");
    let (name, hosts) = (table.parsed("name", HostId::parse), table.parsed("hosts", pattern));
    let relay = match (name, hosts) {
        (Some(name), Some(hosts)) => Some(Found { value: RelayConfig { name: name.value, hosts: hosts.value }, at: name.at }),
        _ => None,
    };
    (relay, table.finish())
}

/// Takes a single value that several files may give, but only one of them.
pub(super) fn merge<T>(known: &mut Option<Found<T>>, new: Option<Found<T>>, errors: &mut Vec<ConfigError>) {
    match (known.as_ref(), new) {
        (Some(first), Some(second)) => {
            let text = format!("`{}` is given twice: here and at {}", second.at.key, first.at);
            errors.push(second.at.mistake_with(text, "keep one of them"));
        }
        (None, Some(new)) => *known = Some(new),
        (Some(_) | None, None) => {}
    }
}

fn address(text: &str) -> Result<String, &'static str> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        Some(_) | None => Err("it is no address with a port; write for example \"127.0.0.1:7878\" or \"[::1]:7878\""),
    }
}

/// A text that holds something.
pub(super) fn filled(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("it is empty") } else { Ok(text.to_owned()) }
}

/// A web address.
pub(super) fn url(text: &str) -> Result<String, &'static str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = rest.ok_or("it is no web address; it has to begin with http:// or https://")?;
    if rest.is_empty() || rest.starts_with(['/', ':', '?', '#']) {
        return Err("there is no host in it");
    }
    match text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(_) => Err("there is a space in it"),
        None => Ok(text.to_owned()),
    }
}
