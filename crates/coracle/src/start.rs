//! Start: the word to go on, and whether it worked.

use std::path::Path;

use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::proc;
use crate::state::{Dir, State};
use crate::status::{self, Status};

/// The verb: starts the program of the created container `id` below `root`.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`] unless it is created; and that of execve(2), after which the container is
/// stopped.
pub fn start(root: &Path, id: &str, explain: &Explain) -> Result<()> {
    let locked = Dir::find(root, id)?.lock()?;
    match status::of(&locked.dir)? {
        (state, Status::Created) => explain.step(&explain::START, || {
            until_executed(&Channel::from_socket(locked.connect()?))?;
            // A process that dies closes its descriptors as well.
            if died_on_the_way(&state)? { Err(Error::InitDied) } else { Ok(()) }
        }),
        (_, status) => Err(Error::status("start", id, status, "only a created container can be started")),
    }
}

/// Waits until init has become the program: its end of `connection` is close-on-exec, so the kernel itself tells us.
///
/// # Errors
/// That of execve, such as "permission denied" for a file that is not executable.
pub fn until_executed(connection: &Channel) -> Result<()> {
    match connection.receive()? {
        None => Ok(()),
        Some(Message::Failed(failure)) => Err(Error::Init(failure)),
        Some(_) => Err(Error::InitDied),
    }
}

/// Whether init has ended and never was the program.
fn died_on_the_way(state: &State) -> Result<bool> {
    Ok(!state.reaper
        && proc::stat(state.init())?
            .is_some_and(|init| init.start_time == state.start_time && init.ended && init.never_executed))
}
