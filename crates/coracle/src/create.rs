//! Create: everything but the program.
//!
//! ```text
//! main                                       init
//!  | listen on start.sock; socketpair
//!  | clone3(PIDFD | NEWPID | NEWNS | ...) --> |
//!  | id maps                                  | waits
//!  | ----------------- Go ------------------> | names, mounts, pivot_root, program found (init.rs)
//!  | <---------- Ready | Failed ------------- | waits for start
//! ```

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use nix::libc::SIGKILL;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use crate::channel::{self, Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::namespace::{self, Kind};
use crate::plan::Plan;
use crate::signal::Held;
use crate::state::Dir;
use crate::sys::{self, Cloned, Whose};
use crate::{init, user};

/// The container's first process, made and waiting for start.
#[derive(Debug)]
pub struct Init {
    /// Its number in our PID namespace.
    pub pid: Pid,
    /// A descriptor of it.
    pub pidfd: OwnedFd,
}

impl Init {
    /// Kills and buries it: nothing of a container that could not be made is left. With a PID namespace, the
    /// kernel kills all that is in it as well.
    pub fn destroy(self) {
        // It may have ended by itself.
        let _ = sys::pidfd_send_signal(self.pidfd.as_fd(), SIGKILL);
        let mut end = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        while poll(&mut end, PollTimeout::NONE) == Err(Errno::EINTR) {}
        let _ = sys::wait(Whose::Pidfd(self.pidfd.as_fd()));
    }
}

/// Makes the container of `plan` in its directory `dir`; its program does not run yet.
///
/// # Errors
/// Whatever stopped it, in the words of the side where it happened. Nothing is left of the container then.
pub fn create(plan: &Plan, dir: &Dir, held: &Held, explain: &Explain) -> Result<Init> {
    let start: UnixListener = dir.listen()?.into();
    let (ours, theirs) = channel::pair()?;
    let flags = namespace::at_birth(&plan.namespaces);
    let init = explain.step(&explain::CLONE, || match sys::clone3(flags) {
        Ok(Cloned::Child) => init::main(plan, theirs, start, held, &explain.told_by_init()),
        Ok(Cloned::Parent { pid, pidfd }) => Ok(Init { pid, pidfd }),
        Err(errno) => Err(Error::refused(format!("clone3({flags:?})"))(errno)
            .with_cure(Errno::EPERM, "run as root, or with a user namespace where this system allows them")
            .with_cure(Errno::ENOSPC, "a limit in /proc/sys/user is reached")),
    })?;
    match bring_up(plan, &init, &ours, explain) {
        Ok(()) => Ok(init),
        Err(error) => {
            init.destroy();
            Err(error)
        }
    }
}

/// Does for init what only we can do, and waits until it is ready.
fn bring_up(plan: &Plan, init: &Init, channel: &Channel, explain: &Explain) -> Result<()> {
    if plan.namespaces.has(Kind::User) {
        explain.step(&explain::MAP_IDS, || user::map(init.pid, &plan.mappings))?;
    }
    channel.send(&Message::Go)?;
    match channel.receive()? {
        Some(Message::Ready) => Ok(()),
        Some(Message::Failed(failure)) => Err(Error::Init(failure)),
        Some(Message::Go) | None => Err(Error::InitDied),
    }
}
