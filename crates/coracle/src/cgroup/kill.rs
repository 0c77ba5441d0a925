//! Who is in a group, and a signal to all of them.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::SIGKILL;
use nix::unistd::Pid;

use super::{Cgroup, folder};
use crate::error::{Error, Result};
use crate::{signal, sys};

impl Cgroup {
    /// The processes in it and below it; none where it is gone.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn processes(&self) -> Result<Vec<Pid>> {
        match self.v2().or(self.folders.first()) {
            Some(folder) => folder::processes_below(&folder.path),
            None => Ok(Vec::new()),
        }
    }

    /// Sends a signal to every process in it, so that none escapes by forking. SIGKILL also ends a frozen group's; any
    /// other signal waits there until the group thaws. That they have ended when this returns is not said.
    ///
    /// # Errors
    /// `EPERM` where we may not signal one; where there is a freezer, those of [`Cgroup::freeze`].
    pub fn kill(&self, number: i32) -> Result<()> {
        if number == SIGKILL && self.kill_v2()? {
            // Version 1's freezer holds even who is killed.
            return self.v1("freezer").map_or(Ok(()), |_| self.freeze(false));
        }
        let was_frozen = self.is_frozen()?;
        let stopped = was_frozen || (self.freezer().is_some() && self.freeze(true).is_ok());
        let result = self.signal_all(number, stopped);
        if stopped && (!was_frozen || number == SIGKILL) {
            self.freeze(false)?;
        }
        result
    }

    /// Lets the kernel kill all of the group at once (`cgroup.kill`, cgroups(7)). `false` where it cannot: it is older
    /// than Linux 5.14, or there is no version 2.
    fn kill_v2(&self) -> Result<bool> {
        let Some(folder) = self.v2() else { return Ok(false) };
        Ok(folder::or_gone(folder.write("cgroup.kill", "1"))?.is_some())
    }

    /// Signals each process once. Where they are not stopped, they may fork meanwhile: so the list is read until it
    /// holds nobody new.
    fn signal_all(&self, number: i32, stopped: bool) -> Result<()> {
        let mut known = HashSet::new();
        loop {
            let mut new = self.handles()?;
            new.retain(|(pid, _)| known.insert(*pid));
            for (_, pidfd) in &new {
                signal::forward(pidfd.as_fd(), number)?;
            }
            if stopped || new.is_empty() {
                return Ok(());
            }
        }
    }

    /// The processes as descriptors. A number may have been given to somebody else before it was opened: what is in
    /// the group before and after is one of the group's.
    pub(super) fn handles(&self) -> Result<Vec<(Pid, OwnedFd)>> {
        let mut opened = Vec::new();
        for pid in self.processes()? {
            match sys::pidfd_open(pid) {
                Ok(pidfd) => opened.push((pid, pidfd)),
                Err(Errno::ESRCH | Errno::EINVAL) => {}
                Err(errno) => return Err(Error::refused(format!("pidfd_open {pid}"))(errno)),
            }
        }
        if !opened.is_empty() {
            let still: HashSet<Pid> = self.processes()?.into_iter().collect();
            opened.retain(|(pid, _)| still.contains(pid));
        }
        Ok(opened)
    }
}
