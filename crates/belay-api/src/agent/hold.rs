//! A hold as a host knows it.

use belay_core::model::gate::HoldOrder;
use belay_core::model::ids::HoldId;
use belay_core::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{number, said};
use crate::http::FieldError;

/// A hold as a host knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldBody {
    /// Its number, for example `h-3`.
    pub id: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Whom to ask.
    pub contact: String,
    /// A ticket, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Since when.
    pub placed_ms: i64,
    /// Until when. It goes on after that, until the server hands it over.
    pub until_ms: i64,
    /// The foreign lock it was made of, by what it says: that one may be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imports: Option<String>,
}

impl From<&HoldOrder> for HoldBody {
    fn from(hold: &HoldOrder) -> Self {
        Self {
            id: hold.id.to_string(),
            owner: hold.owner.clone(),
            reason: hold.reason.clone(),
            contact: hold.contact.clone(),
            ticket: hold.ticket.clone(),
            placed_ms: hold.placed.ms(),
            until_ms: hold.until.ms(),
            imports: hold.imports.clone(),
        }
    }
}

impl HoldBody {
    /// The hold.
    ///
    /// # Errors
    /// The part that cannot be taken; `at` is the pointer of this body.
    pub fn order(&self, at: &str) -> Result<HoldOrder, FieldError> {
        Ok(HoldOrder {
            id: number(format!("{at}/id"), &self.id, HoldId::parse(&self.id), "h-3")?,
            owner: said(format!("{at}/owner"), &self.owner)?,
            reason: said(format!("{at}/reason"), &self.reason)?,
            contact: said(format!("{at}/contact"), &self.contact)?,
            ticket: self.ticket.as_deref().map(|ticket| said(format!("{at}/ticket"), ticket)).transpose()?,
            placed: Timestamp::from_ms(self.placed_ms),
            until: Timestamp::from_ms(self.until_ms),
            imports: self.imports.as_deref().map(|imports| said(format!("{at}/imports"), imports)).transpose()?,
        })
    }
}

/// The holds of a list.
pub(super) fn orders(at: &str, holds: &[HoldBody]) -> Result<Vec<HoldOrder>, FieldError> {
    super::few(at, holds, belay_core::model::hold::HOLDS_MAX)?;
    holds.iter().enumerate().map(|(index, hold)| hold.order(&format!("{at}/{index}"))).collect()
}
