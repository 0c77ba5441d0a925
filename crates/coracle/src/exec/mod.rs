//! Exec: one more process in a running container.
//!
//! ```text
//! main                                       session
//!  | a pidfd of the container's init
//!  | setns(pidfd, PID): for children
//!  | clone3(PIDFD | INTO_CGROUP) -----------> |
//!  | control group, oom score                 | waits
//!  | ----------------- Go ------------------> | setns(pidfd, all others), who it is, program found
//!  | <---------- Ready | Failed ------------- |
//!  | <------- closed | Failed --------------- | execve
//!  | pid file; wait, or not
//! ```
//!
//! The state of the container is none of a session's business: whatever happens here, it stays what it is.

mod wish;

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

use crate::birth::{self, Born};
use crate::cgroup::Doors;
use crate::channel::{self, Channel, Message};
use crate::console::{self, Proxy};
use crate::create::next_word;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::namespace::{Kind, Namespaces};
use crate::process::{self, Process};
use crate::signal::{self, Held, Sender};
use crate::state::{Dir, State};
use crate::status::{self, Status};
use crate::sys::{self, Whose};
use crate::{limit, pid_file, program, rootfs, seal, user, wait};

pub use wish::Wish;

/// How a session is to be made.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// We end as soon as the program runs.
    pub detach: bool,
    /// The socket to send the terminal's other end to; `None` keeps it.
    pub console_socket: Option<PathBuf>,
    /// The file to write the process's number to, last of all.
    pub pid_file: Option<PathBuf>,
    /// How many descriptors after standard error the program keeps.
    pub preserve_fds: u32,
    /// A paused container is no error: the process begins when it goes on.
    pub ignore_paused: bool,
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
    let process = wish.process(&dir, explain)?;
    process::warn_of_capabilities(&process, state.namespaces.contains(&Kind::User), explain)?;
    let held = signal::hold()?;
    let (ours, theirs) = channel::pair()?;
    let born = explain
        .step(&explain::CLONE, || give_birth(&state, &process, manner, &held, theirs, &ours, explain))?;
    let session = accompany(&process, manner, &held, &born, &ours, explain);
    let terminal = session.inspect_err(|_| end(&born))?;
    if let Some(path) = &manner.pid_file {
        pid_file::write(path, born.pid).inspect_err(|_| end(&born))?;
    }
    if manner.detach { Ok(0) } else { foreground(&born, terminal, &held, explain) }
}

/// What is known of the container `id` of `dir`, if it is one to go into: one that runs; a paused one only where
/// `manner` says so.
///
/// # Errors
/// [`Error::NotRunning`] for one that has stopped; [`Error::Status`] for any other, with what to do about it.
fn running(dir: &Dir, id: &str, manner: &Manner) -> Result<State> {
    match status::of(dir)? {
        (state, Status::Running) => Ok(state),
        (state, Status::Paused) if manner.ignore_paused => Ok(state),
        (_, Status::Stopped) => Err(Error::NotRunning { id: id.to_owned() }),
        (_, Status::Paused) => {
            Err(Error::status("exec", id, Status::Paused, "resume it first, or use --ignore-paused"))
        }
        (_, status) => Err(Error::status("exec", id, status, "start it first: coracle start ID")),
    }
}

/// Gives birth to a process of the container's PID namespace, in its control group.
fn give_birth(
    state: &State,
    process: &Process,
    manner: &Manner,
    held: &Held,
    theirs: Channel,
    ours: &Channel,
    explain: &Explain,
) -> Result<Born> {
    let init = status::pidfd(state)?.ok_or_else(|| Error::NotRunning { id: state.id.clone() })?;
    let kinds = join_before_birth(init.as_fd(), &state.namespaces)?;
    let (birthplace, doors) = (state.cgroup.birthplace()?, state.cgroup.doors()?);
    let told = explain.told_by_init();
    let root = state.namespaces.contains(&Kind::User);
    let life = |channel| {
        let session =
            Session { init, doors, kinds: &kinds, root, process, manner, held, channel, explain: &told };
        session.live()
    };
    birth::give(&Namespaces::default(), birthplace.as_ref().map(AsFd::as_fd), ours, theirs, life)
}

/// Joins those namespaces of `kinds`, of the process of `pidfd`, that a session must be born in, and returns the other
/// kinds: the session joins them itself. The PID namespace is one: setns(2) never moves who calls it, only the children
/// born afterwards. The user namespace is one where we have no privilege ([`user::is_privileged`]): only its root may
/// join the others, so we must be in it first. A privileged runtime leaves it to the session, and stays what it is.
///
/// # Errors
/// As [`join`].
fn join_before_birth(pidfd: BorrowedFd<'_>, kinds: &[Kind]) -> Result<Vec<Kind>> {
    let privileged = user::is_privileged();
    let is_first = |kind: Kind| kind == Kind::Pid || (kind == Kind::User && !privileged);
    // The user namespace first: its privilege is what the other asks for.
    for kind in [Kind::User, Kind::Pid] {
        if kinds.contains(&kind) && is_first(kind) {
            join(pidfd, &[kind])?;
        }
    }
    Ok(kinds.iter().copied().filter(|kind| !is_first(*kind)).collect())
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

/// Does for the session what only we can do, and says `Go` on `channel`; then waits for its words ([`next_word`]): a
/// `Terminal`, whose descriptor goes to the console socket or, without one, is returned; `Ready`; and after that the
/// end of the channel, which is close-on-exec: the program runs.
///
/// # Errors
/// [`Error::Init`] with what the session says has failed; [`Error::InitDied`] where it ends before it is ready.
fn accompany(
    process: &Process,
    manner: &Manner,
    held: &Held,
    born: &Born,
    channel: &Channel,
    explain: &Explain,
) -> Result<Option<OwnedFd>> {
    if let Some(value) = process.oom_score_adj {
        explain.step(&explain::OOM_SCORE, || limit::oom_score_adj(born.pid, value))?;
    }
    channel.send(&Message::Go)?;
    let (mut terminal, mut ready) = (None, false);
    loop {
        match next_word(channel, held)? {
            Some((Message::Terminal, Some(master))) => match &manner.console_socket {
                Some(socket) => console::send(socket, master.as_fd())?,
                None => terminal = Some(master),
            },
            Some((Message::Ready, _)) => ready = true,
            Some((Message::Failed(failure), _)) => return Err(Error::Init(failure)),
            // Its end of the channel is close-on-exec: the kernel itself tells us that the program runs.
            None if ready => return Ok(terminal),
            Some(_) | None => return Err(Error::InitDied),
        }
    }
}

/// Kills and buries a session that could not begin.
fn end(born: &Born) {
    // It may have ended by itself.
    let _ = sys::pidfd_send_signal(born.pidfd.as_fd(), libc::SIGKILL);
    let _ = sys::wait_until_ended(born.pidfd.as_fd());
    let _ = sys::wait(Whose::Pidfd(born.pidfd.as_fd()));
}

/// Waits for the end of the program, and is its terminal's other end meanwhile.
fn foreground(born: &Born, terminal: Option<OwnedFd>, held: &Held, explain: &Explain) -> Result<u8> {
    let mut terminal = terminal.map(Proxy::new).transpose()?;
    let pidfd = born.pidfd.as_fd();
    let ended = || sys::wait(Whose::Pidfd(pidfd)).map_err(Error::refused("waitid"));
    explain.step(&explain::WAIT, || {
        wait::until_ended(pidfd, held, Sender::Anybody, terminal.as_mut(), ended).map(wait::exit_code)
    })
}

/// What the new process is born with.
struct Session<'a> {
    init: OwnedFd,
    doors: Doors,
    kinds: &'a [Kind],
    /// Whether it is in a user namespace, and so to be its root at first.
    root: bool,
    process: &'a Process,
    manner: &'a Manner,
    held: &'a Held,
    channel: Channel,
    explain: &'a Explain,
}

impl Session<'_> {
    /// Becomes the program in the container, or ends.
    fn live(mut self) -> ! {
        let failed = match self.enter() {
            Ok(file) => {
                let Err(error) = program::execute(self.process, &file, &self.held.before, self.explain);
                error
            }
            Err(error) => error,
        };
        // Where nobody listens any more, there is nobody to tell.
        let _ = self.channel.send(&Message::Failed(failed.into()));
        sys::exit_now(1)
    }

    /// The way into the container. Returns the program's path, seen from inside.
    fn enter(&mut self) -> Result<CString> {
        // 1. No descriptor of the host gets in, and nobody inside looks into us (CVE-2016-9962).
        self.close_all_but_ours()?;
        if self.channel.receive()? != Some(Message::Go) {
            sys::exit_now(1);
        }
        self.explain.step(&explain::HIDE, seal::hide)?;
        if !self.doors.is_empty() {
            self.explain.step(&explain::JOIN_CGROUP, || self.doors.enter())?;
            std::mem::take(&mut self.doors).leave_open();
            self.close_all_but_ours()?;
        }

        // 2. All namespaces at once, and root of the user namespace if there is one.
        self.explain.step(&explain::ENTER, || join(self.init.as_fd(), self.kinds))?;
        if self.root {
            self.explain.step(&explain::BECOME_ROOT, user::become_root)?;
        }

        // 3. The same tail as init's.
        self.give_terminal()?;
        let file = process::assume(self.process, self.explain)?;
        self.channel.send(&Message::Ready)?;
        Ok(file)
    }

    fn close_all_but_ours(&self) -> Result<()> {
        let keep = [self.channel.as_fd(), self.held.as_fd(), self.init.as_fd()];
        let keep = keep.into_iter().chain(self.explain.descriptors()).chain(self.doors.descriptors());
        sys::close_all_but(&keep.collect::<Vec<_>>(), self.manner.preserve_fds)
            .map_err(Error::refused("close_range"))
    }

    fn give_terminal(&self) -> Result<()> {
        let Some(size) = self.process.terminal else {
            return self.explain.step(&explain::SESSION, console::new_session);
        };
        let master = self.explain.step(&explain::TERMINAL, || {
            console::attach(rootfs::open_directory("/".as_ref())?.as_fd(), size, self.process.user.uid, false)
        })?;
        self.channel.send_with(&Message::Terminal, Some(master.as_fd()))
    }
}
