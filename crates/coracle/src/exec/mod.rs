//! Exec: one more process in a running container.
//!
//! ```text
//! main                            middle                          session
//!  | a pidfd of the container's init
//!  | clone3(INTO_CGROUP) --------> |
//!  |                               | oom score, control group
//!  |                               | setns(pidfd, all)
//!  | <------------ Born ---------- | clone3(PARENT) ------------> |
//!  | ---------------------------- Go ---------------------------> | who it is, program found
//!  | <---------------------- Ready | Failed --------------------- |
//!  | <--------------------- closed | Failed --------------------- | execve
//!  | pid file; wait, or not
//! ```
//!
//! The state of the container is none of a session's business: whatever happens here, it stays what it is.

mod inside;
mod wish;

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

use crate::birth::{self, Born};
use crate::channel::{self, Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::handover::{self, What};
use crate::keyring::Keyring;
use crate::lifecycle::{self, Status};
use crate::namespace::Kind;
use crate::process::{self, Process};
use crate::signal::{self, Held};
use crate::state::{Dir, State};
use crate::witness::Witness;
use crate::{console, exit, pid_file, scheduler, user};

pub use wish::Wish;

use inside::{Session, Way};

/// How a session is to be made.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// We end as soon as the program runs.
    pub detach: bool,
    /// The socket to send the terminal's other end to; `None` keeps it.
    pub console_socket: Option<PathBuf>,
    /// The socket to send the process's pidfd to.
    pub pidfd_socket: Option<PathBuf>,
    /// The file to write the process's number to, last of all.
    pub pid_file: Option<PathBuf>,
    /// How many descriptors after standard error the program keeps.
    pub preserve_fds: u32,
    /// A paused container is no error: the process begins when it goes on.
    pub ignore_paused: bool,
    /// The control groups below the container's that it is to be in ([`crate::cgroup::Cgroup::below`]); none: as
    /// [`crate::cgroup::Cgroup::of_session`] has it.
    pub cgroup: Vec<String>,
}

/// The verb: runs what `wish` says in the running container `id` below `root`. Returns the exit code to end with: that
/// of the program; 0 at once where we detach.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`], [`Error::NotRunning`] unless it runs; whatever kept the program from
/// running.
pub fn exec(root: &Path, id: &str, wish: &Wish, manner: &Manner, explain: &Explain) -> Result<u8> {
    let dir = Dir::find(root, id)?;
    let state = running(&dir, id, manner)?;
    let mut process = wish.process(&dir, explain)?;
    process.user.keeps_groups = user::keeps_groups(&state.annotations);
    check_terminal(&process, manner)?;
    // The program waits for nobody: what its terminal is given later, it may ask for before.
    if manner.console_socket.is_none() {
        process.terminal = process.terminal.map(|asked| console::ours().unwrap_or(asked));
    }
    process::warn_of_capabilities(&process, state.namespaces.contains(&Kind::User), explain)?;
    let held = signal::hold()?;
    let (ours, theirs) = channel::pair()?;
    if let Some(processors) = &process.scheduling.before {
        explain.step(&explain::PROCESSORS, || scheduler::set_processors(Pid::this(), processors))?;
    }
    let born = explain
        .step(&explain::BEAR, || give_birth(&state, &process, manner, &held, theirs, &ours, explain))
        .map_err(Error::of_session)?;
    let listener = process.listener();
    let witness = Witness::new(born.pid, &state, Status::Running, listener);
    let mut talk = Talk { channel: &ours, held: &held, manner, terminal: None, witness };
    bring_up(&state, &process, born.pid, explain)
        .and_then(|()| accompany(&mut talk))
        .and_then(|()| tell(&born, manner))
        .map_err(|error| take_back(&born, error, explain))?;
    if manner.detach { Ok(0) } else { exit::of_child(born.pidfd.as_fd(), talk.terminal, &held, explain) }
}

/// A terminal must have somebody at its other end.
///
/// # Errors
/// [`Error::Usage`].
fn check_terminal(process: &Process, manner: &Manner) -> Result<()> {
    let problem = match (process.terminal.is_some(), manner.detach, &manner.console_socket) {
        (true, true, None) => {
            "--detach, with a terminal: nobody would hold its other end: give --console-socket, or no terminal"
        }
        (false, _, Some(_)) => "--console-socket is given, but no terminal is asked for: add --tty",
        (true, false, Some(_)) => {
            "--console-socket is given, but exec stays at the terminal itself: add --detach"
        }
        _ => return Ok(()),
    };
    Err(Error::Usage { problem: problem.to_owned() })
}

/// Does for the session what only we can do from outside.
fn bring_up(state: &State, process: &Process, pid: Pid, explain: &Explain) -> Result<()> {
    if let Some(group) = &state.intel_rdt {
        explain.step(&explain::RDT_ENTER, || group.enter(pid))?;
    }
    process::prepare(process, pid, state.namespaces.contains(&Kind::User), explain)?;
    // It makes no others any more, and is in its control group.
    process::complete(process, pid, explain)
}

/// Takes the session back that was `born`, on the way out with `error`. One that stands still with its container cannot be
/// waited for.
fn take_back(born: &Born, error: Error, explain: &Explain) -> Error {
    let left = !born.bury_soon();
    if left && !matches!(error, Error::Interrupted { .. }) {
        explain.warn(
            "the session is killed, but stands still; it ends when the container goes on: coracle resume ID",
        );
    }
    error.of_session().leaving(left)
}

/// Sends the pidfd of the session's process to the socket that was asked for, and writes its number to the file that was.
fn tell(born: &Born, manner: &Manner) -> Result<()> {
    if let Some(path) = &manner.pidfd_socket {
        handover::send(What::Process, path, born.pidfd.as_fd())?;
    }
    manner.pid_file.as_ref().map_or(Ok(()), |path| pid_file::write(path, born.pid))
}

/// What is known of the container `id` of `dir`, if it is one to go into: one that runs; a paused one only where
/// `manner` says so, and never one that was paused before its start ([`lifecycle::has_begun`]).
///
/// # Errors
/// [`Error::NotRunning`] for one that has stopped; [`Error::Status`] for any other, with what to do about it.
fn running(dir: &Dir, id: &str, manner: &Manner) -> Result<State> {
    match lifecycle::of(dir)? {
        (state, Status::Running) => Ok(state),
        (state, Status::Paused) if !lifecycle::has_begun(&state)? => {
            let cure = "its program has not begun: resume it, then start it first: coracle start ID";
            Err(Error::status("exec", id, Status::Paused, cure))
        }
        (state, Status::Paused) if manner.ignore_paused => Ok(state),
        (_, Status::Stopped) => Err(Error::NotRunning { id: id.to_owned() }),
        (_, Status::Paused) => {
            Err(Error::status("exec", id, Status::Paused, "resume it first, or use --ignore-paused"))
        }
        (_, status) => Err(Error::status("exec", id, status, "start it first: coracle start ID")),
    }
}

/// Gives birth to a process in the container's namespaces and its control group.
///
/// It is born where it belongs, by a middle process that has gone there first. Were it born in the PID namespace alone,
/// and went into the others by itself, it could be seen from inside before: a container with CAP_SYS_PTRACE looks into
/// whomever it sees, and would find the host's files at `/proc/PID/root`.
fn give_birth(
    state: &State,
    process: &Process,
    manner: &Manner,
    held: &Held,
    theirs: Channel,
    ours: &Channel,
    explain: &Explain,
) -> Result<Born> {
    let init = lifecycle::pidfd(state)?.ok_or_else(|| Error::NotRunning { id: state.id.clone() })?;
    let cgroup = match &manner.cgroup[..] {
        [] => state.cgroup.of_session(state.init())?,
        wishes => Cow::Owned(state.cgroup.below(wishes)?),
    };
    let from_outside = state.cgroup.doorkeeper().is_none();
    let birthplace = if from_outside { cgroup.birthplace()? } else { None };
    let doors = cgroup.doors()?;
    let told = explain.told_by_init();
    let root = state.namespaces.contains(&Kind::User);
    let keyring = state.keyring.then(|| Keyring::of(&state.id));
    let way = Way { init, doors, state, process, manner, held, explain: &told };
    let life = |channel| Session { root, keyring, process, manner, held, channel, explain: &told }.live();
    let birthplace = birthplace.as_ref().map(AsFd::as_fd);
    birth::through(CloneFlags::empty(), birthplace, ours, theirs, |channel| way.go(channel), life)
}

/// Joins namespaces of `kinds` of the process of `pidfd`, all at once: one setns(2) with all their flags
/// ([`Kind::flag`]). Nothing to join is no error, and no call. The error names the call and the kinds.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over them, `ESRCH` where the process has ended.
pub fn join(pidfd: BorrowedFd<'_>, kinds: &[Kind]) -> Result<()> {
    let flags = kinds.iter().map(|kind| kind.flag()).fold(CloneFlags::empty(), |all, flag| all | flag);
    if flags.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    setns(pidfd, flags).map_err(|errno| {
        Error::refused(format!("setns to the container's namespaces ({})", names.join(", ")))(errno)
            .with_cure(Errno::EPERM, "run as the user who created the container, or as root")
            .with_cure(Errno::ESRCH, "the container has just stopped")
    })
}

/// Says `Go` to the session, then waits for its words ([`Talk::next`]): `Ready`, and after that the end of the channel. Its
/// end of it is close-on-exec: so the kernel itself tells us that execve(2) has succeeded, and the program runs.
///
/// # Errors
/// [`Error::Init`] with what the session says has failed, before `Ready` or after it; [`Error::InitDied`] where it ends
/// before it is ready.
fn accompany(talk: &mut Talk<'_>) -> Result<()> {
    talk.channel.send(&Message::Go)?;
    let mut ready = false;
    loop {
        match talk.next()? {
            Some(Message::Ready) => ready = true,
            Some(Message::Failed(failure)) => return Err(Error::Init(failure)),
            None if ready => return Ok(()),
            Some(_) | None => return Err(Error::InitDied),
        }
    }
}

/// The runtime's side of the conversation with the session.
struct Talk<'a> {
    channel: &'a Channel,
    held: &'a Held,
    manner: &'a Manner,
    /// The other end of the session's terminal, where it is ours to keep.
    terminal: Option<OwnedFd>,
    /// Who knows what it says of its filter.
    witness: Witness<'a>,
}

impl Talk<'_> {
    /// The session's next word but `Terminal`, whose descriptor goes to the console socket or is kept, and those of its filter;
    /// `None` at the end of the channel.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; those of [`Channel::next`], [`handover::send`] and [`Witness::hear`].
    fn next(&mut self) -> Result<Option<Message>> {
        match (self.channel.next(self.held)?, &self.manner.console_socket) {
            (Some((Message::Terminal, Some(master))), Some(socket)) => {
                handover::send(What::Terminal, socket, master.as_fd())?;
            }
            (Some((Message::Terminal, Some(master))), None) => {
                self.terminal = Some(master);
            }
            (word, _) => {
                if let Some(word) = self.witness.hear(word, self.channel)? {
                    return Ok(word);
                }
            }
        }
        self.next()
    }
}
