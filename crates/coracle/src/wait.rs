//! Waiting for the end of a process, and what its end means.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc::{CLD_EXITED, SIGCHLD};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::signal::{self, Held};
use crate::sys::ChildEnd;

/// Sleeps until `ended` has an answer, and meanwhile hands the signals that arrive in `held` on to the process of
/// `pidfd`. `ended` is asked at first and then whenever a signal arrived or the process has ended.
///
/// # Errors
/// Those of poll(2), and of `ended`.
pub fn until_ended(
    pidfd: BorrowedFd<'_>,
    held: &Held,
    mut ended: impl FnMut() -> Result<Option<ChildEnd>>,
) -> Result<ChildEnd> {
    loop {
        if let Some(end) = ended()? {
            return Ok(end);
        }
        let mut news = [PollFd::new(held.as_fd(), PollFlags::POLLIN), PollFd::new(pidfd, PollFlags::POLLIN)];
        match poll(&mut news, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::refused("poll")(errno)),
        }
        // It has ended: then there is an answer now, or there will never be one.
        if news[1].any().unwrap_or(false) {
            return ended()?
                .ok_or_else(|| Error::refused("waitid: somebody else took the end")(Errno::ECHILD));
        }
        while let Some(arrived) = held.next()? {
            // The kernel's own signals, such as a terminal's ^C, went to the process as well: it is in our group.
            if arrived.number != SIGCHLD && arrived.sent {
                signal::forward(pidfd, arrived.number)?;
            }
        }
    }
}

/// The exit code that tells how a child ended, as shells and all container runtimes do. Where it exited (`end.code`
/// is `CLD_EXITED`), its own status, which is `end.status`. Where a signal ended it (`CLD_KILLED`, or `CLD_DUMPED`
/// where it left a core), 128 and the signal's number, which then is `end.status`.
pub fn exit_code(end: ChildEnd) -> u8 {
    match end.code {
        CLD_EXITED => end.status as u8,
        _ => 128 + end.status as u8,
    }
}
