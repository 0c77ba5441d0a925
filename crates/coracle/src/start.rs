//! Start: the word to go on, and whether it worked.

use std::path::Path;

use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::lifecycle::{self, Status};
use crate::procfs;
use crate::state::{Dir, State};

/// The verb: starts the program of the created container `id` below `root`.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`] unless it is created; and that of execve(2), after which the container is
/// stopped.
pub fn start(root: &Path, id: &str, explain: &Explain) -> Result<()> {
    let locked = Dir::find(root, id)?.lock()?;
    match lifecycle::of(&locked.dir)? {
        (state, Status::Created) => explain.step(&explain::START, || {
            executed(Channel::from_socket(locked.connect()?).receive()?)?;
            // A process that dies closes its descriptors as well.
            if died_on_the_way(&state)? { Err(Error::InitDied) } else { Ok(()) }
        }),
        (_, status) => Err(Error::status("start", id, status, "only a created container can be started")),
    }
}

/// Whether init has become the program, by its last word on the connection: none, for its end is close-on-exec, so the
/// kernel itself tells us; or what has failed.
///
/// # Errors
/// That of execve, such as "permission denied" for a file that is not executable.
pub fn executed(word: Option<Message>) -> Result<()> {
    match word {
        None => Ok(()),
        Some(Message::Failed(failure)) => Err(Error::Init(failure)),
        Some(_) => Err(Error::InitDied),
    }
}

/// Whether init has ended and never was the program.
fn died_on_the_way(state: &State) -> Result<bool> {
    Ok(!state.reaper
        && procfs::stat(state.init())?
            .is_some_and(|init| init.start_time == state.start_time && init.ended && init.never_executed))
}
