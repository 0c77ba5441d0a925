//! Terminals.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::owned;

/// Unlocks the slave of the pseudoterminal `master`, as ioctl_tty(2) with `TIOCSPTLCK`: it is born locked.
///
/// # Errors
/// `ENOTTY` where it is no master.
pub fn unlock_slave(master: BorrowedFd<'_>) -> nix::Result<()> {
    let locked: libc::c_int = 0;
    // SAFETY: the kernel reads one int, which lives through the call.
    Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const locked) }).map(drop)
}

/// Opens the slave of the pseudoterminal `master`, as ioctl_tty(2) with `TIOCGPTPEER`: by descriptor, for a path may
/// lead to something else (CVE-2025-52565). It does not become the controlling terminal.
///
/// # Errors
/// `EIO` while it is locked, `ENOTTY` where `master` is none.
pub fn open_slave(master: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: no pointers.
    owned(libc::c_long::from(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) }))
}

/// Makes `terminal` the controlling terminal of the session that the caller leads, as ioctl_tty(2) with `TIOCSCTTY`.
///
/// # Errors
/// `EPERM` where the caller leads no session, or the terminal is another session's.
pub fn set_controlling_terminal(terminal: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: no pointers. 0: never steal it from another session.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// The size of `terminal` as (rows, columns), as ioctl_tty(2) with `TIOCGWINSZ`.
///
/// # Errors
/// `ENOTTY`.
pub fn window_size(terminal: BorrowedFd<'_>) -> nix::Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one winsize, which lives through the call.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_row, size.ws_col))
}

/// Sets the size of `terminal`, as ioctl_tty(2) with `TIOCSWINSZ`. Where it is another one than before, the foreground
/// group gets a SIGWINCH.
///
/// # Errors
/// `ENOTTY`.
pub fn set_window_size(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> nix::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one winsize, which lives through the call.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }).map(drop)
}
