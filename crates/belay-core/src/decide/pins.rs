//! Pins: a host is fixed to an environment for a time.

use super::draft::Draft;
use super::{Answer, deployments};
use crate::host::policy::Pin;
use crate::model::hold::{HOLD_MAX, HoldScope};
use crate::model::host::Host;
use crate::model::ids::Environment;
use crate::model::item::branch;
use crate::model::principal::{Principal, Role};
use crate::model::time::Timestamp;
use crate::state::{Fact, NoteKind};

/// A pin that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinAsk {
    /// The hosts.
    pub scope: HoldScope,
    /// The environment; none ends their pins.
    pub environment: Option<Environment>,
    /// Until when; mandatory with an environment.
    pub until: Option<Timestamp>,
    /// Why; mandatory.
    pub reason: String,
}

pub(super) fn set(draft: &mut Draft<'_>, principal: &Principal, ask: &PinAsk) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Approver) {
        draft.note(NoteKind::Security, &actor, None, format!("{actor} tried to pin hosts without the role of an approver"));
        return Answer::Forbidden("to pin hosts needs the role of an approver".to_owned());
    }
    if ask.reason.trim().is_empty() {
        return Answer::Unprocessable("reason: it is empty; say why".to_owned());
    }
    let pin = match (&ask.environment, ask.until) {
        (None, _) => None,
        (Some(_), None) => return Answer::Unprocessable("until: a pin needs an end; say for how long".to_owned()),
        (Some(_), Some(until)) if until <= draft.now || until.since(draft.now) > HOLD_MAX => {
            return Answer::Unprocessable(format!("until: {until} is not between now and {HOLD_MAX} from now"));
        }
        (Some(environment), Some(until)) => {
            Some(Pin { environment: environment.clone(), until, reason: ask.reason.trim().to_owned(), by: actor.0.clone() })
        }
    };
    let meant = |host: &&Host| ask.scope.holds(&host.id, &host.class);
    let hosts: Vec<&Host> = draft.state.hosts.values().filter(meant).collect();
    if hosts.is_empty() {
        return Answer::Unprocessable(format!("scope: no host is meant by {}", ask.scope.words()));
    }
    if let Some(pin) = &pin
        && let Some(host) = hosts.iter().find(|host| !declared(draft, host, &pin.environment))
    {
        let text = format!(
            "environment: {} is declared for no release of class {} and was never applied there; the classifier only chooses among those",
            pin.environment, host.class
        );
        return Answer::Unprocessable(text);
    }
    let count = hosts.len();
    for host in hosts {
        draft.push(Fact::PinSet { host: host.id.clone(), pin: pin.clone(), actor: actor.clone() });
    }
    Answer::Counted(count.try_into().unwrap_or(u32::MAX))
}

/// Whether an environment may be chosen for a host: one of its class' map, a published deployment of one
/// of its branches, or one that some host of the class has.
fn declared(draft: &Draft<'_>, host: &Host, environment: &Environment) -> bool {
    let class = draft.state.policy.class(&host.class);
    let of_branch = |known: &Environment| branch(known.as_str()) == branch(environment.as_str());
    class.environments.values().any(|known| known == environment)
        || (deployments::is_published(draft.state, environment) && class.declared().any(of_branch))
        || draft.state.hosts_of(&host.class).any(|other| other.environment.as_ref() == Some(environment))
}
