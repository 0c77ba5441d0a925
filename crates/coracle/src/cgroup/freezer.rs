//! Stopping a group's processes, all at once, and letting them go on.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Cgroup, Folder, folder};
use crate::error::{Error, Result};

/// How long a group may take to do what it was told: a process that waits for a disk does nothing else meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

impl Cgroup {
    /// Stops every process in it (`true`) or lets them go on, and waits until that is so: by `cgroup.freeze` where
    /// there is version 2, else by the freezer of version 1. Going on undoes both.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where there is no freezer; `EBUSY` where a process does not stop: then they go on.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let (v2, v1) = (self.v2(), self.v1("freezer"));
        if frozen {
            return match (v2, v1) {
                (Some(folder), _) => freeze_v2(folder),
                (None, Some(folder)) => freeze_v1(folder),
                (None, None) => Err(Error::refused("freeze the container")(Errno::EOPNOTSUPP)
                    .with_cure(Errno::EOPNOTSUPP, "it has no control group with a freezer: run it as root, or where one is delegated to you (cgroups(7))")),
            };
        }
        // A folder that is gone holds nobody.
        if let Some(folder) = v1 {
            folder::or_gone(folder.write("freezer.state", "THAWED"))?;
        }
        if let Some(folder) = v2 {
            folder::or_gone(folder.write("cgroup.freeze", "0"))?;
        }
        Ok(())
    }

    /// The folder by which it is frozen.
    pub fn freezer(&self) -> Option<&Path> {
        self.v2().or(self.v1("freezer")).map(|folder| folder.path.as_path())
    }

    /// Whether it is frozen.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn is_frozen(&self) -> Result<bool> {
        for folder in &self.folders {
            if folder.is_frozen()? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Folder {
    /// Whether this folder's processes are frozen, or about to be. Where it is gone, nobody is.
    pub(super) fn is_frozen(&self) -> Result<bool> {
        let has_freezer = self.controllers.iter().any(|name| name == "freezer");
        if self.is_v2() {
            let state = folder::or_gone(self.read("cgroup.freeze"))?;
            Ok(state.is_some_and(|state| state.trim() == "1"))
        } else if has_freezer {
            let state = folder::or_gone(self.read("freezer.state"))?;
            Ok(state.is_some_and(|state| state.trim() != "THAWED"))
        } else {
            Ok(false)
        }
    }
}

impl Folder {
    /// Whether who is in it does not run, because it is frozen or a group above it is. Version 1's state tells of both.
    pub(super) fn stands_still(&self) -> Result<bool> {
        if !self.is_v2() {
            return self.is_frozen();
        }
        let events = folder::or_gone(self.read("cgroup.events"))?.unwrap_or_default();
        Ok(events.lines().any(|line| line == "frozen 1") || self.is_frozen()?)
    }
}

/// Freezes by version 2, where `cgroup.events` tells when the last process has stopped.
fn freeze_v2(folder: &Folder) -> Result<()> {
    folder.write("cgroup.freeze", "1")?;
    if await_event(folder, "frozen 1")? {
        return Ok(());
    }
    folder.write("cgroup.freeze", "0")?;
    Err(does_not_stop(folder))
}

/// Freezes by version 1. It has no event to wait for: reading the state makes the kernel look whether all have stopped,
/// and a process that was forked meanwhile must be told again.
fn freeze_v1(folder: &Folder) -> Result<()> {
    let begin = Instant::now();
    let mut pause = Duration::from_micros(10);
    while begin.elapsed() < PATIENCE {
        folder.write("freezer.state", "FROZEN")?;
        if folder.read("freezer.state")?.trim() == "FROZEN" {
            return Ok(());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    folder.write("freezer.state", "THAWED")?;
    Err(does_not_stop(folder))
}

fn does_not_stop(folder: &Folder) -> Error {
    Error::refused(format!("freeze {}", folder.path.display()))(Errno::EBUSY)
        .with_cure(Errno::EBUSY, "one of its processes does not stop; look for one in state D (ps)")
}

/// Waits until `cgroup.events` of a folder of version 2 has this line; `false` if that takes too long. The kernel says
/// `POLLPRI` when the file has changed since it was read (cgroups(7)).
///
/// # Errors
/// Those of read(2): `ENODEV` where the group is gone.
pub(super) fn await_event(folder: &Folder, line: &str) -> Result<bool> {
    let path = folder.path.join("cgroup.events");
    let failed = || Error::io(format!("read {}", path.display()));
    let mut events = File::open(&path).map_err(failed())?;
    let end = Instant::now() + PATIENCE;
    loop {
        let mut text = String::new();
        events.rewind().map_err(failed())?;
        events.read_to_string(&mut text).map_err(failed())?;
        if text.lines().any(|found| found == line) {
            return Ok(true);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLPRI)], timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::refused(format!("poll {}", path.display()))(errno)),
        }
    }
}
