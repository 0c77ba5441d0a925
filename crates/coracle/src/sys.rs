//! System calls that no crate wraps safely: the only `unsafe` of the runtime.
//!
//! Each function is one call, with its descriptors owned or borrowed and its error as an [`Errno`]. Every
//! descriptor that is made here is close-on-exec; what init must not even have before that, [`close_all_but`] closes.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// Which side of [`clone3`] we are on.
#[derive(Debug)]
pub enum Cloned {
    /// The new process.
    Child,
    /// The caller, holding the new process.
    Parent {
        /// The child's number in the caller's PID namespace.
        pid: Pid,
        /// A descriptor of the child: it can be polled for its end and never means another process.
        pidfd: OwnedFd,
    },
}

/// Makes a process that is born inside the new namespaces that `flags` name, as clone3(2) without shared memory:
/// like fork(2), the child goes on with a copy of everything.
///
/// # Errors
/// `EPERM` without the privilege for a namespace, `ENOSPC` where a limit of `/proc/sys/user` is reached,
/// `EINVAL` for namespaces that the kernel was built without.
pub fn clone3(flags: CloneFlags) -> nix::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain data for which all zeroes means "nothing asked for".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (flags.bits() as u32 as u64) | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: args lives through the call and its size is the one passed. Without CLONE_VM the child has its own
    // copy of this memory, and the runtime has a single thread, so no lock can be held by somebody who is gone.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match Errno::result(result)? {
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent {
            pid: Pid::from_raw(pid as libc::pid_t),
            // SAFETY: on success the kernel put a fresh descriptor there (close-on-exec by its own rule).
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// Ends this process at once: no destructors, no buffers flushed. What a cloned child must use, for its buffers
/// are copies of its parent's.
pub fn exit_now(status: u8) -> ! {
    // SAFETY: _exit takes no pointers and does not return.
    unsafe { libc::_exit(i32::from(status)) }
}

/// Sends a signal to the process of `pidfd`, as pidfd_send_signal(2): never to another process that got its number.
/// The signal is a number, for nix's list has no real-time ones.
///
/// # Errors
/// `ESRCH` when it has been waited for, `EPERM` without the right.
pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> nix::Result<()> {
    // SAFETY: a null siginfo is allowed and means "as kill(2) would".
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    Errno::result(result).map(drop)
}

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

/// Copies the mount that the directory of `root` is on, from there down, with all mounts below it, as open_tree(2)
/// with `OPEN_TREE_CLONE | AT_RECURSIVE`. The copy hangs nowhere until [`move_mount`] attaches it.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the mount namespace; `EINVAL` on an unbindable mount.
pub fn clone_tree(root: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let how = (libc::AT_RECURSIVE | libc::AT_EMPTY_PATH) as libc::c_uint;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | how;
    // SAFETY: the path is the empty string, ended by NUL.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, root.as_raw_fd(), c"".as_ptr(), flags) })
}

/// Attaches the mount of `mount` on top of the directory of `target`, as move_mount(2). Afterwards `mount` is a
/// descriptor of the attached mount's root.
///
/// # Errors
/// `EINVAL` for a mount that may not be moved, `EPERM` without CAP_SYS_ADMIN.
pub fn move_mount(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: both paths are the empty string, ended by NUL.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH,
        )
    };
    Errno::result(result).map(drop)
}

/// Makes a new file system of the kind `fstype` and a mount of it with the `MOUNT_ATTR_*` of `attributes`, as
/// fsopen(2), fsconfig(2), fsmount(2). It hangs nowhere until [`move_mount`] attaches it.
///
/// # Errors
/// `ENODEV` for an unknown kind, `EPERM` without the right (for proc in a user namespace: also where the /proc
/// we see has parts hidden by other mounts).
pub fn new_mount(fstype: &CStr, attributes: u64) -> nix::Result<OwnedFd> {
    // SAFETY: fstype ends in NUL.
    let fs = owned(unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), libc::FSOPEN_CLOEXEC) })?;
    // SAFETY: FSCONFIG_CMD_CREATE takes neither key nor value: null pointers are what it asks for.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            fs.as_raw_fd(),
            libc::FSCONFIG_CMD_CREATE,
            std::ptr::null::<libc::c_char>(),
            std::ptr::null::<libc::c_char>(),
            0,
        )
    })?;
    // SAFETY: no pointers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), libc::FSMOUNT_CLOEXEC, attributes) })
}

/// How a child ended, as waitid(2) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildEnd {
    /// Which child.
    pub pid: Pid,
    /// `CLD_EXITED`, `CLD_KILLED` or `CLD_DUMPED` (killed, and a core was written).
    pub code: i32,
    /// The exit status for `CLD_EXITED`, the number of the signal for the others.
    pub status: i32,
}

/// Whose end [`wait`] waits for.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'fd> {
    /// The child of this pidfd.
    Pidfd(BorrowedFd<'fd>),
    /// The child of this number.
    Pid(Pid),
    /// Any child.
    Any,
}

/// Takes the end of a child that has ended, as waitid(2) with `WEXITED | WNOHANG`: `None` while none has. A child
/// that ended stays a zombie until somebody asks.
///
/// # Errors
/// `ECHILD` where there is no such child.
pub fn wait(whose: Whose<'_>) -> nix::Result<Option<ChildEnd>> {
    let (kind, id) = match whose {
        Whose::Pidfd(fd) => (libc::P_PIDFD, fd.as_raw_fd() as libc::id_t),
        Whose::Pid(pid) => (libc::P_PID, pid.as_raw() as libc::id_t),
        Whose::Any => (libc::P_ALL, 0),
    };
    // SAFETY: siginfo_t is plain data for which all zeroes is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: info lives through the call.
    Errno::result(unsafe { libc::waitid(kind, id, &raw mut info, libc::WEXITED | libc::WNOHANG) })?;
    // SAFETY: waitid fills in the fields of SIGCHLD, or leaves the zeroes where nobody has ended.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    Ok((pid != 0).then_some(ChildEnd { pid: Pid::from_raw(pid), code: info.si_code, status }))
}

/// Puts `signal` back to its default action. Rust's start-up code ignores SIGPIPE, and what is ignored stays
/// ignored across execve(2).
///
/// # Errors
/// `EINVAL` for a signal whose action can't be set.
pub fn default_action(signal: Signal) -> nix::Result<()> {
    // SAFETY: the default action runs no code of ours.
    unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) }.map(drop)
}

/// Closes every descriptor above standard error but those in `keep`, as close_range(2). Only for a process that ends
/// without running the destructors of what owned them: a cloned child.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
pub fn close_all_but(keep: &[BorrowedFd<'_>]) -> nix::Result<()> {
    let mut kept: Vec<_> =
        keep.iter().map(|fd| fd.as_raw_fd() as libc::c_uint).filter(|fd| *fd > 2).collect();
    kept.sort_unstable();
    let mut first = 3;
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

/// Takes over a descriptor that a system call just made.
fn owned(result: libc::c_long) -> nix::Result<OwnedFd> {
    // SAFETY: a non-negative result of the calls above is a descriptor that nobody else owns.
    Errno::result(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
