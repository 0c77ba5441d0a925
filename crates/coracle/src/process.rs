//! The process that a container runs: who it is and what it may, and the steps that turn one of ours into it.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::sys::prctl::set_no_new_privs;

use crate::capability::{self, Sets};
use crate::channel::{Channel, Message};
use crate::console::{self, Size};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::program::{self, DEFAULT_PATH};
use crate::rlimit::{self, Limit};
use crate::rootfs;
use crate::user::{self, Identity};

/// What a container runs (runtime-spec, config.md, "Process").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// The program's name and its arguments; empty where there is nothing to run.
    pub args: Vec<CString>,
    /// `NAME=value` each, no name twice.
    pub env: Vec<CString>,
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
}

impl Process {
    /// The container's PATH.
    pub fn search_path(&self) -> &OsStr {
        let set = self.env.iter().rev().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="));
        OsStr::from_bytes(set.unwrap_or(DEFAULT_PATH.as_bytes()))
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

/// Makes this process what `process` says, in all but its program: the same steps for init and for exec. Returns the
/// program's path, seen from where it will be.
///
/// The order is the kernel's: limits are raised and the bounding set is cut while we are root; the change of ids takes
/// the effective capabilities, so the sets come after it; no_new_privs is last, for seccomp alone comes after it.
///
/// # Errors
/// Those of each step.
pub fn assume(process: &Process, explain: &Explain) -> Result<CString> {
    if !process.limits.is_empty() {
        explain.step(&explain::LIMITS, || rlimit::apply(&process.limits))?;
    }
    if let Some(sets) = &process.capabilities {
        explain.step(&explain::BOUNDING, || capability::drop_bounding(sets.bounding))?;
    }
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
        explain.step(&explain::CAPABILITIES, || capability::set(sets))?;
    }
    // Without a program, start says so.
    let Some(name) = process.args.first() else { return Ok(CString::default()) };
    let find = || program::find(name, process.search_path());
    // A path is there already: nothing is searched.
    let is_path = name.to_bytes().contains(&b'/');
    let file = if is_path { find()? } else { explain.step(&explain::FIND, find)? };
    if process.no_new_privileges {
        explain.step(&explain::NO_NEW_PRIVILEGES, || {
            set_no_new_privs().map_err(Error::refused("prctl PR_SET_NO_NEW_PRIVS"))
        })?;
    }
    Ok(file)
}
