//! delete: ends what runs, gently first, and removes what is left.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use coracle::explain::Explain;
use coracle::lifecycle;
use coracle::state::{Dir, Locked};
use coracle::sys;
use nix::errno::Errno;
use nix::libc::{SIGKILL, SIGTERM};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::host;
use crate::log::{Level, Log};
use crate::machine::{Command, State};
use crate::store::{self, Found};

/// How long its PID 1 may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// How long the kernel may take to end it.
const LAST: Duration = Duration::from_secs(2);

/// The command. A container that does not exist is no error: it is what was asked for. Nobody else changes the container
/// meanwhile.
///
/// # Errors
/// Where nobody can tell whether its PID 1 lives, or it cannot be ended; the container is what it was then.
pub fn delete(root: &Path, id: &str, log: &Log, explain: &Explain) -> Result<()> {
    log.begin(&format!("Deleting container '{id}'"));
    host::require_proc(Command::Delete)?;
    let locked = match store::find(root, id)?.map(Dir::lock).transpose() {
        Ok(Some(locked)) => locked,
        // It was there a moment ago: somebody else deletes it as well.
        Ok(None) | Err(coracle::Error::NoContainer { .. }) => {
            log.info("There is no such container: nothing to delete");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    match store::look(&locked.dir) {
        Ok(Some(Found { state: State::Running, started: Some(started), .. })) => end(id, &started, log)?,
        Err(error @ Error::Damaged { .. }) => log.say(Level::Warn, &error.to_string()),
        found => drop(found?),
    }
    log.info("Removing cgroup");
    log.info("Removing state file");
    clear(&locked, explain)?;
    log.tell("Status: deleted");
    Ok(())
}

/// Ends the container's PID 1, and with it all that are in its PID namespace.
fn end(id: &str, started: &coracle::state::State, log: &Log) -> Result<()> {
    let Some(pidfd) = lifecycle::pidfd(started)? else { return Ok(()) };
    for (signal, name, time) in [(SIGTERM, "SIGTERM", GRACE), (SIGKILL, "SIGKILL", LAST)] {
        log.info(&match signal {
            SIGTERM => format!("Container running, sending {name}"),
            _ => format!("Container still running after {} s, sending {name}", GRACE.as_secs()),
        });
        match sys::pidfd_send_signal(pidfd.as_fd(), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => {
                let call = format!("send {name} to the container's PID 1 ({})", started.pid);
                return Err(coracle::Error::refused(call)(errno).into());
            }
        }
        // Somebody may have frozen it: then it hears no signal, and does not even die.
        if started.cgroup.is_frozen()? {
            started.cgroup.freeze(false)?;
        }
        if ends_within(time, pidfd.as_fd())? {
            log.info("Container stopped");
            return Ok(());
        }
    }
    let problem = format!(
        "container '{id}': its PID 1 ({}) is not dead {} s after SIGKILL: it waits in the kernel for something, such as a \
         file system that does not answer; delete it again when that is over",
        started.pid,
        LAST.as_secs()
    );
    Err(Error::Host { command: Command::Delete, problem })
}

/// Whether the process of `pidfd` ends within `time`.
fn ends_within(time: Duration, pidfd: BorrowedFd<'_>) -> Result<bool> {
    let end = std::time::Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], timeout) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(coracle::Error::refused("poll")(errno).into()),
        }
    }
}

/// Removes the control group, with whoever is left in it, and the directory.
///
/// # Errors
/// Those of both.
pub fn clear(locked: &Locked, explain: &Explain) -> Result<()> {
    store::clear(&locked.dir, explain)?;
    Ok(locked.dir.remove()?)
}
