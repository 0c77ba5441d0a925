//! On which nodes of a machine with several memories a process takes its own: set_mempolicy(2), numa(7).

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::sys;

/// A policy (runtime-spec, config-linux.md, "Memory policy").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// `MPOL_*` with `MPOL_F_*`.
    pub mode: libc::c_int,
    /// The nodes' numbers.
    pub nodes: Vec<usize>,
}

/// The highest number of a node that we take, plus one: four times as many as a kernel can be built for today.
pub const MOST_NODES: usize = 4096;

/// The kernel's include/uapi/linux/mempolicy.h; the libc crate ends before these.
const MPOL_PREFERRED_MANY: libc::c_int = 5;
const MPOL_WEIGHTED_INTERLEAVE: libc::c_int = 6;

/// The modes by their names in `config.json`, and in `features`.
pub const MODES: [(&str, libc::c_int); 7] = [
    ("MPOL_DEFAULT", libc::MPOL_DEFAULT),
    ("MPOL_BIND", libc::MPOL_BIND),
    ("MPOL_INTERLEAVE", libc::MPOL_INTERLEAVE),
    ("MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE),
    ("MPOL_PREFERRED", libc::MPOL_PREFERRED),
    ("MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY),
    ("MPOL_LOCAL", libc::MPOL_LOCAL),
];

/// The flags likewise.
pub const FLAGS: [(&str, libc::c_int); 3] = [
    ("MPOL_F_NUMA_BALANCING", libc::MPOL_F_NUMA_BALANCING),
    ("MPOL_F_RELATIVE_NODES", libc::MPOL_F_RELATIVE_NODES),
    ("MPOL_F_STATIC_NODES", libc::MPOL_F_STATIC_NODES),
];

/// Whether a mode asks for no nodes at all.
pub fn takes_no_nodes(mode: libc::c_int) -> bool {
    mode == libc::MPOL_DEFAULT || mode == libc::MPOL_LOCAL
}

/// Makes `policy` the one of this process and what it becomes.
///
/// # Errors
/// `EINVAL` where none of the nodes is there, or the flags do not go together; `ENOSYS` without NUMA in the kernel.
pub fn set(policy: &MemoryPolicy) -> Result<()> {
    let words = policy.nodes.iter().max().map_or(0, |last| last / BITS + 1);
    let mut mask = vec![0; words];
    for node in &policy.nodes {
        mask[node / BITS] |= 1 << (node % BITS);
    }
    sys::set_mempolicy(policy.mode, &mask).map_err(|errno| {
        Error::refused("set_mempolicy")(errno)
            .with_cure(
                Errno::EINVAL,
                "choose /linux/memoryPolicy/nodes that the machine has, and flags that fit the mode",
            )
            .with_cure(Errno::ENOSYS, "this kernel knows one memory only: take /linux/memoryPolicy out")
    })
}

const BITS: usize = libc::c_ulong::BITS as usize;
