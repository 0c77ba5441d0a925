//! The process that a container runs: who it is and what it may, and the steps that turn one of ours into it.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::prctl::set_no_new_privs;
use nix::sys::signal::SigSet;
use nix::unistd::Pid;

use crate::capability::{self, Sets};
use crate::channel::{Channel, Message};
use crate::console::{self, Size};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::label::{self, Labels};
use crate::memory_policy::{self, MemoryPolicy};
use crate::path::{self, Last};
use crate::personality::{self, Personality};
use crate::procfs::Procfs;
use crate::program::{self, DEFAULT_PATH, Program};
use crate::rlimit::{self, Limit};
use crate::rootfs;
use crate::scheduler::{self, Scheduler, Scheduling};
use crate::seccomp::{Filter, Listener, load};
use crate::sys::{self, Prepared};
use crate::user::{self, Identity};

/// What a container runs (runtime-spec, config.md, "Process").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// The program's name and its arguments; empty where there is nothing to run.
    pub args: Vec<CString>,
    /// `NAME=value` each, no name twice.
    pub env: Vec<CString>,
    /// Whether HOME is to be added to it, from the container's /etc/passwd.
    pub home: bool,
    /// Working directory, absolute, inside the container.
    pub cwd: CString,
    /// Its terminal; `None`: the runtime's own standard input, output and error.
    pub terminal: Option<Size>,
    /// Who it is.
    pub user: Identity,
    /// Its capabilities; `None` leaves those of a root of its user namespace (`sandbox`).
    pub capabilities: Option<Sets>,
    /// Whether execve(2) can never give it more privileges.
    pub no_new_privileges: bool,
    /// Its resource limits.
    pub limits: Vec<Limit>,
    /// What the OOM killer adds to its badness; `None` leaves the runtime's own.
    pub oom_score_adj: Option<i32>,
    /// When it runs, and where.
    pub scheduling: Scheduling,
    /// What AppArmor and SELinux know it by.
    pub labels: Labels,
    /// On which nodes it takes memory; `None` leaves the runtime's own policy.
    pub memory_policy: Option<MemoryPolicy>,
    /// The kernel that it sees; `None` leaves the runtime's own.
    pub personality: Option<Personality>,
    /// Which system calls it may make; `None`: all.
    pub seccomp: Option<Filter>,
}

impl Process {
    /// The container's PATH.
    pub fn search_path(&self) -> &OsStr {
        let set = self.env.iter().rev().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="));
        OsStr::from_bytes(set.unwrap_or(DEFAULT_PATH.as_bytes()))
    }

    /// The supervisor of its filter, where it has one.
    pub fn listener(&self) -> Option<Listener> {
        self.seccomp.as_ref()?.listener.clone()
    }

    /// Sets a variable of the environment, in place of another of its name. Neither text may have a NUL byte in it.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let entry = CString::new(format!("{name}={value}")).expect("no NUL byte in what we set ourselves");
        self.env = program::environment(std::mem::take(&mut self.env).into_iter().chain([entry]));
    }
}

/// Warns of the capabilities that `process` will not get. By the runtime, before the birth: nobody hears init's warnings.
///
/// # Errors
/// Those of capget(2).
pub fn warn_of_capabilities(process: &Process, user_namespace: bool, explain: &Explain) -> Result<()> {
    let Some(sets) = process.capabilities.as_ref().filter(|_| !user_namespace) else { return Ok(()) };
    let missing = capability::beyond_ours(sets)?;
    if missing != 0 {
        let names = capability::names(missing);
        explain.warn(&format!("/process/capabilities: {names}: ignored, since the runtime does not have it"));
    }
    Ok(())
}

/// Gives this process a session of its own: no way to the caller's terminal is left (setsid(2)). Where `process` has a
/// terminal, it is opened on the container's devpts, and its other end goes to the runtime by `channel`. `root`: the root
/// filesystem that is not the root yet; there, the terminal is the console as well.
///
/// # Errors
/// Those of [`console::attach`], and of sending.
pub fn give_terminal(
    process: &Process,
    root: Option<BorrowedFd<'_>>,
    channel: &Channel,
    explain: &Explain,
) -> Result<()> {
    let Some(size) = process.terminal else {
        return explain.step(&explain::SESSION, console::new_session);
    };
    let master = explain.step(&explain::TERMINAL, || match root {
        Some(root) => console::attach(root, size, process.user.uid, true),
        None => console::attach(rootfs::open_directory("/".as_ref())?.as_fd(), size, process.user.uid, false),
    })?;
    channel.send_with(&Message::Terminal, Some(master.as_fd()))
}

/// Does from outside for the process `pid`, which was just made to become `process`, what it is to have from its first
/// moment on; in a user namespace of its own (`user_namespace`) its root may not raise a limit.
///
/// # Errors
/// Those of [`scheduler`]'s calls and [`rlimit::make_room`].
pub fn prepare(process: &Process, pid: Pid, user_namespace: bool, explain: &Explain) -> Result<()> {
    if user_namespace && !process.limits.is_empty() {
        explain.step_if(&explain::ROOM, || rlimit::make_room(pid, &process.limits))?;
    }
    let wish = &process.scheduling;
    if let Some(processors) = &wish.processors {
        explain.step(&explain::PROCESSORS, || scheduler::set_processors(pid, processors))?;
    }
    if let Some(priority) = &wish.io_priority {
        explain.step(&explain::IO_PRIORITY, || scheduler::set_io_priority(pid, priority))?;
    }
    match wish.scheduler.filter(Scheduler::is_ordinary) {
        Some(scheduler) => explain.step(&explain::SCHEDULER, || scheduler::schedule(pid, &scheduler)),
        None => Ok(()),
    }
}

/// Does from outside what would have been in the way of the steps before.
///
/// # Errors
/// Those of [`scheduler::schedule`].
pub fn complete(process: &Process, pid: Pid, explain: &Explain) -> Result<()> {
    match process.scheduling.scheduler.filter(|scheduler| !scheduler.is_ordinary()) {
        Some(scheduler) => explain.step(&explain::SCHEDULER, || scheduler::schedule(pid, &scheduler)),
        None => Ok(()),
    }
}

/// Gives this process its labels for the next execve(2), through `procfs`, which must be there where there are any.
///
/// # Errors
/// Those of [`label::set_on_exec`].
pub fn set_labels(process: &Process, procfs: Option<&Procfs>, explain: &Explain) -> Result<()> {
    match procfs {
        Some(procfs) if !process.labels.are_empty() => {
            explain.step(&explain::LABELS, || label::set_on_exec(&process.labels, procfs))
        }
        _ => Ok(()),
    }
}

/// Makes the working directory `cwd` in the root filesystem `root` where it is missing (as runc does, for image builders
/// count on it), with all directories on the way: root's, of mode 0755. Returns whether it was. What is there and cannot be
/// one, [`assume`] will find.
///
/// # Errors
/// `EROFS`, `EACCES` where it cannot be made.
pub fn make_cwd(root: BorrowedFd<'_>, cwd: &CStr) -> Result<bool> {
    let directory = Path::new(OsStr::from_bytes(cwd.to_bytes()));
    match path::resolve(root, directory) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => {
            let made = path::make(root, directory, Last::Directory).map_err(|error| {
                error.with_cure(Errno::EROFS, "make it in the root filesystem, or change /process/cwd")
            })?;
            sys::leave_open([made]);
            Ok(true)
        }
        found => {
            sys::leave_open(found);
            Ok(false)
        }
    }
}

/// Becomes `program`: the same last steps for init and for exec. `mask` is as in [`program::give_signals`]; `to` waits for our
/// end of it to close.
///
/// Returns only with an error, which `to` is still to be told; it may be that the filter forbids to.
pub fn become_program(
    process: &Process,
    program: &Program,
    mask: &SigSet,
    to: &Channel,
    explain: &Explain,
) -> Error {
    let env = program.environment(&process.env);
    let prepared = Prepared::new(&program.file, &process.args, &env);
    let confined = program::give_signals(mask, explain)
        .and_then(|()| load::confine(process, &program.file.to_string_lossy(), to, explain));
    match confined {
        Ok(slate) => {
            let Err(error) = program::execute(&prepared, slate.as_ref(), explain);
            error
        }
        Err(error) => error,
    }
}

/// Makes this process what `process` says, in all but its program: the same steps for init and for exec. Returns the
/// program, seen from where it will be.
///
/// The order is the kernel's: limits are raised and the bounding set is cut while we are root; the change of ids takes
/// the effective capabilities, so the sets come after it; no_new_privs is last, for seccomp alone comes after it.
///
/// # Errors
/// Those of each step.
pub fn assume(process: &Process, explain: &Explain) -> Result<Program> {
    if !process.limits.is_empty() {
        explain.step(&explain::LIMITS, || rlimit::apply(&process.limits))?;
    }
    if let Some(policy) = &process.memory_policy {
        explain.step(&explain::MEMORY_POLICY, || memory_policy::set(policy))?;
    }
    if let Some(personality) = process.personality {
        explain.step(&explain::PERSONALITY, || personality::set(personality))?;
    }
    if let Some(sets) = &process.capabilities {
        explain.step(&explain::BOUNDING, || capability::drop_bounding(sets.bounding))?;
    }
    // While it can be read, whoever the process will be.
    let home = process.home.then(|| user::home(process.user.uid));
    // Where root of the container may go there, its user may start there (as runc has it); else the user must.
    let entered = match program::enter(&process.cwd) {
        Err(error) if error.errno() == Some(Errno::EACCES) => false,
        other => explain.step(&explain::CWD, || other.map(|()| true))?,
    };
    explain.step(&explain::IDENTITY, || user::become_user(&process.user))?;
    if !entered {
        explain.step(&explain::CWD, || program::enter(&process.cwd))?;
    }
    if let Some(sets) = &process.capabilities {
        explain.step(&explain::CAPABILITIES, || capability::set(&load::until_loaded(process, sets)))?;
    }
    // Without a program, start says so.
    let Some(name) = process.args.first() else {
        return Ok(Program { file: CString::default(), home: None });
    };
    let find = || program::find(name, process.search_path());
    // A path is there already: nothing is searched.
    let file = if name.to_bytes().contains(&b'/') {
        find().and_then(|file| program::require(&file).map(|()| file))?
    } else {
        explain.step(&explain::FIND, find)?
    };
    if process.no_new_privileges {
        explain.step(&explain::NO_NEW_PRIVILEGES, || {
            set_no_new_privs().map_err(Error::refused("prctl PR_SET_NO_NEW_PRIVS"))
        })?;
    }
    Ok(Program { file, home })
}
