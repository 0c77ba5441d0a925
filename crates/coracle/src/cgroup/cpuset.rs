//! Which CPUs and memory nodes a group may use: the same files in both versions.

use nix::errno::Errno;
use oci_spec::runtime::LinuxCpu;

use super::settings::List;

/// The CPUs, as a list such as `0-3,7`.
pub(super) const CPUS: &str = "cpuset.cpus";
/// The memory nodes.
pub(super) const MEMS: &str = "cpuset.mems";

const NO_LIST: &str = "it must be a list such as 0-3,7, of what is there";
const NOT_THERE: &str = "this machine, or the group above, has not all of them";

/// Asks for the CPUs and memory nodes that the group may use (cpuset(7), "List format"). What is missing or empty is left
/// as it is: all of the group's above. The kernel says `EINVAL` to a list that is none; `ERANGE`, `EACCES` or `ENODEV` to
/// CPUs or nodes that the machine or the group above has not.
pub(super) fn limit(settings: &mut List, cpu: &LinuxCpu) {
    for (file, list) in [(CPUS, cpu.cpus()), (MEMS, cpu.mems())] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            let setting = settings.write(file, list).cure(Errno::EINVAL, NO_LIST);
            setting
                .cure(Errno::ERANGE, NOT_THERE)
                .cure(Errno::EACCES, NOT_THERE)
                .cure(Errno::ENODEV, NOT_THERE);
        }
    }
}

/// Whether anything of the cpuset controller is asked for.
pub(super) fn asked(cpu: &LinuxCpu) -> bool {
    [cpu.cpus(), cpu.mems()].into_iter().flatten().any(|list| !list.is_empty())
}
