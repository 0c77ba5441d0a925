//! The two processes that go into the container: one that finds the way, and its sibling that becomes the program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::unistd::Pid;

use super::Manner;
use crate::cgroup::Doors;
use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::keyring::Keyring;
use crate::process::{self, Process};
use crate::procfs::Procfs;
use crate::program::Program;
use crate::signal::Held;
use crate::state::State;
use crate::{mapping, rlimit, seal, sys};

/// The way into a container, for the middle process.
pub(super) struct Way<'a> {
    pub(super) init: OwnedFd,
    pub(super) doors: Doors,
    pub(super) state: &'a State,
    pub(super) process: &'a Process,
    pub(super) manner: &'a Manner,
    pub(super) held: &'a Held,
    pub(super) explain: &'a Explain,
}

impl Way<'_> {
    /// Into the control group, then into all namespaces at once. From here on nobody outside the container can be
    /// reached through us, and nobody inside it can look into us.
    pub(super) fn go(self, channel: &Channel) -> Result<()> {
        self.explain.goes_on_as("middle");
        // It is handed down, and only its owner may write it: so before the process hides.
        if let Some(value) = self.process.oom_score_adj {
            self.explain.step(&explain::OOM_SCORE, || rlimit::oom_score_adj(Pid::this(), value))?;
        }
        self.explain.step(&explain::HIDE, seal::hide)?;
        if !self.doors.is_empty() {
            self.explain.step(&explain::JOIN_CGROUP, || self.doors.enter())?;
        }
        if let Some(unit) = self.state.cgroup.doorkeeper() {
            self.explain.step(&explain::ATTACH, || unit.attach(Pid::this()))?;
        }
        self.doors.leave_open();
        // No descriptor of the host gets in.
        close_all_but(&[channel.as_fd(), self.held.as_fd(), self.init.as_fd()], self.manner, self.explain)?;
        self.explain.step(&explain::ENTER, || super::join(self.init.as_fd(), &self.state.namespaces))
    }
}

fn close_all_but(keep: &[BorrowedFd<'_>], manner: &Manner, explain: &Explain) -> Result<()> {
    let keep: Vec<_> = keep.iter().copied().chain(explain.descriptors()).collect();
    sys::close_all_but(&keep, manner.preserve_fds).map_err(Error::refused("close_range"))
}

/// What the new process is born with.
pub(super) struct Session<'a> {
    /// Whether it is in a user namespace, and so to be its root at first.
    pub(super) root: bool,
    /// The container's session keyring.
    pub(super) keyring: Option<Keyring>,
    pub(super) process: &'a Process,
    pub(super) manner: &'a Manner,
    pub(super) held: &'a Held,
    pub(super) channel: Channel,
    pub(super) explain: &'a Explain,
}

impl Session<'_> {
    /// Becomes the program in the container, or ends.
    pub(super) fn live(self) -> ! {
        self.explain.goes_on_as("session");
        let failed = match self.begin() {
            Ok(program) => {
                let mask = &self.held.before;
                process::become_program(self.process, &program, mask, &self.channel, self.explain)
            }
            Err(error) => error,
        };
        // Where nobody listens any more, there is nobody to tell.
        let _ = self.channel.send(&Message::Failed(failed.into()));
        sys::exit_now(1)
    }

    /// What is left to do inside. Returns the program.
    fn begin(&self) -> Result<Program> {
        close_all_but(&[self.channel.as_fd(), self.held.as_fd()], self.manner, self.explain)?;
        if self.channel.receive()? != Some(Message::Go) {
            sys::exit_now(1);
        }
        if self.root {
            self.explain.step(&explain::BECOME_ROOT, || mapping::become_root(&self.process.user))?;
        }
        // The same tail as init's.
        let labels = &self.process.labels;
        let procfs =
            if labels.are_empty() { None } else { Some(self.explain.step(&explain::PROCFS, Procfs::open)?) };
        if let Some(keyring) = &self.keyring {
            let label = labels.selinux.as_deref().zip(procfs.as_ref());
            self.explain.step(&explain::KEYRING, || keyring.join(self.root, label))?;
        }
        process::give_terminal(self.process, None, &self.channel, self.explain)?;
        process::set_labels(self.process, procfs.as_ref(), self.explain)?;
        // Before a working directory could lead through it.
        drop(procfs);
        let program = process::assume(self.process, self.explain)?;
        self.channel.send(&Message::Ready)?;
        Ok(program)
    }
}
