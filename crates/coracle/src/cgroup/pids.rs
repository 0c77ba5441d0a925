//! How many processes and threads a group may have.

use oci_spec::runtime::LinuxPids;

use super::Folder;
use crate::error::Result;

/// Sets the most processes and threads that the group may have at once, in `pids.max`: the same file in both versions.
/// fork(2) and clone(2) fail with `EAGAIN` beyond it. A limit below 0 means none (`max`), 0 leaves it as it is
/// (runtime-spec, config-linux.md, "PIDs").
///
/// # Errors
/// What the kernel says to the value, with the file.
pub(super) fn limit_processes(folder: &Folder, pids: &LinuxPids) -> Result<()> {
    match pids.limit() {
        0 => Ok(()),
        limit @ 1.. => folder.write("pids.max", &limit.to_string()),
        _ => folder.write("pids.max", "max"),
    }
}
