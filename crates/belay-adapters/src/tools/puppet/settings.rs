//! What the agent has to know of Puppet's own settings (`puppet.conf`): how long a run may last.

use belay_core::model::time::Span;

/// Where nothing says otherwise, since Puppet 6.
const RUN_TIMEOUT: Span = Span::from_min(60);

/// How long a run may last: `runtimeout` of the section of the agent, else of the main one; `None` where it is no limit (0).
pub(super) fn run_limit(settings: Option<&str>) -> Option<Span> {
    let said = |section| value(settings?, section, "runtimeout").and_then(duration);
    let limit = said("agent").or_else(|| said("main")).unwrap_or(RUN_TIMEOUT);
    (limit > Span::ZERO).then_some(limit)
}

/// The last value of a setting in a section. Settings before the first section are the main one's.
fn value<'t>(settings: &'t str, section: &str, name: &str) -> Option<&'t str> {
    let (mut inside, mut found) = ("main", None);
    for line in settings.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[') {
            inside = header.split(']').next().unwrap_or_default().trim();
        } else if let Some((_, said)) = line.split_once('=').filter(|(key, _)| inside == section && key.trim() == name) {
            found = Some(said.split(" #").next().unwrap_or_default().trim());
        }
    }
    found
}

/// A number of seconds, or a number with a unit: `y`, `d`, `h`, `m`, `s`.
fn duration(text: &str) -> Option<Span> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text[..digits].parse().ok()?;
    let seconds = match text[digits..].trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "y" => 365 * 86_400,
        _ => return None,
    };
    Some(Span::from_ms(number.checked_mul(seconds)?.checked_mul(1_000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_a_run_is_read_as_puppet_reads_it() {
        let hour = Some(Span::from_min(60));
        for (settings, limit) in [
            (None, hour),
            (Some(""), hour),
            (Some("[main]\nserver = puppet\n"), hour),
            (Some("[main]\nruntimeout = 30m\n"), Some(Span::from_min(30))),
            (Some("runtimeout=1800\n[agent]\n# runtimeout = 5m\n"), Some(Span::from_min(30))),
            (Some("[main]\nruntimeout = 30m\n[agent]\n  runtimeout = 2h # slow disks\n"), Some(Span::from_min(120))),
            (Some("[agent]\nruntimeout = 0\n"), None),
            (Some("[server]\nruntimeout = 5m\n"), hour),
            (Some("[agent]\nruntimeout = soon\n"), hour),
            (Some("[agent]\nruntimeout = 99999999999999999999h\n"), hour),
        ] {
            assert_eq!(run_limit(settings), limit, "{settings:?}");
        }
    }
}
