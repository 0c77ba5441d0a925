//! Start: the word to go on, and whether it worked.

use std::path::Path;

use crate::bundle;
use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::lifecycle::{self, Status};
use crate::procfs;
use crate::state::{Dir, Locked, State};
use crate::witness::Witness;

/// The verb: starts the program of the created container `id` below `root`.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`] unless it is created; and that of execve(2), after which the container is
/// stopped.
pub fn start(root: &Path, id: &str, explain: &Explain) -> Result<()> {
    let locked = Dir::find(root, id)?.lock()?;
    match lifecycle::of(&locked.dir)? {
        (state, Status::Created) => explain.step(&explain::START, || {
            executed(last_word(&locked, &state, explain)?)?;
            // A process that dies closes its descriptors as well.
            if died_on_the_way(&state)? { Err(Error::InitDied) } else { Ok(()) }
        }),
        (_, status) => Err(Error::status("start", id, status, "only a created container can be started")),
    }
}

/// Says the word to start to init, by connecting to it, and listens until it has no more to say. What it says of its filter is
/// seen to; its supervisor is that of the container's own copy of its config.
fn last_word(locked: &Locked, state: &State, explain: &Explain) -> Result<Option<Message>> {
    let connection = Channel::from_socket(locked.connect()?);
    let mut witness = Witness::new(state.init(), state, Status::Created, None);
    loop {
        let word = connection.receive_with()?;
        if matches!(word, Some((Message::Listener, _))) {
            let linux = bundle::of_container(&locked.dir, explain)?.1;
            let filter = bundle::seccomp::filter(linux.seccomp.as_ref(), explain)?;
            witness.listener = filter.and_then(|filter| filter.listener);
        }
        if let Some(word) = witness.hear(word, &connection)? {
            return Ok(word);
        }
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
