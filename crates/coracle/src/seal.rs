//! Sealing: the container can never write to the runtime's own file (CVE-2019-5736), nor look into its process
//! (CVE-2016-9962).
//!
//! A container sees the runtime's process once: when it enters. Through `/proc/PID/exe` it can open the runtime's file,
//! and, when the runtime has ended and the file is no longer busy, write to it through the descriptor's own entry in
//! `/proc`. The next run is the container's program, as root of the host. So what enters is a copy that nobody can
//! write to.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_dumpable;
use nix::sys::statfs::{Statfs, TMPFS_MAGIC, fstatfs, statfs};
use nix::sys::statvfs::FsFlags;

use crate::error::{Error, Result};
use crate::{procfs, sys};

const SELF: &str = "/proc/self/exe";

/// Goes on in a copy of this program that nobody can write to. Returns at once where we are in one already. The
/// arguments and the environment stay as they are; all descriptors of ours are close-on-exec. `tell` is called before
/// the last step, which does not return.
///
/// # Errors
/// Where no copy can be made, or /proc is not there: then no container is made.
pub fn seal(tell: impl FnOnce()) -> Result<()> {
    let place = statfs(SELF).or_else(|errno| {
        // Most likely it is /proc.
        procfs::require()?;
        Err(Error::refused("statfs /proc/self/exe")(errno))
    })?;
    if is_read_only(place) || (place.filesystem_type() == TMPFS_MAGIC && is_sealed(open()?.as_fd())) {
        return Ok(());
    }
    // The mount is not for an ordinary user, nor for an old kernel.
    let copy = read_only_mount().or_else(|_| memory_copy(&open()?))?;
    // What the copy will ask itself: with another answer there, we would do this for ever.
    if !fstatfs(&copy).is_ok_and(is_read_only) && !is_sealed(copy.as_fd()) {
        return Err(Error::refused("seal the runtime's file: its copy can be written to")(Errno::ELOOP));
    }
    let args: Vec<_> = std::env::args_os().filter_map(|arg| CString::new(arg.into_vec()).ok()).collect();
    tell();
    Err(Error::refused("execveat of the runtime's sealed copy")(sys::exec_descriptor(copy.as_fd(), &args)))
}

/// Whether the mount takes no writes, whoever opens the file.
fn is_read_only(place: Statfs) -> bool {
    place.flags().contains(FsFlags::ST_RDONLY)
}

/// Whether the file is memory that takes no writes any more (memfd_create(2), "File sealing").
fn is_sealed(program: BorrowedFd<'_>) -> bool {
    let all = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_WRITE;
    // EINVAL: a file that has no seals at all.
    fcntl(program, FcntlArg::F_GET_SEALS).is_ok_and(|seals| SealFlag::from_bits_truncate(seals).contains(all))
}

fn open() -> Result<File> {
    File::open(SELF).map_err(Error::io("open /proc/self/exe"))
}

/// A read-only mount of nothing but our own file, without a byte copied. It hangs nowhere, and when execve closes the
/// descriptor (which is close-on-exec) it is in no mount namespace any more: from then on not even root can make it
/// writable.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `ENOSYS` before Linux 5.12.
fn read_only_mount() -> Result<OwnedFd> {
    let copy = sys::clone_mount(AT_FDCWD, c"/proc/self/exe", false)
        .map_err(Error::refused("open_tree of /proc/self/exe"))?;
    sys::mount_setattr(copy.as_fd(), false, libc::MOUNT_ATTR_RDONLY, 0, 0)
        .map_err(Error::refused("mount_setattr"))?;
    Ok(copy)
}

/// A copy of the file of `program` in memory, sealed: the kernel itself refuses every write to it (memfd_create(2)).
///
/// # Errors
/// Those of memfd_create(2), of copying, and of fcntl(2) with `F_ADD_SEALS`.
fn memory_copy(mut program: &File) -> Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let executable = MFdFlags::from_bits_retain(libc::MFD_EXEC);
    let copy = match memfd_create(c"coracle", flags | executable) {
        // Before Linux 6.3 there is no such flag, and each one is executable.
        Err(Errno::EINVAL) => memfd_create(c"coracle", flags),
        other => other,
    };
    let mut copy = File::from(copy.map_err(|errno| {
        Error::refused("memfd_create")(errno)
            .with_cure(Errno::EACCES, "the sysctl vm.memfd_noexec must be below 2")
    })?);
    std::io::copy(&mut program, &mut copy).map_err(Error::io("copy the runtime's file into memory"))?;
    let seals =
        SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&copy, FcntlArg::F_ADD_SEALS(seals)).map_err(Error::refused("fcntl F_ADD_SEALS"))?;
    Ok(copy.into())
}

/// Makes this process, and those it is cloned into, unreadable for others until the next execve (prctl(2),
/// PR_SET_DUMPABLE): nobody in the container reads our descriptors or our memory (CVE-2016-9962).
///
/// From then on our own folder in `/proc` belongs to root of the host: what others must write there has to be written
/// before.
///
/// # Errors
/// Those of prctl(2).
pub fn hide() -> Result<()> {
    set_dumpable(false).map_err(Error::refused("prctl PR_SET_DUMPABLE"))
}
