//! The command line: options to a command, an outcome to an exit code.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use coracle::seal;

use crate::error::Result;
use crate::exec::{self, Way};
use crate::host;
use crate::log::{Level, Log};
use crate::machine::{self, State};
use crate::run::{self, After};
use crate::start::{self, Mode};
use crate::{create, delete, state, store};

/// Containers for people: create, start, run, exec, delete, state.
///
/// The exit code is 0, or 1 for an error; that of an attached program or a session is its own.
#[derive(Debug, Parser)]
#[command(name = "ns-runtime", version, arg_required_else_help = true)]
struct Cli {
    /// Folder for the containers' directories [default: /run/ns-runtime, or one in your own data directory]
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// How much is logged, on standard error
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    log_level: Level,
    /// No log, and no word on standard output but what was asked for
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a bundle and keep its config: no process is made
    Create {
        /// The bundle's folder
        #[arg(long, short, value_name = "DIR")]
        bundle: PathBuf,
        /// A name for the container, not taken by another
        id: String,
    },
    /// Start the program of a created container
    Start {
        #[command(flatten)]
        look: Look,
        /// The container
        id: String,
    },
    /// Create and start; attached, where nothing else is said
    Run {
        #[command(flatten)]
        look: Look,
        /// Remove the container when its program has ended
        #[arg(long, conflicts_with = "detach")]
        rm: bool,
        /// The bundle's folder
        #[arg(long, short, value_name = "DIR")]
        bundle: PathBuf,
        /// A name for the container, not taken by another
        id: String,
    },
    /// Open an interactive shell in a running container, or run one line
    Exec {
        /// A line for a login shell, instead
        #[arg(long, value_name = "LINE")]
        exec: Option<String>,
        /// Enter the namespaces by nsenter(1)
        #[arg(long)]
        via_nsenter: bool,
        /// The container
        id: String,
    },
    /// End a container, gently first, and remove what is left
    Delete {
        /// The container; one that does not exist is no error
        id: String,
    },
    /// Print the state of a container: created, running, stopped; or unknown
    State {
        /// The container
        id: String,
    },
}

#[derive(Debug, Args)]
struct Look {
    /// Wait for the program's end: its exit code is ours
    #[arg(long, conflicts_with = "detach")]
    attach: bool,
    /// End as soon as the program runs
    #[arg(long)]
    detach: bool,
}

/// The command line, for those who describe it.
pub fn command() -> clap::Command {
    use clap::CommandFactory;
    Cli::command()
}

/// The entry point of the binaries. Returns the exit code to end with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Where nobody can be told, the exit code still tells.
            let _ = told.print();
            return ExitCode::from(u8::from(told.use_stderr()));
        }
    };
    let log = Log::new(cli.log_level, cli.quiet);
    match act(cli, &log) {
        Ok(code) => code.into(),
        Err(error) => {
            log.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn act(cli: Cli, log: &Log) -> Result<u8> {
    seal_before(&cli.command)?;
    let explain = log.explain()?;
    let root = cli.root.unwrap_or_else(store::default_root);
    match cli.command {
        Command::Create { bundle, id } => create::create(&root, &id, &bundle, log, &explain).map(|()| 0),
        Command::Start { look, id } => {
            let mode = if look.attach { Mode::Attach } else { Mode::Detach };
            start::start(&root, &id, mode, log, &explain)
        }
        Command::Run { look, rm, bundle, id } => {
            let after = match (look.detach, rm) {
                (true, _) => After::Detach,
                (false, true) => After::Remove,
                (false, false) => After::Keep,
            };
            run::run(&root, &id, &bundle, after, log, &explain)
        }
        Command::Exec { exec, via_nsenter, id } => {
            let way = if via_nsenter { Way::Nsenter } else { Way::Native };
            exec::exec(&root, &id, exec.as_deref(), way, log, &explain)
        }
        Command::Delete { id } => delete::delete(&root, &id, log, &explain).map(|()| 0),
        Command::State { id } => tell(state::state(&root, &id)),
    }
}

/// Goes on in a copy of this program that no container can write to (CVE-2019-5736), before one sees it.
fn seal_before(command: &Command) -> Result<()> {
    let command = match command {
        Command::Start { .. } => machine::Command::Start,
        Command::Run { .. } => machine::Command::Run,
        Command::Exec { via_nsenter: false, .. } => machine::Command::Exec,
        _ => return Ok(()),
    };
    host::require_proc(command)?;
    Ok(seal::seal(|| ())?)
}

/// The word is on standard output whatever happens: scripts read it.
fn tell(state: Result<State>) -> Result<u8> {
    let word = state.as_ref().copied().unwrap_or(State::Unknown);
    // As above.
    let _ = writeln!(std::io::stdout(), "{word}");
    state.map(|state| u8::from(state == State::Unknown))
}
