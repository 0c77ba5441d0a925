//! Terminals: a pseudoterminal of the container's own (pty(7)), and who holds its other end.

mod proxy;
mod raw;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{Mode, SFlag, mknodat};
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::{Uid, dup2_stderr, dup2_stdin, dup2_stdout, fchown, setsid};

use crate::error::{Error, Result};
use crate::sys;

pub use proxy::{Proxy, fit, ours};

/// The kernel's include/uapi/linux/magic.h.
const DEVPTS: FsType = FsType(0x1cd1);

/// The terminal that a process asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Rows; 0: not said.
    pub rows: u16,
    /// Columns; 0: not said.
    pub columns: u16,
}

/// In the container, before its root is changed or after: makes a pseudoterminal in the devpts at `root`/dev/pts of this
/// size, gives it to the user `uid` (inside), makes it this process's standard input, output and error and the controlling
/// terminal of its new session, and binds it onto `root`/dev/console where `bind` says so. Returns the master, which is the
/// caller's.
///
/// # Errors
/// `ENOENT` where the container has no /dev/pts/ptmx, `EINVAL` for a `uid` that is not mapped.
pub fn attach(root: BorrowedFd<'_>, size: Size, uid: u32, bind: bool) -> Result<OwnedFd> {
    let master = open_master(root)?;
    sys::unlock_slave(master.as_fd()).map_err(Error::refused("ioctl TIOCSPTLCK"))?;
    let slave = sys::open_slave(master.as_fd()).map_err(Error::refused("ioctl TIOCGPTPEER"))?;
    if (size.rows, size.columns) != (0, 0) {
        sys::set_window_size(master.as_fd(), size.rows, size.columns)
            .map_err(Error::refused("ioctl TIOCSWINSZ"))?;
    }
    fchown(&slave, Some(Uid::from_raw(uid)), None)
        .map_err(Error::refused(format!("fchown the terminal to {uid}")))?;
    if bind {
        bind_console(root, slave.as_fd())?;
    }
    new_session()?;
    sys::set_controlling_terminal(slave.as_fd()).map_err(Error::refused("ioctl TIOCSCTTY"))?;
    dup2_stdin(&slave)
        .and_then(|()| dup2_stdout(&slave))
        .and_then(|()| dup2_stderr(&slave))
        .map_err(Error::refused("dup2 of the terminal"))?;
    Ok(master)
}

/// Makes a session of its own for this process (setsid(2)): no terminal of the caller's is its controlling one any more, and
/// no ^C there reaches it.
///
/// # Errors
/// `EPERM` where it leads a process group already.
pub fn new_session() -> Result<()> {
    setsid().map(drop).map_err(Error::refused("setsid"))
}

/// Opens a new pseudoterminal's master. The root filesystem is somebody else's: what is called /dev/pts there must be a
/// devpts, for there only the kernel makes files, and its ptmx must not be covered by another mount.
fn open_master(root: BorrowedFd<'_>) -> Result<OwnedFd> {
    const CURE: &str = "a terminal needs a devpts on /dev/pts: add it to /mounts";
    let resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
    let directory = sys::openat2(root, c"dev/pts", libc::O_PATH | libc::O_DIRECTORY, resolve)
        .map_err(|errno| Error::refused("open /dev/pts")(errno).with_cure(Errno::ENOENT, CURE))?;
    let kind = fstatfs(&directory).map_err(Error::refused("fstatfs /dev/pts"))?.filesystem_type();
    if kind != DEVPTS {
        return Err(Error::refused("open /dev/pts/ptmx")(Errno::ENODEV).with_cure(Errno::ENODEV, CURE));
    }
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
    sys::openat2(directory.as_fd(), c"ptmx", libc::O_RDWR | libc::O_NOCTTY, resolve).map_err(|errno| {
        Error::refused("open /dev/pts/ptmx")(errno)
            .with_cure(Errno::EACCES, "mount the devpts with the option ptmxmode=0666")
            .with_cure(Errno::ENOSPC, "the limit in /proc/sys/kernel/pty/max is reached")
    })
}

/// Binds the terminal onto /dev/console of the root filesystem, which is made where it is missing: by descriptors, for no
/// path names this terminal for sure (CVE-2025-52565).
fn bind_console(root: BorrowedFd<'_>, slave: BorrowedFd<'_>) -> Result<()> {
    let resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
    let dev = sys::openat2(root, c"dev", libc::O_PATH | libc::O_DIRECTORY, resolve)
        .map_err(Error::refused("open /dev"))?;
    // mknod follows no symlink, and opens nothing.
    match mknodat(&dev, c"console", SFlag::S_IFREG, Mode::S_IRUSR | Mode::S_IWUSR, 0) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(Error::refused("make /dev/console")(errno)),
    }
    let target = sys::openat2(dev.as_fd(), c"console", libc::O_PATH | libc::O_NOFOLLOW, resolve)
        .map_err(Error::refused("open /dev/console"))?;
    let mount = sys::clone_mount(slave, c"", false).map_err(Error::refused("open_tree of the terminal"))?;
    sys::move_mount(mount.as_fd(), target.as_fd()).map_err(Error::refused("move_mount onto /dev/console"))
}
