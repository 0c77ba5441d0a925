//! `--init`: a PID 1 of ours, with the program as its child.
//!
//! The kernel gives every orphan of a PID namespace to its PID 1, and counts on it to bury the dead. Most programs
//! do not know that they have such a child, and its zombie stays. This PID 1 buries whoever dies, hands signals
//! on, and ends with its program; the kernel then ends all others of the namespace (pid_namespaces(7)).

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::exit;
use crate::signal::{Held, Sender};
use crate::sys::{self, ChildEnd, Cloned, Whose};

/// The program that a reaper looks after.
#[derive(Debug)]
pub struct Program {
    pid: Pid,
    pidfd: OwnedFd,
}

/// Gives birth to the program: returns `None` in it, and its parent's hold on it in the reaper.
///
/// # Errors
/// `EAGAIN` where no more processes are allowed.
pub fn give_birth() -> Result<Option<Program>> {
    match sys::clone3(CloneFlags::empty(), None).map_err(Error::refused("clone3"))? {
        Cloned::Child => Ok(None),
        Cloned::Parent { pid, pidfd } => Ok(Some(Program { pid, pidfd })),
    }
}

/// The life of PID 1: hands on the signals that arrive in `held`, and reaps, until the program has ended. Returns
/// the exit code to end with.
///
/// # Errors
/// Those of poll(2) and waitid(2).
pub fn look_after(program: &Program, held: &Held) -> Result<u8> {
    // The program is in our session, and so in reach of our terminal.
    exit::until_ended(program.pidfd.as_fd(), held, Sender::Processes, None, || reap(program.pid))
        .map(exit::exit_code)
}

/// Takes the end of every child that has ended so far, the adopted ones too, so that none stays a zombie; never
/// waits. Returns that of `program`, if it was among them.
///
/// # Errors
/// Those of waitid(2), but to have no children is none.
pub fn reap(program: Pid) -> Result<Option<ChildEnd>> {
    let mut found = None;
    loop {
        match sys::wait(Whose::Any) {
            Ok(Some(end)) if end.pid == program => found = Some(end),
            Ok(Some(_)) => {}
            Ok(None) | Err(Errno::ECHILD) => return Ok(found),
            Err(errno) => return Err(Error::refused("waitid")(errno)),
        }
    }
}
