//! Files and descriptors.

use std::ffi::CStr;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use nix::errno::Errno;

use super::owned;

/// Opens `path` below `root` as openat2(2) with the given `RESOLVE_*` bits; the descriptor is `O_CLOEXEC`.
///
/// # Errors
/// `EXDEV`, `ELOOP` where the bits forbid a step; else as open(2).
pub fn openat2(root: BorrowedFd<'_>, path: &CStr, flags: libc::c_int, resolve: u64) -> nix::Result<OwnedFd> {
    // SAFETY: open_how is plain data for which all zeroes is valid.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.resolve = resolve;
    // SAFETY: path ends in NUL, how lives through the call and its size is the one passed.
    owned(unsafe {
        libc::syscall(
            libc::SYS_openat2,
            root.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    })
}

/// Closes every descriptor above standard error but those in `keep` and the `more` that follow standard error, as
/// close_range(2). Only for a process that ends without running the destructors of what owned them: a cloned child.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
pub fn close_all_but(keep: &[BorrowedFd<'_>], more: u32) -> nix::Result<()> {
    let mut first = 3 + more;
    let mut kept: Vec<_> =
        keep.iter().map(|fd| fd.as_raw_fd() as libc::c_uint).filter(|fd| *fd >= first).collect();
    kept.sort_unstable();
    for fd in kept.into_iter().chain([libc::c_uint::MAX]) {
        if first < fd {
            let last = if fd == libc::c_uint::MAX { fd } else { fd - 1 };
            // SAFETY: no pointers; the caller gave up what is closed.
            Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
        }
        first = fd.saturating_add(1);
    }
    Ok(())
}

/// Leaves descriptors open on purpose, in a process that will close all it does not need with one call
/// ([`close_all_but`]) or ends soon: a container's making opens about a hundred, and closing each takes a call too. Never
/// one that leads to the host, unless they are closed before anything of the container's is touched.
pub fn leave_open(descriptors: impl IntoIterator<Item = OwnedFd>) {
    for descriptor in descriptors {
        let _ = descriptor.into_raw_fd();
    }
}

/// The first descriptor that came with a message (unix(7), SCM_RIGHTS): the receiver's from now on.
pub fn received(message: &nix::sys::socket::ControlMessageOwned) -> Option<OwnedFd> {
    let nix::sys::socket::ControlMessageOwned::ScmRights(fds) = message else { return None };
    // SAFETY: the kernel made these descriptors for us with this message, and nobody else has taken them.
    fds.first().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) })
}
