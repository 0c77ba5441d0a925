//! The container's root: from a directory on the host to `/`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::sys::statfs::{PROC_SUPER_MAGIC, SYSFS_MAGIC, Statfs, statfs};
use nix::unistd::{chdir, chroot, fchdir};

use crate::error::{Error, Result};
use crate::{procfs, sys};

/// The root filesystem of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rootfs {
    /// Its directory on the host, absolute, without symlinks.
    pub path: PathBuf,
    /// Whether it is mounted read-only.
    pub readonly: bool,
    /// How mounts spread from and to it: `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`, with `MS_REC`;
    /// `None` leaves it a recursive slave.
    pub propagation: Option<MsFlags>,
}

/// Cuts the way from our mounts back to the host's: makes every mount that we see a slave (mount_namespaces(7),
/// "Shared subtrees"). What the host mounts still arrives here; what we mount no longer arrives there.
///
/// A new mount namespace alone does not do this: its mounts are copies, and a copy of a shared mount is its peer.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the mount namespace.
pub fn stop_propagation() -> Result<()> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(Error::refused("mount / as a recursive slave"))
}

/// Makes the directory of `root` a mount point, with all mounts below it, by mounting a copy of its own mount on top
/// of it. pivot_root(2) takes nothing less. Returns a descriptor of the new mount's root: whoever holds it sees the
/// mount, and `root` stays the directory below. By descriptors, since a path could lead elsewhere the second time.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the mount namespace; `EINVAL` on an unbindable mount.
pub fn bind(root: BorrowedFd<'_>) -> Result<OwnedFd> {
    let copy = sys::clone_tree(root).map_err(Error::refused("open_tree of the root filesystem"))?;
    sys::move_mount(copy.as_fd(), root).map_err(Error::refused("move_mount onto the root filesystem"))?;
    Ok(copy)
}

/// Makes the mount of `root` the root of our mount namespace and takes the old root off, so that no path leads to
/// it any more (pivot_root(2), "pivot_root(".", ".")"). Afterwards the working directory is the new `/`.
///
/// # Errors
/// `EINVAL` where `root` is no mount point or its mount is shared, `EBUSY` where it is on the mount of the root we
/// have; `EPERM` without CAP_SYS_ADMIN.
pub fn pivot_root(root: BorrowedFd<'_>) -> Result<()> {
    fchdir(root).map_err(Error::refused("fchdir to the root filesystem"))?;
    nix::unistd::pivot_root(".", ".").map_err(Error::refused("pivot_root"))?;
    detach_old_root()?;
    chdir("/").map_err(Error::refused("chdir /"))
}

/// Makes the mount of `root` the root without pivot_root(2), which takes no root on a ramfs: moves it onto `/` and changes
/// the root to it (as switch_root(8) does). What the old root has mounted stays in the mount namespace, where no path leads
/// to it any more, but the kernel counts it: as long as a whole /proc is there, whoever has a user namespace may mount
/// another. So all of it is taken off, and what cannot be, since it came from another user namespace, is covered.
///
/// # Errors
/// `EINVAL` where the mount that `root` lies on is shared; `EPERM` without CAP_SYS_ADMIN or CAP_SYS_CHROOT.
pub fn move_root(root: BorrowedFd<'_>) -> Result<()> {
    let listed = std::fs::read_to_string(MOUNTS).map_err(Error::io(format!("read {MOUNTS}")))?;
    let old = open_directory(Path::new("/"))?;
    sys::move_mount(root, old.as_fd()).map_err(Error::refused("move_mount onto /"))?;
    // Until chroot, a path still begins at the old root.
    let points =
        listed.lines().rev().filter_map(procfs::mount_line).map(|line| procfs::unescaped(line.point));
    points.filter(|point| point != "/").try_for_each(|point| take_off(&point))?;
    fchdir(root).map_err(Error::refused("fchdir to the root filesystem"))?;
    chroot(".").map_err(Error::refused("chroot to the root filesystem"))?;
    chdir("/").map_err(Error::refused("chdir /"))
}

const MOUNTS: &str = "/proc/self/mountinfo";

/// Takes a mount of the old root off. Of what stays, only a /proc or a /sys matters.
fn take_off(point: &str) -> Result<()> {
    let gone = umount2(point, MntFlags::MNT_DETACH).is_ok();
    let telling = |found: Statfs| [PROC_SUPER_MAGIC, SYSFS_MAGIC].contains(&found.filesystem_type());
    if gone || !statfs(point).is_ok_and(telling) {
        return Ok(());
    }
    mount(Some("tmpfs"), point, Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>)
        .map_err(Error::refused(format!("mount a tmpfs over {point}")))
}

/// Takes the old root off. After pivot_root(".", ".") it lies on top of the new one, and umount2 takes the topmost
/// mount of a place. It is busy, since the host's processes live there, so it is detached: gone from every path here,
/// and untouched there.
fn detach_old_root() -> Result<()> {
    umount2(".", MntFlags::MNT_DETACH).map_err(Error::refused("umount2 of the old root"))
}

/// Makes the mount of `root` read-only; those below it stay as they are. When everything is made in it, and before
/// [`pivot_root`].
///
/// # Errors
/// Those of mount_setattr(2).
pub fn make_read_only(root: BorrowedFd<'_>) -> Result<()> {
    crate::mount::make_read_only(root, false).map_err(Error::refused("mount_setattr of the root filesystem"))
}

/// Whether a propagation is to be set before the container's mounts are made. That none of them is to hear of the host
/// (`rprivate`) is about what they come from; set afterwards it would undo what a mount's own options say.
pub fn comes_first(propagation: MsFlags) -> bool {
    propagation == MsFlags::MS_PRIVATE | MsFlags::MS_REC
}

/// Says how mounts spread from and to the root that we have, as [`Rootfs::propagation`]. After [`pivot_root`], but for one
/// that [`comes_first`]: a shared mount can't be pivoted to.
///
/// # Errors
/// Those of mount(2).
pub fn set_propagation(propagation: MsFlags) -> Result<()> {
    mount(None::<&str>, "/", None::<&str>, propagation, None::<&str>)
        .map_err(Error::refused(format!("mount / as {propagation:?}")))
}

/// Opens a directory of the host as a place (`O_PATH`), not for reading.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES`.
pub fn open_directory(path: &Path) -> Result<OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(Error::refused(format!("open {}", path.display())))
}

/// `path` as an absolute path of an existing directory, without symlinks.
///
/// # Errors
/// [`Error::Bundle`] where it is missing or something else.
pub fn directory(path: &Path) -> Result<PathBuf> {
    let fail = |problem: &str| Error::Bundle { path: path.to_owned(), problem: problem.to_owned() };
    let real =
        std::fs::canonicalize(path).map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) => fail("no such file or directory; make the root filesystem first"),
            _ => Error::io(format!("find {}", path.display()))(error),
        })?;
    if real.is_dir() { Ok(real) } else { Err(fail("is not a directory")) }
}
