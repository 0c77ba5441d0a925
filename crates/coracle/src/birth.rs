//! Birth: one clone3 that makes a process inside its namespaces and its control group.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::clock;
use crate::error::{Error, Result};
use crate::namespace::{self, KINDS, Kind, Namespaces};
use crate::sys::{self, Cloned, Whose};

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
/// other end is `ours`.
///
/// # Errors
/// `EPERM` without the privilege for a namespace, `ENOSPC` at a limit of /proc/sys/user.
pub fn give(
    namespaces: &Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
    ours: &Channel,
    theirs: Channel,
    life: impl FnOnce(Channel),
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
        if offsets.is_empty() { Ok(()) } else { clock::set_apart(offsets) }
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
}

/// Gives birth by way of a middle process, in three steps. The middle one is born where we are, in the control group of
/// `cgroup`. It goes with `enter` to where we could not come back from, and gives birth there, with `flags`, to a sibling of
/// its own (clone3(2), CLONE_PARENT: so the new process is our child, and not an orphan), which goes on with `life`. It says
/// `Born` on `theirs`, with the sibling's number and pidfd, and ends; where something fails, it says `Failed`. We hear that
/// on `ours`, and take the middle one's end, before we return the sibling.
///
/// # Errors
/// [`Error::Init`] with what the middle one says has failed; [`Error::InitDied`] where it ends without a word; as
/// [`give`].
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
    let word = ours.receive_with();
    middle.reap()?;
    match word? {
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
    /// Waits until it ends by itself, and takes its end.
    ///
    /// # Errors
    /// Those of poll(2) and waitid(2).
    pub fn reap(&self) -> Result<()> {
        sys::wait_until_ended(self.pidfd.as_fd()).map_err(Error::refused("poll"))?;
        sys::wait(Whose::Pidfd(self.pidfd.as_fd())).map(drop).map_err(Error::refused("waitid"))
    }

    /// Kills and buries it. Where it is the PID 1 of a namespace, the kernel kills all that are in it as well.
    pub fn bury(&self) {
        // It may have ended by itself.
        let _ = sys::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL);
        let _ = self.reap();
    }
}
