//! How much memory a group may use.

use nix::errno::Errno;
use oci_spec::runtime::LinuxMemory;

use super::Folder;
use crate::error::{Error, Result};

const IN_USE: &str = "the group uses more than that, and it could not be taken back";
const NO_SWAP: &str = "this kernel does not count swap: boot it with swapaccount=1, or take the limit out";

/// Sets the most memory, in bytes, that the group may use, in `memory.max` of version 2 or `memory.limit_in_bytes` of
/// version 1. Where a group is at its limit and nothing can be taken back, the kernel kills one of its processes. -1 means
/// no limit, which version 2 calls `max`.
///
/// # Errors
/// What the kernel says to the value, with the file.
pub(super) fn limit_bytes(folder: &Folder, limit: i64) -> Result<()> {
    match (folder.is_v2(), limit) {
        (true, ..0) => folder.write("memory.max", "max"),
        (true, _) => folder.write("memory.max", &limit.to_string()),
        (false, _) => folder.write("memory.limit_in_bytes", &limit.to_string()),
    }
}

/// Sets the memory limits, in bytes, on version 2 (runtime-spec, config-linux.md, "Memory"): `limit` by
/// [`limit_bytes`], `reservation` in `memory.low`, and in `memory.swap.max` swap alone, which the config counts together
/// with memory. -1 means no limit (`max`); what is missing or 0 is left as it is.
///
/// # Errors
/// What the kernel says to a value, with the file.
pub(super) fn limit_memory_v2(folder: &Folder, memory: &LinuxMemory) -> Result<()> {
    let or_max = |value: i64| if value < 0 { "max".to_owned() } else { value.to_string() };
    if let Some(swap) = swap_alone(memory) {
        match folder.write("memory.swap.max", &or_max(swap)) {
            // A kernel that has no swap, or does not count it, gives none and limits none.
            Err(error) if error.errno() == Some(Errno::ENOENT) && swap <= 0 => {}
            other => other.map_err(|error| error.with_cure(Errno::ENOENT, NO_SWAP))?,
        }
    }
    if let Some(limit) = set(memory.limit()) {
        limit_bytes(folder, limit)?;
    }
    if let Some(reservation) = set(memory.reservation()) {
        folder.write("memory.low", &or_max(reservation))?;
    }
    Ok(())
}

/// Sets the memory limits, in bytes, on version 1: `limit` by [`limit_bytes`], `reservation` in
/// `memory.soft_limit_in_bytes`, and in `memory.memsw.limit_in_bytes` memory and swap together, as the config counts
/// them. That one may never be below the first (`EINVAL`), so to raise both takes the other order than to lower both.
/// -1 means no limit; what is missing or 0 is left as it is.
///
/// # Errors
/// What the kernel says to a value, with the file: `EBUSY` where more is in use.
pub(super) fn limit_memory_v1(folder: &Folder, memory: &LinuxMemory) -> Result<()> {
    let cured = |error: Error| error.with_cure(Errno::EBUSY, IN_USE);
    let write = |file: &str, value: i64| folder.write(file, &value.to_string()).map_err(cured);
    let limit = set(memory.limit());
    // No limit on memory is none on memory and swap.
    let swap = set(memory.swap()).or(limit.filter(|limit| *limit == -1));
    let again = match limit.map(|limit| limit_bytes(folder, limit).map_err(cured)) {
        Some(Err(error)) if swap.is_some() && error.errno() == Some(Errno::EINVAL) => limit,
        Some(Err(error)) => return Err(error),
        _ => None,
    };
    if let Some(swap) = swap {
        match write("memory.memsw.limit_in_bytes", swap) {
            Err(error) if error.errno() == Some(Errno::ENOENT) && swap == -1 => {}
            other => other.map_err(|error| error.with_cure(Errno::ENOENT, NO_SWAP))?,
        }
    }
    if let Some(limit) = again {
        limit_bytes(folder, limit).map_err(cured)?;
    }
    if let Some(reservation) = set(memory.reservation()) {
        write("memory.soft_limit_in_bytes", reservation)?;
    }
    Ok(())
}

/// Sets what only version 1 has: limits on the kernel's memory, `swappiness`, no OOM killer.
///
/// # Errors
/// What the kernel says to a value, with the file.
pub(super) fn only_in_v1(folder: &Folder, memory: &LinuxMemory) -> Result<()> {
    #[allow(deprecated)] // A kernel before 5.4 has it; the others say themselves that they have not.
    let kernel = set(memory.kernel());
    let values = [
        ("memory.use_hierarchy", memory.use_hierarchy().filter(|on| *on).map(i64::from)),
        ("memory.kmem.limit_in_bytes", kernel),
        ("memory.kmem.tcp.limit_in_bytes", set(memory.kernel_tcp())),
        ("memory.swappiness", memory.swappiness().map(|value| value.try_into().unwrap_or(i64::MAX))),
        ("memory.oom_control", memory.disable_oom_killer().filter(|off| *off).map(i64::from)),
    ];
    for (file, value) in values {
        if let Some(value) = value {
            folder.write(file, &value.to_string())?;
        }
    }
    Ok(())
}

/// The property that only version 1 can do, if one is asked for: its name in the config.
pub(super) fn asks_for_v1(memory: &LinuxMemory) -> Option<&'static str> {
    #[allow(deprecated)]
    let kernel = set(memory.kernel());
    let asked = [
        ("kernel", kernel.is_some_and(|limit| limit > 0)),
        ("kernelTCP", set(memory.kernel_tcp()).is_some_and(|limit| limit > 0)),
        ("swappiness", memory.swappiness().is_some()),
        ("disableOOMKiller", memory.disable_oom_killer() == Some(true)),
    ];
    asked.into_iter().find(|(_, asked)| *asked).map(|(name, _)| name)
}

/// Whether anything of the memory controller is asked for.
pub(super) fn asked(memory: &LinuxMemory) -> bool {
    let limits = [memory.limit(), memory.reservation(), memory.swap()];
    limits.into_iter().any(|limit| set(limit).is_some()) || asks_for_v1(memory).is_some()
}

/// What is wrong with the limits, whichever version they are for.
///
/// # Errors
/// [`Error::Config`] for a swap limit without, or below, the memory limit.
pub(super) fn check(memory: &LinuxMemory) -> Result<()> {
    let fail = |problem: &str| {
        Err(Error::Config { pointer: "/linux/resources/memory/swap".into(), problem: problem.into() })
    };
    match (set(memory.limit()), set(memory.swap())) {
        (None | Some(-1), Some(0..)) => {
            fail("counts memory and swap together, so it needs a memory limit too")
        }
        (Some(limit), Some(swap @ 0..)) if swap < limit => {
            fail("counts memory and swap together, so it cannot be below the memory limit")
        }
        _ => Ok(()),
    }
}

/// Swap without memory, from a limit on both together; -1 where there is none.
pub(super) fn swap_alone(memory: &LinuxMemory) -> Option<i64> {
    match (set(memory.limit()), set(memory.swap())) {
        (Some(-1), None) | (_, Some(..=-1)) => Some(-1),
        (limit, Some(swap)) => Some(swap - limit.unwrap_or(0)),
        (_, None) => None,
    }
}

/// In these limits 0 means what a missing one means.
fn set(value: Option<i64>) -> Option<i64> {
    value.filter(|value| *value != 0)
}
