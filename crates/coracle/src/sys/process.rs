//! Processes: birth, signals, end.

use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::owned;

/// The kernel's include/uapi/linux/sched.h; the libc crate's constant is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

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

/// Makes a process that is born inside the new namespaces that `flags` name, and inside the control group (version 2)
/// of the folder `cgroup`, as clone3(2) without shared memory: like fork(2), the child goes on with a copy of everything.
///
/// # Errors
/// `EPERM` without the privilege for a namespace, `ENOSPC` where a limit of `/proc/sys/user` is reached,
/// `EINVAL` for namespaces that the kernel was built without; `EBUSY`, `EOPNOTSUPP` for a control group that may hold no
/// processes.
pub fn clone3(flags: CloneFlags, cgroup: Option<BorrowedFd<'_>>) -> nix::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain data for which all zeroes means "nothing asked for".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (flags.bits() as u32 as u64) | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    // A sibling's end is told as the caller's own, and the kernel wants to hear nothing else.
    args.exit_signal = if flags.contains(CloneFlags::CLONE_PARENT) { 0 } else { libc::SIGCHLD as u64 };
    if let Some(folder) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = folder.as_raw_fd() as u64;
    }
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

/// A descriptor of the process `pid` of our PID namespace, as pidfd_open(2).
///
/// # Errors
/// `ESRCH` where there is no such process.
pub fn pidfd_open(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: no pointers. The kernel makes every pidfd close-on-exec.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })
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

/// Waits until the process of `pidfd` has ended; somebody must then still take its end ([`wait`]).
///
/// # Errors
/// Those of poll(2) but `EINTR`.
pub fn wait_until_ended(pidfd: BorrowedFd<'_>) -> nix::Result<()> {
    let mut end = [PollFd::new(pidfd, PollFlags::POLLIN)];
    loop {
        match poll(&mut end, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

/// Sets the NIS domain name, as setdomainname(2).
///
/// # Errors
/// `EPERM`, `EINVAL` for a name of more than 64 bytes.
pub fn setdomainname(name: &str) -> nix::Result<()> {
    // SAFETY: the kernel reads as many bytes as it is told, and they are there.
    Errno::result(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// What must hold before anything else is done, and what the standard library sees to in programs that it starts: standard
/// input, output and error are open, so that no descriptor of ours can be taken for one of them; and writing to a pipe
/// that nobody reads is an error and not the end.
///
/// # Errors
/// Those of poll(2), and of opening /dev/null.
pub fn begin() -> nix::Result<()> {
    let mut standard = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the array lives through the call and has three elements.
    Errno::result(unsafe { libc::poll(standard.as_mut_ptr(), 3, 0) })?;
    for _ in standard.iter().filter(|one| one.revents & libc::POLLNVAL != 0) {
        // The lowest number that is free is the one that is missing.
        // SAFETY: the path ends in NUL.
        Errno::result(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })?;
    }
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { nix::sys::signal::signal(Signal::SIGPIPE, nix::sys::signal::SigHandler::SigIgn) }.map(drop)
}
