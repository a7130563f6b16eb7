//! The journal's record forms. A fact is written in the newest form and read in every form that
//! ever was; a record of a newer build is refused by name, never read in part.
//!
//! A form is never changed once a release has written it: what core changes later gets a form of
//! its own (`v2`), and the older one keeps reading into the new nouns.

mod v1;

use belay_core::model::change::Trial;
use belay_core::model::evidence::Evidence;
use belay_core::state::Fact;
use thiserror::Error;

/// The newest record form this build writes and reads.
pub const FORM: u32 = 1;

/// The word under which the evidence of a verdict is refused, as it has no fact's kind.
const CASE: &str = "case";

/// A fact as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The fact's kind.
    pub kind: String,
    /// The form of the body.
    pub form: u32,
    /// The body, a JSON text on one line.
    pub body: String,
}

/// Why a record could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadRecord {
    /// A newer build wrote it.
    #[error("record form {form} of kind {kind} is newer than this build understands ({FORM}); run the build that wrote it, or a later one")]
    NewerForm {
        /// The record's kind.
        kind: String,
        /// Its form.
        form: u32,
    },
    /// There never was such a form.
    #[error("record form {form} of kind {kind} is none that any build wrote; forms count from 1")]
    UnknownForm {
        /// The record's kind.
        kind: String,
        /// Its form.
        form: u32,
    },
    /// There is no such kind in this form.
    #[error("record kind {kind} is unknown in form {form}; a newer build may have written it")]
    UnknownKind {
        /// The record's kind.
        kind: String,
        /// Its form.
        form: u32,
    },
    /// The body does not hold what the form says.
    #[error("record of kind {kind}, form {form}: {place}: {reason}")]
    Body {
        /// The record's kind.
        kind: String,
        /// Its form.
        form: u32,
        /// Where in the body, as a path such as `run.events[3].item`.
        place: String,
        /// What is wrong there.
        reason: String,
    },
}

/// Writes a fact down, in the newest form.
pub fn encode(fact: &Fact) -> Record {
    Record { kind: fact.kind().to_owned(), form: FORM, body: v1::write_fact(fact) }
}

/// Reads a fact back, from any form up to [`FORM`].
///
/// # Errors
/// [`BadRecord`] names the kind, the form and the place in the body.
pub fn decode(kind: &str, form: u32, body: &str) -> Result<Fact, BadRecord> {
    known(kind, form)?;
    match v1::read_fact(kind, body) {
        Some(Ok(fact)) => Ok(fact),
        Some(Err(fault)) => Err(bad_body(kind, form, &fault)),
        None => Err(BadRecord::UnknownKind { kind: kind.to_owned(), form }),
    }
}

/// Writes down what a verdict rests on: the trial and the windows that were looked at. Judging it
/// again gives the same verdict.
pub fn case_to_json(trial: &Trial, evidence: &Evidence) -> String {
    v1::write_case(FORM, trial, evidence)
}

/// Reads back what [`case_to_json`] wrote.
///
/// # Errors
/// [`BadRecord`] names the form and the place in the text.
pub fn case_from_json(text: &str) -> Result<(Trial, Evidence), BadRecord> {
    let (form, body) = v1::open_case(text).map_err(|fault| bad_body(CASE, FORM, &fault))?;
    known(CASE, form)?;
    v1::read_case(body).map_err(|fault| bad_body(CASE, form, &fault))
}

fn known(kind: &str, form: u32) -> Result<(), BadRecord> {
    match form {
        FORM => Ok(()),
        0 => Err(BadRecord::UnknownForm { kind: kind.to_owned(), form }),
        _ => Err(BadRecord::NewerForm { kind: kind.to_owned(), form }),
    }
}

fn bad_body(kind: &str, form: u32, fault: &v1::Fault) -> BadRecord {
    BadRecord::Body { kind: kind.to_owned(), form, place: fault.place(), reason: fault.reason().to_owned() }
}
