//! Version 1: a hierarchy of folders for each controller, or for a few together.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::write;

use super::{Folder, cpuset, folder};
use crate::error::{Error, Result};
use crate::procfs;

/// Makes the folder in one hierarchy of version 1, with its parents; `made` takes what was not there before.
///
/// # Errors
/// Those of mkdir(2); `EBUSY` where it was there and is not empty, or is frozen.
pub(super) fn make(folder: &Folder, made: &mut Vec<PathBuf>) -> Result<()> {
    let first = made.len();
    folder::make_path(folder, made, |_| Ok(()))?;
    if folder.controllers.iter().any(|name| name == "cpuset") {
        let of_path = made[first..].iter().map(PathBuf::as_path);
        // One that was there may have none.
        let own = made[first..].is_empty().then_some(&*folder.path);
        return of_path.chain(own).try_for_each(|group| inherit_cpuset(group, &folder.mount));
    }
    Ok(())
}

/// A new group of the cpuset hierarchy has no CPU and no memory node, and nobody can join it (`ENOSPC`) before it has.
/// So it gets its parent's, and so do the groups between it and the hierarchy's mount point that somebody has made and
/// left like that.
fn inherit_cpuset(group: &Path, mount: &Path) -> Result<()> {
    let Some(parent) = group.parent() else { return Ok(()) };
    let read = |group: &Path, file: &str| -> Result<String> {
        let path = group.join(file);
        procfs::read_small(&path).map_err(Error::io(format!("read {}", path.display())))
    };
    for file in [cpuset::CPUS, cpuset::MEMS] {
        let mut list = read(parent, file)?;
        if list.trim_end().is_empty() && parent != mount {
            inherit_cpuset(parent, mount)?;
            list = read(parent, file)?;
        }
        folder::write_file(&group.join(file), list.trim_end())?;
    }
    Ok(())
}

/// Opens the folder's file `tasks`, for [`enter`].
///
/// # Errors
/// Those of open(2).
pub(super) fn open_door(folder: &Folder) -> Result<OwnedFd> {
    let path = folder.path.join("tasks");
    open(&path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(Error::refused(format!("open {}", path.display())))
}

/// Moves the calling thread into the group whose file `tasks` this is; a process with one thread is in it then. 0
/// stands for the caller. To move another process, by its number in `cgroup.procs`, would make the kernel hold up all
/// births and deaths on the machine for it, which takes a millisecond or more in each hierarchy.
///
/// # Errors
/// `ENOSPC` for a cpuset without CPU or memory node, `ENODEV` where the group is gone.
pub(super) fn enter(tasks: BorrowedFd<'_>) -> Result<()> {
    write(tasks, b"0")
        .map(drop)
        .map_err(Error::refused("write \"0\" to tasks of the control group"))
        .map_err(|error| error.with_cure(Errno::ENOSPC, "its cpuset has no CPU or no memory node"))
}
