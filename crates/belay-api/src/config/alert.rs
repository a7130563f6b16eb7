//! `[[alert]]`: a place alerts go to.

use belay_core::model::ids::{ClassName, ReceiverName};
use belay_core::model::policy::Receiver;

use super::draft::{Declared, Read};
use super::error::Found;
use super::server::url;
use super::table::Table;

/// Reads one `[[alert]]`.
pub(super) fn read(mut table: Table<'_>) -> Read<Receiver> {
    table.need("name", "\"team\"");
    table.need("url", "\"https://alerts.example.com/belay\"");
    let (name, url) = (table.parsed("name", ReceiverName::parse), table.parsed("url", url));
    let classes = table.all_parsed("class", ClassName::parse);
    let declared = match (name, url) {
        (Some(name), Some(url)) => {
            let text = name.value.to_string();
            let what = Receiver { name: name.value, url: url.value, classes: classes.iter().map(|class| class.value.clone()).collect() };
            Some(Declared { what, name: Found { value: text, at: name.at }, classes })
        }
        _ => None,
    };
    (declared, table.finish())
}
