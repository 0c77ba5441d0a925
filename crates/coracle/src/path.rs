//! Paths that cannot leave a root filesystem.
//!
//! A root filesystem is somebody else's: any part of a path in it may be a symlink to anywhere, and may be swapped
//! for one between a check and its use (CVE-2021-30465). So a path is resolved once, by the kernel, into a
//! descriptor, and everything is done to the descriptor.

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::sys;

/// `path` as the kernel takes it.
///
/// # Errors
/// `EINVAL` for a path with a NUL byte in it.
pub fn c_string(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| {
        Error::refused(format!("path {path:?}, which has a NUL byte"))(nix::errno::Errno::EINVAL)
    })
}

/// Opens a real directory of the root filesystem `root` as a target for a mount (`O_PATH`). Absolute and relative
/// paths mean the same: below `root`. No symlink may be on the way: proc or sysfs on what only looks like a
/// directory has let labels and writes go elsewhere (CVE-2019-19921, CVE-2023-27561).
///
/// # Errors
/// `ELOOP` where there is a symlink on the way, `ENOENT`, `ENOTDIR`.
pub fn real_directory(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    let resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
    sys::openat2(root, &c_string(path)?, libc::O_PATH | libc::O_DIRECTORY, resolve)
        .map_err(Error::refused(format!("open {} in the root filesystem", path.display())))
}
