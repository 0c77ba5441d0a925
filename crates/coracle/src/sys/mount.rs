//! Mounts on descriptors.

use std::ffi::CStr;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::null;

use nix::errno::Errno;

use super::owned;

/// Copies the mount that the directory of `root` is on, from there down, with all mounts below it, as open_tree(2)
/// with `OPEN_TREE_CLONE | AT_RECURSIVE`. The copy hangs nowhere until [`move_mount`] attaches it.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the mount namespace; `EINVAL` on an unbindable mount.
pub fn clone_tree(root: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    clone_mount(root, c"", true)
}

/// As [`clone_tree`], of the file or directory `path` below `directory` (empty: of `directory` itself); the mounts
/// below it come along only where it is `recursive`. A symlink at the end is followed.
///
/// # Errors
/// As [`clone_tree`]; those of open(2). `EINVAL` also where a mount below is locked and would be left out: in a user
/// namespace nobody may look under what the host has covered.
pub fn clone_mount(directory: BorrowedFd<'_>, path: &CStr, recursive: bool) -> nix::Result<OwnedFd> {
    let below = if recursive { libc::AT_RECURSIVE } else { 0 };
    let how = (libc::AT_EMPTY_PATH | below) as libc::c_uint;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | how;
    // SAFETY: the path ends in NUL.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, directory.as_raw_fd(), path.as_ptr(), flags) })
}

/// Attaches the mount of `mount` on top of the directory of `target`, as move_mount(2). Afterwards `mount` is a
/// descriptor of the attached mount's root.
///
/// # Errors
/// `EINVAL` for a mount that may not be moved, `EPERM` without CAP_SYS_ADMIN.
pub fn move_mount(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> nix::Result<()> {
    move_mount_below(mount, target, c"")
}

/// As [`move_mount`], on top of `name` in `directory`: for a directory that nobody else can write to.
///
/// # Errors
/// As [`move_mount`]; `ENOENT`.
pub fn move_mount_below(mount: BorrowedFd<'_>, directory: BorrowedFd<'_>, name: &CStr) -> nix::Result<()> {
    // SAFETY: both paths end in NUL.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            directory.as_raw_fd(),
            name.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH,
        )
    };
    Errno::result(result).map(drop)
}

/// Changes the mount whose root is `mount`, attached or not, as mount_setattr(2): first clears, then sets the
/// `MOUNT_ATTR_*`; `propagation` is one of `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`, or 0. With
/// `recursive` the same for all mounts below it: all of them change, or none.
///
/// # Errors
/// `EPERM` for an attribute that is locked in a user namespace, `ENOSYS` before Linux 5.12.
pub fn mount_setattr(
    mount: BorrowedFd<'_>,
    recursive: bool,
    set: u64,
    clear: u64,
    propagation: u64,
) -> nix::Result<()> {
    setattr(mount, recursive, &libc::mount_attr { attr_set: set, attr_clr: clear, propagation, userns_fd: 0 })
}

/// Lets who looks through the mount whose root is `mount` see the owners of files as the user namespace `userns` maps
/// them, as mount_setattr(2) with `MOUNT_ATTR_IDMAP`. With `recursive` the same for all mounts below it. For a mount that
/// hangs nowhere and never did.
///
/// # Errors
/// `EINVAL` for a file system that cannot do it, an attached mount, and before Linux 5.12's first file systems; `EPERM`
/// without CAP_SYS_ADMIN over the user namespace that the file system was mounted in, for the initial user namespace as
/// `userns`, and for a mount that has a mapping already.
pub fn mount_idmap(mount: BorrowedFd<'_>, recursive: bool, userns: BorrowedFd<'_>) -> nix::Result<()> {
    let userns_fd = u64::try_from(userns.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    let attr_set = libc::MOUNT_ATTR_IDMAP;
    setattr(mount, recursive, &libc::mount_attr { attr_set, attr_clr: 0, propagation: 0, userns_fd })
}

fn setattr(mount: BorrowedFd<'_>, recursive: bool, attr: &libc::mount_attr) -> nix::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path ends in NUL; attr lives through the call and its size is the one passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(result).map(drop)
}

/// Begins a new file system of the kind `fstype`, as fsopen(2). What the kernel has to say about it can be read from
/// the descriptor.
///
/// # Errors
/// `ENODEV` for an unknown kind, `EPERM` without the right.
pub fn fsopen(fstype: &CStr) -> nix::Result<OwnedFd> {
    // SAFETY: fstype ends in NUL.
    owned(unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), libc::FSOPEN_CLOEXEC) })
}

/// Begins to configure anew the file system that `mount` is a mount of, as fspick(2).
///
/// # Errors
/// `EINVAL` where `mount` is not the root of a mount, `EPERM` without the right.
pub fn fspick(mount: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = libc::FSPICK_CLOEXEC | libc::FSPICK_EMPTY_PATH;
    // SAFETY: the path ends in NUL.
    owned(unsafe { libc::syscall(libc::SYS_fspick, mount.as_raw_fd(), c"".as_ptr(), flags) })
}

/// Gives the file system `fs` an option: `key=value`, or `key` alone, as fsconfig(2).
///
/// # Errors
/// `EINVAL` for what it does not know, or a value of more than 255 bytes.
pub fn fsconfig(fs: BorrowedFd<'_>, key: &CStr, value: Option<&CStr>) -> nix::Result<()> {
    let command = if value.is_some() { libc::FSCONFIG_SET_STRING } else { libc::FSCONFIG_SET_FLAG };
    let value = value.map_or(null(), CStr::as_ptr);
    // SAFETY: key and value end in NUL; the command without a value asks for a null pointer.
    let result =
        unsafe { libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), command, key.as_ptr(), value, 0) };
    Errno::result(result).map(drop)
}

/// Makes the file system of `fs` with all options that it got, as fsconfig(2) with `FSCONFIG_CMD_CREATE`.
///
/// # Errors
/// `EPERM` without the right (for proc in a user namespace: also where the /proc we see has parts hidden by other
/// mounts); what the file system says.
pub fn fsconfig_create(fs: BorrowedFd<'_>) -> nix::Result<()> {
    command(fs, libc::FSCONFIG_CMD_CREATE)
}

/// Gives the options of `fs`, from [`fspick`], to its file system, as fsconfig(2) with `FSCONFIG_CMD_RECONFIGURE`.
///
/// # Errors
/// What the file system says.
pub fn fsconfig_reconfigure(fs: BorrowedFd<'_>) -> nix::Result<()> {
    command(fs, libc::FSCONFIG_CMD_RECONFIGURE)
}

fn command(fs: BorrowedFd<'_>, command: libc::c_uint) -> nix::Result<()> {
    let none = null::<libc::c_char>();
    // SAFETY: these commands take neither key nor value: null pointers are what they ask for.
    let result = unsafe { libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), command, none, none, 0) };
    Errno::result(result).map(drop)
}

/// Makes a mount of the file system of `fs` with the `MOUNT_ATTR_*` of `attributes`, as fsmount(2). It hangs nowhere
/// until [`move_mount`] attaches it.
///
/// # Errors
/// `EPERM`; `EINVAL` for an attribute that this kernel does not know.
pub fn fsmount(fs: BorrowedFd<'_>, attributes: u64) -> nix::Result<OwnedFd> {
    // SAFETY: no pointers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), libc::FSMOUNT_CLOEXEC, attributes) })
}
