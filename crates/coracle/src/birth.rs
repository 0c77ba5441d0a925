//! Birth: one clone3 that makes a process inside its namespaces and its control group.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::namespace::{self, Kind, Namespaces};
use crate::sys::{self, Cloned, Whose};

/// A process that was just born.
#[derive(Debug)]
pub struct Born {
    /// Its number in our PID namespace.
    pub pid: Pid,
    /// A descriptor of it: never another process of that number.
    pub pidfd: OwnedFd,
}

/// Gives birth to a process that goes on with `life` and ends with it, in the namespaces that must be there at a birth (the others it
/// makes or joins itself) and in the control group of the folder `cgroup`. It gets the end `theirs` of a channel whose
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
    if namespaces.joins(Kind::User).is_some() {
        return through_user_namespace(namespaces, cgroup, ours, theirs, life);
    }
    let Some(pids) = namespaces.joins(Kind::Pid) else {
        return clone(namespace::at_birth(namespaces), cgroup, theirs, life);
    };
    // Joining a PID namespace concerns only those who are born afterwards. We join, give birth, and go back.
    let own = File::open("/proc/self/ns/pid").map_err(Error::io("open /proc/self/ns/pid"))?;
    let enter = |fd: BorrowedFd<'_>| {
        setns(fd, CloneFlags::CLONE_NEWPID).map_err(Error::refused("setns to a pid namespace"))
    };
    enter(pids)?;
    let born = clone(namespace::at_birth(namespaces), cgroup, theirs, life);
    enter(own.as_fd())?;
    born
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

/// A PID namespace belongs to the user namespace in which it is made, and there is no way back out of a user namespace
/// for us. So a middle process joins it, gives birth to a sibling of its own there, and ends.
fn through_user_namespace(
    namespaces: &Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
    ours: &Channel,
    theirs: Channel,
    life: impl FnOnce(Channel),
) -> Result<Born> {
    let middle = match sys::clone3(CloneFlags::empty(), cgroup) {
        Ok(Cloned::Parent { pidfd, .. }) => pidfd,
        Ok(Cloned::Child) => match join_and_give(namespaces, theirs, life) {
            Ok(()) => sys::exit_now(0),
            Err((theirs, error)) => {
                // Where nobody listens any more, there is nobody to tell.
                let _ = theirs.send(&Message::Failed(error.into()));
                sys::exit_now(1)
            }
        },
        Err(errno) => return Err(refused(CloneFlags::empty(), errno)),
    };
    drop(theirs);
    let word = ours.receive_with();
    // It ends by itself, and at once.
    sys::wait_until_ended(middle.as_fd()).map_err(Error::refused("poll"))?;
    sys::wait(Whose::Pidfd(middle.as_fd())).map_err(Error::refused("waitid"))?;
    match word? {
        Some((Message::Born(pid), Some(pidfd))) => Ok(Born { pid: Pid::from_raw(pid), pidfd }),
        Some((Message::Failed(failure), _)) => Err(Error::Init(failure)),
        _ => Err(Error::InitDied),
    }
}

fn join_and_give(
    namespaces: &Namespaces,
    theirs: Channel,
    life: impl FnOnce(Channel),
) -> std::result::Result<(), (Channel, Error)> {
    for kind in [Kind::User, Kind::Pid] {
        if let Some(fd) = namespaces.joins(kind)
            && let Err(errno) = setns(fd, kind.flag())
        {
            return Err((theirs, namespace::not_joined(kind, errno)));
        }
    }
    let flags = namespace::at_birth(namespaces) | CloneFlags::CLONE_PARENT;
    match sys::clone3(flags, None) {
        Ok(Cloned::Child) => {
            life(theirs);
            sys::exit_now(0)
        }
        Ok(Cloned::Parent { pid, pidfd }) => {
            match theirs.send_with(&Message::Born(pid.as_raw()), Some(pidfd.as_fd())) {
                Ok(()) => Ok(()),
                Err(error) => Err((theirs, error)),
            }
        }
        Err(errno) => Err((theirs, refused(flags, errno))),
    }
}
