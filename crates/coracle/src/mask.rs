//! Paths that the container may not see, and those that it may not write.
//!
//! Both are done below `root` before pivot_root, when everything else is mounted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{SFlag, fstat, makedev};

use crate::error::{Error, Result};
use crate::{mount, path, sys};

/// Covers each of `paths` that is there: a file by /dev/null, a directory by an empty read-only one.
///
/// # Errors
/// Those of the mount calls; a path that is not there is none. `ENODEV` where the host's /dev/null is something else.
pub fn mask(root: BorrowedFd<'_>, paths: &[PathBuf]) -> Result<()> {
    let (mut of_files, mut of_directories) = (None, None);
    for path in paths {
        let Some(place) = find(root, path)? else { continue };
        let is_directory = is(SFlag::S_IFDIR, fstat(&place).map_err(refused("fstat", path))?.st_mode);
        let first = if is_directory { &mut of_directories } else { &mut of_files };
        let cover = match first {
            Some(cover) => {
                sys::clone_tree(AsFd::as_fd(cover)).map_err(refused("open_tree of the cover", path))?
            }
            None if is_directory => empty_directory().map_err(refused("an empty tmpfs", path))?,
            None => null().map_err(refused("/dev/null", path))?,
        };
        sys::move_mount(cover.as_fd(), place.as_fd()).map_err(refused("move_mount", path))?;
        sys::leave_open([place]);
        match first {
            Some(_) => sys::leave_open([cover]),
            None => *first = Some(cover),
        }
    }
    sys::leave_open(of_files.into_iter().chain(of_directories));
    Ok(())
}

/// Makes each of `paths` that is there read-only, with all mounts below it.
///
/// # Errors
/// Those of the mount calls; a path that is not there is none.
pub fn make_read_only(root: BorrowedFd<'_>, paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        if let Some(place) = find(root, path)? {
            cover_by_read_only_copy(place.as_fd()).map_err(refused("read-only", path))?;
            sys::leave_open([place]);
        }
    }
    Ok(())
}

/// Puts a read-only copy of the tree at `place` on `place`. On a kernel before 5.12, the mounts below it stay as
/// they are.
fn cover_by_read_only_copy(place: BorrowedFd<'_>) -> nix::Result<()> {
    let copy = sys::clone_tree(place)?;
    match mount::make_read_only(copy.as_fd(), true) {
        // An old kernel changes only what is attached.
        Err(Errno::EINVAL) => {
            sys::move_mount(copy.as_fd(), place)?;
            mount::make_read_only(copy.as_fd(), true)
        }
        Err(errno) => Err(errno),
        Ok(()) => {
            sys::move_mount(copy.as_fd(), place)?;
            sys::leave_open([copy]);
            Ok(())
        }
    }
}

/// The host's /dev/null, as a mount that hangs nowhere. Anything else in its place would be laid open in the container,
/// under a name that it must not read (CVE-2025-31133).
fn null() -> nix::Result<OwnedFd> {
    let null = sys::clone_mount(AT_FDCWD, c"/dev/null", false)?;
    let found = fstat(&null)?;
    match is(SFlag::S_IFCHR, found.st_mode) && found.st_rdev == makedev(1, 3) {
        true => Ok(null),
        false => Err(Errno::ENODEV),
    }
}

fn empty_directory() -> nix::Result<OwnedFd> {
    let fs = sys::fsopen(c"tmpfs")?;
    sys::fsconfig_create(fs.as_fd())?;
    let attributes =
        libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    let made = sys::fsmount(fs.as_fd(), attributes)?;
    sys::leave_open([fs]);
    Ok(made)
}

/// What is at `path`; `None` where there is nothing.
fn find(root: BorrowedFd<'_>, path: &Path) -> Result<Option<OwnedFd>> {
    match path::resolve(root, path) {
        Ok(place) => Ok(Some(place)),
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENOTDIR)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is(kind: SFlag, mode: libc::mode_t) -> bool {
    mode & SFlag::S_IFMT.bits() == kind.bits()
}

fn refused<'a>(call: &'a str, path: &'a Path) -> impl FnOnce(Errno) -> Error + use<'a> {
    move |errno| Error::refused(format!("cover {}: {call}", path.display()))(errno)
}
