//! The options: those of runc, so that what drives runc drives us, and a few of our own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::checkpoint::{Checkpoint, Restore};
use crate::{list, log, time};

/// The lines that engines read off `--version`, behind the program's name.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = option_env!("CORACLE_COMMIT").unwrap_or("unknown");
    format!("version {}\ncommit: {commit}\nspec: 1.3.0", env!("CARGO_PKG_VERSION"))
});

/// An OCI container runtime.
#[derive(Debug, Parser)]
#[command(name = "coracle", version = VERSION.as_str(), disable_version_flag = true)]
#[command(arg_required_else_help = true, args_override_self = true)]
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
    /// Say what only who looks for a mistake wants to know
    #[arg(long, hide = true)]
    pub(super) debug: bool,
    /// Whether a container may do without a control group that nobody asked for, where we may not make one (auto: it may)
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_parser = ["true", "false", "auto"])]
    pub(super) rootless: Option<String>,
    /// Who makes control groups: cgroupfs, the runtime itself; systemd, as --systemd-cgroup; disabled, nobody
    #[arg(long, hide = true, value_name = "NAME", value_parser = ["cgroupfs", "disabled", "systemd"])]
    pub(super) cgroup_manager: Option<String>,
    /// Have systemd make control groups: /linux/cgroupsPath is slice:prefix:name then
    #[arg(long)]
    pub(super) systemd_cgroup: bool,
    /// Where CRIU is, for checkpoint and restore
    #[arg(long, value_name = "FILE", default_value = "criu", hide_default_value = true)]
    pub(super) criu: PathBuf,
    /// Print version
    #[arg(long, short = 'v', short_alias = 'V', action = ArgAction::Version)]
    pub(super) version: Option<bool>,
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
    #[command(override_usage = "coracle kill [OPTIONS] ID [SIGNAL]")]
    Kill {
        /// Send it to every process in it
        #[arg(long, short)]
        all: bool,
        /// The container, and the signal's name or number [default: SIGTERM]
        #[arg(required = true, trailing_var_arg = true, num_args = 1..=2, value_name = "ID")]
        words: Vec<String>,
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
    /// Set other limits of a container, all of them or none; 0 leaves one as it is
    Update(Update),
    /// List the processes of a container
    #[command(override_usage = "coracle ps [OPTIONS] ID [PS OPTIONS]...")]
    Ps {
        /// How
        #[arg(long, short, value_name = "FORMAT", default_value = "table")]
        format: list::Format,
        /// The container, and options for ps(1) [default: -ef]
        #[arg(required = true, trailing_var_arg = true, value_name = "ID")]
        words: Vec<String>,
    },
    /// Tell what a container uses, and when it is out of memory, as lines of JSON
    Events {
        /// Tell what it uses now, and end
        #[arg(long)]
        stats: bool,
        /// How long between what is told, such as 5s, 1m30s or 100ms
        #[arg(long, value_name = "TIME", default_value = "5s", value_parser = interval)]
        interval: Duration,
        /// The container
        id: String,
    },
    /// Write a running container to files, by CRIU; without --leave-running, nothing else is left of it
    Checkpoint(Checkpoint),
    /// Make a container again from the files of a checkpoint, by CRIU
    Restore(Restore),
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
    /// Mount a file system, such as type=tmpfs,destination=/scratch,size=1m or type=bind,source=DIR,destination=/data,ro
    #[arg(long, value_name = "WORDS", requires = "root")]
    pub(super) mount: Vec<String>,
    /// Give it a /dev: the devices that every container has, terminals, shared memory
    #[arg(long, requires = "root")]
    pub(super) dev: bool,
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
    /// Change the root without pivot_root(2): for a root filesystem on a ramfs
    #[arg(long)]
    pub(super) no_pivot: bool,
    /// Send a pidfd of its init to this socket
    #[arg(long, value_name = "SOCKET")]
    pub(super) pidfd_socket: Option<PathBuf>,
    /// Leave it the session keyring of who calls
    #[arg(long)]
    pub(super) no_new_keyring: bool,
    /// A name for the container, not taken by another
    pub(super) id: String,
}

#[derive(Debug, Args)]
#[command(override_usage = "coracle exec [OPTIONS] ID [COMMAND]...")]
pub(super) struct Exec {
    /// A line for a login shell, instead of a command
    #[arg(long, value_name = "LINE", conflicts_with = "process")]
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
    /// Send its pidfd to this socket
    #[arg(long, value_name = "SOCKET")]
    pub(super) pidfd_socket: Option<PathBuf>,
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
    /// Its control group, by its path below the container's
    #[arg(long, value_name = "[CONTROLLER:]PATH")]
    pub(super) cgroup: Vec<String>,
    /// Into a paused container: it begins when that goes on
    #[arg(long)]
    pub(super) ignore_paused: bool,
    /// The container, then the program and its arguments [default: an interactive /bin/sh]
    #[arg(required = true, trailing_var_arg = true, value_name = "ID")]
    pub(super) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// A file with the resources of a config, "-" for standard input; then no other limit counts
    #[arg(long, short, value_name = "FILE")]
    pub(super) resources: Option<PathBuf>,
    /// Part in the use of disks, 10 to 1000
    #[arg(long, value_name = "WEIGHT", default_value_t = 0)]
    pub(super) blkio_weight: u16,
    /// Microseconds in which the quota may be used up
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0)]
    pub(super) cpu_period: u64,
    /// Microseconds of processor time in each period; -1: no limit
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0, allow_negative_numbers = true)]
    pub(super) cpu_quota: i64,
    /// Microseconds that may be saved up beyond the quota
    #[arg(long, value_name = "MICROSECONDS")]
    pub(super) cpu_burst: Option<u64>,
    /// Part in the use of processors, 2 to 262144
    #[arg(long, value_name = "SHARES", default_value_t = 0)]
    pub(super) cpu_share: u64,
    /// As the period, for real-time processes
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0)]
    pub(super) cpu_rt_period: u64,
    /// As the quota, for real-time processes
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0, allow_negative_numbers = true)]
    pub(super) cpu_rt_runtime: i64,
    /// Processors it may use, such as 0-2,4
    #[arg(long, value_name = "LIST", default_value = "")]
    pub(super) cpuset_cpus: String,
    /// Memory nodes it may use
    #[arg(long, value_name = "LIST", default_value = "")]
    pub(super) cpuset_mems: String,
    /// Taken for compatibility: Linux has no such limit any more
    #[arg(long, value_name = "BYTES", hide = true, allow_negative_numbers = true)]
    pub(super) kernel_memory: Option<String>,
    /// Taken for compatibility
    #[arg(long, value_name = "BYTES", hide = true, allow_negative_numbers = true)]
    pub(super) kernel_memory_tcp: Option<String>,
    /// Most memory, such as 64M; -1: no limit
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    pub(super) memory: Option<String>,
    /// Memory that it keeps when there is little
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    pub(super) memory_reservation: Option<String>,
    /// Most memory and swap together; -1: no limit
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    pub(super) memory_swap: Option<String>,
    /// Most processes; -1: no limit
    #[arg(long, value_name = "COUNT", default_value_t = 0, allow_negative_numbers = true)]
    pub(super) pids_limit: i64,
    /// Share of the processor's cache, a line such as L3:0=f
    #[arg(long, value_name = "LINE")]
    pub(super) l3_cache_schema: Option<String>,
    /// Share of its way to memory, a line such as MB:0=20
    #[arg(long, value_name = "LINE")]
    pub(super) mem_bw_schema: Option<String>,
    /// 1: it runs only when nobody else wants to
    #[arg(long, value_name = "0|1", allow_negative_numbers = true)]
    pub(super) cpu_idle: Option<i64>,
    /// The container
    pub(super) id: String,
}

/// The container's id, and what stands behind it. The two are one list, for this is how clap reads no option behind
/// the id: `exec ID ls -a` must leave `-a` to ls.
pub(super) fn split(mut words: Vec<String>) -> (String, Vec<String>) {
    let behind = words.split_off(words.len().min(1));
    (words.pop().unwrap_or_default(), behind)
}

fn interval(text: &str) -> Result<Duration, &'static str> {
    time::duration(text)
        .filter(|interval| !interval.is_zero())
        .ok_or("give a time above 0 with its unit, such as 5s, 1m30s or 100ms")
}
