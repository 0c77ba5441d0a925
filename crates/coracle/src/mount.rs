//! The container's file systems, mounted on descriptors.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::{path, sys};

/// A file system that the container gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// proc(5) of the container's PID namespace.
    Proc {
        /// Where, below the root filesystem.
        destination: PathBuf,
    },
}

/// Makes the file system and puts it on its place in `root`. Made first and attached last: at no time does
/// anybody see half of it.
///
/// # Errors
/// Those of [`path::real_directory`] and of the mount calls.
pub fn attach(root: BorrowedFd<'_>, mount: &Mount) -> Result<()> {
    let Mount::Proc { destination } = mount;
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    let target = path::real_directory(root, destination)
        .map_err(|error| error.with_cure(Errno::ENOENT, "make this directory in the root filesystem"))?;
    let made = sys::new_mount(c"proc", attributes).map_err(|errno| {
        Error::refused("make a proc file system")(errno).with_cure(
            Errno::EPERM,
            "it needs a mount and a PID namespace of one's own and, in a user namespace, a /proc without hidden parts",
        )
    })?;
    sys::move_mount(made.as_fd(), target.as_fd())
        .map_err(Error::refused(format!("move_mount onto {}", destination.display())))
}
