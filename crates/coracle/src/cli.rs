//! The command line: options to a plan, a plan to a verb, an outcome to an exit code.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::explain::Explain;
use crate::{bundle, run, sandbox, state};

/// The lines that engines read off `--version`, behind the program's name.
const VERSION: &str = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0");

/// An OCI container runtime.
#[derive(Debug, Parser)]
#[command(name = "coracle", version = VERSION, arg_required_else_help = true)]
struct Cli {
    /// Folder for the containers' directories [default: /run/coracle, or one of your own]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Tell every step as it is taken, on standard error
    #[arg(long, global = true)]
    explain: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a program in a container without a bundle
    Sandbox {
        /// Root filesystem [default: the host's tree]
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
        /// Hostname inside
        #[arg(long, value_name = "NAME")]
        hostname: Option<String>,
        /// Set a variable of the program's environment
        #[arg(long, value_name = "NAME=VALUE")]
        env: Vec<OsString>,
        /// Put a reaper before the program, as PID 1
        #[arg(long)]
        init: bool,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Run a bundle's container: create, start, wait, remove
    Run {
        /// The bundle's folder
        #[arg(long, short, value_name = "DIR", default_value = ".")]
        bundle: PathBuf,
        /// A name for the container, not taken by another
        id: String,
    },
}

/// The entry point of the binary.
pub fn main() -> ExitCode {
    match act(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Where nobody can be told, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "coracle: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn act(cli: Cli) -> Result<u8> {
    let explain = if cli.explain { Explain::to_stderr()? } else { Explain::silent() };
    let plan = match cli.verb {
        Verb::Sandbox { root, hostname, env, init, command } => {
            sandbox::plan(sandbox::Wish { rootfs: root, hostname, env, reaper: init, command })?
        }
        Verb::Run { bundle, id } => bundle::load(&bundle, &id)?,
    };
    run::run(&plan, &cli.root.unwrap_or_else(state::default_root), &explain)
}
