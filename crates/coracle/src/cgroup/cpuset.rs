//! Which CPUs and memory nodes a group may use: the same files in both versions.

use nix::errno::Errno;
use oci_spec::runtime::LinuxCpu;

use super::Folder;
use crate::error::Result;

/// The CPUs, as a list such as `0-3,7`.
pub(super) const CPUS: &str = "cpuset.cpus";
/// The memory nodes.
pub(super) const MEMS: &str = "cpuset.mems";

/// Sets the CPUs and memory nodes that the group may use (cpuset(7), "List format"). What is missing or empty is left
/// as it is: all of the group's above.
///
/// # Errors
/// `EINVAL` for a list that is none; `ERANGE`, `EACCES` for CPUs or nodes that the machine or the group above has not.
pub(super) fn limit(folder: &Folder, cpu: &LinuxCpu) -> Result<()> {
    let not_there = "this machine, or the group above, has not all of them";
    for (file, list) in [(CPUS, cpu.cpus()), (MEMS, cpu.mems())] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            folder.write(file, list).map_err(|error| {
                let error =
                    error.with_cure(Errno::EINVAL, "it must be a list such as 0-3,7, of what is there");
                error.with_cure(Errno::ERANGE, not_there).with_cure(Errno::ENODEV, not_there)
            })?;
        }
    }
    Ok(())
}

/// Whether anything of the cpuset controller is asked for.
pub(super) fn asked(cpu: &LinuxCpu) -> bool {
    [cpu.cpus(), cpu.mems()].into_iter().flatten().any(|list| !list.is_empty())
}
