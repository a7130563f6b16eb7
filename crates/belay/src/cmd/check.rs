//! `belay check`: the health of runs as a monitoring plugin says it: one line, numbers after a bar, and the exit code 0 ok, 1 warning,
//! 2 critical, 3 unknown (the plugin interface of the Monitoring Plugins project).

use belay_api::http::{AilingHost, RunHealthView};

use crate::client::escaped;
use crate::out;
use crate::out::inert::{clip, inert};
use crate::out::paint::Colour;
use crate::session::{Form, Reach, Session};

/// Hosts that are named one by one.
const NAMED_MAX: usize = 5;
/// What a line may hold of one reason.
const REASON_MAX: usize = 120;

/// What to check.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown. Without a limit any host that is not well counts.")]
pub struct Args {
    /// Only hosts of this class
    #[arg(long, value_name = "CLASS", conflicts_with = "host")]
    pub class: Option<String>,
    /// Only this host
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Warn from so many hosts on that are not well
    #[arg(short, long, value_name = "HOSTS", default_value_t = 1)]
    pub warning: u32,
    /// Critical from so many hosts on that something critical ails
    #[arg(short, long, value_name = "HOSTS", default_value_t = 1)]
    pub critical: u32,
    #[command(flatten)]
    reach: Reach,
}

/// Checks; never fails otherwise than by its exit code, as the interface asks.
///
/// # Errors
/// When nothing can be printed.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let (line, code) = match ask(args, colour).await {
        Ok(view) => verdict(args, &view),
        Err(error) => (format!("BELAY UNKNOWN - {}\n", clip(&format!("{error:#}"), 300)), 3),
    };
    out::put(&line)?;
    Ok(code)
}

async fn ask(args: &Args, colour: Colour) -> anyhow::Result<RunHealthView> {
    let session = Session::new(&args.reach, &Form { output: out::Output::Json, utc: true }, colour)?;
    let query = match (&args.class, &args.host) {
        (Some(class), _) => format!("?class={}", escaped(class)),
        (None, Some(host)) => format!("?host={}", escaped(host)),
        (None, None) => String::new(),
    };
    crate::client::read(&session.client.get_raw(&format!("/api/v1/health{query}")).await?)
}

fn verdict(args: &Args, view: &RunHealthView) -> (String, u8) {
    let (word, code) = match () {
        () if view.hosts == 0 => ("UNKNOWN", 3),
        () if view.critical >= args.critical.max(1) => ("CRITICAL", 2),
        () if view.ailing >= args.warning.max(1) => ("WARNING", 1),
        () => ("OK", 0),
    };
    let told = match () {
        () if view.hosts == 0 => "no host is known: did any report?".to_owned(),
        () if view.ailing == 0 => format!("all {} hosts are well", view.hosts),
        () => format!("{} of {} hosts are not well: {}", view.ailing, view.hosts, named(&view.listed)),
    };
    (format!("BELAY {word} - {told} | {}\n", numbers(args, view)), code)
}

/// The gravest hosts with their first reason. A bar would begin the numbers.
fn named(hosts: &[AilingHost]) -> String {
    let reason = |host: &AilingHost| {
        host.ailments.first().map_or_else(String::new, |ails| format!(" {}: {}", ails.ailment, clip(&ails.text, REASON_MAX)))
    };
    let named: Vec<String> =
        hosts.iter().take(NAMED_MAX).map(|host| inert(&format!("{}{}", host.host, reason(host))).replace('|', "/")).collect();
    let more = hosts.len().saturating_sub(NAMED_MAX);
    format!("{}{}", named.join("; "), if more > 0 { format!("; and {more} more") } else { String::new() })
}

/// `'label'=value;warn;crit;min;max`, summed over classes.
fn numbers(args: &Args, view: &RunHealthView) -> String {
    let mut sums: std::collections::BTreeMap<&str, u32> = std::collections::BTreeMap::new();
    for count in &view.counts {
        *sums.entry(&count.ailment).or_default() += count.hosts;
    }
    let of = view.hosts;
    let mut numbers =
        vec![format!("ailing={};{};;0;{of}", view.ailing, args.warning), format!("critical={};;{};0;{of}", view.critical, args.critical)];
    numbers.extend(sums.into_iter().map(|(ailment, hosts)| format!("'{ailment}'={hosts};;;0;{of}")));
    numbers.join(" ")
}

#[cfg(test)]
mod tests {
    use belay_api::http::{AilmentCount, AilmentView};

    use super::*;

    fn args(warning: u32, critical: u32) -> Args {
        Args {
            class: None,
            host: None,
            warning,
            critical,
            reach: Reach { server: None, profile: None, ca: None, token_file: None, state: "/nowhere".into() },
        }
    }

    fn view(ailing: u32, critical: u32) -> RunHealthView {
        let host = |n: u32| AilingHost {
            host: format!("web{n:02}"),
            class: "web".to_owned(),
            ailments: vec![AilmentView {
                ailment: "stale".to_owned(),
                severity: "warning".to_owned(),
                since: None,
                text: "nothing was applied for 2h | \u{1b}[31mred".to_owned(),
            }],
        };
        RunHealthView {
            at: String::new(),
            worst: "warning".to_owned(),
            hosts: 30,
            ailing,
            critical,
            counts: vec![AilmentCount { class: "web".to_owned(), ailment: "stale".to_owned(), hosts: ailing }],
            listed: (1..=ailing).map(host).collect(),
        }
    }

    #[test]
    fn the_code_follows_the_limits() {
        assert_eq!(verdict(&args(1, 1), &view(0, 0)).1, 0);
        assert_eq!(verdict(&args(1, 1), &view(1, 0)).1, 1);
        assert_eq!(verdict(&args(1, 1), &view(1, 1)).1, 2);
        assert_eq!(verdict(&args(3, 2), &view(2, 1)).1, 0);
        assert_eq!(verdict(&args(1, 1), &RunHealthView { hosts: 0, ..view(0, 0) }).1, 3);
    }

    #[test]
    fn one_line_says_who_and_why_and_the_numbers() {
        let (line, _) = verdict(&args(1, 1), &view(7, 0));
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert_eq!(line.matches('|').count(), 1, "{line}");
        assert!(line.starts_with("BELAY WARNING - 7 of 30 hosts are not well: web01 stale: nothing was applied for 2h / "), "{line}");
        assert!(line.contains("; and 2 more | ailing=7;1;;0;30 critical=0;;1;0;30 'stale'=7;;;0;30"), "{line}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
        assert!(verdict(&args(1, 1), &view(0, 0)).0.starts_with("BELAY OK - all 30 hosts are well | "));
    }
}
