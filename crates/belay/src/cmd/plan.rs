//! `belay plan [CLASS]`: what would go next, and to whom. Totals first, then each rollout with what it waits for.

use belay_api::http::{DueView, GateView, PlannedView};

use super::verdict;
use crate::again::Again;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::told::{count, part};
use crate::out::when::When;
use crate::session::{Form, Reach, Session};

/// Hosts of a kind that are shown one by one before the rest is counted.
const HOSTS_MAX: usize = 8;

/// Of what.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A class; all of them when left out
    #[arg(value_name = "CLASS")]
    pub class: Option<String>,
    /// Every host that the server names, not only the first of each wave
    #[arg(long)]
    pub full: bool,
    /// How many Changes
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Shows what would go next.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || once(args, colour).await).await
}

async fn once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let most = if args.full { usize::MAX } else { HOSTS_MAX };
    session
        .list("/api/v1/plan", &[("class", args.class.clone())], args.limit as usize, |session, rows| {
            page(rows, most, &session.when, session.paint)
        })
        .await?;
    Ok(0)
}

fn page(rows: &[PlannedView], most: usize, when: &When, paint: Paint) -> String {
    if rows.is_empty() {
        return "nothing is on its way: no Change is on trial\n".to_owned();
    }
    let mut text = format!("{}\n", paint.tone(&totals(rows), Tone::Strong));
    for row in rows {
        text.push_str(&format!("\n{}", one(row, most, when, paint)));
    }
    text
}

/// Everything on one line: how many are on their way, to how many hosts, and what stands in their way.
fn totals(rows: &[PlannedView]) -> String {
    let sum = |of: fn(&PlannedView) -> u32| rows.iter().map(|row| u64::from(of(row))).sum::<u64>();
    let stopped = rows.iter().flat_map(|row| row.now.hosts.iter().chain(&row.next.hosts)).filter(|host| host.gate != "go");
    let mut text = format!(
        "{} on trial; {} due now, {} with the next wave",
        count(rows.len() as u64, "Change"),
        count(sum(|row| row.now.count), "host"),
        count(sum(|row| row.next.count), "host")
    );
    let (mut held, mut refused) = (0_u64, 0_u64);
    stopped.for_each(|host| match host.gate.as_str() {
        "held" => held += 1,
        "refused" => refused += 1,
        _ => {}
    });
    for (number, what) in [(held, "held"), (refused, "refused")] {
        if number > 0 {
            text.push_str(&format!("; {number} of them {what}"));
        }
    }
    text
}

fn one(row: &PlannedView, most: usize, when: &When, paint: Paint) -> String {
    let change = &row.change;
    let standing = paint.tone(&verdict::standing(change, paint), verdict::sign(change).tone());
    let mut text = format!("{standing}  {}  {}\n", change.id, clip(&change.what, 120));
    text.push_str(&part(paint, "Where", &[verdict::place(change)]));
    text.push_str(&part(paint, "Has it", &[format!("{} of {}", change.hosts_changed, count(change.class_size, "host"))]));
    let (now, next) = match (row.waves, row.waves_open) {
        (Some(of), Some(open)) => (format!("wave {open} of {of}"), format!("wave {} of {of}", open + 1)),
        _ => ("as they come (the class keeps no waves)".to_owned(), String::new()),
    };
    text.push_str(&part(paint, "Now", &due(&row.now, &now, most)));
    if row.next.count > 0 {
        let from = row.next_from.as_ref().map(|at| format!(", {} at the earliest", when.said(at))).unwrap_or_default();
        text.push_str(&part(paint, "Next", &due(&row.next, &format!("{next}{from}"), most)));
    }
    text.push_str(&part(paint, "Waits", &row.waits.iter().map(|wait| format!("for {wait}")).collect::<Vec<_>>()));
    text
}

/// Hosts with what the gate would answer them.
fn due(due: &DueView, what: &str, most: usize) -> Vec<String> {
    if due.count == 0 {
        return vec![format!("{what}: every host of it has it")];
    }
    let mut lines = vec![format!("{what}: {}", count(due.count, "host"))];
    lines.extend(due.hosts.iter().take(most).map(|host| format!("  {:<9} {}  {}", host.gate, host.host, clip(reason(host), 120))));
    let more = due.count as usize - due.hosts.len().min(most);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

/// The gate's reason, without its answer before it.
fn reason(host: &GateView) -> &str {
    host.why.strip_prefix(host.gate.as_str()).map_or(host.why.as_str(), |rest| rest.trim_start_matches([':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::samples;
    use crate::out::when::Zone;

    fn host(name: &str, gate: &str, why: &str) -> GateView {
        GateView { host: name.to_owned(), gate: gate.to_owned(), why: format!("{gate}: {why}"), remedy: None, until: None }
    }

    #[test]
    fn the_plan_says_who_is_next_and_what_stands_in_the_way() {
        let deferred =
            |name: &str| host(name, "deferred", "2 contents are not accepted yet, on trial in c-3, and the wave of this host has not come");
        let waves = PlannedView {
            change: samples::row("c-3", "on trial"),
            waves: Some(4),
            waves_open: Some(2),
            now: DueView {
                count: 2,
                hosts: vec![
                    host("web04", "go", "2 contents are not accepted yet, and may come"),
                    host(
                        "web09\u{202e}",
                        "held",
                        "held by alice until 2026-11-22T18:00:00Z because of 142; do not re-enable, ask alice (h-1)",
                    ),
                ],
            },
            next: DueView { count: 12, hosts: (10..20).map(|n| deferred(&format!("web{n}"))).collect() },
            next_from: None,
            waits: vec![
                "a run on 1 more host that may have it".to_owned(),
                "its verdict, by 2026-11-22T03:14:07Z at the latest".to_owned(),
            ],
        };
        let none = DueView { count: 0, hosts: Vec::new() };
        let alone = PlannedView {
            change: samples::row("c-4", "suspect"),
            waves: None,
            waves_open: None,
            now: none.clone(),
            next: none,
            next_from: None,
            waits: vec![],
        };
        let when = When::new(Zone::Utc);
        insta::assert_snapshot!(page(&[waves, alone], HOSTS_MAX, &when, Paint::plain()));
        assert!(page(&[], HOSTS_MAX, &when, Paint::plain()).starts_with("nothing is on its way"));
    }
}
