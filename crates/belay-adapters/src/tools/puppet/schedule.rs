//! How Puppet is started: crontabs and units of systemd, read as texts. An entry that was commented
//! out is what a night of trouble begins with, and leaves no other trace.
//!
//! A text says what is written down, not what the system does: whether a timer is enabled or a cron
//! runs at all is not in it.

use belay_core::host::talk::Schedule;

use crate::tools::redact::clean;

/// Characters kept of an entry.
const ENTRY_MAX: usize = 200;
/// Bytes of a line that are looked at.
const LINE_MAX: usize = 4096;
/// What a unit's `[Timer]` needs to start anything.
const TIMES: [&str; 6] = ["OnCalendar", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec", "OnActiveSec"];
/// Endings of names that neither cron nor systemd reads.
const PUT_ASIDE: [&str; 9] = [".disabled", ".off", ".bak", ".old", ".orig", ".dpkg-old", ".dpkg-dist", ".rpmsave", "~"];

/// What one file says; `None` when it does not start Puppet.
pub(super) fn read(path: &str, text: &str) -> Option<Schedule> {
    let stem = PUT_ASIDE.iter().find_map(|ending| path.strip_suffix(ending));
    let found = match stem.unwrap_or(path) {
        unit if unit.ends_with(".timer") || unit.ends_with(".service") => unit_file(unit, text),
        _ => crontab(text),
    };
    match found {
        Some(Schedule::There(entry)) if stem.is_some() => Some(Schedule::SwitchedOff(entry)),
        found => found,
    }
}

/// A crontab, a user's or the system's (which names the user before the command).
fn crontab(text: &str) -> Option<Schedule> {
    let mut off = None;
    for line in text.lines().map(str::trim) {
        let entry = line.trim_start_matches(['#', ' ', '\t']);
        if entry.len() > LINE_MAX || !is_entry(entry) {
            continue;
        }
        if entry.len() == line.len() {
            return Some(Schedule::There(clean(entry, ENTRY_MAX)));
        }
        // The last one: entries that were left standing as a comment are older.
        off = Some(Schedule::SwitchedOff(clean(entry, ENTRY_MAX)));
    }
    off
}

/// Whether a line is an entry of a crontab that starts Puppet, and not a remark about one.
fn is_entry(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let times = match words.first() {
        Some(word) if word.starts_with('@') => 1,
        Some(_) => 5,
        None => return false,
    };
    words.len() > times && words[..times].iter().all(|word| is_time(word)) && starts_puppet(&words[times..])
}

/// A field of time: `*/30`, `0,30`, `mon-fri`, `@hourly`.
fn is_time(word: &str) -> bool {
    const NAMES: [&str; 19] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri", "sat", "sun",
    ];
    const NICK: [&str; 8] = ["@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly", "@midnight"];
    let lower = word.to_ascii_lowercase();
    let is_part = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'~')) || NAMES.contains(&part);
    NICK.contains(&lower.as_str()) || (!lower.is_empty() && lower.split([',', '-', '/']).all(|part| !part.is_empty() && is_part(part)))
}

/// Whether a command starts a run: `puppet agent`, `puppet apply`, or a script named after one.
fn starts_puppet(words: &[&str]) -> bool {
    words.iter().enumerate().any(|(i, word)| {
        let word = word.trim_matches(['"', '\'', ';', '(', ')', '&']);
        match word.rsplit('/').next().unwrap_or(word) {
            "puppet" => words.get(i + 1).is_some_and(|next| matches!(next.trim_matches(['"', '\'']), "agent" | "apply")),
            "puppetd" => true,
            name => {
                let name = name.to_ascii_lowercase();
                // `/var/cache/puppet/state/agent_catalog_run.lock` is no script.
                let stem = name.strip_suffix(".sh").or_else(|| name.strip_suffix(".rb")).unwrap_or(&name);
                !stem.contains('.') && stem.contains("puppet") && ["run", "agent", "apply"].iter().any(|verb| stem.contains(verb))
            }
        }
    })
}

/// A unit of systemd: a timer with a time, or a service that runs Puppet.
fn unit_file(path: &str, text: &str) -> Option<Schedule> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let entries = || text.lines().map(str::trim).filter(|line| line.len() <= LINE_MAX);
    let (is_ours, wanted): (bool, &dyn Fn(&str) -> bool) = if name.ends_with(".timer") {
        (
            name.contains("puppet") || entries().any(|line| line.strip_prefix("Unit=").is_some_and(|unit| unit.contains("puppet"))),
            &is_timing,
        )
    } else {
        (name.contains("puppet"), &is_start)
    };
    if !is_ours {
        return None;
    }
    if text.trim().is_empty() {
        // What a link to /dev/null reads like.
        return Some(Schedule::SwitchedOff(clean(&format!("{name}: masked (an empty unit)"), ENTRY_MAX)));
    }
    let shown = |line: &str| clean(&format!("{name}: {line}"), ENTRY_MAX);
    if let Some(line) = entries().find(|line| wanted(line)) {
        return Some(Schedule::There(shown(line)));
    }
    let off = entries().filter_map(|line| line.strip_prefix(['#', ';'])).map(|line| line.trim_start_matches(['#', ';', ' ', '\t']));
    off.filter(|line| wanted(line)).last().map(|line| Schedule::SwitchedOff(shown(line)))
}

/// `OnCalendar=*:0/30`; an empty value takes back what stood before.
fn is_timing(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, value)| TIMES.contains(&key.trim()) && !value.trim().is_empty())
}

fn is_start(line: &str) -> bool {
    let command = line.strip_prefix("ExecStart=").map(|command| command.trim_start_matches(['-', '@', '+', '!', ':']));
    command.is_some_and(|command| starts_puppet(&command.split_ascii_whitespace().collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(entry: &str) -> Option<Schedule> {
        Some(Schedule::There(entry.to_owned()))
    }

    fn off(entry: &str) -> Option<Schedule> {
        Some(Schedule::SwitchedOff(entry.to_owned()))
    }

    #[test]
    fn an_entry_that_was_commented_out_is_switched_off_and_a_remark_is_nothing() {
        let on = "SHELL=/bin/sh\n# Puppet Name: puppet-agent\n0,30 * * * * root /usr/bin/puppet agent --onetime --no-daemonize\n";
        assert_eq!(read("/etc/cron.d/puppet", on), there("0,30 * * * * root /usr/bin/puppet agent --onetime --no-daemonize"));
        let switched = on.replace("0,30", "#0,30");
        assert_eq!(read("/etc/cron.d/puppet", &switched), off("0,30 * * * * root /usr/bin/puppet agent --onetime --no-daemonize"));
        assert_eq!(
            read("/etc/cron.d/puppet", &switched.replace("#0", "  ## 0")),
            off("0,30 * * * * root /usr/bin/puppet agent --onetime --no-daemonize")
        );
        assert_eq!(read("/etc/cron.d/puppet", "# puppet agent runs every 30 minutes by the timer\n"), None);
        assert_eq!(read("/etc/cron.d/puppet", "# 5 hosts run puppet agent at night by hand\n"), None);
        assert_eq!(read("/etc/cron.d/puppet", ""), None);
    }

    #[test]
    fn an_entry_that_stands_goes_before_one_that_was_left_as_a_comment() {
        let text = "#*/30 * * * * puppet agent -t\n@hourly belay-agent exec -- puppet agent --onetime\n";
        assert_eq!(read("/var/spool/cron/crontabs/root", text), there("@hourly belay-agent exec -- puppet agent --onetime"));
    }

    #[test]
    fn scripts_named_after_a_run_count_and_other_commands_do_not() {
        for yes in [
            "5 4 * jan-mar mon,tue /usr/local/sbin/run-puppet.sh",
            "*/20 * * * * root cd / && /opt/puppetlabs/bin/puppet apply /etc/site.pp",
            "@reboot root sh -c 'puppet agent -t'",
            "0 3 * * * root /usr/local/bin/puppet-agent-wrapper",
        ] {
            assert_eq!(read("/etc/crontab", yes), there(yes));
        }
        for no in [
            "0 3 * * * root find /var/cache/puppet -mtime +30 -delete",
            "0 3 * * * root test -e /var/cache/puppet/state/agent_catalog_run.lock",
            "0 3 * * * root puppet filebucket list",
            "0 3 * * root puppet agent -t",
            "MAILTO=puppet agent",
        ] {
            assert_eq!(read("/etc/crontab", no), None, "{no}");
        }
    }

    #[test]
    fn a_file_that_was_put_aside_starts_nothing() {
        assert_eq!(read("/etc/cron.d/puppet.disabled", "@hourly root puppet agent -t"), off("@hourly root puppet agent -t"));
    }

    #[test]
    fn a_timer_is_there_switched_off_masked_or_none_of_ours() {
        let unit = "[Unit]\nDescription=x\n[Timer]\nOnBootSec=5min\nOnUnitActiveSec=30min\n[Install]\nWantedBy=timers.target\n";
        assert_eq!(read("/etc/systemd/system/puppet.timer", unit), there("puppet.timer: OnBootSec=5min"));
        let switched = unit.replace("On", "#On");
        assert_eq!(read("/etc/systemd/system/puppet.timer", &switched), off("puppet.timer: OnUnitActiveSec=30min"));
        assert_eq!(read("/etc/systemd/system/puppet.timer", ""), off("puppet.timer: masked (an empty unit)"));
        assert_eq!(read("/etc/systemd/system/apt-daily.timer", unit), None);
        let other = format!("{unit}Unit=puppet-once.service\n");
        assert_eq!(read("/etc/systemd/system/cm.timer", &other), there("cm.timer: OnBootSec=5min"));
        assert_eq!(read("/etc/systemd/system/puppet.timer", "[Timer]\nOnCalendar=\n"), None);
    }

    #[test]
    fn the_daemons_unit_counts_as_a_schedule() {
        // Of Debian's package.
        let unit = "[Service]\nEnvironmentFile=-/etc/default/puppet\nExecStart=/usr/bin/puppet agent $PUPPET_EXTRA_OPTS --no-daemonize\n";
        let wanted = "/etc/systemd/system/multi-user.target.wants/puppet.service";
        assert_eq!(read(wanted, unit), there("puppet.service: ExecStart=/usr/bin/puppet agent $PUPPET_EXTRA_OPTS --no-daemonize"));
    }
}
