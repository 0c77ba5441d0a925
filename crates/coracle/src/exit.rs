//! Waiting for the end of a process, and what its end means.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{CLD_EXITED, SIGCHLD, SIGWINCH};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::console::Proxy;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::signal::{self, Held, Sender};
use crate::sys::{self, ChildEnd, Whose};

/// Sleeps until `ended` has an answer; meanwhile hands the signals of `sender` that arrive in `held` on to the process of
/// `pidfd`, and is the other end of its `terminal`. `ended` is asked at first and then whenever a signal arrived or the
/// process has ended.
///
/// # Errors
/// Those of poll(2), of `ended`, and of [`Proxy::turn`].
pub fn until_ended(
    pidfd: BorrowedFd<'_>,
    held: &Held,
    sender: Sender,
    mut terminal: Option<&mut Proxy>,
    mut ended: impl FnMut() -> Result<Option<ChildEnd>>,
) -> Result<ChildEnd> {
    let end = loop {
        if let Some(end) = ended()? {
            break end;
        }
        // It has ended: then there is an answer now, or there will never be one.
        if sleep(pidfd, held, terminal.as_deref())? {
            break ended()?
                .ok_or_else(|| Error::refused("waitid: somebody else took the end")(Errno::ECHILD))?;
        }
        if let Some(terminal) = &mut terminal {
            terminal.turn()?;
        }
        pass_on(pidfd, held, sender, terminal.as_deref())?;
    };
    terminal.map_or(Ok(()), Proxy::finish).map(|()| end)
}

/// Sleeps until there is news of any kind. Returns whether the process of `pidfd` has ended.
fn sleep(pidfd: BorrowedFd<'_>, held: &Held, terminal: Option<&Proxy>) -> Result<bool> {
    let mut news = vec![PollFd::new(pidfd, PollFlags::POLLIN), PollFd::new(held.as_fd(), PollFlags::POLLIN)];
    news.extend(terminal.into_iter().flat_map(Proxy::wishes));
    match poll(&mut news, PollTimeout::NONE) {
        Ok(_) => Ok(news[0].any().unwrap_or(false)),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(Error::refused("poll")(errno)),
    }
}

/// Hands the signals that have arrived on. That our terminal has another size (SIGWINCH) the program hears from its own.
fn pass_on(pidfd: BorrowedFd<'_>, held: &Held, sender: Sender, terminal: Option<&Proxy>) -> Result<()> {
    while let Some(arrived) = held.next()? {
        match (arrived.number, terminal) {
            (SIGCHLD, _) => {}
            (SIGWINCH, Some(terminal)) => terminal.resize(),
            _ if arrived.sent || sender == Sender::Anybody => signal::forward(pidfd, arrived.number)?,
            _ => {}
        }
    }
    Ok(())
}

/// Waits for the end of our child of `pidfd`, and is the other end of its `terminal` meanwhile. Returns the exit code to end
/// with.
///
/// # Errors
/// Those of [`until_ended`].
pub fn of_child(
    pidfd: BorrowedFd<'_>,
    terminal: Option<OwnedFd>,
    held: &Held,
    explain: &Explain,
) -> Result<u8> {
    let mut terminal = terminal.map(Proxy::new).transpose()?;
    let ended = || sys::wait(Whose::Pidfd(pidfd)).map_err(Error::refused("waitid"));
    explain.step(&explain::WAIT, || {
        until_ended(pidfd, held, Sender::Anybody, terminal.as_mut(), ended).map(exit_code)
    })
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
