//! exec: one more process in a running container, beside its PID 1. Whatever becomes of that process, the container's state
//! is none of its business: PID 1 alone decides that.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::Path;

use coracle::exec::{Manner, Wish};
use coracle::explain::Explain;
use coracle::lifecycle;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result, check};
use crate::host;
use crate::log::{Level, Log, Role};
use crate::machine::{Command, State};
use crate::nsenter;
use crate::store::{self, Found};

/// How the namespaces are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the library, as `coracle exec` does.
    Native,
    /// By nsenter(1) of util-linux: the same namespaces, and nothing else of the container.
    Nsenter,
}

/// The command: an interactive shell; with a `line`, a login shell that runs it. Which of the two depends on `line` alone.
/// Returns the exit code to end with, which is the session's.
///
/// # Errors
/// [`Error::Host`] without /proc or the rights; [`Error::Logical`] unless the container runs; [`Error::StalePid`]
/// where it was said to, and does not; whatever kept the session from running.
pub fn exec(root: &Path, id: &str, line: Option<&str>, way: Way, log: &Log, explain: &Explain) -> Result<u8> {
    log.speak_as(Role::Parent);
    // Without it nobody can tell whether the container runs: that is no reason to call it stopped.
    host::require_proc(Command::Exec)?;
    let dir = store::existing(Command::Exec, root, id)?;
    let found = store::look(&dir)?;
    // One look for both questions: between two, it could die.
    if let Some(found) = found.as_ref().filter(|found| is_stale(found)) {
        return Err(stale(root, id, found.record.pid));
    }
    check(Command::Exec, id, found.as_ref().map_or(State::Unknown, |found| found.state))?;
    let started = found.and_then(|found| found.started).expect("what runs was started");
    if started.cgroup.is_frozen()? {
        let problem = format!(
            "container '{id}' is frozen: let it go on: coracle --root {} resume {id}",
            dir.path().display()
        );
        return Err(Error::Host { command: Command::Exec, problem });
    }
    log.say(Level::Debug, &format!("Entering the namespaces of PID {}", started.pid));
    let ended = match way {
        Way::Native => native(dir.path(), id, line, explain),
        Way::Nsenter => nsenter::enter(&started, line, log),
    };
    match ended {
        Ok(code) => {
            if alive(root, id).is_err() {
                log.say(
                    Level::Warn,
                    &format!("PID 1 of container '{id}' has ended: it is stopped, and so is the session"),
                );
            }
            Ok(code)
        }
        // Where PID 1 has just died, that is what there is to say.
        Err(error) => {
            if may_come_of_its_death(&error) {
                await_its_death(&started)?;
            }
            alive(root, id).and(Err(error))
        }
    }
}

/// Whether `error` is what a session says when PID 1, and with it everybody in the container, is dying: it ends without a
/// word, is not there to be spoken to, or cannot be born ("ENOMEM" in a PID namespace without a PID 1, clone(2)).
fn may_come_of_its_death(error: &Error) -> bool {
    let Error::Library(error) = error else { return false };
    let words = [Errno::ESRCH, Errno::ENOMEM, Errno::EPIPE, Errno::ECONNRESET];
    matches!(error, coracle::Error::SessionDied | coracle::Error::NotRunning { .. })
        || error.errno().is_some_and(|errno| words.contains(&errno))
}

/// PID 1 is the last of its namespace to end: it waits for all others. So what a session saw of its death comes a moment
/// before anybody can say that it is dead. A second is long; where it is not dead then, it was something else.
fn await_its_death(started: &coracle::state::State) -> Result<()> {
    let Some(pidfd) = lifecycle::pidfd(started)? else { return Ok(()) };
    let mut news = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    // A signal or an error only makes us look earlier.
    let _ = poll(&mut news, PollTimeout::from(1000_u16));
    Ok(())
}

/// Makes sure that the container that is said to run does run; else, that it is known to have stopped.
fn alive(root: &Path, id: &str) -> Result<()> {
    let Some(dir) = store::find(root, id)? else { return Ok(()) };
    match store::look(&dir)?.filter(is_stale) {
        Some(found) => Err(stale(root, id, found.record.pid)),
        None => Ok(()),
    }
}

/// Whether it is said to run, and does not.
fn is_stale(found: &Found) -> bool {
    found.state == State::Stopped && found.record.status == State::Running
}

fn stale(root: &Path, id: &str, pid: i32) -> Error {
    // Where that cannot be written down, the next one to look finds it out again.
    if let Ok(Some(dir)) = store::find(root, id) {
        let _ = store::note_stopped(dir);
    }
    Error::StalePid { id: id.to_owned(), pid }
}

fn native(root: &Path, id: &str, line: Option<&str>, explain: &Explain) -> Result<u8> {
    let terminal = line.is_none() && std::io::stdin().is_terminal();
    let wish = Wish { line: line.map(str::to_owned), terminal, ..Wish::default() };
    let host = |error: &coracle::Error| match error.errno() {
        Some(Errno::EPERM) => true,
        // Else it may be the container's own shell that is not executable.
        Some(Errno::EACCES) => !matches!(error, coracle::Error::Init(_)),
        _ => false,
    };
    coracle::exec::exec(root, id, &wish, &Manner::default(), explain).map_err(|error| match host(&error) {
        true => Error::Host { command: Command::Exec, problem: error.to_string() },
        false => error.into(),
    })
}
