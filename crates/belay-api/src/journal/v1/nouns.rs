//! Form 1 of the nouns of the glossary.

use belay_core::model::alert::{Effect, Task};
use belay_core::model::change::{Change, Failure, ItemWords, Nearness, Peer, Stay, Treated, Trial, Waves};
use belay_core::model::deployment::{Deployed, Published};
use belay_core::model::evidence::Evidence;
use belay_core::model::host::{Carried, Host, LastRun, Seen, Trouble};
use belay_core::model::item::{ItemKey, Mark};
use belay_core::model::log::{Line, Lines};
use belay_core::model::principal::{Principal, Role, Token};
use belay_core::model::report::{Event, EventOutcome, FailedResource, RunKind, Version};
use belay_core::model::run::Run;
use belay_core::model::signal::{Harm, Missing, Reading, Sample, Series, Signal, SignalKind, Window};
use belay_core::model::time::Timestamp;
use belay_core::model::user::{Proof, Session, User};
use belay_core::model::verdict::{Check, Finding, Gap, Judge, Lack, Look, Numbers, Outcome, Says, Standing, Verdict};
use belay_core::state::{Counters, Note, NoteKind, Scope};
use serde::ser::{SerializeMap, SerializeStructVariant, Serializer};
use serde_json::Value;

use super::form::{Fault, Fields, Form, Put, needed, put_field, variant};

form_struct! {
    Deployed { version, began, ended }
    Published { environment, at, by }
    ItemKey { kind, title, parameter }
    Scope { class, release }
    Counters { runs, changes, effects, holds, reverts, facts, steered, incarnation }
    Note { kind, actor, host, text }
}

form_enum! {
    Mark { "adopted" => Adopted, "on-trial" => OnTrial(change), "accepted" => Accepted(change), "rejected" => Rejected(change) }
    NoteKind { "security" => Security, "warning" => Warning, "info" => Info }
}

// Runs and hosts.

form_struct! {
    Run {
        id, host, class, release, tool, tool_run_id, digest, kind, started, took, received, environment, version, events, event_count, failed,
        delta, drift, restored, skewed, first, change,
    }
    Event { item, resource, old, new, content, message, outcome, at }
    FailedResource { resource, message }
    Host {
        id, class, release, facts, since, last_run, last_applied, environment, version, items, failing, put_back, struck, trouble, agent, pin,
        recent,
    }
    Carried { content, at }
    LastRun { id, kind, at }
    Seen { tool_run_id, run, digest }
    Trouble { at, text }
}

form_enum! {
    RunKind {
        "changed" => Changed,
        "unchanged" => Unchanged,
        "noop-would-change" => NoopWouldChange,
        "noop-unchanged" => NoopUnchanged,
        "partial" => Partial,
        "failed" => Failed,
        "failed-compile" => FailedCompile(text),
        "no-catalog" => NoCatalog(text),
        "aborted" => Aborted(text),
        "refused" => Refused(text),
        "cached-catalog" => CachedCatalog(text),
    }
    Version { "named" => Named(name), "unknown" => Unknown }
    EventOutcome { "applied" => Applied, "failed" => Failed, "would-apply" => WouldApply, "audited" => Audited }
}

// Changes and their trials.

form_struct! {
    Change {
        id, class, release, version, environment, items, words, opened, renewed, treated, standing, look, verdict, after_rejection, supersedes,
        waves, logs,
    }
    Lines { log, pattern, first, text, treated, others }
    Line { log, pattern, since, at, text }
    Waves { order, sizes, open, opened }
    ItemWords { old, new }
    Treated { onset, run, skewed, environment, failures, compile_error, left }
    Failure { times, message }
    Trial {
        change, release, treated, peers, signals, environment_due, grace, accept_from, ends, past_steps, budget, caution, class_size, confounder, overlaps,
        spoilt,
    }
    Stay { change, from, to }
    Peer { nearness, until, failing }
    Look { at, standing, findings, lacks }
    Finding { check, signal, says, hosts, of, peers_alike, text, numbers, since }
    Numbers { treated, own_past, peers, peers_past, samples, ln_e, effect, effect_low, effect_high, p, budget }
    Lack { signal, must_have, why, hosts }
    Verdict { outcome, at, by, findings, lacks, evidence }
}

form_enum! {
    Nearness { "same-release" => SameRelease, "other-release" => OtherRelease, "kin" => Kin }
    Outcome { "accepted" => Accepted, "rejected" => Rejected, "inconclusive" => Inconclusive(gap) }
    Standing { "on-trial" => OnTrial, "suspect" => Suspect, "final" => Final(outcome) }
    Says { "harm" => Harm, "suspicion" => Suspicion, "fine" => Fine, "cannot-tell" => CannotTell(gap) }
    Gap {
        "no-signals" => NoSignals,
        "no-data" => NoData,
        "too-little" => TooLittle,
        "peers-sick" => PeersSick,
        "conflicting" => Conflicting,
        "confounded" => Confounded,
        "superseded" => Superseded,
        "runs-failed" => RunsFailed,
    }
    Check {
        "failed-resource" => FailedResource,
        "compile-error" => CompileError,
        "environment-mismatch" => EnvironmentMismatch,
        "vanished" => Vanished,
        "flow-stopped" => FlowStopped,
        "frozen" => Frozen,
        "leap" => Leap,
        "check-failing" => CheckFailing,
        "flow-share" => FlowShare,
        "presence" => Presence,
        "level" => Level,
        "drift" => Drift,
        "single-host" => SingleHost,
        "failure-rate" => FailureRate,
        "relation" => Relation,
    }
    Judge { "belay" => Belay, "person" => Person { actor, reason }, "successor" => Successor(change) }
}

// Signals and evidence.

form_struct! {
    Signal { name, classes, kind, harm, must_have, select, host_label, reading, step, weight }
    Window { step, from, to, hosts, heard }
    Evidence { at, windows }
}

form_enum! {
    SignalKind { "gauge" => Gauge, "latency" => Latency, "count" => Count, "flow" => Flow, "check" => Check }
    Harm { "up" => Up, "down" => Down, "both" => Both }
    Reading { "value" => Value, "counter" => Counter }
    Missing {
        "host-gone" => HostGone,
        "exporter-gone" => ExporterGone,
        "no-series" => NoSeries,
        "too-few" => TooFew,
        "stale" => Stale,
        "not-understood" => NotUnderstood,
    }
}

/// Samples are two lists, as there are many: times (the first in full, then the step from one to
/// the next) and values.
impl Form for Series {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing(why) => put_variant!(out, "missing", (why)),
            Self::Samples(samples) => {
                let (times, values) = (&times_of(samples), &samples.iter().map(|sample| sample.value).collect::<Vec<_>>());
                put_variant!(out, "samples", { times, values })
            }
        }
    }

    fn take(value: Value) -> Result<Self, Fault> {
        let (word, body) = variant(value)?;
        match word.as_str() {
            "missing" => take_variant!(Series::Missing, "missing", body, (why)),
            "samples" => needed("samples", body).and_then(take_samples).map(Self::Samples).map_err(|fault| fault.within("samples")),
            other => Err(Fault::new(format!("this form has no word `{other}` here; it has samples, missing"))),
        }
    }
}

fn times_of(samples: &[Sample]) -> Vec<i64> {
    let mut before = 0_i64;
    samples.iter().map(|sample| sample.at.ms().wrapping_sub(std::mem::replace(&mut before, sample.at.ms()))).collect()
}

fn take_samples(value: Value) -> Result<Vec<Sample>, Fault> {
    let mut fields = Fields::of(value)?;
    let (times, values): (Vec<i64>, Vec<f64>) = (fields.take("times")?, fields.take("values")?);
    fields.finish()?;
    if times.len() != values.len() {
        return Err(Fault::new(format!("{} times for {} values", times.len(), values.len())));
    }
    let mut at = 0_i64;
    let sample = |(step, value)| {
        at = at.wrapping_add(step);
        Sample { at: Timestamp::from_ms(at), value }
    };
    Ok(times.into_iter().zip(values).map(sample).collect())
}

// Credentials and what is done in the world.

form_struct! {
    Token { hash, name, principal, issued }
    User { name, role, within, hash, disabled, since }
    Session { id, person, by, opened, seen, from }
    Effect { id, task, attempts, next_try, asked, last_error, dead }
}

form_enum! {
    Principal { "person" => Person { name, role, within }, "host" => Host(host), "relay" => Relay(hosts), "source" => Source(name) }
    Proof { "password" => Password, "token" => Token(name), "issuer" => Issuer }
    Role { "viewer" => Viewer, "operator" => Operator, "approver" => Approver, "admin" => Admin }
    Task { "notify" => Notify { receiver, about } }
}
