//! Namespaces by descriptor.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sched::CloneFlags;

/// The kind of the namespace that `fd` was opened from, as its `CLONE_NEW*` flag (ioctl_ns(2), `NS_GET_NSTYPE`).
///
/// # Errors
/// `ENOTTY` for a descriptor of something else.
pub fn namespace_type(fd: BorrowedFd<'_>) -> nix::Result<CloneFlags> {
    // SAFETY: this ioctl takes no argument.
    let flag = Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::NS_GET_NSTYPE) })?;
    Ok(CloneFlags::from_bits_retain(flag))
}
