//! Paths that cannot leave a root filesystem.
//!
//! A root filesystem is somebody else's: any part of a path in it may be a symlink to anywhere, and may be swapped
//! for one between a check and its use (CVE-2021-30465). So a path is resolved once, by the kernel, into a
//! descriptor, and everything is done to the descriptor.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::readlinkat;
use nix::sys::stat::{Mode, SFlag, mkdirat, mknodat};

use crate::error::{Error, Result};
use crate::sys;

/// How many symlinks a path may lead through: the kernel's own limit (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// How often a step is tried again that somebody's renaming disturbed.
const MOST_TRIES: usize = 128;

/// `path` as the kernel takes it.
///
/// # Errors
/// `EINVAL` for a path with a NUL byte in it.
pub fn c_string(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::refused(format!("path {path:?}, which has a NUL byte"))(Errno::EINVAL))
}

/// `path` as an absolute path without `.` and `..`, by its words alone: a relative one is below `/`.
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}

/// Opens a file or directory of the root filesystem `root` as a place (`O_PATH`). Symlinks on the way are followed as
/// a process inside would follow them: an absolute one begins at `root`, and `..` does not lead above it (openat2(2),
/// `RESOLVE_IN_ROOT`).
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `ELOOP`; `EXDEV` for a link of /proc that leads to a file of its own.
pub fn resolve(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    let path_c = c_string(path)?;
    open(root, &path_c, libc::O_PATH, libc::RESOLVE_IN_ROOT)
        .map_err(|errno| Error::refused(in_root("open", path))(errno))
}

/// As [`resolve`], but where a symlink is on the way it is `ELOOP`: what this opens is where its path says.
///
/// # Errors
/// `ELOOP`, `ENOENT`, `ENOTDIR`.
pub fn real(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    let resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
    open(root, &c_string(path)?, libc::O_PATH, resolve)
        .map_err(|errno| Error::refused(in_root("open", path))(errno))
}

/// Opens a real directory of the root filesystem `root` as a target for a mount (`O_PATH`). Absolute and relative
/// paths mean the same: below `root`. No symlink may be on the way: proc or sysfs on what only looks like a
/// directory has let labels and writes go elsewhere (CVE-2019-19921, CVE-2023-27561).
///
/// # Errors
/// `ELOOP` where there is a symlink on the way, `ENOENT`, `ENOTDIR`.
pub fn real_directory(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    let resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS;
    open(root, &c_string(path)?, libc::O_PATH | libc::O_DIRECTORY, resolve)
        .map_err(|errno| Error::refused(in_root("open", path))(errno))
}

/// What is made where a path ends and nothing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// A directory, mode 0755.
    Directory,
    /// An empty file, mode 0644.
    File,
}

/// Opens `path` of the root filesystem `root` as a place, and makes what is missing of it: the directories on the
/// way, and `last` at its end. Symlinks are followed inside `root`, also those that lead to nothing yet (the
/// /etc/resolv.conf of many images). Every step is one name in a directory that is held open, so a symlink that is
/// put in its way cannot lead it out (CVE-2021-30465, CVE-2024-45310).
///
/// # Errors
/// `EROFS` on a read-only file system, `ELOOP` for too many symlinks, `ENOTDIR`, `EACCES`.
pub fn make(root: BorrowedFd<'_>, path: &Path, last: Last) -> Result<OwnedFd> {
    make_through(root, path, last, MOST_LINKS)
}

/// As [`make`], but through no symlink at all. Quick where only the last name is missing.
///
/// # Errors
/// As [`make`]; `ELOOP` where there is a symlink on the way.
pub fn make_real(root: BorrowedFd<'_>, path: &Path, last: Last) -> Result<OwnedFd> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return make_through(root, path, last, 0);
    };
    let parent = match real_directory(root, parent) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => return make_through(root, path, last, 0),
        other => other?,
    };
    let made = match make_one(parent.as_fd(), name, last) {
        Ok(()) | Err(Errno::EEXIST) => step(parent.as_fd(), name, last),
        Err(errno) => Err(errno),
    };
    sys::leave_open([parent]);
    match made {
        Ok(Step::There(fd)) => Ok(fd),
        Ok(Step::Link(_)) => Err(Error::refused(in_root("make", path))(Errno::ELOOP)),
        Err(errno) => Err(Error::refused(in_root("make", path))(errno)),
    }
}

fn make_through(root: BorrowedFd<'_>, path: &Path, last: Last, most_links: usize) -> Result<OwnedFd> {
    let fail = |errno| Error::refused(in_root("make", path))(errno);
    let mut way = vec![root.try_clone_to_owned().map_err(Error::io("dup"))?];
    let mut rest = names_backwards(path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            // The root is its own parent.
            way.truncate((way.len() - 1).max(1));
            continue;
        }
        let wanted = if rest.is_empty() { last } else { Last::Directory };
        match step(way[way.len() - 1].as_fd(), &name, wanted).map_err(fail)? {
            Step::There(next) => way.push(next),
            Step::Link(_) if links == most_links => return Err(fail(Errno::ELOOP)),
            Step::Link(to) => {
                links += 1;
                if to.is_absolute() {
                    way.truncate(1);
                }
                rest.extend(names_backwards(&to));
            }
        }
    }
    Ok(way.swap_remove(way.len() - 1))
}

enum Step {
    There(OwnedFd),
    Link(PathBuf),
}

/// One step down: `name` in `directory`, made where it is missing.
fn step(directory: BorrowedFd<'_>, name: &OsStr, wanted: Last) -> nix::Result<Step> {
    let c_name = CString::new(name.as_bytes()).map_err(|_| Errno::EINVAL)?;
    for _ in 0..MOST_TRIES {
        match open(directory, &c_name, libc::O_PATH, libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS) {
            Ok(next) => return Ok(Step::There(next)),
            Err(Errno::ELOOP) => match readlinkat(directory, name) {
                Ok(to) => return Ok(Step::Link(to.into())),
                // Swapped since.
                Err(Errno::EINVAL | Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            },
            Err(Errno::ENOENT) => match make_one(directory, name, wanted) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            },
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EAGAIN)
}

/// Makes `name` in `directory`: a directory (mkdirat(2)) of mode 0755 or an empty file (mknodat(2)) of mode 0644, as
/// `wanted` says. Never through a symlink: neither call follows one at the end, as open(2) would.
///
/// # Errors
/// `EEXIST` where the name is taken, `EROFS`, `EACCES`.
fn make_one(directory: BorrowedFd<'_>, name: &OsStr, wanted: Last) -> nix::Result<()> {
    match wanted {
        Last::Directory => mkdirat(directory, name, Mode::from_bits_truncate(0o755)),
        Last::File => mknodat(directory, name, SFlag::S_IFREG, Mode::from_bits_truncate(0o644), 0),
    }
}

/// openat2(2), tried again where a renaming somewhere on the machine made the kernel unsure of a `..` (`EAGAIN`).
fn open(root: BorrowedFd<'_>, path: &CString, flags: libc::c_int, resolve: u64) -> nix::Result<OwnedFd> {
    let mut result = sys::openat2(root, path, flags, resolve);
    for _ in 1..MOST_TRIES {
        if !matches!(result, Err(Errno::EAGAIN)) {
            break;
        }
        result = sys::openat2(root, path, flags, resolve);
    }
    result
}

/// The names of a path, the first one last; `..` stays.
fn names_backwards(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

fn in_root(verb: &str, path: &Path) -> String {
    format!("{verb} {} in the root filesystem", path.display())
}
