//! Birth: one clone3 that makes a process inside its namespaces and its control group.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::clock;
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::namespace::{self, KINDS, Kind, Namespaces};
use crate::signal;
use crate::sys::{self, Cloned, Whose};

/// How long one that was killed may take to end, in milliseconds, where somebody waits for us. It is not sure to end at all:
/// version 1's freezer holds even who is killed.
const PATIENCE: u16 = 250;

/// The same, where nobody does: much to be freed takes its time.
const LONG_PATIENCE: u16 = 10_000;

/// A process that was just born.
#[derive(Debug)]
pub struct Born {
    /// Its number in our PID namespace.
    pub pid: Pid,
    /// A descriptor of it: never another process of that number.
    pub pidfd: OwnedFd,
}

/// Gives birth to a process that goes on with `life` and ends with it, in the namespaces that must be there at a birth (the
/// others it makes or joins itself) and in the control group of the folder `cgroup`. It gets the end `theirs` of a channel whose
/// other end is `ours`. What is done on the way there is told to `explain`.
///
/// # Errors
/// `EPERM` without the privilege for a namespace, `ENOSPC` at a limit of /proc/sys/user.
pub fn give(
    namespaces: &Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
    ours: &Channel,
    theirs: Channel,
    life: impl FnOnce(Channel),
    explain: &Explain,
) -> Result<Born> {
    let joins = |kind| namespaces.joins(kind).is_some();
    let flags = namespace::at_birth(namespaces);
    let offsets = namespaces.offsets();
    if !joins(Kind::User) && !joins(Kind::Pid) && offsets.is_empty() {
        return clone(flags, cgroup, theirs, life);
    }
    // Joining a PID namespace concerns only those who are born afterwards; it belongs to the user namespace in which it is
    // made; and out of a user namespace there is no way back. Where the processes and the mounts are another container's,
    // ours is not to be seen there with the host's mounts (exec/mod.rs says why), so that all is joined before.
    let in_company = joins(Kind::Pid) && joins(Kind::Mount) && !namespaces.has(Kind::User);
    let before = |kind: &Kind| in_company || matches!(kind, Kind::User | Kind::Pid);
    // Clocks that differ are set before the first birth by them, and belong to the user namespace as all else does.
    let made_before =
        if offsets.is_empty() { CloneFlags::empty() } else { flags & CloneFlags::CLONE_NEWUSER };
    let enter = |_: &Channel| {
        let done = if joins(Kind::User) { namespace::join_from_above(namespaces)? } else { Vec::new() };
        let rest = KINDS.iter().filter(|kind| before(kind) && !done.contains(kind));
        rest.copied().try_for_each(|kind| join(namespaces, kind))?;
        if !made_before.is_empty() {
            unshare(made_before).map_err(|errno| refused(made_before, errno))?;
        }
        match offsets {
            [] => Ok(()),
            offsets => explain.step(&explain::CLOCKS, || clock::set_apart(offsets)),
        }
    };
    through(flags - made_before, cgroup, ours, theirs, enter, life)
}

fn join(namespaces: &Namespaces, kind: Kind) -> Result<()> {
    match namespaces.joins(kind) {
        Some(fd) => setns(fd, kind.flag()).map_err(|errno| namespace::not_joined(kind, errno)),
        None => Ok(()),
    }
}

fn clone(
    flags: CloneFlags,
    cgroup: Option<BorrowedFd<'_>>,
    theirs: Channel,
    life: impl FnOnce(Channel),
) -> Result<Born> {
    match sys::clone3(flags, cgroup) {
        Ok(Cloned::Child) => {
            life(theirs);
            sys::exit_now(0)
        }
        Ok(Cloned::Parent { pid, pidfd }) => Ok(Born { pid, pidfd }),
        Err(errno) => Err(refused(flags, errno)),
    }
}

fn refused(flags: CloneFlags, errno: Errno) -> Error {
    Error::refused(format!("clone3({flags:?})"))(errno)
        .with_cure(Errno::EPERM, "run as root, or with a user namespace where this system allows them")
        .with_cure(Errno::ENOSPC, "a limit in /proc/sys/user is reached")
        .with_cure(Errno::EAGAIN, "a limit on the number of processes is reached: pids.max or RLIMIT_NPROC")
        .with_cure(Errno::EBUSY, "its control group may hold no processes: choose another /linux/cgroupsPath")
        .with_cure(
            Errno::EOPNOTSUPP,
            "its control group is one of threads (cgroup.type): choose another /linux/cgroupsPath",
        )
}

/// Gives birth by way of a middle process, in three steps. The middle one is born where we are, in the control group of
/// `cgroup`. It goes with `enter` to where we could not come back from, and gives birth there, with `flags`, to a sibling of
/// its own (clone3(2), CLONE_PARENT: so the new process is our child, and not an orphan), which goes on with `life`. It says
/// `Born` on `theirs`, with the sibling's number and pidfd, and ends; where something fails, it says `Failed`. We hear that
/// on `ours`, and take the middle one's end, before we return the sibling ([`Born::last_word`]).
///
/// # Errors
/// [`Error::Init`] with what the middle one says has failed; [`Error::InitDied`] where it ends without a word; as
/// [`Born::last_word`] and [`give`].
pub fn through(
    flags: CloneFlags,
    cgroup: Option<BorrowedFd<'_>>,
    ours: &Channel,
    theirs: Channel,
    enter: impl FnOnce(&Channel) -> Result<()>,
    life: impl FnOnce(Channel),
) -> Result<Born> {
    let middle = clone(CloneFlags::empty(), cgroup, theirs, |channel| {
        match enter(&channel).and_then(|()| give_sibling(flags, &channel)) {
            Ok(Cloned::Parent { .. }) => {}
            Ok(Cloned::Child) => life(channel),
            // Where nobody listens any more, there is nobody to tell.
            Err(error) => drop(channel.send(&Message::Failed(error.into()))),
        }
    })?;
    match middle.last_word(ours)? {
        Some((Message::Born(pid), Some(pidfd))) => Ok(Born { pid: Pid::from_raw(pid), pidfd }),
        Some((Message::Failed(failure), _)) => Err(Error::Init(failure)),
        _ => Err(Error::InitDied),
    }
}

fn give_sibling(flags: CloneFlags, channel: &Channel) -> Result<Cloned> {
    let flags = flags | CloneFlags::CLONE_PARENT;
    let born = sys::clone3(flags, None).map_err(|errno| refused(flags, errno))?;
    if let Cloned::Parent { pid, pidfd } = &born {
        channel.send_with(&Message::Born(pid.as_raw()), Some(pidfd.as_fd()))?;
    }
    Ok(born)
}

impl Born {
    /// Waits for the one word that this middle process says on the other end of `ours`, and for its end, and takes both.
    /// `None`: it has ended without a word. It may have been killed after the birth of a sibling and before its word; then the
    /// sibling waits for us, and holds the channel open. So the conversation is ended, and with it the sibling.
    ///
    /// It may also stand still, as all do who go into a frozen control group. So a signal that asks us to end ends the
    /// waiting: it is killed, and the sibling that it told of.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; those of [`Channel::receive_with`] and of poll(2).
    pub fn last_word(&self, ours: &Channel) -> Result<Option<(Message, Option<OwnedFd>)>> {
        let mut word = None;
        let ended = self.listen(ours, &mut word).and_then(|()| self.reap());
        if ended.is_ok() && matches!(word, Some((Message::Born(_), Some(_)))) {
            return Ok(word);
        }
        ours.hang_up();
        match (ended, word) {
            (Ok(()), word) => Ok(word),
            (Err(error), Some((Message::Born(pid), Some(pidfd)))) => {
                let sibling = Born { pid: Pid::from_raw(pid), pidfd };
                let both = [&sibling, self].map(Born::bury_soon);
                Err(error.leaving(both.contains(&false)))
            }
            (Err(error), _) => Err(error.leaving(!self.bury_soon())),
        }
    }

    /// Puts what it says on `ours` into `word`, and returns when it has ended.
    fn listen(&self, ours: &Channel, word: &mut Option<(Message, Option<OwnedFd>)>) -> Result<()> {
        let ending = signal::ending()?;
        let (mut heard, mut ended) = (false, false);
        loop {
            let of_process = [self.pidfd.as_fd(), ending.as_fd()].into_iter();
            let all = of_process.chain((!heard).then(|| ours.as_fd()));
            let mut news: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
            match poll(&mut news, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::refused("poll")(errno)),
            }
            let has_news = |n: usize| news.get(n).is_some_and(|one| one.any().unwrap_or(false));
            if has_news(2) {
                *word = ours.receive_with()?;
                heard = true;
            } else if has_news(0) && (heard || ended) {
                return Ok(());
            } else if has_news(0) {
                // It may have said something since we looked: what it said before its end is there now.
                ended = true;
            } else if let Some(info) = ending.read_signal().map_err(Error::refused("read signalfd"))? {
                return Err(Error::interrupted(info.ssi_signo as i32));
            }
        }
    }

    /// Waits until it ends by itself, and takes its end.
    ///
    /// # Errors
    /// Those of poll(2) and waitid(2).
    pub fn reap(&self) -> Result<()> {
        sys::wait_until_ended(self.pidfd.as_fd()).map_err(Error::refused("poll"))?;
        sys::wait(Whose::Pidfd(self.pidfd.as_fd())).map(drop).map_err(Error::refused("waitid"))
    }

    /// Kills and buries it. Where it is the PID 1 of a namespace, the kernel kills all that are in it as well. One that does
    /// not end, for somebody has frozen a group above its own meanwhile, is left to them.
    pub fn bury(&self) {
        self.bury_within(LONG_PATIENCE);
    }

    /// As [`Born::bury`], for whoever must not be kept waiting: `false` where it has not ended soon, as one that stands still.
    pub fn bury_soon(&self) -> bool {
        self.bury_within(PATIENCE)
    }

    fn bury_within(&self, milliseconds: u16) -> bool {
        // It may have ended by itself.
        let _ = sys::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
        // The signals that could disturb it are held back.
        let mut end = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut end, PollTimeout::from(milliseconds)), Ok(1..)) && self.reap().is_ok()
    }
}
