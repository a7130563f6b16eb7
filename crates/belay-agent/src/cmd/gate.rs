//! `gate` and `exec`. Whatever goes wrong, the exit code is one that means "not now" or "go", never
//! 255, and it comes within a time of its own: a timer takes 255 or silence for a failed unit.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use belay_adapters::tools::host::gate_line;
use belay_agent::ask::{Answered, GO, Question, UNREACHABLE, ask, remember};
use belay_agent::bound::Bound;
use belay_agent::clock;
use belay_agent::config::Config;
use belay_agent::kept::Kept;
use belay_agent::lock::inert;
use belay_agent::words::GLASS;
use belay_core::model::gate::Gate;
use belay_core::model::ids::Environment;
use clap::Args;

use super::Output;

/// The longest an answer may take, in milliseconds.
const DEADLINE_MS: u64 = 5_000;
/// A command that is not there, and one that cannot be started, as shells say it.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// Arguments of `gate`.
#[derive(Args)]
pub struct GateArgs {
    /// The run is a rehearsal.
    #[arg(long)]
    noop: bool,
    /// The catalog that is about to be applied; the one the tool keeps, where one of its runs asks.
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// The environment the run will take.
    #[arg(long)]
    environment: Option<String>,
    /// How the answer is printed.
    #[arg(short, long, default_value = "text")]
    output: Output,
    /// The longest an answer may take, in milliseconds.
    #[arg(long, default_value_t = DEADLINE_MS, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    deadline_ms: u64,
    /// After a go, become this command: a hook of your own.
    #[arg(long, num_args = 1.., allow_hyphen_values = true, value_name = "CMD")]
    then: Vec<String>,
}

/// Arguments of `exec`.
#[derive(Args)]
pub struct ExecArgs {
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    argv: Vec<String>,
}

/// Asks the gate.
pub fn gate(config: &Path, args: &GateArgs) -> ExitCode {
    let question = match question(args) {
        Ok(question) => question,
        Err(why) => return closed(&format!("{why:#}")),
    };
    let answered = within(config, &question, Duration::from_millis(args.deadline_ms), args.output);
    print(&answered, args.output);
    if answered.code == GO && !args.then.is_empty() { become_it(&args.then) } else { ExitCode::from(answered.code) }
}

/// Asks the gate, then becomes the command.
pub fn exec(config: &Path, args: &ExecArgs) -> ExitCode {
    let question = Question { argv: args.argv.clone(), ..Question::default() };
    let answered = within(config, &question, Duration::from_millis(DEADLINE_MS), Output::Text);
    if answered.code != GO {
        print(&answered, Output::Text);
        return ExitCode::from(answered.code);
    }
    if answered.pages {
        eprintln!("warning: {}", inert(&answered.why));
    }
    become_it(&args.argv)
}

fn question(args: &GateArgs) -> Result<Question> {
    let environment = args.environment.as_deref().map(Environment::parse).transpose();
    let environment = environment.map_err(|bad| anyhow::anyhow!("--environment: {bad}"))?;
    Ok(Question { noop: args.noop, environment, catalog: args.catalog.clone(), argv: Vec::new() })
}

/// The answer; when there is none in time, the process ends by itself, and says so.
///
/// The work is done on the first thread: the allocator grows the heap of any other a page at a time,
/// which costs more than the whole answer.
fn within(config: &Path, question: &Question, deadline: Duration, output: Output) -> Answered {
    static DECIDED: AtomicBool = AtomicBool::new(false);
    let watching = std::thread::Builder::new().name("deadline".to_owned()).stack_size(256 * 1024);
    let watched = watching.spawn(move || {
        std::thread::sleep(deadline);
        if !DECIDED.swap(true, Ordering::SeqCst) {
            let late = no(&format!("no answer within {deadline:?}"));
            print(&late, output);
            std::process::exit(i32::from(late.code));
        }
    });
    let answered = match watched {
        Ok(_) => answer(config, question).unwrap_or_else(|why| no(&format!("{why:#}"))),
        Err(why) => no(&format!("no thread can be started: {why}")),
    };
    if DECIDED.swap(true, Ordering::SeqCst) {
        // It was late, and the other thread ends the process.
        std::thread::sleep(Duration::from_secs(1));
    }
    answered
}

fn answer(config: &Path, question: &Question) -> Result<Answered> {
    let config = Config::load(config, None)?;
    let kept = Kept::new(&config.state_dir);
    let bound = Bound::new(&config.tool, &config.host)?;
    let answered = ask(&config, &kept, &bound, question);
    remember(&kept, &answered, clock::now());
    Ok(answered)
}

/// What cannot be answered is not let through.
fn no(why: &str) -> Answered {
    Answered {
        gate: Gate::Deferred,
        code: UNREACHABLE,
        why: format!("the gate cannot answer: {why}"),
        remedy: Some(format!("repair it; in need: {GLASS}")),
        until: None,
        pages: false,
        stand: None,
        away: None,
        notes: Vec::new(),
    }
}

fn closed(why: &str) -> ExitCode {
    let answered = no(why);
    print(&answered, Output::Text);
    ExitCode::from(answered.code)
}

fn print(answered: &Answered, output: Output) {
    for note in &answered.notes {
        eprintln!("note: {}", inert(note));
    }
    if output == Output::Json {
        println!("{}", json(answered));
        return;
    }
    if answered.gate == Gate::Go {
        println!("go: {}", inert(&answered.why));
    } else {
        println!("{}", gate_line(answered.gate, &answered.why));
    }
    if let Some(remedy) = &answered.remedy {
        println!("help: {}", inert(remedy));
    }
}

fn json(answered: &Answered) -> serde_json::Value {
    serde_json::json!({
        "answer": answered.gate.word(),
        "exit_code": answered.code,
        "why": answered.why,
        "remedy": answered.remedy,
        "until": answered.until.map(|until| until.to_string()),
        "pages": answered.pages,
        "policy": answered.stand.map(|stand| serde_json::json!({"incarnation": stand.incarnation, "seq": stand.seq})),
        "server_away_ms": answered.away.map(|away| away.ms()),
        "notes": answered.notes,
    })
}

/// Replaces this process, so that signals, output and exit code are the command's own.
fn become_it(argv: &[String]) -> ExitCode {
    let Some((program, args)) = argv.split_first() else { return ExitCode::from(GO) };
    let error = Command::new(program).args(args).exec();
    eprintln!("error: cannot start {}: {error}", inert(program));
    ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED })
}
