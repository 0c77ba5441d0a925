//! Signals on their way to the program.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::{Error, Result};
use crate::sys;

/// Signals that must act on the runtime itself: its own faults, and the terminal's job control.
const OURS: [Signal; 11] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    Signal::SIGABRT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGCONT,
];

/// What asks the runtime itself to end, as long as there is no program to hand it on to.
const ENDING: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];

/// The signals that are held back, to be handed on: blocked, and read from a descriptor.
#[derive(Debug)]
pub struct Held {
    /// The mask from before: what the program must start with.
    pub before: SigSet,
    queue: SignalFd,
}

/// Whose signals are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Everybody's: the program is in a session of its own, so the kernel's signals for our terminal miss it.
    Anybody,
    /// Those of processes: the kernel's own (a terminal's ^C) go to the whole foreground process group, and so to the
    /// program too; handed on, they would come twice.
    Processes,
}

/// A signal that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// Its number.
    pub number: i32,
    /// Whether a process sent it, and not the kernel.
    pub sent: bool,
}

/// Holds back every signal that the container should get, from before it is born: none is lost.
///
/// # Errors
/// Those of sigprocmask(2) and signalfd(2).
pub fn hold() -> Result<Held> {
    // Where our caller ignores it, which execve keeps, the kernel buries our children before we can ask.
    sys::default_action(Signal::SIGCHLD).map_err(Error::refused("sigaction SIGCHLD"))?;
    let mut all = SigSet::all();
    OURS.into_iter().for_each(|signal| all.remove(signal));
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&all), Some(&mut before))
        .map_err(Error::refused("sigprocmask"))?;
    let queue = SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(Error::refused("signalfd"))?;
    Ok(Held { before, queue })
}

impl Arrived {
    /// Whether it asks us to end.
    pub fn is_ending(&self) -> bool {
        ENDING.iter().any(|signal| *signal as i32 == self.number)
    }
}

/// A second way to those of the signals held back ([`hold`]) that ask us to end, and to no other: whoever has read one from
/// here has taken it. For a wait that knows nothing of a program.
///
/// # Errors
/// Those of signalfd(2).
pub fn ending() -> Result<SignalFd> {
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    SignalFd::with_flags(&SigSet::from_iter(ENDING), flags).map_err(Error::refused("signalfd"))
}

impl Held {
    /// The next signal that has arrived, if one has.
    ///
    /// # Errors
    /// Those of read(2) on a signalfd.
    pub fn next(&self) -> Result<Option<Arrived>> {
        let info = self.queue.read_signal().map_err(Error::refused("read signalfd"))?;
        Ok(info.map(|info| Arrived { number: info.ssi_signo as i32, sent: info.ssi_code <= 0 }))
    }

    /// The number of the first signal that has arrived and asks us to end; the others are for nobody.
    ///
    /// # Errors
    /// Those of [`Held::next`].
    pub fn end(&self) -> Result<Option<i32>> {
        while let Some(arrived) = self.next()? {
            if arrived.is_ending() {
                return Ok(Some(arrived.number));
            }
        }
        Ok(None)
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

/// Hands the signal of this number on to the process of `pidfd` (pidfd_send_signal(2)). One that has just ended
/// needs it no more: that is no error.
///
/// # Errors
/// `EPERM` where we may not signal it.
pub fn forward(pidfd: BorrowedFd<'_>, number: i32) -> Result<()> {
    match sys::pidfd_send_signal(pidfd, number) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(Error::refused(format!("send signal {number} to the container"))(errno)),
    }
}

/// Sets this process's mask of blocked signals back to `before`, for the program that comes next: execve(2) keeps
/// the mask, and a program does not expect to be born deaf.
///
/// # Errors
/// Those of sigprocmask(2).
pub fn release(before: &SigSet) -> Result<()> {
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(before), None).map_err(Error::refused("sigprocmask"))
}

/// The number of the signal `name`: with or without `SIG`, in any case, or a number. 0 is no signal, but asks whether
/// there is somebody to get one (kill(2)).
///
/// # Errors
/// [`Error::Signal`] for one that does not exist.
pub fn number(name: &str) -> Result<i32> {
    let unknown = || Error::Signal { name: name.to_owned() };
    if let Ok(number) = name.parse::<i32>() {
        return if (0..=64).contains(&number) { Ok(number) } else { Err(unknown()) };
    }
    let upper = name.to_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    // Real-time signals have names by their distance from the ends (signal(7)).
    let distance = |prefix, sign: i32| {
        let rest: &str = short.strip_prefix(prefix)?;
        if rest.is_empty() {
            Some(0)
        } else {
            Some(sign * rest.strip_prefix(if sign > 0 { '+' } else { '-' })?.parse::<i32>().ok()?)
        }
    };
    let real_time = distance("RTMIN", 1)
        .map(|n| libc::SIGRTMIN() + n)
        .or_else(|| distance("RTMAX", -1).map(|n| libc::SIGRTMAX() + n))
        .filter(|n| (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(n));
    // What signal(7) calls their synonyms.
    let short = match short {
        "CLD" => "CHLD",
        "IOT" => "ABRT",
        "POLL" => "IO",
        other => other,
    };
    let named = || format!("SIG{short}").parse::<Signal>().ok().map(|signal| signal as i32);
    real_time.or_else(named).ok_or_else(unknown)
}
