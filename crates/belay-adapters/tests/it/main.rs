//! Integration tests of the adapters: recorded bytes in, values out.

mod convert;
mod dump;
mod prometheus;
mod puppet_catalog;
mod puppet_commands;
mod puppet_enc;
mod puppet_fixtures;
mod puppet_host;
mod puppet_hostile;
mod puppet_inventory;
mod puppet_json;
mod puppet_kinds;
mod puppet_news;
mod puppet_real;
mod puppet_traps;
mod puppet_write;
