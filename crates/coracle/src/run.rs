//! Run: create, start, wait, remove; the program's end becomes ours.

use std::os::fd::AsFd;
use std::path::Path;

use crate::channel::Message;
use crate::console::Proxy;
use crate::create::{self, Created, Init, Manner};
use crate::delete;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::plan::Plan;
use crate::signal::{self, Held, Sender};
use crate::start;
use crate::state::Dir;
use crate::sys::{self, Whose};
use crate::wait;

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
    let held = signal::hold()?;
    let manner = Manner { die_together: !after.detach, at_once: true, ..manner.clone() };
    let locked = explain.step(&explain::STATE, || Dir::claim(root, &plan.id))?;
    let made = create::make(plan, &locked, &manner, &held, explain);
    let Created { init, state } = made.inspect_err(|_| locked.dir.forget())?;
    if let Err(error) = explain.step(&explain::GO_ON, || go_on(&init)) {
        init.destroy();
        // The first error is the one to tell.
        let _ = delete::clear(&locked.dir, &state, explain);
        return Err(error);
    }
    if after.detach {
        return Ok(0);
    }
    // From here on others may change it.
    let dir = locked.unlock();
    let ended = foreground(init, &held, explain);
    if after.keep {
        return ended;
    }
    let cleared = delete::clear(&dir, &state, explain);
    ended.and_then(|code| cleared.map(|()| code))
}

/// Says the word to start, and waits until the program runs.
fn go_on(init: &Init) -> Result<()> {
    init.channel.send(&Message::Go)?;
    start::until_executed(&init.channel)
}

/// Waits for the end of the program, and is its terminal's other end meanwhile.
fn foreground(init: Init, held: &Held, explain: &Explain) -> Result<u8> {
    let mut terminal = init.terminal.map(Proxy::new).transpose()?;
    let pidfd = init.pidfd.as_fd();
    let ended = || sys::wait(Whose::Pidfd(pidfd)).map_err(Error::refused("waitid"));
    explain.step(&explain::WAIT, || {
        wait::until_ended(pidfd, held, Sender::Anybody, terminal.as_mut(), ended).map(wait::exit_code)
    })
}
