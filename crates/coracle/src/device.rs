//! Devices of the container: nodes in its /dev, and the links beside them.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, makedev, mknodat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, symlinkat, unlinkat};

use crate::error::{Error, Result};
use crate::mount::{Mount, What};
use crate::path::{self, Last};
use crate::sys;

/// What kind of node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A character device, `c` or `u`.
    Character,
    /// A block device, `b`.
    Block,
    /// A fifo, `p`.
    Fifo,
}

impl Kind {
    fn flag(self) -> SFlag {
        match self {
            Kind::Character => SFlag::S_IFCHR,
            Kind::Block => SFlag::S_IFBLK,
            Kind::Fifo => SFlag::S_IFIFO,
        }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where, below the root filesystem.
    pub path: PathBuf,
    /// What.
    pub kind: Kind,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permissions, such as 0o666.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Device {
    /// Whether a file with this status is the device.
    fn is(&self, stat: &FileStat) -> bool {
        let kind = stat.st_mode & SFlag::S_IFMT.bits() == self.kind.flag().bits();
        kind && (self.kind == Kind::Fifo || stat.st_rdev == makedev(self.major.into(), self.minor.into()))
    }

    fn is_ptmx(&self) -> bool {
        self.path == Path::new("/dev/ptmx") && (self.kind, self.major, self.minor) == (Kind::Character, 5, 2)
    }

    fn refused(&self, call: &str) -> impl FnOnce(Errno) -> Error {
        move |errno| Error::refused(format!("device {}: {call}", self.path.display()))(errno)
    }
}

/// The devices that every container has (runtime-spec, config-linux.md, "Default Devices").
pub fn defaults() -> Vec<Device> {
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)]
        .map(|(name, major, minor)| Device {
            path: Path::new("/dev").join(name),
            kind: Kind::Character,
            major,
            minor,
            mode: 0o666,
            uid: 0,
            gid: 0,
        })
        .into()
}

/// Whether the container's /dev is for us to fill. One that is bound from outside is left as it is: what we made in
/// it would be made outside.
pub fn are_wanted(mounts: &[Mount]) -> bool {
    !mounts
        .iter()
        .any(|mount| mount.destination == Path::new("/dev") && matches!(mount.what, What::Bind { .. }))
}

/// Makes the nodes and the default links below `root`. With `by_bind`, as in a user namespace, where nobody may make
/// nodes, and where the kernel refuses: by mounting the host's node of the same path, on an empty file. A node that is there
/// already and is the same is kept. `mounts` are those that the container has by then: where /dev is not ours to fill
/// ([`are_wanted`]), there are no links, and none of `devices` may be in it.
///
/// All is done below a descriptor of the directory, resolved inside `root`: the root filesystem's /dev may be a symlink
/// (CVE-2026-41579).
///
/// # Errors
/// Those of mknodat(2); `EEXIST` where something else is in the place.
pub fn make(root: BorrowedFd<'_>, devices: &[Device], by_bind: bool, mounts: &[Mount]) -> Result<()> {
    let mut last = None;
    if are_wanted(mounts) {
        // Most devices are in /dev, and the links are: it is opened once.
        let dev = directory(root, Path::new("/dev"))?;
        make_links(dev.as_fd())?;
        last = Some((Path::new("/dev"), dev));
    }
    // Who lists the host's ptmx gets that of its own terminals all the same, as with runc and crun.
    for device in devices.iter().filter(|device| !device.is_ptmx()) {
        let parent = device.path.parent().unwrap_or(Path::new("/"));
        let name = device.path.file_name().ok_or_else(|| device.refused("its path")(Errno::EINVAL))?;
        let directory = match last.take() {
            Some((path, directory)) if path == parent => directory,
            _ => directory(root, parent)?,
        };
        // A fifo takes no privilege, and the host's would be a way to the host.
        let may_bind = device.kind != Kind::Fifo;
        match by_bind && may_bind {
            true => {
                may_be_covered(directory.as_fd(), name, device)?;
                bind_node(directory.as_fd(), name, device)?;
            }
            false => match make_node(directory.as_fd(), name, device) {
                Err(error) if may_bind && is_for_binding(directory.as_fd(), name, &error) => {
                    bind_node(directory.as_fd(), name, device)?;
                }
                other => other?,
            },
        }
        last = Some((parent, directory));
    }
    sys::leave_open(last.map(|(_, directory)| directory));
    Ok(())
}

/// Whether a node that could not be made, for `error`, is to be mounted instead: where nobody may make one, or where a container
/// before this one met that as well, and has left the empty file that it mounted its node on. In a user namespace the kernel
/// looks at the name first: it says `EEXIST`, and not `EPERM`.
fn is_for_binding(directory: BorrowedFd<'_>, name: &OsStr, error: &Error) -> bool {
    let found = || fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW);
    match error.errno() {
        Some(Errno::EPERM) => true,
        Some(Errno::EEXIST) => found().is_ok_and(|found| is_empty_file(&found)) && !is_for_making(directory),
        _ => false,
    }
}

fn is_empty_file(found: &FileStat) -> bool {
    found.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits() && found.st_size == 0
}

/// Checks that what is at the place of `device`, if anything, is the device, or an empty file to mount it on.
///
/// # Errors
/// `EEXIST` for something else.
fn may_be_covered(directory: BorrowedFd<'_>, name: &OsStr, device: &Device) -> Result<()> {
    match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(found) if !is_empty_file(&found) => must_be(directory, name, device),
        _ => Ok(()),
    }
}

/// Whether a node can be made in `directory`: then an empty file in a node's place is none of ours, and whoever put it there
/// must hear of it. Only trying tells.
fn is_for_making(directory: BorrowedFd<'_>) -> bool {
    const TRIAL: &str = ".coracle-device";
    let made = mknodat(directory, TRIAL, SFlag::S_IFCHR, Mode::empty(), makedev(1, 3)).is_ok();
    // It is there only where it was made.
    made && unlinkat(directory, TRIAL, UnlinkatFlags::NoRemoveDir).is_ok()
}

/// A directory of the root filesystem, made where it is missing.
fn directory(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    match path::resolve(root, path) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => path::make(root, path, Last::Directory),
        other => other,
    }
}

/// Makes the node `name` of `device` in `directory`, with its owner and permissions; init's umask is empty. One that is
/// there already and is the same is kept as it is.
///
/// # Errors
/// `EPERM` without CAP_MKNOD or in a user namespace; `EEXIST` where something else is in the place.
pub fn make_node(directory: BorrowedFd<'_>, name: &OsStr, device: &Device) -> Result<()> {
    let mode = Mode::from_bits_truncate(device.mode & 0o7777);
    let number = makedev(device.major.into(), device.minor.into());
    match mknodat(directory, name, device.kind.flag(), mode, number) {
        Err(Errno::EEXIST) => return must_be(directory, name, device),
        other => other.map_err(device.refused("mknodat"))?,
    }
    if (device.uid, device.gid) != (0, 0) {
        let (uid, gid) = (Uid::from_raw(device.uid), Gid::from_raw(device.gid));
        fchownat(directory, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(device.refused("fchownat"))?;
    }
    Ok(())
}

fn must_be(directory: BorrowedFd<'_>, name: &OsStr, device: &Device) -> Result<()> {
    let found = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(device.refused("fstatat"))?;
    if device.is(&found) {
        return Ok(());
    }
    Err(device.refused("mknodat")(Errno::EEXIST).with_cure(
        Errno::EEXIST,
        "something else is in its place in the root filesystem: take it away, or mount a tmpfs on /dev",
    ))
}

/// Mounts the host's node of the same path as `device` on the file `name` in `directory`, which is made where it is
/// missing; through no symlink ([`path::make_real`]). A copy of the node's mount is taken first, and then it is looked at: what is found out of the copy
/// holds for what is mounted.
///
/// # Errors
/// Those of the mount calls; `ENOENT` where the host has no such node; `ENODEV` where its node is another device.
pub fn bind_node(directory: BorrowedFd<'_>, name: &OsStr, device: &Device) -> Result<()> {
    let host = sys::clone_mount(AT_FDCWD, &path::c_string(&device.path)?, false)
        .map_err(|errno| not_copied(device, errno))?;
    if !device.is(&fstat(&host).map_err(device.refused("fstat of the host's node"))?) {
        return Err(device.refused("the host's node of this path is another device")(Errno::ENODEV));
    }
    let place = path::make_real(directory, Path::new(name), Last::File).map_err(|error| {
        error.with_cure(
            Errno::ELOOP,
            "a symlink is in the place of a device: take it away, or mount a tmpfs on /dev",
        )
    })?;
    sys::move_mount(host.as_fd(), place.as_fd()).map_err(device.refused("move_mount"))
}

fn not_copied(device: &Device, errno: Errno) -> Error {
    device.refused("open_tree of the host's node")(errno)
        .with_cure(Errno::ENOENT, "nobody may make nodes here, so the host must have it at the same path")
}

/// The links that programs expect beside the devices (runtime-spec, config-linux.md, "Default Devices", and
/// runtime-linux.md, "Dev symbolic links"). What is there already is left.
fn make_links(dev: BorrowedFd<'_>) -> Result<()> {
    let links = [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ];
    let link = |to: &str, name: &str| match symlinkat(to, dev, name) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(Error::refused(format!("symlinkat /dev/{name} -> {to}"))(errno)),
    };
    links.iter().try_for_each(|(to, name)| link(to, name))?;
    // The container's own terminals need its own ptmx: the node of a root filesystem is that of the host.
    match symlinkat("pts/ptmx", dev, "ptmx") {
        Err(Errno::EEXIST) => match unlinkat(dev, "ptmx", UnlinkatFlags::NoRemoveDir) {
            // A mount of the config's is on it.
            Err(Errno::EBUSY) => Ok(()),
            other => {
                other.map_err(Error::refused("unlinkat /dev/ptmx"))?;
                link("pts/ptmx", "ptmx")
            }
        },
        other => other.map_err(Error::refused("symlinkat /dev/ptmx -> pts/ptmx")),
    }
}
