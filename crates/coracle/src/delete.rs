//! Delete: what is left of a container goes.

use std::os::fd::AsFd;
use std::path::Path;

use nix::libc::SIGKILL;

use crate::bundle;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::hook::{Hooks, Place};
use crate::lifecycle::{self, Status};
use crate::signal::Held;
use crate::state::{Dir, State};
use crate::sys;

/// The verb: removes the container `id` below `root`: one that is stopped, or created, whose init is killed. With
/// `force`, one in any state, and none at all is no error.
///
/// It holds the container's lock from first to last, kills init by its pidfd ([`lifecycle::pidfd`]; a frozen one is thawed,
/// else it would not die), waits for its end, and then does [`clear`]. What a runtime left that was killed before it
/// noted anything is a directory with nothing to read in it: `force` removes that.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`] for one that runs.
pub fn delete(root: &Path, id: &str, force: bool, explain: &Explain) -> Result<()> {
    let locked = match Dir::find(root, id).and_then(Dir::lock) {
        Err(Error::NoContainer { .. }) if force => return Ok(()),
        found => found?,
    };
    let state = match lifecycle::of(&locked.dir) {
        Ok((state, Status::Stopped | Status::Created)) => state,
        Ok((state, _)) if force => state,
        Ok((_, status)) => {
            let cure = "end it first with: coracle kill ID KILL, or delete it with --force";
            return Err(Error::status("delete", id, status, cure));
        }
        // A runtime that was killed in its first moments noted nothing, and made nothing else.
        Err(Error::NoContainer { .. } | Error::Bundle { .. }) if force => return locked.dir.remove(),
        Err(error) => return Err(error),
    };
    kill_init(&state)?;
    clear(&locked.dir, &state, None, explain)
}

/// Kills init and waits for its end. With a PID namespace, that is the end of all that are in it.
fn kill_init(state: &State) -> Result<()> {
    let Some(pidfd) = lifecycle::pidfd(state)? else { return Ok(()) };
    // A frozen process does not even die.
    if state.cgroup.is_frozen()? {
        state.cgroup.freeze(false)?;
    }
    match sys::pidfd_send_signal(pidfd.as_fd(), SIGKILL) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(errno) => return Err(Error::refused("kill the container's init")(errno)),
    }
    sys::wait_until_ended(pidfd.as_fd()).map_err(Error::refused("poll"))
}

/// Removes the control group, with whoever of the container is left in it, its share of the processor's cache, and the
/// directory; then come the poststop hooks. With `held`, those end when we are told to end.
///
/// # Errors
/// Those of all but the hooks. The directory stays where the control group does: it tells where that is.
pub fn clear(dir: &Dir, state: &State, held: Option<&Held>, explain: &Explain) -> Result<()> {
    // They are in the directory.
    let hooks = if state.hooks { bundle::hooks_of(dir, explain) } else { Ok(Hooks::default()) };
    if !state.cgroup.folders.is_empty() && !state.cgroup.shared {
        // Nobody was born into it for certain whose number was not noted: one that was ends by itself, without a word from the
        // runtime. And the group may be another container's of the same id, below another root, that was there already.
        let kill = state.pid != 0 && !state.is_whole();
        explain.step(&explain::REMOVE_CGROUP, || state.cgroup.remove(kill))?;
        explain.step_if(&explain::STOP_UNIT, || state.cgroup.stop_unit())?;
    }
    if let Some(group) = &state.intel_rdt {
        explain.step(&explain::REMOVE_RDT, || group.remove())?;
    }
    explain.step(&explain::REMOVE, || dir.remove())?;
    match hooks {
        Ok(hooks) => {
            let told = state.told(Status::Stopped, None);
            hooks.run_poststop(&told, &Place::of_runtime(&state.bundle, held), explain);
        }
        Err(error) => explain.warn(&format!("the poststop hooks are not known any more: {error}")),
    }
    Ok(())
}
