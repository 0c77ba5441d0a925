//! Kill: a signal to the container.

use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::libc::SIGKILL;

use crate::error::{Error, Result};
use crate::lifecycle::{self, Status};
use crate::signal;
use crate::state::Dir;
use crate::sys;

/// The verb: sends the signal `name` (such as "TERM", "SIGTERM" or "15") to the init of the container `id` below `root`;
/// with `all`, to every process in it.
///
/// The signal goes by a pidfd ([`lifecycle::pidfd`]), so that it never reaches another process that has got init's number.
/// SIGKILL must be the end of the container: a paused one is thawed as well, for a frozen process does not even die, and
/// where it has no PID namespace, whose end would be that of all others in it, its control group is killed.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::NotRunning`] for one that has stopped; a signal that does not exist.
pub fn kill(root: &Path, id: &str, name: &str, all: bool) -> Result<()> {
    let number = signal::number(name)?;
    let dir = Dir::find(root, id)?;
    let (state, status) = lifecycle::of(&dir)?;
    // Those that are left of a container without a PID namespace can still be reached by its control group.
    if all && !state.cgroup.shared && !state.cgroup.folders.is_empty() {
        return state.cgroup.kill(number);
    }
    let Some(pidfd) = lifecycle::pidfd(&state)?.filter(|_| status != Status::Stopped) else {
        return Err(Error::NotRunning { id: id.to_owned() });
    };
    match sys::pidfd_send_signal(pidfd.as_fd(), number) {
        Ok(()) => {}
        Err(Errno::ESRCH) => return Err(Error::NotRunning { id: id.to_owned() }),
        Err(errno) => return Err(Error::refused(format!("send {name} to the container's init"))(errno)),
    }
    if number == SIGKILL {
        // A frozen process does not even die; and without a PID namespace, init's end is nobody else's.
        if status == Status::Paused {
            state.cgroup.freeze(false)?;
        }
        if !state.is_whole() && !state.cgroup.shared {
            state.cgroup.kill(number)?;
        }
    }
    Ok(())
}
