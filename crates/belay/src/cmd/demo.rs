//! `belay demo`: the incident Belay exists for, played on this machine.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::serve;
use crate::demo::{self, Options, Played, Stopped, Stream, Summary, Teller};
use crate::fault::code;
use crate::out;
use crate::out::paint::{Colour, Paint, Tone};

/// Exit code of what was interrupted, as shells have it: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

/// How to play it.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Thirty simulated hosts report to the real server, which runs in this process on a loopback port with its state in a temporary \
directory. Nothing is asked, nothing else has to be installed, nothing stays behind. It takes about a minute.

Exit codes: 0 everything came as it should, 1 it did not.")]
pub struct Args {
    /// Neither colour nor animation
    #[arg(long)]
    pub headless: bool,
    /// End with one line of JSON on stdout; the story goes to stderr
    #[arg(long)]
    pub json: bool,
    /// Leave the state directory behind, to look at it afterwards
    #[arg(long)]
    pub keep: bool,
    /// When the story is over, go on serving its pages until Ctrl-C
    #[arg(long)]
    pub stay: bool,
    /// Port of the server; a free one when left out
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
}

/// Plays the demo.
///
/// # Errors
/// When it could not be played to its end.
pub fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    if std::env::var_os("BELAY_LOG").is_some() {
        serve::log(serve::Log::Text, colour);
    }
    let colour = if args.headless { Colour::Never } else { colour };
    let (stream, paint) = if args.json { (Stream::Stderr, Paint::stderr(colour)) } else { (Stream::Stdout, Paint::stdout(colour)) };
    let mut teller = Teller::new(stream, paint, args.headless);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("could not start the runtime")?;
    let local = tokio::task::LocalSet::new();
    let played = match runtime.block_on(local.run_until(interruptible(args, &mut teller))) {
        Ok(played) => played,
        Err(error) if error.is::<Stopped>() => {
            teller.tell(Tone::Warn, "Interrupted", "everything is stopped and removed");
            return Ok(INTERRUPTED);
        }
        Err(error) => return Err(error),
    };
    close(&played, &mut teller);
    if args.json {
        out::put(&format!("{}\n", serde_json::to_string(&played.summary)?))?;
    }
    Ok(if played.summary.story == "ok" { code::OK } else { code::ERROR })
}

/// Plays until the end or the first Ctrl-C; nothing is left behind either way.
async fn interruptible(args: &Args, teller: &mut Teller) -> anyhow::Result<Played> {
    let mut terminated = signal(SignalKind::terminate()).context("could not listen to SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("could not listen to SIGINT")?;
    let (sender, stop) = watch::channel(false);
    let mut listener = JoinSet::new();
    listener.spawn(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        sender.send_replace(true);
        sender.closed().await;
    });
    demo::play(&Options { port: args.port, keep: args.keep, stay: args.stay, stop }, teller).await
}

/// The last words: what came of it, what of it was real, what to do next.
fn close(played: &Played, teller: &mut Teller) {
    let Summary { seconds_from_evidence_to_verdict: evidence, seconds_from_first_run_to_verdict: run, .. } = &played.summary;
    let summary = &played.summary;
    teller.block("\n");
    if summary.story == "ok" {
        teller.tell(
            Tone::Good,
            "Finished",
            "every verdict came as it should, the alert named the cause, the hold and the gate held, the way back led back",
        );
    } else {
        teller.tell(Tone::Bad, "Failed", "not everything came as it should");
    }
    let word = |outcome: &Option<String>| outcome.clone().unwrap_or_else(|| "no verdict".to_owned());
    let seconds = |value: &Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.1} s"));
    let quick = format!("{} after the first sign in the data, {} after the first host changed", seconds(evidence), seconds(run));
    let yes = |so: bool| if so { "yes" } else { "no" };
    let mut lines = vec![
        format!("the new release, with its files     {}", word(&summary.good_change_verdict)),
        format!("old files on the new release        {}, {quick}", word(&summary.verdict)),
        format!("a change nobody could see           {}", word(&summary.missing_data_verdict)),
        format!("the alert named file, environments, flow and log line: {}", yes(summary.alert_names_cause)),
        format!("a hand on the locks was known after  {}", seconds(&summary.hold_broken_seen_s)),
        format!("hosts it came to after the verdict   {}", summary.propagated_to),
        format!("taken back, and the flow is back     {}", yes(summary.reverted && summary.flow_restored)),
        format!("refused the second time              {}", yes(summary.refused)),
        String::new(),
        "Real: server, ledger, store of signals, judge, gate, holds, reverts, the reports' bytes, the alerts.".to_owned(),
        "Simulated: the hosts. Their agents decide with the code of the real one.".to_owned(),
        String::new(),
        "Next   belay demo --stay                  the same, and its pages afterwards in your browser".to_owned(),
        "       belay serve                        your own server; it prints what to put into puppet.conf".to_owned(),
        "       belay ingest last_run_report.yaml  a report from a file".to_owned(),
        "       README.md, docs/examples/belay.toml classes, signals, alerts".to_owned(),
    ];
    if let Some(kept) = &played.kept {
        let dir = kept.display();
        lines.push(String::new());
        lines.push(format!("Kept   belay serve --config {dir}/belay.toml --state {dir}/state"));
        lines.push(format!("       belay changes --state {dir}/state       and then: rm -r {dir}"));
    }
    teller.block(&format!(
        "\n{}\n",
        lines.iter().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect::<String>()
    ));
}
