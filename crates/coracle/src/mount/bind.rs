//! Bind mounts: a copy of a mount of the host, with attributes of its own (open_tree(2), mount_setattr(2)).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::mount::MsFlags;
use nix::sys::stat::{SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::{Mount, Options, What, attributes, idmap, target};
use crate::error::{Error, Result};
use crate::path::{self, Last};
use crate::sys;

/// Copies the mount that `source` is on, from there down. The copy hangs nowhere yet.
///
/// # Errors
/// Those of open_tree(2); `EPERM` for /proc and a source that is none.
pub(super) fn open(mount: &Mount, source: &Path, recursive: bool) -> Result<OwnedFd> {
    let copy = sys::clone_mount(AT_FDCWD, &path::c_string(source)?, recursive).map_err(|errno| {
        let cure = if recursive {
            "the source is on an unbindable mount"
        } else {
            "an unbindable mount, or one with locked mounts below it: use rbind"
        };
        mount.refused(format_args!("source {}", source.display()))(errno)
            .with_cure(Errno::ENOENT, "make it first, or correct /mounts in config.json")
            .with_cure(Errno::EACCES, "the container's root may not go there")
            .with_cure(Errno::EINVAL, cure)
    })?;
    if mount.destination == Path::new("/proc") {
        must_be_proc(mount, copy.as_fd())?;
    }
    Ok(copy)
}

/// Opens, before the container's birth, the sources that init could not open as it must. In a user namespace these are
/// all: its root may have no way to them. And everywhere
///
/// - those of binds that are shared, or slaves: what is mounted on them inside is to arrive on the host, or the other way
///   round, and init's own view of the host has been cut off from that;
/// - those that show other owners of their files: that takes the privilege over the file system.
///
/// The descriptors are mounts that hang nowhere, the caller's; `None` for every other mount.
///
/// `joined` is the user namespace that the container joins.
///
/// # Errors
/// Those of open_tree(2) and mount_setattr(2), and of making a user namespace.
pub fn open_sources(
    mounts: &[Mount],
    user_namespace: bool,
    joined: Option<BorrowedFd<'_>>,
) -> Result<Vec<Option<OwnedFd>>> {
    let mut known = idmap::Known::new(joined);
    mounts.iter().map(|mount| open_source(mount, user_namespace, &mut known)).collect()
}

fn open_source(mount: &Mount, user_namespace: bool, known: &mut idmap::Known<'_>) -> Result<Option<OwnedFd>> {
    let What::Bind { source, recursive } = &mount.what else { return Ok(None) };
    let is = |kind| mount.options.propagation.iter().any(|flags| flags.contains(kind));
    let (shared, slave) = (is(MsFlags::MS_SHARED), is(MsFlags::MS_SLAVE));
    if !user_namespace && !shared && !slave && mount.idmap.is_none() {
        return Ok(None);
    }
    let copy = match open(mount, source, *recursive) {
        // Init finds as much.
        Err(error) if mount.may_be_missing(&error) => return Ok(None),
        copy => copy?,
    };
    // The copy of a shared mount is its peer, and so is everything below. What is mounted there must not reach the host
    // where nobody asked for it, and never that of a user namespace's root.
    if user_namespace || !shared {
        sys::mount_setattr(copy.as_fd(), true, 0, 0, MsFlags::MS_SLAVE.bits())
            .map_err(mount.refused("mount_setattr of the source"))?;
    }
    if let Some(idmap) = &mount.idmap {
        idmap::apply(mount, copy.as_fd(), idmap, known)?;
    }
    Ok(Some(copy))
}

/// Puts `copy`, which hangs nowhere yet, on the place of `mount` in `root`, with the attributes that the mount has until
/// [`finish`](super::finish). Where the place is missing, a directory or an empty file is made, whichever the source is.
///
/// # Errors
/// Those of the mount calls; `EINVAL` or `ENOTDIR` where a file meets a directory ([`not_attached`]).
pub(super) fn attach(root: BorrowedFd<'_>, mount: &Mount, copy: OwnedFd) -> Result<()> {
    let target = target::find(root, mount, || kind_of(mount, copy.as_fd()))?;
    let asked = until_finished(mount);
    let alone = Options { attributes: asked.attributes.alone(), ..asked.clone() };
    let done = match attributes::attach(copy.as_fd(), &alone, target.fd.as_fd()) {
        // Some of the host's are locked: what nobody names stays, then.
        Err(Errno::EPERM) => attributes::attach(copy.as_fd(), &asked, target.fd.as_fd()),
        other => other,
    };
    done.map_err(|errno| not_attached(mount, errno))
}

fn until_finished(mount: &Mount) -> Options {
    let mut options = mount.options.clone();
    if mount.is_finished_later() {
        options.attributes = options.attributes.without(libc::MOUNT_ATTR_RDONLY);
    }
    options
}

/// The errno to the attaching of a bind mount, with what to do about it.
fn not_attached(mount: &Mount, errno: Errno) -> Error {
    mount.refused("attach")(errno)
        // move_mount's word for it, and mount's.
        .with_cure(Errno::EINVAL, "one of source and destination is a directory, the other is not")
        .with_cure(Errno::ENOTDIR, "one of source and destination is a directory, the other is not")
        .with_cure(Errno::ENOSYS, "options for all mounts below (rro and the like) need Linux 5.12")
        .with_cure(
            Errno::EPERM,
            "what the host's mount has of ro, nosuid, nodev and noexec is locked in a user namespace: \
             leave out the option that takes it off",
        )
}

/// What is to be at the place of `mount`, so that `source` can be mounted on it.
fn kind_of(mount: &Mount, source: BorrowedFd<'_>) -> Result<Last> {
    let mode = fstat(source).map_err(mount.refused("fstat of the source"))?.st_mode;
    let directory = SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) == SFlag::S_IFDIR;
    Ok(if directory { Last::Directory } else { Last::File })
}

/// On /proc belongs a procfs, from its root on: nothing that looks like one (CVE-2019-16884).
fn must_be_proc(mount: &Mount, source: BorrowedFd<'_>) -> Result<()> {
    /// The inode number of a procfs' root (the kernel's PROC_ROOT_INO).
    const ROOT: u64 = 1;
    let kind = fstatfs(source).map_err(mount.refused("fstatfs of the source"))?.filesystem_type();
    let inode = fstat(source).map_err(mount.refused("fstat of the source"))?.st_ino;
    if kind == PROC_SUPER_MAGIC && inode == ROOT {
        return Ok(());
    }
    Err(mount.refused("the source is no procfs, and nothing else may be mounted there")(Errno::EPERM))
}
