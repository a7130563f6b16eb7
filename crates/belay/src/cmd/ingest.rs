//! `belay ingest FILE...`: reports from files, through the running server or, where none runs, straight into its state directory.

mod files;
mod offline;
mod online;

use std::path::PathBuf;

use belay_adapters::tools;
use serde::Serialize;

use crate::fault::{Fault, code};
use crate::out::inert::{inert, inert_json};
use crate::out::paint::{Colour, Paint, Sign, Tone, sign_of};
use crate::out::progress::{Progress, Unit};
use crate::out::told::{count, told};
use crate::out::{self, Output};
use crate::session::{Form, Reach};

/// What to take in.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 all taken, 1 at least one was not, 64 usage.")]
pub struct Args {
    /// Files with one report each; of directories all *.yaml, *.yml and *.json below them, in the order of their paths
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The tool that wrote them
    #[arg(long, default_value = tools::all()[0].name(), value_parser = tool)]
    pub tool: String,
    /// Write into --state directly; only while no server runs there
    #[arg(long)]
    pub offline: bool,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    file: String,
    run: Option<String>,
    kind: Option<String>,
    host: Option<String>,
    duplicate: bool,
    /// Why it was not taken, or not read yet.
    text: Option<String>,
    #[serde(skip)]
    taken: bool,
}

/// Takes reports in.
///
/// # Errors
/// When the server cannot be asked, or the state directory not be written.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let files = files::below(&args.files)?;
    if files.is_empty() {
        return Err(Fault::new("there is no *.yaml, *.yml or *.json below what was named").help("name the files themselves").into());
    }
    let mut told = Told {
        output: args.form.output,
        out: Paint::stdout(colour),
        progress: Progress::new("Ingesting", Unit::Pieces, Some(files.len() as u64), colour),
        counts: Counts::default(),
    };
    if args.offline {
        offline::run(&files, &args.tool, &args.reach.state, &mut told).await?;
    } else {
        online::run(&files, &args.tool, args.reach.client()?, &mut told).await?;
    }
    told.progress.clear();
    let Counts { taken, duplicates, refused } = told.counts;
    let tone = if refused == 0 { Tone::Good } else { Tone::Bad };
    let summary = format!("{}; {duplicates} of them known before; {refused} not taken", count(taken, "report"));
    out::note(&self::told(Paint::stderr(colour), tone, "Ingested", &summary));
    Ok(if refused == 0 { code::OK } else { code::ERROR })
}

fn tool(name: &str) -> Result<String, String> {
    let known: Vec<&str> = tools::all().iter().map(|tool| tool.name()).collect();
    if known.contains(&name) { Ok(name.to_owned()) } else { Err(format!("known are: {}", known.join(", "))) }
}

/// What was told so far.
struct Told {
    output: Output,
    out: Paint,
    progress: Progress,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    taken: u64,
    duplicates: u64,
    refused: u64,
}

impl Told {
    /// Prints what became of a file.
    fn line(&mut self, line: &Line) -> anyhow::Result<()> {
        self.counts.taken += u64::from(line.taken);
        self.counts.duplicates += u64::from(line.duplicate);
        self.counts.refused += u64::from(!line.taken);
        self.progress.clear();
        match self.output {
            Output::Table => out::put(&format!("{}\n", line.shown(self.out)))?,
            Output::Json | Output::Jsonl => out::put(&format!("{}\n", inert_json(&serde_json::to_string(line)?)))?,
        }
        self.progress.step(1);
        Ok(())
    }
}

impl Line {
    fn of(file: &std::path::Path) -> Self {
        Self { file: file.display().to_string(), run: None, kind: None, host: None, duplicate: false, text: None, taken: true }
    }

    fn refused(file: &std::path::Path, why: impl Into<String>) -> Self {
        Self { taken: false, text: Some(why.into()), ..Self::of(file) }
    }

    fn shown(&self, paint: Paint) -> String {
        let kind = self.kind.as_deref().unwrap_or(if self.taken { "received" } else { "not taken" });
        let sign = if self.taken { self.kind.as_deref().map_or(Sign::Waiting, sign_of) } else { Sign::Bad };
        let state = paint.tone(&format!("{} {kind:<17}", paint.sign(sign)), sign.tone());
        let mut text = format!("{state} {:<10} {}", self.run.as_deref().unwrap_or("-"), inert(&self.file));
        text.extend(self.host.iter().map(|host| format!("  {}", inert(host))));
        text.push_str(if self.duplicate { "  duplicate" } else { "" });
        text.extend(self.text.iter().map(|text| format!(": {}", inert(text))));
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_line_says_run_kind_and_whether_it_was_known() {
        let file = Path::new("reports/a.yaml");
        let known =
            Line { run: Some("run-7".into()), kind: Some("changed".into()), host: Some("web01".into()), duplicate: true, ..Line::of(file) };
        assert_eq!(known.shown(Paint::plain()), "@ changed           run-7      reports/a.yaml  web01  duplicate");
        assert_eq!(
            Line::refused(file, "byte 17: \x1b").shown(Paint::plain()),
            "x not taken         -          reports/a.yaml: byte 17: \\x1b"
        );
        assert_eq!(Line::of(file).shown(Paint::plain()), ". received          -          reports/a.yaml");
    }

    #[test]
    fn only_known_tools_can_be_named() {
        assert!(tool("puppet").is_ok());
        assert!(tool("Puppet").unwrap_err().contains("puppet"));
    }
}
