//! `[server]`: what the server itself needs before it can start.

use super::ServerConfig;
use super::error::{ConfigError, Found};
use super::table::Table;

/// `[server]`, with places, as several files may give parts of it.
#[derive(Debug, Default)]
pub(super) struct ServerDraft {
    listen: Option<Found<String>>,
    certificate: Option<Found<String>>,
    state_dir: Option<Found<String>>,
    public_url: Option<Found<String>>,
}

impl ServerDraft {
    /// Reads one `[server]`.
    pub(super) fn read(&mut self, mut table: Table<'_>) -> Vec<ConfigError> {
        let (listen, state_dir) = (table.parsed("listen", address), table.parsed("state_dir", filled));
        let certificate = table.parsed("certificate", filled);
        let public_url = table.parsed("public_url", |text| url(text).map(|url| url.trim_end_matches('/').to_owned()));
        let mut errors = table.finish();
        merge(&mut self.listen, listen, &mut errors);
        merge(&mut self.certificate, certificate, &mut errors);
        merge(&mut self.state_dir, state_dir, &mut errors);
        merge(&mut self.public_url, public_url, &mut errors);
        errors
    }

    pub(super) fn into_config(self) -> ServerConfig {
        let value = |found: Option<Found<String>>| found.map(|found| found.value);
        ServerConfig {
            listen: value(self.listen),
            certificate: value(self.certificate),
            state_dir: value(self.state_dir),
            public_url: value(self.public_url),
        }
    }
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
