//! Changes and the verdicts on them.

use belay_core::explain::change as explain;
use belay_core::model::change::{Change, Failure, Treated};
use belay_core::model::ids::HostId;
use belay_core::model::item::{Content, ItemKey};
use belay_core::model::verdict::{Finding, Gap, Judge, Outcome, Says, Standing, Verdict};
use belay_core::state::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::finding::{FindingView, LackView};
use super::{count, printed, version_name};

/// A Change, in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeRow {
    /// Its number, for example `c-17`.
    pub id: String,
    /// The class it came to.
    pub class: String,
    /// The release of the hosts it came to.
    pub release: Option<String>,
    /// What it is, on one line.
    pub what: String,
    /// It is the arrival of a release.
    pub brings_release: bool,
    /// Hosts got another environment.
    pub switches_environment: bool,
    /// Provenance of its content; `null` when it has no name.
    pub version: Option<String>,
    /// The environment its hosts got.
    pub environment: Option<String>,
    /// When it was opened, server time.
    pub opened: String,
    /// When its first host changed, server time.
    pub began: String,
    /// The same, in milliseconds since the epoch.
    pub began_ms: i64,
    /// Hosts that got it.
    pub hosts_changed: u32,
    /// Hosts of the class at present.
    pub class_size: u32,
    /// Where its trial stands: `on trial`, `suspect`, `accepted`, `rejected` or `inconclusive`.
    pub standing: String,
    /// The verdict's word, once there is one.
    pub outcome: Option<String>,
    /// Why it is inconclusive, as a stable code.
    pub gap: Option<String>,
    /// The main reason as a stable code: the gap, `override` for a person's
    /// verdict, or the first finding that says what it says.
    pub reason: Option<String>,
    /// Hosts that got it after it was rejected.
    pub after_rejection: u32,
    /// The Change whose place it took.
    pub supersedes: Option<String>,
    /// How far it may come, where it comes in waves, in words.
    pub waves: Option<String>,
}

/// A Change with its trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: ChangeRow,
    /// What is new.
    pub items: Vec<ItemView>,
    /// The hosts that got it.
    pub hosts: Vec<TreatedView>,
    /// The verdict, once there is one.
    pub verdict: Option<VerdictView>,
    /// When the trial was last looked at with another result than before: data up to then.
    pub looked: Option<String>,
    /// What the checks found: those of the verdict, else of the last look. Those that say harm come
    /// first.
    pub findings: Vec<FindingView>,
    /// What should have been seen and was not, likewise.
    pub lacks: Vec<LackView>,
    /// A short mark of the evidence as it stands, for `If-Match`: a decision with it is taken only
    /// while nothing else was found or decided.
    #[serde(default)]
    pub evidence_mark: String,
    /// All of it in plain words, line by line.
    pub explanation: Vec<String>,
}

/// One item of a Change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemView {
    /// The item, for example `File[/etc/app.conf] content`.
    pub item: String,
    /// What was there, shortened.
    pub old: String,
    /// What came, shortened.
    pub new: String,
    /// Hash of what came.
    pub content: String,
    /// Lines that differ between the two texts, as `diff -u` writes them and without secrets, where both are
    /// kept; put in by whoever serves this.
    #[serde(default)]
    pub diff: Option<String>,
}

/// A host that got a Change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreatedView {
    /// The host.
    pub host: String,
    /// When it changed, server time.
    pub onset: String,
    /// The same, in milliseconds since the epoch.
    pub onset_ms: i64,
    /// The run that brought it.
    pub run: Option<String>,
    /// The environment it got.
    pub environment: Option<String>,
    /// Its clock or its report's lateness forbid tight comparisons.
    pub skewed: bool,
    /// Resources that fail on it and did not before.
    pub failures: Vec<FailureView>,
    /// The error for which no configuration could be made.
    pub compile_error: Option<String>,
}

/// A resource that fails on a host and did not before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailureView {
    /// The resource as the tool prints it.
    pub resource: String,
    /// Runs in which it failed.
    pub times: u32,
    /// The first message.
    pub message: String,
}

/// A verdict with what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerdictView {
    /// `accepted`, `rejected` or `inconclusive`.
    pub outcome: String,
    /// Why it is inconclusive, as a stable code.
    pub gap: Option<String>,
    /// When it was given.
    pub at: String,
    /// Who gave it: `belay`, `person` or `successor`.
    pub judge: String,
    /// Who that is: `belay`, the person, or the Change that took its place.
    pub by: String,
    /// A person's reason.
    pub reason: Option<String>,
    /// What every check found.
    pub findings: Vec<FindingView>,
    /// What should have been seen and was not.
    pub lacks: Vec<LackView>,
    /// Name of the kept evidence, from which it can be given again.
    pub evidence: Option<String>,
}

impl ChangeRow {
    /// The row of a Change.
    pub fn of(state: &State, change: &Change) -> Self {
        Self::made(change, state.census_of(&change.class).hosts)
    }

    /// The rows of several Changes.
    pub fn all<'a>(state: &State, changes: impl IntoIterator<Item = &'a Change>) -> Vec<Self> {
        changes.into_iter().map(|change| Self::of(state, change)).collect()
    }

    fn made(change: &Change, class_size: u32) -> Self {
        let outcome = decided(change);
        Self {
            id: change.id.to_string(),
            class: change.class.to_string(),
            release: printed(change.release.as_ref()),
            what: explain::what(change),
            brings_release: change.brings_release(),
            switches_environment: change.switches_environment(),
            version: version_name(&change.version),
            environment: printed(change.environment.as_ref()),
            opened: change.opened.to_string(),
            began: change.began().to_string(),
            began_ms: change.began().ms(),
            hosts_changed: count(change.treated.len()),
            class_size,
            standing: change.standing.word().to_owned(),
            outcome: outcome.map(|outcome| outcome.word().to_owned()),
            gap: outcome.and_then(gap).map(|gap| gap.code().to_owned()),
            reason: reason(change),
            after_rejection: change.after_rejection,
            supersedes: printed(change.supersedes.as_ref()),
            waves: change.waves.as_ref().map(|waves| waves.words()),
        }
    }
}

impl ChangeView {
    /// The view of a Change, without its explanation, which whoever serves it puts in.
    pub fn of(state: &State, change: &Change) -> Self {
        Self {
            row: ChangeRow::of(state, change),
            items: change.items.iter().map(|(key, content)| item(change, key, content)).collect(),
            hosts: change.treated.iter().map(|(host, treated)| TreatedView::of(host, treated)).collect(),
            verdict: change.verdict.as_ref().map(VerdictView::from),
            looked: change.look.as_ref().map(|look| look.at.to_string()),
            findings: explain::findings(change).iter().map(FindingView::from).collect(),
            lacks: explain::lacks(change).iter().map(LackView::from).collect(),
            evidence_mark: change.evidence_mark(),
            explanation: Vec::new(),
        }
    }
}

impl TreatedView {
    /// The view of a host that got a Change.
    pub fn of(host: &HostId, treated: &Treated) -> Self {
        let failure = |(resource, failure): (&String, &Failure)| FailureView {
            resource: resource.clone(),
            times: failure.times,
            message: failure.message.clone(),
        };
        Self {
            host: host.to_string(),
            onset: treated.onset.to_string(),
            onset_ms: treated.onset.ms(),
            run: printed(treated.run.as_ref()),
            environment: printed(treated.environment.as_ref()),
            skewed: treated.skewed,
            failures: treated.failures.iter().map(failure).collect(),
            compile_error: treated.compile_error.clone(),
        }
    }
}

impl From<&Verdict> for VerdictView {
    fn from(verdict: &Verdict) -> Self {
        let (judge, by, reason) = match &verdict.by {
            Judge::Belay => ("belay", "belay".to_owned(), None),
            Judge::Person { actor, reason } => ("person", actor.to_string(), Some(reason.clone())),
            Judge::Successor(change) => ("successor", change.to_string(), None),
        };
        Self {
            outcome: verdict.outcome.word().to_owned(),
            gap: gap(verdict.outcome).map(|gap| gap.code().to_owned()),
            at: verdict.at.to_string(),
            judge: judge.to_owned(),
            by,
            reason,
            findings: verdict.findings.iter().map(FindingView::from).collect(),
            lacks: verdict.lacks.iter().map(LackView::from).collect(),
            evidence: printed(verdict.evidence.as_ref()),
        }
    }
}

fn item(change: &Change, key: &ItemKey, content: &Content) -> ItemView {
    let words = change.words.get(key).cloned().unwrap_or_default();
    ItemView { item: key.to_string(), old: words.old, new: words.new, content: content.to_string(), diff: None }
}

fn decided(change: &Change) -> Option<Outcome> {
    change.verdict.as_ref().map(|verdict| verdict.outcome).or(match change.standing {
        Standing::Final(outcome) => Some(outcome),
        Standing::OnTrial | Standing::Suspect => None,
    })
}

const fn gap(outcome: Outcome) -> Option<Gap> {
    match outcome {
        Outcome::Inconclusive(gap) => Some(gap),
        Outcome::Accepted | Outcome::Rejected => None,
    }
}

/// The main reason of where a trial stands, as a stable code.
fn reason(change: &Change) -> Option<String> {
    let verdict = change.verdict.as_ref();
    if verdict.is_some_and(|verdict| matches!(verdict.by, Judge::Person { .. })) {
        return Some("override".to_owned());
    }
    let first = |says: Says| explain::findings(change).iter().find(|finding| finding.says == says).map(Finding::code);
    match (decided(change), change.standing) {
        (Some(Outcome::Inconclusive(gap)), _) => Some(gap.code().to_owned()),
        (Some(Outcome::Rejected), _) => first(Says::Harm),
        (None, Standing::Suspect) => first(Says::Harm).or_else(|| first(Says::Suspicion)),
        (Some(Outcome::Accepted), _) | (None, Standing::OnTrial | Standing::Final(_)) => None,
    }
}
