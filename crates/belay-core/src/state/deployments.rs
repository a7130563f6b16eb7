//! What was deployed and published, as facts alter it and a snapshot writes it.

use super::State;
use super::fact::Fact;
use crate::model::principal::Actor;

impl State {
    pub(super) fn apply_deployment(&mut self, fact: &Fact) {
        match fact {
            Fact::PublishedSet { branch, published, .. } if published.is_empty() => drop(self.published.remove(branch)),
            Fact::PublishedSet { branch, published, .. } => drop(self.published.insert(branch.clone(), published.clone())),
            Fact::DeployedSet { place, environment, deployed } => {
                let there = self.deployed.entry(place.clone()).or_default();
                if deployed.is_empty() {
                    there.remove(environment);
                } else {
                    there.insert(environment.clone(), deployed.clone());
                }
            }
            Fact::SpreadSet { scope, environment: None, .. } => drop(self.spread.remove(scope)),
            Fact::SpreadSet { scope, environment: Some(environment), open } => {
                self.spread.insert(scope.clone(), (environment.clone(), *open));
            }
            _ => unreachable!("apply sends only facts about deployments here"),
        }
    }

    /// The facts that make what is known of deployments.
    pub(super) fn deployments(&self, actor: &Actor) -> Vec<Fact> {
        let mut facts: Vec<Fact> = Vec::new();
        for (branch, published) in &self.published {
            let (branch, published) = (branch.clone(), published.clone());
            facts.push(Fact::PublishedSet { branch, published, actor: actor.clone(), what: "snapshot".to_owned() });
        }
        for (place, environments) in &self.deployed {
            let fact = |(environment, deployed): (&_, &Vec<_>)| {
                let (place, environment) = (place.clone(), Clone::clone(environment));
                Fact::DeployedSet { place, environment, deployed: deployed.clone() }
            };
            facts.extend(environments.iter().map(fact));
        }
        for (scope, (environment, open)) in &self.spread {
            facts.push(Fact::SpreadSet { scope: scope.clone(), environment: Some(environment.clone()), open: *open });
        }
        facts
    }
}
