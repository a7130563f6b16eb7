//! `status`: what the agent knows, for people and for programs.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use belay_agent::bound::Bound;
use belay_agent::clock::{self, Moment};
use belay_agent::config::Config;
use belay_agent::kept::{Kept, LastGood};
use belay_agent::lock::inert;
use belay_agent::look;
use belay_agent::spool::Spool;
use belay_api::agent::{HoldBody, StatusBody};
use belay_core::host::talk::{HostStatus, Lock, Schedule};
use serde_json::{Value, json};

use super::Output;

/// How long a command that tells the release may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// Prints what the agent knows.
pub fn status(path: &Path, output: Output) -> Result<()> {
    let config = Config::load(path, None)?;
    let kept = Kept::new(&config.state_dir);
    let bound = Bound::new(&config.tool, &config.host)?;
    let now = clock::now();
    let status = look::status(&kept, &bound, bound.schedule(), now);
    let release = look::release(&config, &kept, RELEASE_LIMIT);
    let last = kept.last_good(&config.host, &config.host);
    let notes = kept.notes(now);
    let away = kept.contact().map(|contact| Moment::now().since(&contact.at));
    let waiting = Spool::open(&kept).map(|spool| spool.list().len()).unwrap_or(0);
    if output == Output::Json {
        let (policy, holds) = match &last {
            LastGood::Good(held) => {
                let policy = held.effective();
                let stand = json!({"incarnation": policy.stand.incarnation, "seq": policy.stand.seq});
                (
                    json!({"stand": stand, "class": policy.class.as_str(), "enforce": policy.enforce.word(), "items": policy.items.len()}),
                    policy.holds,
                )
            }
            LastGood::Never => (Value::Null, Vec::new()),
            LastGood::Corrupt(why) => (json!({"unreadable": why}), Vec::new()),
        };
        let release = release.as_ref().ok().and_then(|release| release.as_ref().map(ToString::to_string));
        let known = json!({
            "host": config.host.as_str(), "tool": bound.tool.name(), "release": release, "policy": policy,
            "holds": holds.iter().map(HoldBody::from).collect::<Vec<_>>(), "status": StatusBody::from(&status),
            "server_heard_ms_ago": away.map(|away| away.ms()), "reports_waiting": waiting,
            "events_waiting": notes.events.len(), "events_left_out": notes.left_out, "results_waiting": notes.results.len(),
        });
        println!("{known}");
        return Ok(());
    }
    let line = |what: &str, text: String| println!("{what:>12} {}", inert(&text));
    line("Host", format!("{}, tool {}", config.host, bound.tool.name()));
    line(
        "Release",
        match release {
            Ok(Some(release)) => release.to_string(),
            Ok(None) => "not known on this host; `belay-agent release set RELEASE`, or `release` in agent.toml".to_owned(),
            Err(why) => format!("cannot be read: {why:#}"),
        },
    );
    line(
        "Server",
        match (&config.server, away) {
            (None, _) => "none is configured".to_owned(),
            (Some(server), None) => format!("{}, never heard of", server.url),
            (Some(server), Some(away)) => format!("{}, heard of {away} ago", server.url),
        },
    );
    match &last {
        LastGood::Never => line("Policy", "none was ever received: this host is only observed".to_owned()),
        LastGood::Corrupt(why) => line("Policy", format!("cannot be read: {why}")),
        LastGood::Good(held) => {
            let policy = held.effective();
            let (stand, items) = (policy.stand, policy.items.len());
            line(
                "Policy",
                format!("{}.{}: class {}, {}, {items} items", stand.incarnation, stand.seq, policy.class, policy.enforce.word()),
            );
            policy.holds.iter().for_each(|hold| line("Hold", hold.sentence(now)));
        }
    }
    people(&status, &line);
    line("Waiting", format!("{waiting} reports, {} events, {} results", notes.events.len(), notes.results.len()));
    Ok(())
}

fn people(status: &HostStatus, line: &dyn Fn(&str, String)) {
    line(
        "Lock",
        match &status.lock {
            Lock::Absent => "none".to_owned(),
            Lock::Ours(holds) => format!("ours, for {}", holds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            Lock::Foreign { message, since } => {
                let since = since.map(|since| format!(", since {since}")).unwrap_or_default();
                format!("somebody else's{since}: {message}")
            }
        },
    );
    line(
        "Schedule",
        match &status.schedule {
            Schedule::Unknown => "not known".to_owned(),
            Schedule::There(entry) => entry.clone(),
            Schedule::SwitchedOff(entry) => format!("switched off: {entry}"),
            Schedule::Missing => "nothing starts the tool".to_owned(),
        },
    );
    if let Some(glass) = &status.break_glass {
        line("Glass", format!("broken until {} by {}: {}", glass.until, glass.by, glass.reason));
    }
    if let Some(asked) = &status.gate {
        line("Gate", format!("{} at {}: {}", asked.answer.word(), asked.at, asked.why));
    }
}
