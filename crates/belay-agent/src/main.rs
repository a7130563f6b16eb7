//! The host's binary. See the library for what it does.

mod cmd;

use std::path::PathBuf;
use std::process::ExitCode;

use belay_agent::config::PATH;
use clap::{Parser, Subcommand};

/// Belay on a host: brings reports to the server, keeps holds, answers the gate and the classifier.
#[derive(Parser)]
#[command(name = "belay-agent", version, about)]
struct Args {
    /// The agent's configuration.
    #[arg(long, global = true, env = "BELAY_AGENT_CONFIG", default_value = PATH)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon, until SIGTERM.
    Run,
    /// May a run go ahead? 0 go, 10 held, 11 refused or deferred, 12 unreachable and closed.
    Gate(cmd::gate::GateArgs),
    /// Ask the gate, then become the command and end with its exit code.
    Exec(cmd::gate::ExecArgs),
    /// Classify a host, as the tool's external classifier.
    Enc {
        /// The host, as the tool calls it.
        host: String,
    },
    /// Let everything through on this host for a time. Works without the server; it is told and paged.
    BreakGlass(cmd::glass::GlassArgs),
    /// The release this host runs.
    Release {
        #[command(subcommand)]
        command: cmd::glass::ReleaseCommand,
    },
    /// What the agent knows.
    Status {
        /// How it is printed.
        #[arg(short, long, default_value = "text")]
        output: cmd::Output,
    },
    /// Tell the server once which release this host runs, and its facts. Needs no daemon.
    Tell(cmd::tell::TellArgs),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.command {
        Command::Run => cmd::run(&args.config),
        Command::Gate(gate) => return cmd::gate::gate(&args.config, &gate),
        Command::Exec(exec) => return cmd::gate::exec(&args.config, &exec),
        Command::Enc { host } => cmd::enc(&args.config, &host),
        Command::BreakGlass(glass) => cmd::glass::break_glass(&args.config, &glass),
        Command::Release { command } => cmd::glass::release(&args.config, &command),
        Command::Status { output } => cmd::status::status(&args.config, output),
        Command::Tell(tell) => cmd::tell::tell(tell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
