//! Run: create, start, wait, remove; the program's end becomes ours.

use std::os::fd::AsFd;
use std::path::Path;

use crate::create::create;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::plan::Plan;
use crate::signal::{self, Held};
use crate::start::start;
use crate::state::Dir;
use crate::sys::{self, Whose};
use crate::wait;

/// Runs the container of `plan` in the foreground, with its directory below `root`. Returns the exit code to end
/// with: that of the program.
///
/// # Errors
/// Whatever kept the program from running. Nothing of the container is left, then as after its end.
pub fn run(plan: &Plan, root: &Path, explain: &Explain) -> Result<u8> {
    let held = signal::hold()?;
    let dir = explain.step(&explain::STATE, || Dir::claim(root, &plan.id))?;
    let result = foreground(plan, &dir, &held, explain);
    let removed = explain.step(&explain::REMOVE, || dir.remove());
    result.and_then(|code| removed.map(|()| code))
}

fn foreground(plan: &Plan, dir: &Dir, held: &Held, explain: &Explain) -> Result<u8> {
    let init = create(plan, dir, held, explain)?;
    let ended = || sys::wait(Whose::Pidfd(init.pidfd.as_fd())).map_err(Error::refused("waitid"));
    let end = start(dir, explain)
        .and_then(|()| explain.step(&explain::WAIT, || wait::until_ended(init.pidfd.as_fd(), held, ended)));
    match end {
        Ok(end) => Ok(wait::exit_code(end)),
        Err(error) => {
            init.destroy();
            Err(error)
        }
    }
}
