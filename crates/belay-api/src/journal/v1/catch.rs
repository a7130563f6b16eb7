//! Form 1 of the nouns of the catch: holds, pins, what agents told, reverts; and self-checks.

use belay_core::host::policy::{Pin, RevertWay};
use belay_core::host::talk::{Asked, BreakGlass, HostStatus, Lock, RunLock, Schedule};
use belay_core::model::ailment::Ailment;
use belay_core::model::closed::{Closed, ClosedBy};
use belay_core::model::feed::Feed;
use belay_core::model::gate::Gate;
use belay_core::model::hold::{Broken, Hold, HoldEnd, HoldScope, Told};
use belay_core::model::host::Agent;
use belay_core::model::revert::{Progress, Revert};
use belay_core::model::selfcheck::{Caution, SelfCheck, SignalCheck};
use belay_core::model::table::{Outpost, TableId};
use belay_core::state::{Breaker, Would};
use serde::ser::{SerializeMap, SerializeStructVariant, Serializer};
use serde_json::Value;

use super::form::{Fault, Fields, Form, Put, needed, put_field, variant};

form_struct! {
    Hold {
        id, scope, owner, reason, ticket, contact, placed, until, revision, told, broken, asked, handed_over, would_change, imports, end,
    }
    HoldScope { classes, hosts }
    Broken { at, times, put_back, by }
    HoldEnd { at, by, reason }
    Pin { environment, until, reason, by }
    Agent { version, status, events, own }
    HostStatus { lock, schedule, break_glass, running, run_lock, gate }
    RunLock { since, limit }
    BreakGlass { until, reason, by }
    Asked { at, answer, why }
    Revert { id, change, asked, by, reason, ways, hosts, hold, stopped }
    Would { since, release_match, rejected, told }
    Feed { id, hosts, since, last, times, gap, pauses, silent }
    Outpost { host, token, since, heard, left }
    TableId { incarnation, number }
    Breaker { since, refused, asked }
    Closed { by, until }
    SelfCheck { class, at, seed, skipped, drawn, apart, judged, rejected, budget, moved, signals }
    SignalCheck { judged, alarms, compared, suspicions, share, caution }
    Caution { factor, alarms, checks }
}

form_enum! {
    Ailment {
        "wrong-environment" => WrongEnvironment,
        "failing" => Failing,
        "failed-compile" => FailedCompile,
        "broken-run" => Broken,
        "cached-catalog" => CachedCatalog,
        "stale" => Stale,
        "stuck-run" => Stuck,
        "disabled" => Disabled,
        "unscheduled" => Unscheduled,
        "noop-pending" => Pending,
        "lagging" => Lagging,
        "unreadable" => Unreadable,
    }
    Told { "nothing" => Nothing, "early" => Early, "late" => Late, "expired" => Expired, "escalated" => Escalated }
    Lock { "absent" => Absent, "ours" => Ours(holds), "foreign" => Foreign { message, since } }
    Schedule { "unknown" => Unknown, "there" => There(entry), "switched-off" => SwitchedOff(entry), "missing" => Missing }
    ClosedBy { "hours" => Hours, "freeze" => Freeze(reason), "not-leading" => NotLeading }
    Gate { "go" => Go, "deferred" => Deferred, "refused" => Refused, "held" => Held }
    Progress { "waiting" => Waiting, "asked" => Asked(at), "done" => Done(at), "failed" => Failed(why) }
    RevertWay { "pin-and-run" => PinAndRun { environment }, "restore" => Restore { files }, "declared" => Declared }
}
