//! The options: those of runc, so that what drives runc drives us, and a few of our own.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{list, log};

/// The lines that engines read off `--version`, behind the program's name.
const VERSION: &str = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0");

/// An OCI container runtime.
#[derive(Debug, Parser)]
#[command(name = "coracle", version = VERSION, arg_required_else_help = true)]
pub(super) struct Cli {
    /// Folder for the containers' directories [default: /run/coracle, or one of your own]
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Add errors and warnings to this file
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// How its lines look
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) log_format: log::Format,
    /// Tell every step as it is taken, on standard error
    #[arg(long, global = true)]
    pub(super) explain: bool,
    /// Taken for compatibility
    #[arg(long, hide = true)]
    pub(super) debug: bool,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run a program in a container without a bundle
    Sandbox(Sandbox),
    /// Create a container: all but its program runs
    Create(Create),
    /// Start the program of a created container
    Start {
        /// The container
        id: String,
    },
    /// Run a bundle's container: create, start, wait, remove
    Run {
        #[command(flatten)]
        create: Create,
        /// End as soon as the program runs, and leave the container
        #[arg(long, short)]
        detach: bool,
        /// Leave the stopped container for delete
        #[arg(long)]
        keep: bool,
        /// Taken for compatibility
        #[arg(long, hide = true)]
        no_subreaper: bool,
    },
    /// Tell the state of a container, as JSON
    State {
        /// The container
        id: String,
    },
    /// List the containers
    List {
        /// How
        #[arg(long, short, value_name = "FORMAT", default_value = "table")]
        format: list::Format,
        /// Ids only
        #[arg(long, short)]
        quiet: bool,
    },
    /// Send a signal to the init of a container
    Kill {
        /// Send it to every process in it
        #[arg(long, short)]
        all: bool,
        /// The container
        id: String,
        /// Its name or number
        #[arg(default_value = "SIGTERM", allow_hyphen_values = true)]
        signal: String,
    },
    /// Remove a container that has stopped, or was never started
    Delete {
        /// Kill it first; one that does not exist is no error
        #[arg(long, short)]
        force: bool,
        /// The container
        id: String,
    },
    /// Run one more process in a running container: an interactive shell, where nothing else is said
    Exec(Exec),
    /// Make every process of a container stand still
    Pause {
        /// The container
        id: String,
    },
    /// Let the processes of a paused container go on
    Resume {
        /// The container
        id: String,
    },
    /// List the processes of a container
    Ps {
        /// How
        #[arg(long, short, value_name = "FORMAT", default_value = "table")]
        format: list::Format,
        /// The container
        id: String,
        /// Options for ps(1) [default: -ef]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Write a config.json to begin with
    Spec {
        /// The bundle's folder
        #[arg(long, short, value_name = "DIR", default_value = ".")]
        bundle: PathBuf,
        /// One that an ordinary user can run
        #[arg(long)]
        rootless: bool,
    },
    /// Tell what this runtime can do, as JSON
    Features,
    /// Write a shell's completions to standard output
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct Sandbox {
    /// Root filesystem [default: the host's tree]
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Hostname inside
    #[arg(long, value_name = "NAME")]
    pub(super) hostname: Option<String>,
    /// Set a variable of the program's environment
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<OsString>,
    /// Put a reaper before the program, as PID 1
    #[arg(long)]
    pub(super) init: bool,
    /// Most memory it may use, such as 64M
    #[arg(long, value_name = "BYTES")]
    pub(super) memory: Option<String>,
    /// Most processes it may have
    #[arg(long, value_name = "COUNT")]
    pub(super) pids: Option<i64>,
    /// Most processor time it may use, in processors, such as 0.5
    #[arg(long, value_name = "COUNT")]
    pub(super) cpus: Option<f64>,
    /// Its control group [default: one of its own, where it has limits]
    #[arg(long, value_name = "PATH")]
    pub(super) cgroup: Option<PathBuf>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The bundle's folder
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub(super) bundle: PathBuf,
    /// Send the other end of its terminal to this socket
    #[arg(long, value_name = "SOCKET")]
    pub(super) console_socket: Option<PathBuf>,
    /// Write the number of its init to this file
    #[arg(long, value_name = "FILE")]
    pub(super) pid_file: Option<PathBuf>,
    /// Descriptors after standard error that the program keeps
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(super) preserve_fds: u32,
    /// Taken for compatibility: there is no keyring of ours
    #[arg(long, hide = true)]
    pub(super) no_new_keyring: bool,
    /// A name for the container, not taken by another
    pub(super) id: String,
}

#[derive(Debug, Args)]
pub(super) struct Exec {
    /// A line for a login shell, instead of a command
    #[arg(long, value_name = "LINE", conflicts_with_all = ["process", "command"])]
    pub(super) exec: Option<String>,
    /// Working directory inside
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<String>,
    /// Set a variable of its environment
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// Give it a terminal
    #[arg(long, short)]
    pub(super) tty: bool,
    /// Who it is
    #[arg(long, short, value_name = "UID[:GID]", allow_hyphen_values = true)]
    pub(super) user: Option<String>,
    /// Additional groups
    #[arg(long, short = 'g', value_name = "GID")]
    pub(super) additional_gids: Vec<u32>,
    /// A file with a process object, instead of all this
    #[arg(long, short, value_name = "FILE")]
    pub(super) process: Option<PathBuf>,
    /// End as soon as the program runs
    #[arg(long, short)]
    pub(super) detach: bool,
    /// Write its number to this file
    #[arg(long, value_name = "FILE")]
    pub(super) pid_file: Option<PathBuf>,
    /// Send the other end of its terminal to this socket
    #[arg(long, value_name = "SOCKET")]
    pub(super) console_socket: Option<PathBuf>,
    /// An SELinux label
    #[arg(long, value_name = "LABEL")]
    pub(super) process_label: Option<String>,
    /// An AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    pub(super) apparmor: Option<String>,
    /// It can never get new privileges
    #[arg(long)]
    pub(super) no_new_privs: bool,
    /// Give it one more capability
    #[arg(long, short, value_name = "NAME")]
    pub(super) cap: Vec<String>,
    /// Descriptors after standard error that it keeps
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(super) preserve_fds: u32,
    /// A control group below the container's, or CONTROLLER:PATH
    #[arg(long, value_name = "PATH")]
    pub(super) cgroup: Vec<String>,
    /// Into a paused container: it begins when that goes on
    #[arg(long)]
    pub(super) ignore_paused: bool,
    /// The container
    pub(super) id: String,
    /// The program and its arguments [default: an interactive /bin/sh]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) command: Vec<String>,
}
