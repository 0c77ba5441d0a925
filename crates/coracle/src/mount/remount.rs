//! What is mounted already, with other options.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;

use super::{Mount, What, attributes};
use crate::error::Result;
use crate::{path, sys};

impl Mount {
    /// Whether it becomes read-only only when everything is in it: later mounts and devices need their places there.
    pub(super) fn is_finished_later(&self) -> bool {
        let read_only = self.options.attributes.set & libc::MOUNT_ATTR_RDONLY != 0;
        let filled_later = self.is_new(c"tmpfs") || self.destination == Path::new("/dev");
        read_only && filled_later && !matches!(self.what, What::Remount)
    }
}

/// Makes those of `mounts` read-only that had to stay writable for what came later. For init, when nothing is made
/// in the container any more.
///
/// # Errors
/// Those of mount_setattr(2).
pub fn finish(root: BorrowedFd<'_>, mounts: &[Mount]) -> Result<()> {
    for mount in mounts.iter().filter(|mount| mount.is_finished_later()) {
        let there = path::resolve(root, &mount.destination)?;
        attributes::make_read_only(there.as_fd(), false)
            .map_err(mount.refused("mount_setattr, read-only"))?;
    }
    Ok(())
}

/// Changes what is mounted at the place of `mount`. The attributes are those of that one mount; data goes to the file
/// system, unless it is a bind that is changed.
///
/// # Errors
/// `EINVAL` where nothing is mounted there; what the file system says.
pub(super) fn change(root: BorrowedFd<'_>, mount: &Mount) -> Result<()> {
    let there = path::resolve(root, &mount.destination)?;
    let there = there.as_fd();
    let options = &mount.options;
    attributes::change_attached(there, options).map_err(|errno| {
        mount.refused("mount_setattr")(errno)
            .with_cure(Errno::EINVAL, "nothing is mounted there to be changed")
    })?;
    if options.bind.is_some() || options.data.is_empty() {
        return Ok(());
    }
    let fs = sys::fspick(there).map_err(mount.refused("fspick"))?;
    for (key, value) in &options.data {
        sys::fsconfig(fs.as_fd(), key, value.as_deref())
            .map_err(mount.refused(format_args!("option {}", key.to_string_lossy())))?;
    }
    sys::fsconfig_reconfigure(fs.as_fd()).map_err(mount.refused("fsconfig reconfigure"))
}
