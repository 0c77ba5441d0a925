//! Namespaces: which ones a container has of its own, and the names in them.

use nix::sched::CloneFlags;

use crate::error::{Error, Result};

/// A kind of namespace (namespaces(7)), by its name in `config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
}

/// The kinds of namespaces that a container gets new ones of. All others it shares with the runtime's caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces(Vec<Kind>);

impl Namespaces {
    /// New ones of these kinds.
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Namespaces {
        Namespaces(kinds.into_iter().collect())
    }

    /// Whether the container has a new one of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
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

/// The flags that init is cloned with. Where there is a new user namespace, only it and the PID namespace (which
/// needs a birth): the others wait until its root is mapped, and then belong to it.
pub fn at_birth(new: &Namespaces) -> CloneFlags {
    if new.has(Kind::User) {
        CloneFlags::CLONE_NEWUSER | process_ids(new)
    } else {
        process_ids(new) | mounts(new) | names_and_network(new)
    }
}

/// The flags that init unshares once its user namespace is mapped; empty without one.
pub fn after_mapping(new: &Namespaces) -> CloneFlags {
    if new.has(Kind::User) { mounts(new) | names_and_network(new) } else { CloneFlags::empty() }
}

/// Sets the hostname of the UTS namespace we are in (sethostname(2)). The error names the call and the hostname:
/// `sethostname "boat"`.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN over the UTS namespace, `EINVAL` for a name of more than 64 bytes.
pub fn set_hostname(name: &str) -> Result<()> {
    nix::unistd::sethostname(name).map_err(Error::refused(format!("sethostname {name:?}")))
}
