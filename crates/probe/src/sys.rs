//! The few calls that need `unsafe`.
#![allow(unsafe_code)]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal};
use nix::unistd::Pid;

use crate::report::Tty;

/// Bit n-1 stands for signal n, as in the kernel's own masks.
static BLOCKED: AtomicU64 = AtomicU64::new(0);
static IGNORED: AtomicU64 = AtomicU64::new(0);
/// Bit n stands for descriptor n.
static CLOSED: AtomicU64 = AtomicU64::new(0);

/// Rust's start-up code ignores SIGPIPE and opens /dev/null on closed standard descriptors, before `main`. What the
/// program was really handed can only be seen earlier: in the list of functions the C library calls at start.
// SAFETY: the section holds pointers to C functions. This one calls the kernel and stores numbers, and needs nothing
// of Rust's run time.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = at_start;

extern "C" fn at_start() {
    let mut blocked = 0_u64;
    // SAFETY: a null set changes nothing; the kernel writes the 8 bytes it is told of.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_BLOCK,
            std::ptr::null::<u64>(),
            &raw mut blocked,
            size_of::<u64>(),
        )
    };
    BLOCKED.store(blocked, Relaxed);

    let mut ignored = 0;
    for signal in 1..=64 {
        // SAFETY: sigaction is plain data, for which all zeros is a value; a null action changes nothing.
        let handler = unsafe {
            let mut action = std::mem::zeroed::<libc::sigaction>();
            libc::sigaction(signal, std::ptr::null(), &raw mut action);
            action.sa_sigaction
        };
        if handler == libc::SIG_IGN {
            ignored |= 1 << (signal - 1);
        }
    }
    IGNORED.store(ignored, Relaxed);

    let closed = (0..3).filter(|fd| !is_open(*fd)).fold(0, |mask, fd| mask | 1 << fd);
    CLOSED.store(closed, Relaxed);
}

/// The numbers of the signals that were blocked when the program started.
pub(crate) fn blocked_at_start() -> Vec<i32> {
    signals(BLOCKED.load(Relaxed))
}

/// The numbers of the signals that were ignored when the program started.
pub(crate) fn ignored_at_start() -> Vec<i32> {
    signals(IGNORED.load(Relaxed))
}

/// Whether this standard descriptor was closed when the program started.
pub(crate) fn closed_at_start(fd: RawFd) -> bool {
    (0..3).contains(&fd) && CLOSED.load(Relaxed) & 1 << fd != 0
}

fn signals(mask: u64) -> Vec<i32> {
    (1..=64).filter(|signal| mask & 1 << (signal - 1) != 0).collect()
}

/// Whether the descriptor is open.
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD only asks; any number is allowed.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// Makes a child that runs `child` and ends with the status it returns.
///
/// No memory is freed and no buffer flushed in the child: what it must not keep open it closes itself.
pub(crate) fn fork(child: impl FnOnce() -> i32) -> nix::Result<Pid> {
    // SAFETY: the probe has one thread, so no lock can be held by a thread that the child lacks.
    match unsafe { nix::unistd::fork()? } {
        nix::unistd::ForkResult::Parent { child } => Ok(child),
        nix::unistd::ForkResult::Child => {
            let status = child();
            // SAFETY: _exit takes any status and does not return.
            unsafe { libc::_exit(status) }
        }
    }
}

/// Makes a system call by its number and returns what it returned.
pub(crate) fn syscall(number: i64, args: [i64; 6]) -> nix::Result<i64> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: none is possible. Whoever runs the probe asks for this very call, and it can harm only the probe.
    Errno::result(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

/// Makes a system call of i386, by the old interrupt, with up to five arguments.
#[cfg(target_arch = "x86_64")]
pub(crate) fn syscall32(number: i64, args: [i64; 6]) -> nix::Result<i64> {
    let [b, c, d, s, i, _] = args;
    let result: i64;
    // SAFETY: as in `syscall`. The compiler keeps rbx for itself, so it is put back.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {b}",
            "int 0x80",
            "xchg rbx, {b}",
            b = inout(reg) b => _,
            inlateout("rax") number => result,
            in("rcx") c,
            in("rdx") d,
            in("rsi") s,
            in("rdi") i,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
        );
    }
    match result as i32 {
        negative @ -4095..=-1 => Err(Errno::from_raw(-negative)),
        result => Ok(result.into()),
    }
}

/// There is no such thing here.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn syscall32(_: i64, _: [i64; 6]) -> nix::Result<i64> {
    Err(Errno::ENOSYS)
}

/// Takes over a descriptor that a message brought.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel made it for us with the message, and nobody else has taken it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The next call that waits on the listener of a filter (seccomp_unotify(2)).
pub(crate) fn notification(listener: RawFd) -> nix::Result<libc::seccomp_notif> {
    // SAFETY: the structure is plain data, and the kernel wants it zeroed.
    let mut found: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure that belongs to this request.
    Errno::result(unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut found) })?;
    Ok(found)
}

/// Lets the call `id` be done, or fail.
pub(crate) fn answer(listener: RawFd, id: u64, errno: Option<i32>) -> nix::Result<()> {
    let flags = if errno.is_none() { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 } else { 0 };
    let answer = libc::seccomp_notif_resp { id, val: 0, error: -errno.unwrap_or(0), flags };
    // SAFETY: the kernel reads the structure that belongs to this request.
    Errno::result(unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) })
        .map(drop)
}

/// Gives the signal back its default action.
pub(crate) fn reset(signal: Signal) {
    // SAFETY: the default action runs no code of ours. For SIGKILL and SIGSTOP the call fails, and needs not succeed.
    let _ = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) };
}

/// The working directory as the kernel says it. The C library's getcwd fails where the kernel has something to tell:
/// `(unreachable)/...`, a directory outside the root.
pub(crate) fn getcwd() -> Option<String> {
    let mut path = vec![0_u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes at most the given length.
    let length = unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) };
    path.truncate(usize::try_from(length).ok()?.checked_sub(1)?);
    Some(String::from_utf8_lossy(&path).into_owned())
}

/// The seccomp mode, for where there is no /proc to tell it.
pub(crate) fn seccomp_mode() -> Option<i32> {
    // SAFETY: PR_GET_SECCOMP takes no argument and only asks.
    let mode = unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) };
    (mode >= 0).then_some(mode)
}

/// The window size, if the descriptor is a terminal.
pub(crate) fn window(fd: RawFd) -> Option<Tty> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel fills the structure that belongs to this request.
    let answer = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0).then_some(Tty { rows: size.ws_row, cols: size.ws_col })
}

/// How this process is scheduled: sched_getattr(2).
pub(crate) fn scheduling() -> nix::Result<libc::sched_attr> {
    // SAFETY: plain data, for which all zeroes is a value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::sched_attr>();
    // SAFETY: the kernel writes no more than the size that it is told.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) })?;
    Ok(attributes)
}

/// The priority in the use of disks of this process: ioprio_get(2).
pub(crate) fn io_priority() -> nix::Result<i64> {
    // The kernel's IOPRIO_WHO_PROCESS.
    // SAFETY: no pointers.
    Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_get, 1, 0) })
}

/// The memory policy of this process, and the mask of its nodes: get_mempolicy(2).
pub(crate) fn memory_policy() -> nix::Result<(i32, [u64; 16])> {
    let (mut mode, mut nodes) = (0, [0; 16]);
    let bits = size_of_val(&nodes) * 8 + 1;
    // SAFETY: the kernel writes an int, and no more than the bits that it is told.
    let result = unsafe {
        libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, nodes.as_mut_ptr(), bits, 0_usize, 0_usize)
    };
    Errno::result(result).map(|_| (mode, nodes))
}

/// What the kernel tells of the session keyring: keyctl(2), KEYCTL_DESCRIBE.
pub(crate) fn session_keyring() -> nix::Result<String> {
    of_session_keyring(libc::KEYCTL_DESCRIBE)
}

/// Which label a security module gives it: KEYCTL_GET_SECURITY.
pub(crate) fn session_keyring_label() -> nix::Result<String> {
    of_session_keyring(libc::KEYCTL_GET_SECURITY)
}

fn of_session_keyring(what: u32) -> nix::Result<String> {
    let mut text = [0u8; 512];
    let session = libc::KEY_SPEC_SESSION_KEYRING;
    // SAFETY: the kernel writes no more than the length that it is told.
    let length = unsafe { libc::syscall(libc::SYS_keyctl, what, session, text.as_mut_ptr(), text.len(), 0) };
    let length = usize::try_from(Errno::result(length)?).unwrap_or_default().clamp(1, text.len());
    Ok(String::from_utf8_lossy(&text[..length - 1]).into_owned())
}
