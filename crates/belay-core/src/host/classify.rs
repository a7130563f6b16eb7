//! The classifier: which environment a host gets. It names one only where there is a reason (a pin,
//! a wave, the map of releases), so that whoever asks for a branch by hand still gets it elsewhere.

use super::policy::HostPolicy;
use crate::model::ids::{Environment, Release};
use crate::model::time::Timestamp;

/// The answer of the classifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The environment; none where there is no reason to name one.
    pub environment: Option<Environment>,
    /// Why.
    pub because: Because,
}

/// Why a host gets its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// Somebody fixed it there.
    Pinned {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
    /// Its wave.
    Wave,
    /// It is the one its release needs.
    Release(Release),
    /// The release it runs is not in the map.
    ReleaseNotMapped(Release),
    /// It is not known which release it runs.
    ReleaseUnknown,
    /// Its class maps no releases.
    NothingMapped,
}

/// Which environment a host gets. `release` is the one read on the host now, where that is known.
pub fn classify(policy: &HostPolicy, release: Option<&Release>, now: Timestamp) -> Classified {
    if let Some(pin) = policy.pin.as_ref().filter(|pin| pin.holds(now)) {
        let because = Because::Pinned { by: pin.by.clone(), reason: pin.reason.clone(), until: pin.until };
        return Classified { environment: Some(pin.environment.clone()), because };
    }
    if let Some(environment) = &policy.wave {
        return Classified { environment: Some(environment.clone()), because: Because::Wave };
    }
    if policy.environments.is_empty() {
        return Classified { environment: None, because: Because::NothingMapped };
    }
    let Some(release) = release.or(policy.release.as_ref()) else {
        return Classified { environment: None, because: Because::ReleaseUnknown };
    };
    match policy.environments.get(release) {
        Some(environment) => Classified { environment: Some(environment.clone()), because: Because::Release(release.clone()) },
        None => Classified { environment: None, because: Because::ReleaseNotMapped(release.clone()) },
    }
}
