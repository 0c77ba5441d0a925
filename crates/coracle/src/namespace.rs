//! Namespaces: which ones a container has of its own, and the names in them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{fstat, stat};
use serde::{Deserialize, Serialize};

use crate::clock::Offset;
use crate::error::{Error, Result};
use crate::sys;

/// A kind of namespace (namespaces(7)), by its name in `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// User and group ids, capabilities: user_namespaces(7).
    User,
    /// Process numbers: pid_namespaces(7).
    Pid,
    /// The tree of mounts: mount_namespaces(7).
    Mount,
    /// The hostname and the domain name: uts_namespaces(7).
    Uts,
    /// System V IPC and POSIX message queues: ipc_namespaces(7).
    Ipc,
    /// Network devices, addresses, routes, ports: network_namespaces(7).
    Network,
    /// The root of the tree of control groups: cgroup_namespaces(7).
    Cgroup,
    /// The offsets of the monotonic clock and of the time since boot: time_namespaces(7).
    Time,
}

/// Every kind, in the order of their joining: the user namespace first, for its privilege is what the others ask for;
/// the mount namespace last but one, for it takes the host's paths away.
pub const KINDS: [Kind; 8] =
    [Kind::User, Kind::Ipc, Kind::Uts, Kind::Network, Kind::Pid, Kind::Cgroup, Kind::Mount, Kind::Time];

impl Kind {
    /// The `CLONE_NEW*` flag.
    pub fn flag(self) -> CloneFlags {
        match self {
            Kind::User => CloneFlags::CLONE_NEWUSER,
            Kind::Pid => CloneFlags::CLONE_NEWPID,
            Kind::Mount => CloneFlags::CLONE_NEWNS,
            Kind::Uts => CloneFlags::CLONE_NEWUTS,
            Kind::Ipc => CloneFlags::CLONE_NEWIPC,
            Kind::Network => CloneFlags::CLONE_NEWNET,
            Kind::Cgroup => CloneFlags::CLONE_NEWCGROUP,
            // The libc crate has it, nix's list does not.
            Kind::Time => CloneFlags::from_bits_retain(libc::CLONE_NEWTIME),
        }
    }

    /// Its name in `config.json` (runtime-spec, config-linux.md, "Namespaces").
    pub fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Pid => "pid",
            Kind::Mount => "mount",
            Kind::Uts => "uts",
            Kind::Ipc => "ipc",
            Kind::Network => "network",
            Kind::Cgroup => "cgroup",
            Kind::Time => "time",
        }
    }

    /// Its name in `/proc/PID/ns`.
    pub fn file(self) -> &'static str {
        match self {
            Kind::Mount => "mnt",
            Kind::Network => "net",
            other => other.name(),
        }
    }
}

/// A namespace that is there already, and that a container joins.
#[derive(Debug)]
pub struct Joined {
    /// Its kind.
    pub kind: Kind,
    /// A descriptor of it, closed with the plan.
    pub fd: OwnedFd,
}

/// The namespaces of a container. Those of all other kinds it shares with the runtime's caller.
#[derive(Debug, Default)]
pub struct Namespaces {
    new: Vec<Kind>,
    joined: Vec<Joined>,
    offsets: Vec<Offset>,
}

impl Namespaces {
    /// New ones of these kinds.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Namespaces {
        Namespaces { new: kinds.into_iter().collect(), ..Namespaces::default() }
    }

    /// The same, and joined ones.
    #[must_use]
    pub fn joining(mut self, joined: Vec<Joined>) -> Namespaces {
        self.joined = joined;
        self
    }

    /// The same, with clocks of its new time namespace that differ from the host's.
    #[must_use]
    pub fn with_offsets(mut self, offsets: Vec<Offset>) -> Namespaces {
        self.offsets = offsets;
        self
    }

    /// The clocks of its new time namespace that differ from the host's.
    pub fn offsets(&self) -> &[Offset] {
        &self.offsets
    }

    /// Whether the container has a new one of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.new.contains(&kind)
    }

    /// The one of this kind that it joins.
    pub fn joins(&self, kind: Kind) -> Option<BorrowedFd<'_>> {
        self.joined.iter().find(|joined| joined.kind == kind).map(|joined| joined.fd.as_fd())
    }

    /// All that it joins.
    pub fn joined(&self) -> &[Joined] {
        &self.joined
    }

    /// The kinds that differ from the runtime's: new ones and joined ones.
    pub fn own(&self) -> impl Iterator<Item = Kind> {
        self.new.iter().copied().chain(self.joined.iter().map(|joined| joined.kind))
    }
}

/// The `CLONE_NEW*` flags for a container's own names and network: those of UTS, IPC and network namespaces, each
/// only where `new` has it. clone(2) lists them.
pub fn names_and_network(new: &Namespaces) -> CloneFlags {
    let mut flags = CloneFlags::empty();
    flags.set(CloneFlags::CLONE_NEWUTS, new.has(Kind::Uts));
    flags.set(CloneFlags::CLONE_NEWIPC, new.has(Kind::Ipc));
    flags.set(CloneFlags::CLONE_NEWNET, new.has(Kind::Network));
    flags
}

/// The `CLONE_NEW*` flag for process numbers of its own, where `new` has a PID namespace. It takes effect at a
/// birth: the first process born into the namespace is its PID 1 (pid_namespaces(7)).
pub fn process_ids(new: &Namespaces) -> CloneFlags {
    let mut flags = CloneFlags::empty();
    flags.set(CloneFlags::CLONE_NEWPID, new.has(Kind::Pid));
    flags
}

/// The `CLONE_NEW*` flag for a tree of mounts of its own, where `new` has a mount namespace. The new tree begins
/// as a copy of the caller's (mount_namespaces(7)).
pub fn mounts(new: &Namespaces) -> CloneFlags {
    let mut flags = CloneFlags::empty();
    flags.set(CloneFlags::CLONE_NEWNS, new.has(Kind::Mount));
    flags
}

/// The `CLONE_NEW*` flag for a root of the control groups of its own, where `new` has a cgroup namespace. It is the
/// control group that the process is in at that time, so the process must be in its own by then (cgroup_namespaces(7)).
pub fn control_groups(new: &Namespaces) -> CloneFlags {
    let mut flags = CloneFlags::empty();
    flags.set(CloneFlags::CLONE_NEWCGROUP, new.has(Kind::Cgroup));
    flags
}

/// The `CLONE_NEW*` flag for clocks of its own, where `new` has a time namespace. As with process numbers, it takes
/// effect at a birth (time_namespaces(7)). Clocks with offsets are made before the birth, for they stand still as soon as
/// somebody lives by them ([`crate::clock`]).
pub fn clocks(new: &Namespaces) -> CloneFlags {
    if new.has(Kind::Time) && new.offsets.is_empty() { Kind::Time.flag() } else { CloneFlags::empty() }
}

/// The flags that init is cloned with. Where it gets a user namespace, only that and what needs a birth: the others
/// wait until its root is mapped, and then belong to it.
pub fn at_birth(new: &Namespaces) -> CloneFlags {
    let births = process_ids(new) | clocks(new);
    if new.has(Kind::User) {
        CloneFlags::CLONE_NEWUSER | births
    } else if new.joins(Kind::User).is_some() {
        births
    } else {
        births | mounts(new) | names_and_network(new)
    }
}

/// The flags that init unshares once its user namespace is there and it is in its control group.
pub fn after_mapping(new: &Namespaces) -> CloneFlags {
    let waited = new.has(Kind::User) || new.joins(Kind::User).is_some();
    let rest = if waited { mounts(new) | names_and_network(new) } else { CloneFlags::empty() };
    rest | control_groups(new)
}

/// Joins the namespaces that `namespaces` names, but those that were joined at birth: of users and of process numbers
/// (setns(2)). What is left of the host afterwards is what nobody asked to be rid of.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the namespace.
pub fn join(namespaces: &Namespaces) -> Result<()> {
    let at_birth = [Kind::User, Kind::Pid];
    for kind in KINDS.into_iter().filter(|kind| !at_birth.contains(kind)) {
        if let Some(fd) = namespaces.joins(kind) {
            match setns(fd, kind.flag()) {
                // It was joined at birth, from above the user namespace, which may do nothing with it.
                Err(Errno::EPERM) if is_ours(kind, fd) => {}
                joined => joined.map_err(|errno| not_joined(kind, errno))?,
            }
        }
    }
    Ok(())
}

/// Joins, before the user namespace is joined, those that belong to somebody above it: afterwards nobody may. Returns what it
/// joined; the others are to be joined by whoever is root of the user namespace. Not the mount namespace, which takes the
/// host's paths away.
///
/// # Errors
/// Those of setns(2), but for the `EPERM` of an ordinary user.
pub fn join_from_above(namespaces: &Namespaces) -> Result<Vec<Kind>> {
    let mut done = Vec::new();
    for kind in KINDS.into_iter().filter(|kind| ![Kind::User, Kind::Mount].contains(kind)) {
        let Some(fd) = namespaces.joins(kind) else { continue };
        match setns(fd, kind.flag()) {
            Ok(()) => done.push(kind),
            Err(Errno::EPERM) => {}
            Err(errno) => return Err(not_joined(kind, errno)),
        }
    }
    Ok(done)
}

/// Whether the namespace of `fd` is the one that we are in.
pub fn is_ours(kind: Kind, fd: BorrowedFd<'_>) -> bool {
    match (fstat(fd), stat(format!("/proc/self/ns/{}", kind.file()).as_str())) {
        (Ok(theirs), Ok(ours)) => (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino),
        _ => false,
    }
}

/// What the kernel says to a join.
pub fn not_joined(kind: Kind, errno: Errno) -> Error {
    Error::refused(format!("setns to the {} namespace of /linux/namespaces", kind.name()))(errno)
        .with_cure(Errno::EPERM, "only root of the user namespace that owns it may join it")
}

/// Sets the hostname of the UTS namespace we are in (sethostname(2)). The error names the call and the hostname:
/// `sethostname "boat"`.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the UTS namespace, `EINVAL` for a name of more than 64 bytes.
pub fn set_hostname(name: &str) -> Result<()> {
    nix::unistd::sethostname(name).map_err(Error::refused(format!("sethostname {name:?}")))
}

/// Sets the NIS domain name of the UTS namespace we are in (setdomainname(2)).
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the UTS namespace, `EINVAL` for a name of more than 64 bytes.
pub fn set_domainname(name: &str) -> Result<()> {
    sys::setdomainname(name).map_err(Error::refused(format!("setdomainname {name:?}")))
}
