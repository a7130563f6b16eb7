//! Form 1 of facts: the body that stands beside a record's kind.

use belay_core::state::Fact;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use super::form::{Fault, Fields, Form, parse, put_field};

/// The body of a fact.
pub(in crate::journal) fn write_fact(fact: &Fact) -> String {
    let mut text = Vec::new();
    // Writing into memory does not fail, and no form writes a key that is not a text.
    put_body(fact, &mut serde_json::Serializer::new(&mut text)).expect("writing into memory cannot fail");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// The fact of this kind and body; none when this form has no such kind.
pub(in crate::journal) fn read_fact(kind: &str, body: &str) -> Option<Result<Fact, Fault>> {
    if !KINDS.contains(&kind) {
        return None;
    }
    Some(parse(body).and_then(|body| take_body(kind, body)))
}

macro_rules! put_whole {
    ($out:ident, ($one:ident)) => {
        $one.put($out)
    };
    ($out:ident, { $($field:ident),* }) => {{
        let mut fields = $out.serialize_map(None)?;
        $(put_field(&mut fields, stringify!($field), $field)?;)*
        fields.end()
    }};
}

macro_rules! take_whole {
    ($variant:ident, $body:ident, ($one:ident)) => {
        Form::take($body).map(Fact::$variant)
    };
    ($variant:ident, $body:ident, { $($field:ident),* }) => {{
        let mut fields = Fields::of($body)?;
        let made = Fact::$variant { $($field: fields.take(stringify!($field))?),* };
        fields.finish()?;
        Ok(made)
    }};
}

macro_rules! form_facts {
    ($($kind:literal => $variant:ident $(($one:ident))? $({ $($field:ident),* $(,)? })?),* $(,)?) => {
        const KINDS: &[&str] = &[$($kind),*];

        fn put_body<S: Serializer>(fact: &Fact, out: S) -> Result<S::Ok, S::Error> {
            match fact {
                $(Fact::$variant $(($one))? $({ $($field),* })? => put_whole!(out $(, ($one))? $(, { $($field),* })?),)*
            }
        }

        fn take_body(kind: &str, body: Value) -> Result<Fact, Fault> {
            match kind {
                $($kind => take_whole!($variant, body $(, ($one))? $(, { $($field),* })?),)*
                other => Err(Fault::new(format!("this form has no kind {other}"))),
            }
        }
    };
}

form_facts! {
    "policy-loaded" => PolicyLoaded { policy, actor, moved },
    "host-enrolled" => HostEnrolled { host, class },
    "facts-set" => FactsSet { host, class, release, facts, actor },
    "run-recorded" => RunRecorded { run, inbox, actor },
    "quarantined" => Quarantined { inbox, host, digest, reason },
    "inbox-done" => InboxDone { inbox },
    "items-marked" => ItemsMarked { scope, items, mark },
    "change-opened" => ChangeOpened { change },
    "change-joined" => ChangeJoined { change, treated, items, words, after_rejection },
    "wave-opened" => WaveOpened { change, open },
    "looked" => Looked { change, look },
    "decided" => Decided { change, verdict },
    "effect-asked" => EffectAsked { effect },
    "effect-tried" => EffectTried { effect },
    "effect-done" => EffectDone { effect, delivered },
    "token-issued" => TokenIssued { token, actor },
    "token-revoked" => TokenRevoked { name, actor },
    "user-set" => UserSet { user, actor, what },
    "user-removed" => UserRemoved { name, actor, what },
    "session-opened" => SessionOpened { session },
    "session-seen" => SessionSeen { id },
    "session-ended" => SessionEnded { id, actor, what },
    "hold-set" => HoldSet { hold, actor, what },
    "pin-set" => PinSet { host, pin, actor },
    "host-told" => HostTold { host, agent },
    "revert-set" => RevertSet { revert, actor, what },
    "line-told" => LineTold { change, host, treated, line },
    "would-have-refused" => WouldHaveRefused { class, would },
    "stale-set" => StaleSet { class, hosts },
    "foreign-set" => ForeignSet { class, hosts },
    "ailing-set" => AilingSet { class, ailment, began, ended, told },
    "pulled-set" => PulledSet { inventory, mark },
    "published-set" => PublishedSet { branch, published, actor, what },
    "deployed-set" => DeployedSet { place, environment, deployed },
    "spread-set" => SpreadSet { scope, environment, open },
    "closed-set" => ClosedSet { class, closed },
    "self-checked" => SelfChecked { check, actor },
    "feed-set" => FeedSet { id, feed },
    "outpost-set" => OutpostSet { id, outpost },
    "table-made" => TableMade { table },
    "table-in-force" => TableInForce { table, from },
    "breaker-set" => BreakerSet { breaker },
    "incarnation-begun" => IncarnationBegun { incarnation },
    "alerted-restored" => AlertedRestored { about, at },
    "noted" => Noted(note),
    "counters-restored" => CountersRestored { counters, now },
    "host-restored" => HostRestored(host),
    "change-restored" => ChangeRestored { change, alerted },
}
