//! Items: what a tool sets on a host, and the marks a class and release give them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::ids::{ChangeId, Digest, Environment};
use super::time::Timestamp;

/// Which thing is set: resource type, title and parameter, as the tool names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// Type of the resource, for example `File`.
    pub kind: Arc<str>,
    /// Title of the resource, for example `/etc/app/sitemonitor.conf`.
    pub title: Arc<str>,
    /// Parameter of the resource, for example `content`.
    pub parameter: Arc<str>,
}

/// What an item's desired content is: a hash of it after masking, never the content itself.
pub type Content = Digest;

/// The resource type of the item that stands for the environment a host gets. An environment is
/// content like any other: it is accepted for a class and a release, or it is not.
pub const ENVIRONMENT_KIND: &str = "Environment";

/// The resource type of the item that stands for the release a host runs.
pub const RELEASE_KIND: &str = "Release";
/// The resource type of the item that stands for "no configuration can be made".
pub const COMPILE_KIND: &str = "Compile";
/// The resource type of the item that stands for known content being put back on many hosts.
pub const DRIFT_KIND: &str = "Drift";
/// The resource type of the item that stands for a return to what was good: its trial tells whether
/// the return did good.
pub const REVERT_KIND: &str = "Revert";
/// The resource type of the item that stands for one deployment of a branch, as an environment of its own. It is on trial
/// only together with new content: a deployment that brings nothing new is none.
pub const DEPLOYMENT_KIND: &str = "Deployment";

impl ItemKey {
    /// The item of these three names.
    pub fn new(kind: &str, title: &str, parameter: &str) -> Self {
        Self { kind: kind.into(), title: title.into(), parameter: parameter.into() }
    }

    /// The item that stands for the environment of a host.
    pub fn environment() -> Self {
        Self::new(ENVIRONMENT_KIND, "host", "name")
    }

    /// The item that stands for the deployment a host gets.
    pub fn deployment() -> Self {
        Self::new(DEPLOYMENT_KIND, "host", "name")
    }

    /// Whether no tool sets this item: it stands for a release, an environment, a deployment, a compile
    /// error, a wave of drift or a return.
    pub fn stands_for_something(&self) -> bool {
        [ENVIRONMENT_KIND, RELEASE_KIND, COMPILE_KIND, DRIFT_KIND, REVERT_KIND, DEPLOYMENT_KIND].contains(&&*self.kind)
    }

    /// Whether a host can cease to carry it: what tools set, and the environment.
    pub fn can_be_left(&self) -> bool {
        self.is_environment() || !self.stands_for_something()
    }

    /// Whether this is the item that stands for the environment.
    pub fn is_environment(&self) -> bool {
        &*self.kind == ENVIRONMENT_KIND
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            ENVIRONMENT_KIND => f.write_str("environment"),
            RELEASE_KIND => f.write_str("release"),
            COMPILE_KIND => write!(f, "compile error in {}", self.title),
            DRIFT_KIND => f.write_str("drift on many hosts"),
            REVERT_KIND => f.write_str("revert"),
            DEPLOYMENT_KIND => f.write_str("deployment"),
            _ => write!(f, "{}[{}] {}", self.kind, self.title, self.parameter),
        }
    }
}

/// The content that stands for an environment. A pipeline that deploys `production_<sha>` makes a
/// new name for each deployment; the part after the last `_` is left out when it is a git id, so
/// that a new snapshot of the same branch is not a switch.
pub fn environment_content(environment: &Environment) -> Content {
    Digest::of_parts(["environment", branch(environment.as_str())])
}

/// The content that stands for one deployment.
pub fn deployment_content(environment: &Environment) -> Content {
    Digest::of_parts(["deployment", environment.as_str()])
}

/// The name without a trailing `_<git id>` (7 to 40 hexadecimal digits).
pub fn branch(environment: &str) -> &str {
    match environment.rsplit_once('_') {
        Some((stem, id)) if !stem.is_empty() && (7..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit()) => stem,
        _ => environment,
    }
}

/// What is known of one content of one item, for one class and release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It was there when the class was first seen.
    Adopted,
    /// It is being judged.
    OnTrial(ChangeId),
    /// It was judged and found good, or a person said so.
    Accepted(ChangeId),
    /// It was judged and found bad, or a person said so.
    Rejected(ChangeId),
}

/// A mark and since when it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The mark.
    pub mark: Mark,
    /// Since when, server time.
    pub at: Timestamp,
}

/// A set of items with their desired contents.
pub type Items = BTreeMap<ItemKey, Content>;

/// A name for a set of items with their contents, independent of their order.
pub fn fingerprint(items: &Items) -> Digest {
    let mut text = String::new();
    for (key, content) in items {
        text.push_str(&format!("{}\n{}\n{}\n{content}\n", key.kind, key.title, key.parameter));
    }
    Digest::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_of_the_same_branch_is_not_a_switch() {
        let content = |name: &str| environment_content(&Environment::parse(name).unwrap());
        assert_eq!(content("production_9f2c1e04"), content("production_0123abc"));
        assert_ne!(content("production"), content("r142"));
        assert_ne!(content("r_142"), content("r_141"));
    }
}
