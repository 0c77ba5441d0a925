//! What is heard of a process that puts itself under a seccomp filter and becomes its program: by run, start and exec alike.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::error::{Error, Failure, Result};
use crate::explain::EXECVE;
use crate::lifecycle::Status;
use crate::seccomp::{Listener, notify};
use crate::state::State;
use crate::{procfs, program};

/// Looks on while a process becomes its program.
#[derive(Debug)]
pub struct Witness<'a> {
    /// The process, as we see it.
    pub pid: Pid,
    /// Its container.
    pub state: &'a State,
    /// The state that the container is in.
    pub status: Status,
    /// The supervisor of its filter, where there is one.
    pub listener: Option<Listener>,
    slate: Option<(File, CString)>,
}

impl<'a> Witness<'a> {
    /// A new one, that has heard of nothing.
    pub fn new(pid: Pid, state: &'a State, status: Status, listener: Option<Listener>) -> Witness<'a> {
        Witness { pid, state, status, listener, slate: None }
    }

    /// Takes what the process says on `channel` of its filter, and gives all else back; of words of its own there is `None`.
    /// At the end of the channel, which is that of execve(2) or of the process, it knows which one it was.
    ///
    /// # Errors
    /// Where the supervisor cannot be told, or the process never became its program.
    pub fn hear(
        &mut self,
        word: Option<(Message, Option<OwnedFd>)>,
        channel: &Channel,
    ) -> Result<Option<Option<Message>>> {
        match word {
            Some((Message::Slate(program), Some(memory))) => {
                let program = CString::new(program).unwrap_or_default();
                self.slate = Some((memory.into(), program));
                Ok(None)
            }
            Some((Message::Listener, Some(descriptor))) => {
                let listener = self.listener.as_ref().ok_or(Error::InitDied)?;
                let state = self.state.of_specification(self.status, Some(self.state.pid));
                notify::send(listener, self.pid.as_raw(), &state, descriptor.as_fd())?;
                channel.send(&Message::Go)?;
                Ok(None)
            }
            None => self.read_slate().map(|()| Some(None)),
            Some((message, _)) => Ok(Some(Some(message))),
        }
    }

    /// What the process has left that could not speak any more.
    fn read_slate(&self) -> Result<()> {
        let Some((memory, program)) = &self.slate else { return Ok(()) };
        let mut number = [0; size_of::<i32>()];
        memory.read_exact_at(&mut number, 0).map_err(Error::io("read what the process has left"))?;
        match i32::from_ne_bytes(number) {
            0 => {}
            errno => {
                let error = program::refused(program, Errno::from_raw(errno));
                return Err(error.with_cure(Errno::EPERM, "perhaps /linux/seccomp forbids it: allow execve"));
            }
        }
        // Execve takes the flag away before it closes anything: who has it now, has ended.
        if procfs::stat(self.pid)?.is_some_and(|process| process.never_executed) {
            let text = format!(
                "{}: execve {}: the seccomp filter ended the process; allow execve in /linux/seccomp",
                EXECVE.name,
                program.to_string_lossy()
            );
            return Err(Error::Init(Failure { text, errno: None, hook: false }));
        }
        Ok(())
    }
}
