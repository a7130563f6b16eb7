//! Bodies of requests, and what they hold once they are checked.

use std::collections::BTreeMap;

use belay_core::decide::FACT_BYTES_MAX;
use belay_core::model::ids::Release;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::FieldError;

/// The most facts a host may have.
pub const FACTS_MAX: usize = belay_core::decide::FACTS_MAX;
/// The longest reason, in bytes.
pub const TEXT_MAX: usize = 4_096;

/// A host's facts, in full: what is not in it is no longer a fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactsBody {
    /// The release of the application that the host runs.
    #[serde(default)]
    pub release: Option<String>,
    /// Facts by name.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// A person's verdict on a Change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RulingBody {
    /// Why; the audit keeps it.
    pub reason: String,
}

impl FactsBody {
    /// The release it reports.
    ///
    /// # Errors
    /// Every part that cannot be taken, with its place.
    pub fn checked_release(&self) -> Result<Option<Release>, Vec<FieldError>> {
        let mut errors = Vec::new();
        let release = self.release.as_deref().map(Release::parse).transpose();
        if let Err(why) = &release {
            errors.push(FieldError::new("/release", why.to_string()));
        }
        if self.facts.len() > FACTS_MAX {
            errors.push(FieldError::new("/facts", format!("{} facts; at most {FACTS_MAX} are taken", self.facts.len())));
        }
        for (name, value) in self.facts.iter().take(FACTS_MAX) {
            let pointer = format!("/facts/{}", escaped(name));
            if name.trim().is_empty() {
                errors.push(FieldError::new(pointer, "a fact needs a name"));
            } else if name.len() > FACT_BYTES_MAX || value.len() > FACT_BYTES_MAX {
                errors.push(FieldError::new(pointer, format!("name and value may have {FACT_BYTES_MAX} bytes each")));
            }
        }
        match release {
            Ok(release) if errors.is_empty() => Ok(release),
            Ok(_) | Err(_) => Err(errors),
        }
    }
}

impl RulingBody {
    /// The reason, without space around it.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn checked_reason(&self) -> Result<String, Vec<FieldError>> {
        match self.reason.trim() {
            "" => Err(vec![FieldError::new("/reason", "a verdict of a person needs a reason; say why in a sentence")]),
            reason if reason.len() > TEXT_MAX => Err(vec![FieldError::new("/reason", format!("it may have {TEXT_MAX} bytes"))]),
            reason => Ok(reason.to_owned()),
        }
    }
}

/// A name as a step of a JSON pointer, shortened.
fn escaped(name: &str) -> String {
    name.chars().take(80).collect::<String>().replace('~', "~0").replace('/', "~1")
}
