//! Start: the word to go on, and whether it worked.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::hook::{Hooks, Moment, Place};
use crate::lifecycle::{self, Status};
use crate::signal::{self, Held};
use crate::state::{Dir, Locked, State};
use crate::witness::Witness;
use crate::{bundle, delete, kill, procfs, sys};

/// The verb: starts the program of the created container `id` below `root`, and runs its poststart hooks.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`] unless it is created; that of execve(2), after which the container is
/// stopped; [`Error::Hook`], or [`Error::Init`] with one of the container's own hooks, and then nothing is left of it.
pub fn start(root: &Path, id: &str, explain: &Explain) -> Result<()> {
    let locked = Dir::find(root, id)?.lock()?;
    match lifecycle::of(&locked.dir)? {
        (state, Status::Created) if state.hooks => with_hooks(root, &locked, &state, explain),
        (state, Status::Created) => {
            explain.step(&explain::START, || go_on(&locked, &state, explain, Channel::receive_with))
        }
        (state, status) => {
            // Paused before its start, it is a created one all the same.
            let cure = match status {
                Status::Paused if !lifecycle::has_begun(&state)? => {
                    "it was paused before its start: resume it first with: coracle resume ID"
                }
                _ => "only a created container can be started",
            };
            Err(Error::status("start", id, status, cure))
        }
    }
}

/// As [`start`], of a container with hooks that run now. Init runs its own before it becomes the program.
fn with_hooks(root: &Path, locked: &Locked, state: &State, explain: &Explain) -> Result<()> {
    // Told to end while a hook runs, we must take the container with us: nobody would go on with it.
    let held = signal::hold()?;
    let hooks = bundle::hooks_of(&locked.dir, explain)?;
    explain
        .step(&explain::START, || go_on(locked, state, explain, |channel| channel.next(&held)))
        .and_then(|()| run_poststart(&hooks, state, &held, explain))
        .inspect_err(|error| {
            // The first error is the one to tell.
            if error.ends_container() {
                let _ =
                    stop(root, state).and_then(|()| delete::clear(&locked.dir, state, Some(&held), explain));
            }
        })
}

/// Kills the container, and waits for the end of its init.
fn stop(root: &Path, state: &State) -> Result<()> {
    let Some(init) = lifecycle::pidfd(state)? else { return Ok(()) };
    match kill::kill(root, &state.id, "KILL", false) {
        Ok(()) | Err(Error::NotRunning { .. }) => {}
        Err(error) => return Err(error),
    }
    sys::wait_until_ended(init.as_fd()).map_err(Error::refused("poll"))
}

/// Runs the poststart hooks of a container whose program runs.
///
/// # Errors
/// As [`Hooks::run`].
pub fn run_poststart(hooks: &Hooks, state: &State, held: &Held, explain: &Explain) -> Result<()> {
    if hooks.at(Moment::Poststart).is_empty() {
        return Ok(());
    }
    let place = Place::of_runtime(&state.bundle, Some(held));
    // The program runs, or has run: what it does meanwhile is not told.
    let told = state.told(Status::Running, Some(state.pid));
    hooks.run(Moment::Poststart, &told, &place, explain)
}

/// Says the word to start to init, by connecting to it, and waits until it has become the program. What it says of its filter
/// is seen to; its supervisor is that of the container's own copy of its config.
fn go_on(
    locked: &Locked,
    state: &State,
    explain: &Explain,
    receive: impl Fn(&Channel) -> Result<Option<(Message, Option<OwnedFd>)>>,
) -> Result<()> {
    let channel = Channel::from_socket(locked.connect()?);
    let mut witness = Witness::new(state.init(), state, Status::Created, None);
    let mut word = || {
        loop {
            let word = receive(&channel)?;
            if matches!(word, Some((Message::Listener, _))) {
                let linux = bundle::of_container(&locked.dir, explain)?.1;
                let filter = bundle::seccomp::filter(linux.seccomp.as_ref(), explain)?;
                witness.listener = filter.and_then(|filter| filter.listener);
            }
            if let Some(word) = witness.hear(word, &channel)? {
                return Ok(word);
            }
        }
    };
    match word()? {
        Some(Message::Executing) => executed(word()?)?,
        // One that dies closes its descriptors as well.
        None => return Err(lifecycle::death(state)),
        word => return executed(word),
    }
    if died_on_the_way(state)? { Err(lifecycle::death(state)) } else { Ok(()) }
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

/// Whether init never became the program: something killed it between its last word and execve(2). That takes the flag away
/// before it closes anything, while a process that dies closes its descriptors before it can be seen to be dead.
fn died_on_the_way(state: &State) -> Result<bool> {
    let init = procfs::stat_of(state.init(), state.start_time)?;
    Ok(state.executes() && init.is_some_and(|init| init.never_executed))
}
