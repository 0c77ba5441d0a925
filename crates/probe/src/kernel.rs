//! How the kernel treats the process: when it runs and where, from which memory, as which Linux, under which label.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::sys;
use crate::world::read;

/// What cannot be told is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// The machine's name, which a personality changes (uname(2)).
    pub machine: String,
    /// When it runs.
    pub scheduling: Option<Scheduling>,
    /// Its priority in the use of disks.
    pub io_priority: Option<IoPriority>,
    /// The processors it may run on.
    pub processors: Vec<usize>,
    /// From which nodes its memory comes.
    pub memory_policy: Option<MemoryPolicy>,
    /// Its session keyring: `type;uid;gid;permissions;description`.
    pub keyring: Option<String>,
    /// The label of that keyring, where a security module gives it one.
    #[serde(default)]
    pub keyring_label: Option<String>,
    /// Its label: `/proc/self/attr/current`.
    pub label: Option<String>,
}

/// sched_getattr(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the manual's")]
pub struct Scheduling {
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

/// ioprio_get(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoPriority {
    /// 0: none of its own; 1: real time; 2: best effort; 3: idle.
    pub class: i64,
    /// 0, the highest, to 7.
    pub level: i64,
}

/// get_mempolicy(2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPolicy {
    /// `MPOL_*` with `MPOL_F_*`.
    pub mode: i32,
    /// The nodes' numbers.
    pub nodes: Vec<usize>,
}

/// Looks.
pub(crate) fn look() -> Kernel {
    let machine = nix::sys::utsname::uname().map(|name| name.machine().to_string_lossy().into_owned());
    Kernel {
        machine: machine.unwrap_or_default(),
        scheduling: sys::scheduling().ok().map(|found| Scheduling {
            policy: found.sched_policy,
            flags: found.sched_flags,
            nice: found.sched_nice,
            priority: found.sched_priority,
            runtime: found.sched_runtime,
            deadline: found.sched_deadline,
            period: found.sched_period,
        }),
        // The class is above bit 13.
        io_priority: sys::io_priority()
            .ok()
            .map(|value| IoPriority { class: value >> 13, level: value & 0x1fff }),
        processors: processors(),
        memory_policy: sys::memory_policy()
            .ok()
            .map(|(mode, mask)| MemoryPolicy { mode, nodes: numbers(&mask) }),
        keyring: sys::session_keyring().ok(),
        keyring_label: sys::session_keyring_label().ok().filter(|label| !label.is_empty()),
        label: read("/proc/self/attr/current").map(|text| text.trim_end_matches(['\n', '\0']).to_owned()),
    }
}

fn processors() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::this()) else { return Vec::new() };
    (0..CpuSet::count()).filter(|number| set.is_set(*number).unwrap_or(false)).collect()
}

fn numbers(mask: &[u64]) -> Vec<usize> {
    (0..mask.len() * 64).filter(|number| mask[number / 64] & 1 << (number % 64) != 0).collect()
}
