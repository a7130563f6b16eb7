//! What was read so far, from all files, with places: before it is checked as a whole.

use belay_core::model::closed::Freeze;
use belay_core::model::ids::ClassName;
use belay_core::model::policy::{Budget, ClassPolicy, Policy, Receiver};
use belay_core::model::signal::Signal;
use toml::de::DeTable;

use super::error::{At, ConfigError, Found};
use super::server::{ServerDraft, merge};
use super::source::Source;
use super::table::Table;
use super::words::budget;
use super::zone::Zones;
use super::{Config, InventoryConfig, alert, class, freeze, inventory, signal};

/// Something declared, with what the checks of the whole need.
#[derive(Clone, Debug)]
pub(super) struct Declared<T> {
    pub what: T,
    /// Its name.
    pub name: Found<String>,
    /// The classes it names.
    pub classes: Vec<Found<ClassName>>,
}

/// All that was read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub server: ServerDraft,
    pub classes: Vec<Declared<ClassPolicy>>,
    pub signals: Vec<Declared<Signal>>,
    pub alerts: Vec<Declared<Receiver>>,
    pub freezes: Vec<Declared<Freeze>>,
    pub inventories: Vec<Found<InventoryConfig>>,
    pub false_rejections: Option<Found<Budget>>,
    pub zones: Zones,
    pub errors: Vec<ConfigError>,
    /// A file was no valid TOML, and nothing of it was read.
    pub unread: bool,
}

/// What reading one table gave: nothing when it has no usable name.
pub(super) type Read<T> = (Option<Declared<T>>, Vec<ConfigError>);

impl Draft {
    /// Reads one file.
    pub(super) fn read(&mut self, source: &Source<'_>) {
        let (table, errors) = DeTable::parse_recoverable(source.text);
        if !errors.is_empty() {
            let place = |error: &toml::de::Error| source.at(&error.span().unwrap_or(0..0), "");
            self.errors.extend(errors.iter().map(|error| place(error).mistake(format!("no valid TOML: {}", error.message()))));
            self.unread = true;
            return;
        }
        let span = table.span();
        let mut top = Table::new(source, "", &span, table.into_inner());
        if let Some(table) = top.table("server", "[server]") {
            self.errors.extend(self.server.read(table));
        }
        let zones = &mut self.zones;
        each(top.tables("class"), |table| class::read(table, zones), &mut self.classes, &mut self.errors);
        each(top.tables("signal"), signal::read, &mut self.signals, &mut self.errors);
        each(top.tables("alert"), alert::read, &mut self.alerts, &mut self.errors);
        each(top.tables("freeze"), |table| freeze::read(table, zones), &mut self.freezes, &mut self.errors);
        for table in top.tables("inventory") {
            let (declared, wrong) = inventory::read(table);
            self.inventories.extend(declared);
            self.errors.extend(wrong);
        }
        let budget = top.parsed("false_rejections", budget);
        merge(&mut self.false_rejections, budget, &mut self.errors);
        top.not_built(&["site"]);
        self.errors.extend(top.finish());
    }

    /// The configuration, once no mistake was found.
    pub(super) fn into_config(self, text: &str) -> Config {
        let compile_slots = self.server.compile_slots();
        let server = self.server.into_config();
        let policy = Policy {
            text: text.into(),
            classes: self.classes.into_iter().map(|class| class.what).collect(),
            signals: self.signals.into_iter().map(|signal| signal.what).collect(),
            receivers: self.alerts.into_iter().map(|alert| alert.what).collect(),
            freezes: self.freezes.into_iter().map(|freeze| freeze.what).collect(),
            zones: self.zones.used,
            false_rejections: self.false_rejections.map(|found| found.value).unwrap_or_default(),
            public_url: server.public_url.clone(),
            compile_slots,
        };
        let inventories = self.inventories.into_iter().map(|inventory| inventory.value).collect();
        Config { server, inventories, policy }
    }
}

impl<T> Declared<T> {
    /// Where it is declared.
    pub(super) fn at(&self) -> &At {
        &self.name.at
    }
}

fn each<'t, T>(
    tables: Vec<Table<'t>>,
    mut read: impl FnMut(Table<'t>) -> Read<T>,
    into: &mut Vec<Declared<T>>,
    errors: &mut Vec<ConfigError>,
) {
    for table in tables {
        let (declared, wrong) = read(table);
        into.extend(declared);
        errors.extend(wrong);
    }
}
