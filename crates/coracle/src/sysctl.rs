//! Settings of the kernel that belong to a namespace: sysctl(8), `/proc/sys`.

use nix::errno::Errno;

use crate::error::Result;
use crate::namespace::{self, Kind};
use crate::procfs::Procfs;

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// Its file, below /proc/sys.
    pub path: String,
    /// What is written to it.
    pub value: String,
}

/// System V's and POSIX's communication between processes (ipc_namespaces(7)).
const OF_IPC: [&str; 11] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/msg_next_id",
    "kernel/sem",
    "kernel/sem_next_id",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_next_id",
    "kernel/shm_rmid_forced",
];

/// The path below /proc/sys of the setting called `name`. Its parts are apart by dots or by slashes, whichever comes
/// first; the other one stands for itself, and is the first one's in the path: `net.ipv4.conf.eth0/1.forwarding` is what
/// `net/ipv4/conf/eth0.1/forwarding` is (sysctl(8), sysctl.d(5)).
pub fn path(name: &str) -> String {
    match name.find(['.', '/']).map(|at| name.as_bytes()[at]) {
        Some(b'.') => name
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

/// The kind of the namespace that the setting at `path` below /proc/sys is one of; `None` for the whole machine's.
pub fn namespace(path: &str) -> Option<Kind> {
    match path {
        "kernel/hostname" | "kernel/domainname" => Some(Kind::Uts),
        _ if path.starts_with("net/") => Some(Kind::Network),
        _ if path.starts_with("fs/mqueue/") || OF_IPC.contains(&path) => Some(Kind::Ipc),
        _ => None,
    }
}

/// Writes all of `settings`, in the namespaces that we are in. `procfs` is one that the container cannot have changed: a
/// file that was put in the place of a setting would be written to instead.
///
/// # Errors
/// `ENOENT` for a setting that the kernel has not, or not in a namespace; `EINVAL` for a value that it does not take;
/// `EACCES` and `EPERM` without the right.
pub fn write(settings: &[Sysctl], procfs: &Procfs) -> Result<()> {
    settings.iter().try_for_each(|setting| write_one(setting, procfs))
}

fn write_one(setting: &Sysctl, procfs: &Procfs) -> Result<()> {
    if setting.path == "kernel/domainname" {
        // Its file is the host's root's, in every namespace; the call asks who owns this one.
        return namespace::set_domainname(&setting.value);
    }
    procfs.write(&format!("sys/{}", setting.path), &setting.value).map_err(|error| {
        error
            .with_cure(
                Errno::ENOENT,
                "this kernel has no such setting in a namespace; take it out of /linux/sysctl",
            )
            .with_cure(Errno::EINVAL, "the kernel does not take this value; change it in /linux/sysctl")
            .with_cure(Errno::EACCES, "only the owner of the namespace may change it: run as root")
            .with_cure(Errno::EPERM, "only the owner of the namespace may change it: run as root")
    })
}
