//! The command line: one verb, one module.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::{init, join, prepare, run, show, validate};

/// Makes, checks and runs bundles, under any OCI runtime.
#[derive(Debug, Parser)]
#[command(name = "oci-tool", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a bundle: config.json and an empty rootfs
    Init {
        /// The folder, made if it is not there
        bundle: PathBuf,
        /// Replace a config that is there
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        wish: init::Wish,
    },
    /// Print a bundle's config and check it
    Show {
        /// The bundle's folder
        bundle: PathBuf,
        /// The whole config
        #[arg(long)]
        json: bool,
    },
    /// Check a bundle
    Validate {
        /// The bundle's folder
        bundle: PathBuf,
    },
    /// Put BusyBox, its applets and the usual folders into a bundle's root filesystem
    Prepare {
        /// The bundle's folder
        bundle: PathBuf,
        /// A static BusyBox [default: one that is found or fetched]
        #[arg(long, value_name = "FILE")]
        busybox: Option<PathBuf>,
        /// Replace files that are in the way
        #[arg(long)]
        force: bool,
    },
    /// Run a bundle's container
    Run {
        #[command(flatten)]
        runtime: Runtime,
        /// Leave the stopped container to be looked at and deleted
        #[arg(long)]
        keep: bool,
        /// The bundle's folder
        bundle: PathBuf,
        /// The container's name [default: the folder's]
        id: Option<String>,
    },
    /// Make a config whose container joins a running one
    Join {
        #[command(flatten)]
        runtime: Runtime,
        /// Make a bundle in this folder [default: print the config]
        #[arg(long, value_name = "DIR")]
        bundle: Option<PathBuf>,
        /// Join everything, for a runtime that can [default under coracle]: see `oci-tool join --help`
        ///
        /// The mount namespace and the control group are joined as well. runc and crun cannot join a mount
        /// namespace by a config, and runc kills what is left in a joined control group; without this option, their
        /// container gets the same mounts once more in a mount namespace of its own, and a control group below.
        #[arg(long)]
        exact: bool,
        /// The running container
        id: String,
        /// The program and its arguments
        #[arg(last = true, value_name = "COMMAND", default_value = "sh")]
        command: Vec<String>,
    },
}

/// Whose container it is.
#[derive(Debug, clap::Args)]
struct Runtime {
    /// The runtime [default: the coracle beside this program, or in PATH]
    #[arg(long, value_name = "PROGRAM")]
    runtime: Option<OsString>,
    /// The runtime's folder of containers
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

impl Runtime {
    fn program(&self) -> OsString {
        self.runtime.clone().unwrap_or_else(run::default_runtime)
    }
}

/// The command line's own description, for man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The entry point of the binary.
pub fn main() -> ExitCode {
    match act(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody can be told, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "oci-tool: cannot {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(verb: Verb) -> Result<()> {
    match verb {
        Verb::Init { bundle, force, wish } => init::init(&bundle, wish, force),
        Verb::Show { bundle, json } => {
            print(&show::show(&bundle, json)?)?;
            validate::validate(&bundle).map(drop)
        }
        Verb::Validate { bundle } => {
            validate::validate(&bundle)?;
            print(&format!("{}: a valid bundle\n", bundle.display()))
        }
        Verb::Prepare { bundle, busybox, force } => {
            print(&format!("{}\n", prepare::prepare(&bundle, busybox, force)?))
        }
        Verb::Run { runtime, keep, bundle, id } => {
            run::run(&runtime.program(), runtime.root.as_deref(), keep, &bundle, id)
        }
        Verb::Join { runtime, bundle, exact, id, command } => {
            let target = join::Target::of(&runtime.program(), runtime.root.as_deref(), &id)?;
            let text = join::config(&target, command, exact)?;
            match bundle {
                Some(bundle) => join::write(&bundle, &text),
                None => print(&text),
            }
        }
    }
}

/// A pipe whose reader has gone is no panic.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
}
