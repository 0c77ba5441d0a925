//! The caller's terminal in raw mode.

use std::io::{IsTerminal, Stdin};
use std::os::fd::AsFd;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::error::{Error, Result};

/// The terminal on our standard input, in raw mode as long as this lives: every key goes to the container as it is, ^C
/// too, and it is the container's terminal that echoes.
#[derive(Debug)]
pub(super) struct Raw {
    terminal: Stdin,
    before: Termios,
}

impl Raw {
    /// `None` where standard input is no terminal. Another one of ours that is keeps its mode then: its keys do not go to
    /// the container, and ^C there must still end us.
    ///
    /// # Errors
    /// Those of tcgetattr(3) and tcsetattr(3).
    pub(super) fn enter() -> Result<Option<Raw>> {
        let terminal = std::io::stdin();
        if !terminal.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(terminal.as_fd()).map_err(Error::refused("tcgetattr"))?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(terminal.as_fd(), SetArg::TCSANOW, &raw).map_err(Error::refused("tcsetattr"))?;
        Ok(Some(Raw { terminal, before }))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Where we are in the background by now, the kernel stops us for this (SIGTTOU) unless it is blocked.
        let mut mask = SigSet::empty();
        let mut ttou = SigSet::empty();
        ttou.add(Signal::SIGTTOU);
        let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&ttou), Some(&mut mask));
        // Where the terminal is gone, there is nothing to restore.
        let _ = tcsetattr(self.terminal.as_fd(), SetArg::TCSANOW, &self.before);
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&mask), None);
    }
}
