//! What state a container is in. Nobody keeps a record of that: the kernel knows.
//!
//! ```text
//! creating ----> created ----> running <----> paused
//!     |             |             |              |
//!     +-------------+-------> stopped <----------+
//! ```

use std::fmt;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::state::{Dir, State};
use crate::{procfs, sys};

/// A state of a container (runtime-spec, runtime.md, "State").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// create is at work.
    Creating,
    /// create has ended, and the program does not run yet.
    Created,
    /// The program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its init has ended.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        })
    }
}

/// The state that the container of `dir` is in, and what is known of it.
///
/// # Errors
/// Where there is no such container, or no /proc to ask.
pub fn of(dir: &Dir) -> Result<(State, Status)> {
    let (state, created) = dir.read()?;
    let status = match status(&state)? {
        Status::Created if !created => Status::Creating,
        // Before the birth: unless create was killed.
        Status::Stopped if !created && dir.is_locked() => Status::Creating,
        other => other,
    };
    Ok((state, status))
}

/// The state of a container as its init shows it: `Stopped` where there is no such process any more, or another one
/// with its number (which `start_time` tells: [`procfs::stat_of`]), or where it only waits to be buried. Else `Paused` where its control group
/// is frozen. Else `Created` where it has not become the program yet: it has never called execve(2). Else `Running`.
///
/// # Errors
/// Where there is no /proc to ask.
pub fn status(state: &State) -> Result<Status> {
    let init = procfs::stat_of(state.init(), state.start_time)?;
    let Some(init) = init.filter(|init| !init.ended) else { return Ok(Status::Stopped) };
    if state.cgroup.is_frozen()? {
        return Ok(Status::Paused);
    }
    Ok(if init.never_executed && state.executes() { Status::Created } else { Status::Running })
}

/// Whether init has become the program, in a container that has not stopped. It is asked where [`status`] cannot tell:
/// one that was frozen before its start is `Paused` like any other.
///
/// # Errors
/// Where there is no /proc to ask.
pub fn has_begun(state: &State) -> Result<bool> {
    let init = procfs::stat_of(state.init(), state.start_time)?;
    Ok(!state.executes() || init.is_some_and(|init| !init.never_executed))
}

/// Why the init of a container ended without a word, as far as the kernel tells.
pub fn death(state: &State) -> Error {
    if state.cgroup.has_starved() { Error::InitStarved } else { Error::InitDied }
}

/// A descriptor of the container's init; `None` where it has ended, or was never born (its number is 0). From here on no other
/// process can be meant: the number was looked up once more *after* the opening (pidfd_open(2)), and what had it then was
/// born when init was ([`procfs::stat`]) and had not ended.
///
/// # Errors
/// Those of pidfd_open(2), and of [`procfs::require`].
pub fn pidfd(state: &State) -> Result<Option<OwnedFd>> {
    if state.pid == 0 {
        return Ok(None);
    }
    // Else it would be two processes that have the number: one here, and the one that /proc knows.
    procfs::require()?;
    let fd = match sys::pidfd_open(state.init()) {
        Ok(fd) => fd,
        Err(Errno::ESRCH | Errno::EINVAL) => return Ok(None),
        Err(errno) => return Err(Error::refused(format!("pidfd_open {}", state.pid))(errno)),
    };
    // Asked after the opening: what is open now is what had that start time.
    let same = procfs::stat_of(state.init(), state.start_time)?.is_some_and(|init| !init.ended);
    Ok(same.then_some(fd))
}
