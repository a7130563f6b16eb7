//! How a Change stands, as a sign, a word and an exit code: the same for all commands that show one.

use belay_api::http::ChangeRow;

use crate::fault::{Fault, code};
use crate::out::paint::{Paint, Sign, sign_of};

/// The name of a Change, as far as it can be one: what is certainly none is a mistake of the command line.
///
/// # Errors
/// When it is none.
pub fn change(id: &str) -> Result<&str, Fault> {
    if belay_core::model::ids::ChangeId::parse(id).is_some() {
        return Ok(id);
    }
    Err(Fault::usage(format!("{id:?} is no Change")).help("Changes are called like c-17: `belay changes`"))
}

/// The exit code of a Change that stands so.
pub fn exit_code(row: &ChangeRow) -> u8 {
    match row.standing.as_str() {
        "accepted" => code::OK,
        "rejected" => code::REJECTED,
        "inconclusive" => code::INCONCLUSIVE,
        _ => code::ON_TRIAL,
    }
}

/// Whether it has a verdict.
pub fn decided(row: &ChangeRow) -> bool {
    row.outcome.is_some()
}

/// Sign and word, with the gap where there is one.
pub fn standing(row: &ChangeRow, paint: Paint) -> String {
    let sign = paint.sign(sign(row));
    match &row.gap {
        Some(gap) => format!("{sign} {} ({gap})", row.standing),
        None => format!("{sign} {}", row.standing),
    }
}

/// The sign of how it stands.
pub fn sign(row: &ChangeRow) -> Sign {
    sign_of(&row.standing)
}

/// Hosts that got it, of how many.
pub fn hosts(row: &ChangeRow) -> String {
    format!("{}/{}", row.hosts_changed, row.class_size)
}

/// Class, release, environment and version, as far as they are known.
pub fn place(row: &ChangeRow) -> String {
    let mut text = format!("class {}", row.class);
    for (noun, value) in [("release", &row.release), ("environment", &row.environment), ("version", &row.version)] {
        if let Some(value) = value {
            text.push_str(&format!(", {noun} {value}"));
        }
    }
    text
}
