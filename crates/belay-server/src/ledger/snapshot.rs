//! Snapshots: the facts that make a state, as gzipped lines. Only a speed-up: folding all facts
//! gives the same state.

use std::io::{BufRead, BufReader, Write};

use belay_api::journal;
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    at: i64,
    kind: &'a str,
    form: u32,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// Writes a state as a snapshot.
///
/// # Errors
/// Only when a fact's record is not JSON, which would be a mistake of this build.
pub fn pack(state: &State) -> std::io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    for (at, fact) in state.to_facts() {
        let record = journal::encode(&fact);
        let body: &RawValue = serde_json::from_str(&record.body)?;
        serde_json::to_writer(&mut out, &Line { at: at.ms(), kind: fact.kind(), form: record.form, body })?;
        out.write_all(b"\n")?;
    }
    out.finish()
}

/// Reads a snapshot back. The text says what is wrong with it.
pub(super) fn unpack(gzip: &[u8]) -> Result<State, String> {
    let mut state = State::default();
    let mut lines = BufReader::new(GzDecoder::new(gzip));
    let mut text = String::new();
    for number in 1.. {
        text.clear();
        let bad = |why: String| format!("line {number}: {why}");
        if lines.read_line(&mut text).map_err(|e| bad(e.to_string()))? == 0 {
            return Ok(state);
        }
        let line: Line<'_> = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        let fact = journal::decode(line.kind, line.form, line.body.get()).map_err(|e| bad(e.to_string()))?;
        state.apply(Timestamp::from_ms(line.at), &fact);
    }
    Ok(state)
}
