//! Word of the kernel that a group has run out of memory and lost a process for it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::{Cgroup, Folder, folder};
use crate::error::{Error, Result};

/// Waits for that word. Its descriptor can be polled: readable means that [`OomWatch::news`] should be asked.
#[derive(Debug)]
pub struct OomWatch {
    folder: Folder,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Version 1 counts it up, as long as the file of the group is open as well.
    Counter(EventFd, #[expect(dead_code, reason = "the kernel looks at it")] File),
    /// Version 2 changes a file; how many processes it had killed when we looked last.
    File(Inotify, u64),
}

impl Cgroup {
    /// Begins to wait; `None` where no controller of memory is there to tell.
    ///
    /// # Errors
    /// Those of eventfd(2), inotify(7), and of the group's files.
    pub fn watch_oom(&self) -> Result<Option<OomWatch>> {
        let Some(folder) = self.with("memory") else { return Ok(None) };
        let source = if folder.is_v2() { watch_v2(folder) } else { watch_v1(folder).map(Some) };
        Ok(folder::or_gone(source)?.flatten().map(|source| OomWatch { folder: folder.clone(), source }))
    }

    /// Whether the kernel has killed a process of this group for memory. Where it cannot be asked, or the group is not the
    /// container's alone, that is not known: `false`.
    pub fn has_starved(&self) -> bool {
        let known = self.with("memory").filter(|_| !self.shared).map(kills);
        matches!(known, Some(Ok(Some(1..))))
    }
}

/// Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control": the group is told which counter wants to know of which file.
fn watch_v1(folder: &Folder) -> Result<Source> {
    let path = folder.path.join("memory.oom_control");
    let control = File::open(&path).map_err(Error::io(format!("open {}", path.display())))?;
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let counter = EventFd::from_value_and_flags(0, flags).map_err(Error::refused("eventfd"))?;
    folder.write("cgroup.event_control", &format!("{} {}", counter.as_raw_fd(), control.as_raw_fd()))?;
    Ok(Source::Counter(counter, control))
}

/// Documentation/admin-guide/cgroup-v2.rst, "memory.events".
fn watch_v2(folder: &Folder) -> Result<Option<Source>> {
    let path = folder.path.join("memory.events");
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
        .map_err(Error::refused("inotify_init1"))?;
    inotify
        .add_watch(&path, AddWatchFlags::IN_MODIFY)
        .map_err(Error::refused(format!("inotify_add_watch {}", path.display())))?;
    Ok(kills(folder)?.map(|kills| Source::File(inotify, kills)))
}

/// How many processes of the group the kernel has killed for memory; `None` where the group is gone.
fn kills(folder: &Folder) -> Result<Option<u64>> {
    let file = if folder.is_v2() { "memory.events" } else { "memory.oom_control" };
    let text = folder::or_gone(folder.read(file))?;
    let count = |text: String| text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok());
    Ok(text.and_then(count))
}

impl OomWatch {
    /// Whether it has happened since we asked last. A group that is removed makes itself heard as well, and that is none.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn news(&mut self) -> Result<bool> {
        match &mut self.source {
            Source::Counter(counter, _) => match counter.read() {
                Ok(_) => Ok(self.folder.path.exists()),
                Err(Errno::EAGAIN) => Ok(false),
                Err(errno) => Err(Error::refused("read eventfd")(errno)),
            },
            Source::File(inotify, known) => {
                match inotify.read_events() {
                    Ok(_) | Err(Errno::EAGAIN) => {}
                    Err(errno) => return Err(Error::refused("read inotify")(errno)),
                }
                // Not what inotify says counts, which comes late at times, but what the file says.
                let before = std::mem::replace(known, kills(&self.folder)?.unwrap_or(*known));
                Ok(*known > before)
            }
        }
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.source {
            Source::Counter(counter, _) => counter.as_fd(),
            Source::File(inotify, _) => inotify.as_fd(),
        }
    }
}
