//! How many processes and threads a group may have.

use oci_spec::runtime::LinuxPids;

use super::settings::List;

/// Asks for the most processes and threads that the group may have at once, in `pids.max`: the same file in both versions.
/// fork(2) and clone(2) fail with `EAGAIN` beyond it. A limit below 0 means none (`max`). 0 is written as 1, the container's
/// first process: systemd has no 0, and nobody is refused who is in the group already (runtime-spec, config-linux.md,
/// "PIDs").
pub(super) fn limit_processes(list: &mut List, pids: &LinuxPids) {
    match pids.limit() {
        ..0 => list.write("pids.max", "max"),
        limit => list.write("pids.max", limit.max(1)),
    };
}
