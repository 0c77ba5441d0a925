//! Where a mount goes: a place in the root filesystem, opened once.
//!
//! /proc and /sys have a rule of their own. What the runtime writes there (labels, sysctls) must arrive at the kernel:
//! so proc and sysfs go on a real directory only, and over files of /proc nothing is mounted but a few that only tell
//! numbers (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::readlink;

use super::{Mount, What, Wrong};
use crate::error::{Error, Result};
use crate::path::{self, Last};

/// Files of /proc that may be covered: those with which lxcfs shows a container its own numbers, and two more.
const MAY_BE_COVERED: [&str; 11] = [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "net/dev",
    "sys/kernel/ns_last_pid",
    "sys/crypto/fips_enabled",
];

const ONLY_PROC: &str = "on /proc, must be proc";

/// A place for a mount.
#[derive(Debug)]
pub(super) struct Target {
    /// The place.
    pub fd: OwnedFd,
    /// Whether it was there before.
    pub existed: bool,
}

/// Checks a mount's destination by its words.
///
/// # Errors
/// What must not be mounted on /proc, or in it.
pub(super) fn check(mount: &Mount) -> Result<(), Wrong> {
    let Ok(in_proc) = mount.destination.strip_prefix("/proc") else { return Ok(()) };
    if in_proc.as_os_str().is_empty() {
        // Whether a bind's source is a procfs is seen when it is opened.
        return match &mount.what {
            What::New { kind, .. } if kind.as_c_str() != c"proc" => Err(Wrong::at("/type", ONLY_PROC)),
            What::Cgroup => Err(Wrong::at("/type", ONLY_PROC)),
            _ => Ok(()),
        };
    }
    if matches!(mount.what, What::Remount) || may_be_covered(in_proc) {
        return Ok(());
    }
    Err(Wrong::at("/destination", "is inside of /proc, where nothing may be mounted"))
}

fn may_be_covered(in_proc: &Path) -> bool {
    MAY_BE_COVERED.iter().any(|name| Path::new(name) == in_proc)
}

/// Opens the place of `mount` in `root`, and makes what is missing of it; `last` tells which kind it is to be.
///
/// # Errors
/// Those of openat2(2) and of making it; `EPERM` where symlinks lead into /proc.
pub(super) fn find(root: BorrowedFd<'_>, mount: &Mount, last: impl Fn() -> Result<Last>) -> Result<Target> {
    let place = &mount.destination;
    let real = match path::real(root, place) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => {
            path::make_real(root, place, last()?).map(|fd| Target { fd, existed: false })
        }
        other => other.map(|fd| Target { fd, existed: true }),
    };
    match real {
        Err(error) if error.errno() == Some(Errno::ELOOP) && !needs_a_real_directory(mount) => {}
        other => {
            return other.map_err(|error| {
                error
                    .with_cure(
                        Errno::ELOOP,
                        "a symlink is on the way, and proc and sysfs must be mounted on ordinary directory",
                    )
                    .with_cure(Errno::EROFS, UNMADE)
            });
        }
    }
    // Through symlinks.
    let (fd, existed) = match path::resolve(root, place) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => (path::make(root, place, last()?), false),
        other => (other, true),
    };
    let fd = fd.map_err(|error| error.with_cure(Errno::EROFS, UNMADE))?;
    check_place(root, mount, fd.as_fd())?;
    Ok(Target { fd, existed })
}

const UNMADE: &str =
    "make its place in the root filesystem first, or a writable mount for it earlier in /mounts";

fn needs_a_real_directory(mount: &Mount) -> bool {
    mount.is_new(c"proc") || mount.is_new(c"sysfs") || mount.destination == Path::new("/proc")
}

/// Checks where symlinks have led `mount`, by what the kernel says of the open `place` ([`whereabouts`]), not by words. It
/// must be below `root`. It may be in the /proc of `root` only if the destination itself begins with /proc: those [`check`]
/// has seen.
///
/// # Errors
/// `EPERM` for a place in /proc, `EXDEV` for one outside of the root filesystem.
fn check_place(root: BorrowedFd<'_>, mount: &Mount, place: BorrowedFd<'_>) -> Result<()> {
    let (root, place) = (whereabouts(root)?, whereabouts(place)?);
    match place.strip_prefix(&root).map(|inside| inside.strip_prefix("proc")) {
        // What may be covered may lead on: /proc/net is a symlink to /proc/self/net.
        Ok(Ok(_)) if !mount.destination.starts_with("/proc") => {
            Err(mount.refused("its symlinks lead into /proc")(Errno::EPERM))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(mount.refused("its symlinks lead out of the root filesystem")(Errno::EXDEV)),
    }
}

/// The path of an open file or directory, as we see it.
fn whereabouts(fd: BorrowedFd<'_>) -> Result<PathBuf> {
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    readlink(link.as_str()).map(PathBuf::from).map_err(Error::refused(format!("readlink {link}")))
}
