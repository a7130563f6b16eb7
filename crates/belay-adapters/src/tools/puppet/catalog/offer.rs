//! What a `replace catalog` command offers: the items of any catalog, and the texts of its files, so that
//! people can be shown what would come. Secrets are taken out of them before anybody keeps them; those
//! that the manifest calls so are not in the command at all.

use belay_core::model::report::Unreadable;
use serde::Deserialize;
use serde_json::Value;

use super::{Resource, Split};
use crate::tools::feed::{Offer, OfferedText, TEXT_BYTES, TEXTS_BYTES};
use crate::tools::host::UnreadableCatalog;
use crate::tools::puppet::command::{host, not_json};
use crate::tools::puppet::items::Named;
use crate::tools::redact::{self, clean};

/// What stands around the resources.
#[derive(Deserialize)]
struct Frame {
    certname: String,
    #[serde(default)]
    version: Value,
    transaction_uuid: Option<String>,
}

/// Reads the payload; `None` for the empty stub that is sent while a host's environment is undecided.
///
/// # Errors
/// [`Unreadable`] when the bytes are not a whole catalog.
pub(in crate::tools::puppet) fn offer(body: &[u8]) -> Result<Option<Offer>, Unreadable> {
    let frame: Frame = serde_json::from_slice(body).map_err(|error| not_json(body, &error, None))?;
    let host = host(&frame.certname)?;
    if frame.version == Value::String(String::new()) {
        return Ok(None);
    }
    let told = |bad: UnreadableCatalog| Unreadable { offset: bad.offset, reason: bad.reason, host: Some(host.to_string()) };
    let split = Split::of(body, &host).map_err(told)?;
    let digests = split.digests();
    let parts = (0..digests.len()).map(|nth| split.part(nth, &digests)).collect::<Result<_, _>>();
    let catalog = split.framed(parts.map_err(|error| told(split.unreadable(&error)))?).whole();
    let (mut texts, mut left_out, mut room) = (Vec::new(), 0, TEXTS_BYTES);
    for raw in &split.catalog.resources {
        let Ok(resource) = serde_json::from_str::<Resource>(raw.get()) else { continue };
        let Some(text) = resource.plain_content() else { continue };
        let item = Named::of(&resource.kind, &resource.title, &split.masks).key("content");
        // Only what is an item: not where the catalog leaves open what would be written.
        let Some(content) = catalog.items.get(&item).copied() else { continue };
        if text.len() > TEXT_BYTES.min(room) {
            left_out += 1;
            continue;
        }
        room -= text.len();
        texts.push(OfferedText { item, content, text: redact::secrets(text).into_owned() });
    }
    let run = frame.transaction_uuid.map(|run| clean(&run, 100));
    Ok(Some(Offer { host, run, catalog, texts, texts_left_out: left_out }))
}

impl Resource {
    /// The text of a file, where the catalog has it and it is no secret.
    fn plain_content(&self) -> Option<&str> {
        let is_plain = self.kind == "File" && self.sets_something() && !self.sensitive_parameters.contains("content");
        self.get("content").and_then(Value::as_str).filter(|_| is_plain)
    }
}
