//! Run: create, start, wait, remove; the program's end becomes ours.

use std::os::fd::AsFd;
use std::path::Path;

use crate::channel::Message;
use crate::create::{self, Created};
use crate::delete;
use crate::error::{Error, Result};
use crate::exit;
use crate::explain::{self, Explain};
use crate::lifecycle::Status;
use crate::plan::{Manner, Plan};
use crate::signal::{self, Held};
use crate::state::{Dir, Locked, State};
use crate::witness::Witness;
use crate::{start, sys};

/// What becomes of the container when its program runs, and when it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct After {
    /// We end as soon as the program runs, and leave the container.
    pub detach: bool,
    /// We leave the stopped container for `delete`.
    pub keep: bool,
}

/// Runs the container of `plan` with its directory below `root`. Returns the exit code to end with: that of the
/// program; 0 at once where we detach.
///
/// # Errors
/// Whatever kept the program from running. Nothing of the container is left then.
pub fn run(plan: &Plan, root: &Path, manner: &Manner, after: After, explain: &Explain) -> Result<u8> {
    let running = begin(plan, root, manner, after.detach, explain)?;
    if after.detach { Ok(0) } else { running.until_ended(after.keep, explain) }
}

/// A container whose program runs, and is our child.
#[derive(Debug)]
pub struct Running {
    created: Created,
    locked: Locked,
    held: Held,
}

/// Creates the container of `plan` with its directory below `root`, and starts its program. Where we do not `detach`, it
/// dies with us.
///
/// # Errors
/// Whatever kept the program from running. Nothing of the container is left then.
pub fn begin(plan: &Plan, root: &Path, manner: &Manner, detach: bool, explain: &Explain) -> Result<Running> {
    plan.require_process()?;
    let held = signal::hold()?;
    let manner = Manner { die_together: !detach, at_once: true, ..manner.clone() };
    let locked = explain.step(&explain::STATE, || Dir::claim(root, &plan.id))?;
    let made = create::make(plan, &locked, &manner, &held, explain);
    let created = made.inspect_err(|_| create::forget(plan, &locked, &held, explain))?;
    explain
        .step(&explain::GO_ON, || go_on(&created, plan, &held))
        .and_then(|()| start::run_poststart(&plan.hooks, &created.state, &held, explain))
        .and_then(|()| created.tell_pid(&manner))
        .inspect_err(|_| created.undo(&locked, &held, explain))?;
    Ok(Running { created, locked, held })
}

impl Running {
    /// What is known of it.
    pub fn state(&self) -> &State {
        &self.created.state
    }

    /// Waits for the end of its program, handing signals and the terminal on, and removes the container; or, with `keep`,
    /// leaves it stopped. Others may change it meanwhile, and even remove it. Returns the exit code to end with.
    ///
    /// # Errors
    /// Those of waiting and of removing.
    pub fn until_ended(self, keep: bool, explain: &Explain) -> Result<u8> {
        let Running { created: Created { init, state }, locked, held } = self;
        locked.release()?;
        let ended = exit::of_child(init.born.pidfd.as_fd(), init.terminal, &held, explain);
        // What has its name now may be another one.
        if keep || !locked.again()? {
            return ended;
        }
        let cleared = delete::clear(&locked.dir, &state, Some(&held), explain);
        // Our end closes them.
        sys::leave_open([init.born.pidfd, init.channel.into()]);
        std::mem::forget((locked, held));
        ended.and_then(|code| cleared.map(|()| code))
    }
}

/// Says the word to start, and waits until the program runs.
fn go_on(created: &Created, plan: &Plan, held: &Held) -> Result<()> {
    let channel = &created.init.channel;
    let listener = plan.process.listener();
    let mut witness = Witness::new(created.init.born.pid, &created.state, Status::Created, listener);
    channel.send(&Message::Go)?;
    loop {
        match witness.hear(channel.next(held)?, channel)? {
            None => {}
            // Its end is close-on-exec.
            Some(None) => return Ok(()),
            Some(Some(Message::Failed(failure))) => return Err(Error::Init(failure)),
            Some(Some(_)) => return Err(Error::InitDied),
        }
    }
}
