//! `[server.oidc]`: the identity provider that people log in through.

use std::collections::BTreeMap;

use belay_core::model::principal::Role;

use super::error::{ConfigError, Found};
use super::server::{filled, url};
use super::table::Table;
use super::{IssuerConfig, NameClaim};

/// Reads it, with its place.
pub(super) fn read(mut table: Table<'_>) -> (Option<Found<IssuerConfig>>, Vec<ConfigError>) {
    table.need("issuer", "\"https://login.example.com/realms/ops\"");
    table.need("client_id", "\"belay\"");
    table.need("client_secret_file", "\"/etc/belay/oidc.secret\"");
    table.need("roles", "{ \"ops\" = \"operator\" }");
    let issuer = table.parsed("issuer", encrypted);
    let client_id = table.parsed("client_id", filled);
    let secret = table.parsed("client_secret_file", filled);
    let role_claim = table.parsed("role_claim", filled).map_or_else(|| "groups".to_owned(), |found| found.value);
    let words = NameClaim::ALL.map(|claim| (claim.word(), claim));
    let name_claim = table.word("name_claim", &words).map_or(NameClaim::PreferredUsername, |found| found.value);
    let roles = roles(&mut table);
    let config = match (issuer, client_id, secret) {
        (Some(issuer), Some(client_id), Some(secret)) => {
            let at = issuer.at;
            let config = IssuerConfig {
                issuer: issuer.value,
                client_id: client_id.value,
                client_secret_file: secret.value,
                role_claim,
                name_claim,
                roles,
            };
            Some(Found { value: config, at })
        }
        _ => None,
    };
    (config, table.finish())
}

fn roles(table: &mut Table<'_>) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    for (group, role) in table.pairs("roles") {
        match Role::parse(&role.value) {
            Some(role) => drop(roles.insert(group.value, role)),
            None => {
                let text = format!("`{}`: {:?} is no role; there are {}", role.at.key, role.value, Role::ALL.map(Role::word).join(", "));
                table.errors.push(role.at.mistake(text));
            }
        }
    }
    roles
}

/// Whoever could alter what the provider says could be anybody: it is asked encrypted, or on this machine.
fn encrypted(text: &str) -> Result<String, &'static str> {
    let url = url(text)?;
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|own| url.starts_with(own));
    if url.starts_with("https://") || local { Ok(url) } else { Err("it has to begin with https://") }
}
