//! What checks found, and what should have been seen and was not.

use belay_core::model::signal::Missing;
use belay_core::model::verdict::{Finding, Gap, Lack, Numbers, Says};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::printed;

/// One comparison's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    /// Its stable code: the check, and the signal where there is one, for example
    /// `flow-stopped:requests`.
    pub code: String,
    /// The check.
    pub check: String,
    /// The signal it looked at.
    pub signal: Option<String>,
    /// What it says: `harm`, `suspicion`, `fine` or `cannot-tell`.
    pub says: String,
    /// Why it cannot tell, as a stable code.
    pub gap: Option<String>,
    /// The hosts with the Change that it says it of.
    pub hosts: Vec<String>,
    /// Hosts with the Change that it looked at.
    pub of: u32,
    /// Peers that show the same.
    pub peers_alike: u32,
    /// Peers it looked at.
    pub peers_of: u32,
    /// In plain words.
    pub text: String,
    /// The numbers behind it.
    pub numbers: NumbersView,
    /// When the first sign was in the data, server time.
    pub since: Option<String>,
}

/// The numbers behind a finding, in the unit of the signal per step. What is not known is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NumbersView {
    /// Hosts with the Change, since it: mean of a step.
    pub treated: Option<f64>,
    /// The same hosts before it.
    pub own_past: Option<f64>,
    /// Peers since it.
    pub peers: Option<f64>,
    /// Peers before it.
    pub peers_past: Option<f64>,
    /// Samples that were looked at.
    pub samples: u32,
    /// Natural logarithm of the e-value, where the check has one.
    pub ln_e: Option<f64>,
    /// The effect: hosts with the Change against what they should show.
    pub effect: Option<f64>,
    /// Lower end of its 95 % interval.
    pub effect_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub effect_high: Option<f64>,
    /// How often nothing at all looks as bad, where the check can say so.
    pub p: Option<f64>,
    /// The chance of a false rejection that the check may spend.
    pub budget: Option<f64>,
}

/// Something that should have been seen and was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LackView {
    /// The signal.
    pub signal: String,
    /// Whether acceptance needs it.
    pub must_have: bool,
    /// Why, as a stable code: `host-gone`, `exporter-gone`, `no-series`, `too-few`, `stale` or
    /// `not-understood`.
    pub why: String,
    /// Why, in plain words.
    pub text: String,
    /// On which hosts.
    pub hosts: Vec<String>,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code(),
            check: finding.check.code().to_owned(),
            signal: printed(finding.signal.as_ref()),
            says: finding.says.word().to_owned(),
            gap: gap(finding.says).map(|gap| gap.code().to_owned()),
            hosts: finding.hosts.iter().map(ToString::to_string).collect(),
            of: finding.of,
            peers_alike: finding.peers_alike.0,
            peers_of: finding.peers_alike.1,
            text: finding.text.clone(),
            numbers: (&finding.numbers).into(),
            since: printed(finding.since.as_ref()),
        }
    }
}

impl From<&Numbers> for NumbersView {
    fn from(numbers: &Numbers) -> Self {
        let Numbers { treated, own_past, peers, peers_past, samples, ln_e, effect, effect_low, effect_high, p, budget } = *numbers;
        // JSON has no word for what is not finite.
        let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
        Self {
            treated: finite(treated),
            own_past: finite(own_past),
            peers: finite(peers),
            peers_past: finite(peers_past),
            samples,
            ln_e: finite(ln_e),
            effect: finite(effect),
            effect_low: finite(effect_low),
            effect_high: finite(effect_high),
            p: finite(p),
            budget: finite(budget),
        }
    }
}

impl From<&Lack> for LackView {
    fn from(lack: &Lack) -> Self {
        Self {
            signal: lack.signal.to_string(),
            must_have: lack.must_have,
            why: missing_code(lack.why).to_owned(),
            text: lack.why.words().to_owned(),
            hosts: lack.hosts.iter().map(ToString::to_string).collect(),
        }
    }
}

const fn gap(says: Says) -> Option<Gap> {
    match says {
        Says::CannotTell(gap) => Some(gap),
        Says::Harm | Says::Suspicion | Says::Fine => None,
    }
}

const fn missing_code(missing: Missing) -> &'static str {
    match missing {
        Missing::HostGone => "host-gone",
        Missing::ExporterGone => "exporter-gone",
        Missing::NoSeries => "no-series",
        Missing::TooFew => "too-few",
        Missing::Stale => "stale",
        Missing::NotUnderstood => "not-understood",
    }
}
