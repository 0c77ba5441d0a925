//! The end of a control group.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::SIGKILL;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use super::{Cgroup, folder, freezer};
use crate::error::{Error, Result};

/// How long a killed process may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an init may take to end whose runtime was killed: it hears of that at once.
const GRACE: Duration = Duration::from_secs(1);

impl Cgroup {
    /// Removes it, with the groups below it. One that is gone already is no error, and one that is shared is let be.
    /// `kill`: what is left in it is the container's, and is killed. Otherwise all of the container's have ended, or are
    /// about to. Whoever stays in it came later, from another container with the same path: it is theirs now.
    ///
    /// # Errors
    /// `EBUSY` where a process does not go.
    pub fn remove(&self, kill: bool) -> Result<()> {
        if self.shared {
            return Ok(());
        }
        let mut busy = Vec::new();
        for folder in &self.folders {
            if !remove_folder(&folder.path)? {
                busy.push(folder);
            }
        }
        if !busy.is_empty() {
            self.vacate(kill)?;
        }
        for folder in busy {
            if kill || folder::must_be_empty(folder).is_ok() {
                remove_tree(&folder.path)?;
            }
        }
        Ok(())
    }

    /// Waits until what is in it has ended, at most for [`GRACE`]; with `kill`, kills it first and is more patient.
    ///
    /// # Errors
    /// Those of reading the folders, of killing and of waiting.
    fn vacate(&self, kill: bool) -> Result<()> {
        if kill { self.empty() } else { self.await_ends(GRACE) }
    }

    /// Kills what is in it and waits for the end of the last one.
    fn empty(&self) -> Result<()> {
        let ends = self.handles()?;
        self.kill(SIGKILL)?;
        match self.v2() {
            Some(folder) => folder::or_gone(freezer::await_event(folder, "populated 0")).map(drop),
            None => {
                await_all(&ends, PATIENCE);
                Ok(())
            }
        }
    }

    /// Waits for the end of what is in it, at most for `patience`.
    fn await_ends(&self, patience: Duration) -> Result<()> {
        await_all(&self.handles()?, patience);
        Ok(())
    }
}

fn await_all(processes: &[(Pid, OwnedFd)], patience: Duration) {
    let end = Instant::now() + patience;
    for (_, pidfd) in processes {
        let left = PollTimeout::try_from(end.saturating_duration_since(Instant::now()));
        let mut polled = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        while poll(&mut polled, left.unwrap_or(PollTimeout::ZERO)) == Err(Errno::EINTR) {}
    }
}

/// Removes one group, by rmdir(2); one that is gone already is no error. `false` where the kernel says `EBUSY`: it holds a
/// process, or one that ended a moment ago, or a group.
///
/// # Errors
/// Those of rmdir(2).
fn remove_folder(path: &Path) -> Result<bool> {
    let removed = std::fs::remove_dir(path).map_err(Error::io(format!("rmdir {}", path.display())));
    match folder::or_gone(removed) {
        Err(error) if error.errno() == Some(Errno::EBUSY) => Ok(false),
        // A read-only file system refuses before it looks whether there is such a folder. One that nobody could make, and
        // that was noted all the same, is not there.
        Err(error) if error.errno() == Some(Errno::EROFS) && !path.exists() => Ok(true),
        other => other.map(|_| true),
    }
}

/// Removes a group whose processes have ended, the groups below it first. The kernel takes a process out of its group
/// a moment after its end can be seen, and tells nobody in version 1: so it is asked again, for a while.
fn remove_tree(path: &Path) -> Result<()> {
    for child in folder::or_gone(folder::children(path))?.unwrap_or_default() {
        remove_tree(&child)?;
    }
    let end = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(100);
    while !remove_folder(path)? {
        if Instant::now() > end {
            return Err(Error::refused(format!("rmdir {}", path.display()))(Errno::EBUSY)
                .with_cure(Errno::EBUSY, "a process in it does not end; look for one in state D (ps)"));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    Ok(())
}
