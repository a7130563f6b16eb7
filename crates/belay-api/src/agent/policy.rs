//! The policy of one host, on the wire and in the file of its last-known-good.

use std::collections::BTreeMap;

use belay_core::host::policy::{HostPolicy, Pin, RevertOrder, RevertWay, Stand};
use belay_core::model::closed::{Closed, ClosedBy, Closing};
use belay_core::model::gate::{Enforce, Known};
use belay_core::model::ids::{ChangeId, ClassName, Digest, Environment, HostId, Release, RevertId};
use belay_core::model::item::{Content, ItemKey};
use belay_core::model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::hold::{HoldBody, orders};
use super::{number, part, said};
use crate::http::FieldError;

/// What one host has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyBody {
    /// The host.
    pub host: String,
    /// Where in the server's history it stands. A host never takes a lower one.
    pub stand: StandBody,
    /// When it was given, server time.
    pub issued_ms: i64,
    /// The class of the host.
    pub class: String,
    /// The release the server knows the host to run.
    #[serde(default)]
    pub release: Option<String>,
    /// How far the gate goes: `off`, `release-match`, `rejected` or `waves`.
    pub enforce: String,
    /// How long content unknown on the host stays closed while the server is away.
    pub max_closed_ms: i64,
    /// The holds on this host, oldest first.
    #[serde(default)]
    pub holds: Vec<HoldBody>,
    /// The environment each release needs, by release.
    #[serde(default)]
    pub environments: BTreeMap<String, String>,
    /// What is known of contents, for this class and release.
    #[serde(default)]
    pub items: Vec<ItemBody>,
    /// The environment the host is fixed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PinBody>,
    /// Whether content that is not accepted may come: the wave of the host is open, and its class is
    /// not closed.
    #[serde(default)]
    pub wave_open: bool,
    /// The present closed time and those to come. The host closes by itself when one begins, and never
    /// opens by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<ClosingBody>,
    /// The environment its wave gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// A hold has expired: rehearse a run, so that the server sees what would change.
    #[serde(default)]
    pub rehearse: bool,
    /// Reverts asked of this host, oldest first.
    #[serde(default)]
    pub reverts: Vec<RevertBody>,
    /// When to ask again, where nothing is to be waited for.
    pub poll_after_ms: i64,
}

/// A time in which content that is not accepted comes to no further host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosingBody {
    /// When it begins.
    pub at_ms: i64,
    /// When it should end, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// Why.
    pub by: ClosedWord,
    /// The reason of a freeze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Why a class is closed, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClosedWord {
    /// It is outside of its windows.
    Windows,
    /// The server that was asked does not lead.
    NotLeading,
    /// A freeze. A word of a newer server is taken for one: closed is closed.
    #[serde(other)]
    Freeze,
}

/// Where in a server's history something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandBody {
    /// Counts the restores from a backup.
    pub incarnation: u64,
    /// Counts what was decided since.
    pub seq: u64,
}

/// An item and what is known of its contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemBody {
    /// Type of the resource.
    #[serde(rename = "type")]
    pub kind: String,
    /// Title of the resource.
    pub title: String,
    /// Parameter of the resource.
    pub parameter: String,
    /// What is known of its contents.
    pub contents: Vec<ContentBody>,
}

/// What is known of one content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContentBody {
    /// The content's hash: 32 hexadecimal digits.
    pub hash: String,
    /// What is known of it.
    pub state: StateWord,
    /// The Change that decided, where one did, for example `c-17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// What is known of a content, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StateWord {
    /// It was there at enrolment.
    Adopted,
    /// It was found good.
    Accepted,
    /// It is on trial.
    OnTrial,
    /// It was found bad.
    Rejected,
    /// A word of a newer server: taken as if nothing were known.
    #[serde(other)]
    Unseen,
}

/// A host fixed to an environment, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinBody {
    /// The environment.
    pub environment: String,
    /// Until when.
    pub until_ms: i64,
    /// Why.
    pub reason: String,
    /// Who fixed it.
    pub by: String,
}

/// A revert asked of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevertBody {
    /// Which revert, for example `r-2`.
    pub id: String,
    /// How.
    #[serde(flatten)]
    pub way: WayBody,
    /// Why, for the host's own log.
    #[serde(default)]
    pub reason: String,
}

/// How a host goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "way", rename_all = "kebab-case")]
pub enum WayBody {
    /// It is pinned to an environment; a run brings it back.
    PinAndRun {
        /// The environment it is pinned to.
        environment: String,
    },
    /// Files come back from the tool's own backups.
    Restore {
        /// Path and sum of each.
        files: BTreeMap<String, String>,
    },
    /// The command that the host's own configuration declares.
    Declared,
    /// A way of a newer server: the host does nothing of what it does not know.
    #[serde(other)]
    Unknown,
}

impl From<Stand> for StandBody {
    fn from(stand: Stand) -> Self {
        Self { incarnation: stand.incarnation, seq: stand.seq }
    }
}

impl From<StandBody> for Stand {
    fn from(body: StandBody) -> Self {
        Self { incarnation: body.incarnation, seq: body.seq }
    }
}

impl From<&HostPolicy> for PolicyBody {
    fn from(policy: &HostPolicy) -> Self {
        Self {
            host: policy.host.to_string(),
            stand: policy.stand.into(),
            issued_ms: policy.issued.ms(),
            class: policy.class.to_string(),
            release: policy.release.as_ref().map(Release::to_string),
            enforce: policy.enforce.word().to_owned(),
            max_closed_ms: policy.max_closed.ms(),
            holds: policy.holds.iter().map(HoldBody::from).collect(),
            environments: policy.environments.iter().map(|(release, name)| (release.to_string(), name.to_string())).collect(),
            items: policy.items.iter().map(|(key, contents)| ItemBody::of(key, contents)).collect(),
            pin: policy.pin.as_ref().map(PinBody::from),
            wave_open: policy.wave_open,
            closed: policy.closed.iter().map(ClosingBody::from).collect(),
            wave: policy.wave.as_ref().map(Environment::to_string),
            rehearse: policy.rehearse,
            reverts: policy.reverts.iter().map(RevertBody::from).collect(),
            poll_after_ms: policy.poll_after.ms(),
        }
    }
}

impl PolicyBody {
    /// The policy.
    ///
    /// # Errors
    /// The part that cannot be understood, with its place. A level of enforcement that is not known
    /// is refused as a whole; a state or a way of reverting that is not known is left out.
    pub fn policy(&self) -> Result<HostPolicy, FieldError> {
        let release = |at: &str, text: &str| part(at, Release::parse(text));
        let environment = |at: &str, text: &str| part(at, Environment::parse(text));
        let level = Enforce::ALL.into_iter().find(|level| level.word() == self.enforce);
        let environments = self
            .environments
            .iter()
            .map(|(of, name)| Ok((release("/environments", of)?, environment("/environments", name)?)))
            .collect::<Result<_, FieldError>>()?;
        Ok(HostPolicy {
            host: part("/host", HostId::parse(&self.host))?,
            stand: self.stand.into(),
            issued: Timestamp::from_ms(self.issued_ms),
            class: part("/class", ClassName::parse(&self.class))?,
            release: self.release.as_deref().map(|text| release("/release", text)).transpose()?,
            enforce: number("/enforce", &self.enforce, level, "off, release-match, rejected or waves")?,
            max_closed: Span::from_ms(self.max_closed_ms),
            holds: orders("/holds", &self.holds)?,
            environments,
            items: items(&self.items)?,
            pin: self.pin.as_ref().map(PinBody::pin).transpose()?,
            wave_open: self.wave_open,
            closed: self.closed.iter().enumerate().map(|(nth, body)| body.closing(&format!("/closed/{nth}"))).collect::<Result<_, _>>()?,
            wave: self.wave.as_deref().map(|text| environment("/wave", text)).transpose()?,
            rehearse: self.rehearse,
            reverts: reverts(&self.reverts)?,
            poll_after: Span::from_ms(self.poll_after_ms),
        })
    }
}

impl From<&Closing> for ClosingBody {
    fn from(closing: &Closing) -> Self {
        let (by, reason) = match &closing.closed.by {
            ClosedBy::Hours => (ClosedWord::Windows, None),
            ClosedBy::Freeze(reason) => (ClosedWord::Freeze, Some(reason.clone())),
            ClosedBy::NotLeading => (ClosedWord::NotLeading, None),
        };
        Self { at_ms: closing.at.ms(), until_ms: closing.closed.until.map(Timestamp::ms), by, reason }
    }
}

impl ClosingBody {
    fn closing(&self, at: &str) -> Result<Closing, FieldError> {
        let by = match self.by {
            ClosedWord::Windows => ClosedBy::Hours,
            ClosedWord::NotLeading => ClosedBy::NotLeading,
            ClosedWord::Freeze => ClosedBy::Freeze(said(format!("{at}/reason"), self.reason.as_deref().unwrap_or_default())?),
        };
        Ok(Closing { at: Timestamp::from_ms(self.at_ms), closed: Closed { by, until: self.until_ms.map(Timestamp::from_ms) } })
    }
}

impl ItemBody {
    fn of(key: &ItemKey, contents: &BTreeMap<Content, Known>) -> Self {
        let contents = contents.iter().filter(|(_, known)| **known != Known::Unseen).map(|(content, known)| {
            let (state, change) = match *known {
                Known::Adopted => (StateWord::Adopted, None),
                Known::Accepted => (StateWord::Accepted, None),
                Known::OnTrial(change) => (StateWord::OnTrial, Some(change)),
                Known::Rejected(change) => (StateWord::Rejected, Some(change)),
                Known::Unseen => (StateWord::Unseen, None),
            };
            ContentBody { hash: content.to_string(), state, change: change.map(|change| change.to_string()) }
        });
        Self {
            kind: key.kind.to_string(),
            title: key.title.to_string(),
            parameter: key.parameter.to_string(),
            contents: contents.collect(),
        }
    }
}

fn items(list: &[ItemBody]) -> Result<BTreeMap<ItemKey, BTreeMap<Content, Known>>, FieldError> {
    let mut items = BTreeMap::new();
    for (index, item) in list.iter().enumerate() {
        let contents = item.contents.iter().enumerate();
        let contents = contents
            .filter(|(_, content)| content.state != StateWord::Unseen)
            .map(|(nth, content)| content.known(&format!("/items/{index}/contents/{nth}")))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        items.entry(ItemKey::new(&item.kind, &item.title, &item.parameter)).or_insert_with(BTreeMap::new).extend(contents);
    }
    Ok(items)
}

impl ContentBody {
    fn known(&self, at: &str) -> Result<(Content, Known), FieldError> {
        let content = number(format!("{at}/hash"), &self.hash, Digest::parse(&self.hash), "32 hexadecimal digits")?;
        let change = || {
            let text = self.change.as_deref().unwrap_or_default();
            number(format!("{at}/change"), text, ChangeId::parse(text), "c-17")
        };
        let known = match self.state {
            StateWord::Adopted => Known::Adopted,
            StateWord::Accepted => Known::Accepted,
            StateWord::OnTrial => Known::OnTrial(change()?),
            StateWord::Rejected => Known::Rejected(change()?),
            StateWord::Unseen => Known::Unseen,
        };
        Ok((content, known))
    }
}

impl From<&Pin> for PinBody {
    fn from(pin: &Pin) -> Self {
        Self { environment: pin.environment.to_string(), until_ms: pin.until.ms(), reason: pin.reason.clone(), by: pin.by.clone() }
    }
}

impl PinBody {
    fn pin(&self) -> Result<Pin, FieldError> {
        Ok(Pin {
            environment: part("/pin/environment", Environment::parse(&self.environment))?,
            until: Timestamp::from_ms(self.until_ms),
            reason: said("/pin/reason", &self.reason)?,
            by: said("/pin/by", &self.by)?,
        })
    }
}

impl From<&RevertOrder> for RevertBody {
    fn from(order: &RevertOrder) -> Self {
        let way = match &order.way {
            RevertWay::PinAndRun { environment } => WayBody::PinAndRun { environment: environment.to_string() },
            RevertWay::Restore { files } => WayBody::Restore { files: files.clone() },
            RevertWay::Declared => WayBody::Declared,
        };
        Self { id: order.id.to_string(), way, reason: order.reason.clone() }
    }
}

fn reverts(list: &[RevertBody]) -> Result<Vec<RevertOrder>, FieldError> {
    let mut orders = Vec::new();
    for (index, body) in list.iter().enumerate() {
        let at = format!("/reverts/{index}");
        let way = match &body.way {
            WayBody::PinAndRun { environment } => {
                RevertWay::PinAndRun { environment: part(format!("{at}/environment"), Environment::parse(environment))? }
            }
            WayBody::Restore { files } => RevertWay::Restore { files: files.clone() },
            WayBody::Declared => RevertWay::Declared,
            WayBody::Unknown => continue,
        };
        let id = number(format!("{at}/id"), &body.id, RevertId::parse(&body.id), "r-2")?;
        orders.push(RevertOrder { id, way, reason: said(format!("{at}/reason"), &body.reason)? });
    }
    Ok(orders)
}
