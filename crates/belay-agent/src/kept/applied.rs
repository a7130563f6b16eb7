//! The catalog that was last applied on this host: what the next one is compared with.

use anyhow::Result;
use belay_adapters::tools::host::OfferedCatalog;
use belay_core::model::ids::{Digest, Environment};
use belay_core::model::item::{ItemKey, Items};
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::durable::{Guard, Sync};

#[derive(Serialize, Deserialize)]
struct File {
    environment: Option<String>,
    uuid: Option<String>,
    items: Vec<(String, String, String, String)>,
    perhaps: Vec<(String, String, String, String)>,
}

impl Kept {
    /// What was last applied; `None` when that is not known.
    pub fn applied(&self) -> Option<OfferedCatalog> {
        let file: File = self.load("applied.json").ok()??;
        Some(OfferedCatalog {
            environment: file.environment.as_deref().and_then(|name| Environment::parse(name).ok()),
            uuid: file.uuid,
            items: items(&file.items),
            perhaps: items(&file.perhaps),
            ..OfferedCatalog::default()
        })
    }

    /// Keeps what was applied.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_applied(&self, _: &Guard, catalog: &OfferedCatalog) -> Result<()> {
        let file = File {
            environment: catalog.environment.as_ref().map(Environment::to_string),
            uuid: catalog.uuid.clone(),
            items: rows(&catalog.items),
            perhaps: rows(&catalog.perhaps),
        };
        self.save("applied.json", &file, Sync::Yes)
    }
}

fn rows(items: &Items) -> Vec<(String, String, String, String)> {
    let row =
        |(key, content): (&ItemKey, &Digest)| (key.kind.to_string(), key.title.to_string(), key.parameter.to_string(), content.to_string());
    items.iter().map(row).collect()
}

fn items(rows: &[(String, String, String, String)]) -> Items {
    let item = |(kind, title, parameter, content): &(String, String, String, String)| {
        Some((ItemKey::new(kind, title, parameter), Digest::parse(content)?))
    };
    rows.iter().filter_map(item).collect()
}
