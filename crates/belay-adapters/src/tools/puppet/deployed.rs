//! What r10k notes of a deployment in the folder of the environment (`.r10k-deploy.json`, r10k 3.15): the commit of the control
//! repository, when it began and when it was done. It is written at the end; while a deployment goes on, the note is the one before.

use belay_core::model::deployment::{Deployed, VERSION_MAX};
use serde::Deserialize;

use super::time::instant;

/// The name of the note.
pub(super) const NOTE: &str = ".r10k-deploy.json";

#[derive(Deserialize)]
struct Note {
    signature: String,
    started_at: String,
    finished_at: String,
    deploy_success: bool,
}

/// What a note says.
pub(super) fn read(note: &[u8]) -> Option<Deployed> {
    let note: Note = serde_json::from_slice(note).ok()?;
    let sound = (1..=VERSION_MAX).contains(&note.signature.len()) && note.signature.bytes().all(|byte| byte.is_ascii_graphic());
    if !note.deploy_success || !sound {
        return None;
    }
    let (began, ended) = (instant(&note.started_at)?, instant(&note.finished_at)?);
    Some(Deployed { version: Some(note.signature), began, ended })
}

#[cfg(test)]
mod tests {
    use belay_core::model::time::Timestamp;

    use super::*;

    #[test]
    fn a_note_says_which_commit_and_when() {
        let note = include_bytes!("fixtures/r10k-deploy.json");
        let read = read(note).unwrap();
        assert_eq!(read.version.as_deref(), Some("1d41403acaf43ef257fbad174fd84b3227ee68aa"));
        assert_eq!((read.began, read.ended), (Timestamp::from_ms(1_795_946_613_000), Timestamp::from_ms(1_795_946_613_000)));
    }

    #[test]
    fn one_that_failed_or_is_none_says_nothing() {
        let note = include_str!("fixtures/r10k-deploy.json");
        for odd in [
            note.replace("true", "false"),
            note.replace("1d41403acaf43ef257fbad174fd84b3227ee68aa", ""),
            note.replace("1d41403acaf43ef257fbad174fd84b3227ee68aa", "a\\u001bb"),
            note.replace("2026-11-29 10:03:33 +0000", "yesterday"),
            note[..note.len() / 2].to_owned(),
            String::new(),
        ] {
            assert_eq!(read(odd.as_bytes()), None, "{odd}");
        }
    }
}
