//! The application of the night: reads its configuration once, at its start, and sends results to the sitemonitor a few times a second,
//! if the configuration is written for its release. If not, it drops them, and says so in its log as applications do.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::http;
use super::tale;

/// Between two requests.
const EVERY: Duration = Duration::from_millis(250);
/// Nobody's application: one that was left behind by a night that was killed ends by itself.
const LIFE: Duration = Duration::from_secs(1200);

/// Runs until it is stopped. The folder is the host's: its name, the release of its code, its configuration, its log.
pub fn run(folder: &Path) -> anyhow::Result<()> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).with_context(|| format!("read {name}"));
    let (host, code) = (read("hostname")?.trim().to_owned(), read("code_version")?.trim().to_owned());
    let settings = settings(&read("etc/sitemonitor.conf").unwrap_or_default());
    let mut log = File::options().append(true).create(true).open(folder.join("log/sitemonitor.log")).context("open the log")?;
    let mut say = |level: &str, text: &str| writeln!(log, "{} {level} sitemonitor[{}]: {text}", tale::utc(), std::process::id());
    let format = settings.get("format").map_or("none", String::as_str);
    say("INFO", &format!("starting: code {code}, configuration format {format}"))?;
    let submit = settings.get("submit_url").and_then(|url| url.strip_prefix("http://")?.split_once('/'));
    let began = Instant::now();
    let mut failing = false;
    while began.elapsed() < LIFE {
        if !fits(&code, format) {
            say("ERROR", &format!("configuration format {format:?} is not one that code {code} understands: request dropped"))?;
        } else if let Some((address, path)) = submit {
            let sent = http::send(address.parse()?, "POST", &format!("/{path}"), &[("X-Host", &host)], b"{\"site\":\"www.example.com\"}");
            match sent {
                Ok(_) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    say("ERROR", &format!("cannot submit: {error:#}"))?;
                }
                Err(_) => {}
            }
        }
        std::thread::sleep(EVERY);
    }
    say("INFO", "ending: nobody stopped it for too long")?;
    Ok(())
}

/// Each release of the code understands one format only.
fn fits(code: &str, format: &str) -> bool {
    matches!((code, format), ("141", "v1") | ("142", "v2"))
}

fn settings(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_do_not_fit_new_code() {
        let read = settings("# format = v9\nsubmit_url = http://127.0.0.1:1/v1/submit\nformat = v1\n");
        assert_eq!(read.len(), 2);
        assert!(fits("141", &read["format"]) && !fits("142", &read["format"]) && !fits("143", "v2"));
    }
}
