//! The last step before a process becomes the program: it puts itself under the filter.
//!
//! From there on the filter may forbid whatever this runtime still has to do. That is little. The program's path, its arguments
//! and environment are ready, the signals are the program's, the word to start has been said; and what went wrong is left as a
//! number in memory that the other side holds too.

use std::os::fd::{AsFd, OwnedFd};

use caps::Capability;
use nix::errno::Errno;

use super::Filter;
use crate::capability::Sets;
use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::process::Process;
use crate::sys::{self, SharedNumber};

/// Where a process under a filter leaves what went wrong.
#[derive(Debug)]
pub struct Slate(SharedNumber);

impl Slate {
    /// Leaves `errno`, for whoever holds the other end of the channel.
    pub fn leave(&self, errno: Errno) {
        self.0.set(errno as i32);
    }
}

/// Puts this process under its filter, where it has one; then `to` is who waits for it to become the program at `file`, hears of
/// the slate first, and of the listener. Nothing of this is done for a process without a filter.
///
/// # Errors
/// Those of making the slate; of seccomp(2); where the listener is not taken.
pub fn confine(process: &Process, file: &str, to: &Channel, explain: &Explain) -> Result<Option<Slate>> {
    let Some(filter) = &process.seccomp else { return Ok(None) };
    let slate = explain.step(&explain::SLATE, || {
        let slate = SharedNumber::new().map_err(Error::refused("memfd_create"))?;
        to.send_with(&Message::Slate(file.to_owned()), Some(slate.memory()))?;
        Ok(Slate(slate))
    })?;
    // Told before: afterwards nobody knows whether we may.
    explain.last_step(&explain::SECCOMP);
    explain.last_step(&explain::EXECVE);
    let result = enter(filter, to);
    if let Err(error) = &result {
        slate.leave(error.errno().unwrap_or(Errno::EIO));
    }
    result.map(|()| Some(slate)).map_err(|error| error.at(explain::SECCOMP.name))
}

/// Puts this process under `filter`. Where that has a supervisor, who waits at `to` takes the listener to it first.
///
/// # Errors
/// Those of [`load`]; where the listener is not taken.
pub fn enter(filter: &Filter, to: &Channel) -> Result<()> {
    let Some(listener) = load(filter)? else { return Ok(()) };
    let told = to.send_with(&Message::Listener, Some(listener.as_fd()));
    // Whether we may close it is up to the supervisor; execve does.
    sys::leave_open([listener]);
    told.and_then(|()| to.wait_for_go())
}

/// Loads `filter` for this process, for good: seccomp(2) with its program and its flags; where it has a listener, with
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER` too, and the descriptor comes back on which the supervisor hears of calls
/// ([`sys::seccomp_load`]).
///
/// # Errors
/// `EACCES` without no_new_privs and without CAP_SYS_ADMIN; `EINVAL` for a flag that this kernel does not know.
fn load(filter: &Filter) -> Result<Option<OwnedFd>> {
    let listener = filter.listener.as_ref().map_or(0, |_| libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    sys::seccomp_load(&filter.program, filter.flags | listener).map_err(|errno| {
        Error::refused("seccomp")(errno)
            .with_cure(Errno::EACCES, "set /process/noNewPrivileges to true, or have CAP_SYS_ADMIN")
            .with_cure(Errno::EINVAL, "this kernel does not know one of /linux/seccomp/flags: take it out")
            .with_cure(Errno::EBUSY, "this process has a supervisor already: take SCMP_ACT_NOTIFY out")
            .with_cure(Errno::ENOSYS, "use a kernel with CONFIG_SECCOMP_FILTER")
    })
}

/// The sets that `process`, which is to get `asked`, has until it becomes the program. Without no_new_privs, to load a filter
/// takes CAP_SYS_ADMIN, and nothing shall come after that: so it is kept to the end. At execve(2) the kernel makes the sets
/// anew, from the bounding, the inheritable and the ambient one, and nothing is added to those.
pub fn until_loaded(process: &Process, asked: &Sets) -> Sets {
    if process.seccomp.is_none() || process.no_new_privileges {
        return *asked;
    }
    let admin = Capability::CAP_SYS_ADMIN.bitmask();
    Sets { effective: asked.effective | admin, permitted: asked.permitted | admin, ..*asked }
}
