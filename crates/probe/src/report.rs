//! What the probe says: one JSON object, and the types to read it back.
//!
//! What could not be read (there is no `/proc`, or it is not permitted) is `None` or empty, never an error: a missing
//! `/proc` is itself a fact about a container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::Kernel;
use crate::mountinfo::Mount;

/// The world as one process sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The one thing the probe was asked to do before it looked around.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,

    /// Process id, in its own PID namespace.
    pub pid: i32,
    /// The parent's process id; 0 if the parent is outside the PID namespace.
    pub ppid: i32,
    /// Process group.
    pub pgid: i32,
    /// Session.
    pub sid: i32,
    /// The process id in each PID namespace from the one `/proc` was mounted in down to its own; empty without `/proc`.
    pub nspid: Vec<i32>,
    /// Inode of each namespace, by its name in `/proc/self/ns`: uts, ipc, net, pid, mnt, user, cgroup, time.
    pub ns: BTreeMap<String, u64>,

    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Saved user id.
    pub suid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Saved group id.
    pub sgid: u32,
    /// Supplementary groups, in the kernel's order.
    pub groups: Vec<u32>,

    /// The five capability sets.
    pub caps: Caps,
    /// Whether execve can no longer grant anything.
    pub no_new_privs: Option<bool>,
    /// The seccomp mode.
    pub seccomp: Option<Seccomp>,
    /// Signals that were blocked when the program started (`SIGTERM`, ...), before the action blocked any.
    pub signals_blocked: Vec<String>,
    /// Signals that were ignored when the program started: execve hands ignored signals down.
    pub signals_ignored: Vec<String>,

    /// Resource limits by name (`RLIMIT_NOFILE`).
    pub rlimits: BTreeMap<String, Rlimit>,
    /// File mode creation mask.
    pub umask: u32,
    /// Working directory as the kernel says it: it begins with `(unreachable)` if it lies outside the root.
    pub cwd: Option<String>,
    /// Environment; of a variable that occurs twice the first, as getenv(3) has it.
    pub env: BTreeMap<String, String>,
    /// Arguments, the program's own name included.
    pub args: Vec<String>,

    /// Host name (uname(2)).
    pub hostname: String,
    /// NIS domain name (uname(2)).
    pub domainname: String,
    /// The mounts of `/proc/self/mountinfo`, in its order.
    pub mounts: Option<Vec<Mount>>,
    /// Open descriptors with what they point to; without `/proc` the target is `unknown`.
    pub fds: BTreeMap<i32, String>,
    /// The lines of `/proc/self/cgroup`.
    pub cgroup: Vec<Cgroup>,
    /// What is in `/dev`, by name; subdirectories are not entered.
    pub devices: Option<BTreeMap<String, Device>>,
    /// The process's weight in the OOM killer's choice, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// The terminal on stdin, stdout or stderr, whichever is one first.
    pub tty: Option<Tty>,
    /// Names in `/`, sorted.
    pub root_entries: Vec<String>,
    /// What the clocks that a time namespace has of its own say, in milliseconds: `monotonic`, `boottime`.
    #[serde(default)]
    pub clocks: BTreeMap<String, i64>,
    /// The network devices by name.
    #[serde(default)]
    pub links: BTreeMap<String, Link>,
    /// How the kernel treats the process.
    #[serde(default)]
    pub kernel: Kernel,
}

impl Report {
    /// The mount that is seen at `mountpoint`: of several stacked there, the uppermost.
    pub fn mount_at(&self, mountpoint: &str) -> Option<&Mount> {
        self.mounts.as_ref()?.iter().rfind(|mount| mount.mountpoint == mountpoint)
    }
}

/// The action that was asked for, and its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Did {
    /// The action's name, as on the command line.
    pub action: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// The error's name (`EPERM`), if the kernel refused.
    pub errno: Option<String>,
    /// What was read, which step failed, or which signal killed the child.
    pub detail: Option<String>,
    /// `syscall`: the value returned. `fork`: how many children lived at once. `alloc`, `hog`:
    /// megabytes that were written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// `stat`: what is there, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Device>,
    /// `orphan`: whether PID 1 reaped it within two seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaped: Option<bool>,
}

/// A line of the file that `note` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The name that it was given.
    pub name: String,
    /// What was on its standard input.
    pub input: String,
    /// The world as it saw it.
    pub report: Report,
}

/// The second line of `wait-signal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Got {
    /// The signal that came (`SIGTERM`).
    pub got: String,
}

/// The second line of `die`, where the signal did not kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survived {
    /// The action once more, now with `ok` false.
    pub did: Did,
}

/// A line of `supervise`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Heard {
    /// All that was said on a connection up to now: JSON.
    Message {
        /// What it was.
        message: serde_json::Value,
        /// How many descriptors came with it.
        fds: usize,
    },
    /// A connection is at its end.
    Closed,
    /// A call that was decided on.
    Call {
        /// Its number.
        number: i64,
        /// Who made it.
        pid: u32,
    },
}

/// Five lists of capability names (`CAP_SYS_ADMIN`), each sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// What the kernel checks.
    pub effective: Vec<String>,
    /// What may be made effective.
    pub permitted: Vec<String>,
    /// What is kept over execve of a file that also has it inheritable.
    pub inheritable: Vec<String>,
    /// The limit on what execve can grant.
    pub bounding: Vec<String>,
    /// What is kept over execve of an ordinary file.
    pub ambient: Vec<String>,
}

/// The seccomp mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seccomp {
    /// No filter.
    Disabled,
    /// read, write, exit and sigreturn only; the probe could not report under it.
    Strict,
    /// At least one BPF filter.
    Filter,
}

/// One resource limit; [`u64::MAX`] means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// What the kernel enforces.
    pub soft: u64,
    /// How far the process may raise it.
    pub hard: u64,
}

/// One line of `/proc/self/cgroup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Number of the hierarchy; 0 is cgroup v2.
    pub hierarchy: u32,
    /// Controllers of a v1 hierarchy, or its `name=`; empty for v2.
    pub controllers: Vec<String>,
    /// The path, from the root of the process's cgroup namespace.
    pub path: String,
}

/// A file: an entry of `/dev`, or another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What it is.
    pub kind: Kind,
    /// Major number of a character or block device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<u64>,
    /// Minor number of a character or block device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<u64>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Where a symbolic link points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A file's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Character device.
    Char,
    /// Block device.
    Block,
    /// Directory.
    Dir,
    /// Symbolic link.
    Link,
    /// Named pipe.
    Fifo,
    /// Unix socket.
    Socket,
    /// Regular file.
    File,
}

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Whether it is up.
    pub up: bool,
    /// Its addresses as `ADDRESS/BITS`, sorted.
    pub addresses: Vec<String>,
}

/// A terminal's window size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tty {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}
