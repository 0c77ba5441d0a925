//! How much memory a group may use.

use nix::errno::Errno;
use oci_spec::runtime::LinuxMemory;

use super::Folder;
use super::limits::set;
use super::settings::List;
use crate::error::{Error, Result};

const IN_USE: &str = "the group uses more than that, and it could not be taken back";
const SWAP_TOO: &str = "memory and swap together may not be less than memory alone: set both";
const NO_SWAP: &str = "this kernel does not count swap: boot it with swapaccount=1, or take the limit out";

/// Asks for the most memory, in bytes, that the group may use, in `memory.max` of version 2 or `memory.limit_in_bytes` of
/// version 1. Where a group is at its limit and nothing can be taken back, the kernel kills one of its processes. -1 means
/// no limit, which version 2 calls `max`.
pub(super) fn limit_bytes(list: &mut List, limit: i64) {
    match (list.is_v2(), limit) {
        (true, ..0) => list.write("memory.max", "max"),
        (true, _) => list.write("memory.max", limit),
        (false, _) => list
            .write("memory.limit_in_bytes", limit)
            .cure(Errno::EBUSY, IN_USE)
            .cure(Errno::EINVAL, SWAP_TOO),
    };
}

/// Asks for the memory limits, in bytes, on version 2 (runtime-spec, config-linux.md, "Memory"): `limit` by
/// [`limit_bytes`], `reservation` in `memory.low`, and in `memory.swap.max` swap alone, which the config counts together
/// with memory. -1 means no limit (`max`); what is missing or 0 is left as it is.
pub(super) fn limit_memory_v2(list: &mut List, memory: &LinuxMemory) {
    let or_max = |value: i64| if value < 0 { "max".to_owned() } else { value.to_string() };
    if let Some(swap) = swap_alone(memory) {
        let setting = list.write("memory.swap.max", or_max(swap)).cure(Errno::ENOENT, NO_SWAP);
        // A kernel that has no swap, or does not count it, gives none and limits none.
        if swap <= 0 {
            setting.optional();
        }
    }
    if let Some(limit) = set(memory.limit()) {
        limit_bytes(list, limit);
    }
    if let Some(reservation) = set(memory.reservation()) {
        list.write("memory.low", or_max(reservation));
    }
}

/// Asks for the memory limits, in bytes, on version 1: `limit` by [`limit_bytes`], `reservation` in
/// `memory.soft_limit_in_bytes`, and in `memory.memsw.limit_in_bytes` memory and swap together, as the config counts
/// them. -1 means no limit; what is missing or 0 is left as it is.
pub(super) fn limit_memory_v1(list: &mut List, memory: &LinuxMemory) {
    let limit = set(memory.limit());
    if let Some(limit) = limit {
        limit_bytes(list, limit);
    }
    // No limit on memory is none on memory and swap.
    if let Some(swap) = set(memory.swap()).or(limit.filter(|limit| *limit == -1)) {
        let setting = list.write("memory.memsw.limit_in_bytes", swap);
        setting.cure(Errno::EBUSY, IN_USE).cure(Errno::ENOENT, NO_SWAP).cure(Errno::EINVAL, SWAP_TOO);
        if swap == -1 {
            setting.optional();
        }
    }
    if let Some(reservation) = set(memory.reservation()) {
        list.write("memory.soft_limit_in_bytes", reservation);
    }
}

/// Asks for what only version 1 has: a limit on the buffers of TCP, `swappiness`, no OOM killer.
pub(super) fn only_in_v1(list: &mut List, memory: &LinuxMemory) {
    if memory.use_hierarchy() == Some(true) {
        // As it always is where Linux no longer has the file's other value.
        list.write("memory.use_hierarchy", 1).optional();
    }
    if let Some(limit) = set(memory.kernel_tcp()) {
        list.write("memory.kmem.tcp.limit_in_bytes", limit);
    }
    if let Some(value) = memory.swappiness() {
        list.write("memory.swappiness", value);
    }
    if memory.disable_oom_killer() == Some(true) {
        list.write("memory.oom_control", 1).undone_by("0");
    }
}

/// Asserts that no limit is below what the group uses (`checkBeforeUpdate`), where the kernel would not: version 2 takes such
/// a limit, and kills until it holds. Where the use cannot be read, it is the kernel's turn.
///
/// # Errors
/// `EBUSY`, as the kernel's own for version 1.
pub(super) fn must_suffice(folder: &Folder, memory: &LinuxMemory) -> Result<()> {
    let used = folder.read("memory.current").ok().and_then(|text| text.trim().parse::<i64>().ok());
    let (Some(used), true) = (used, memory.check_before_update() == Some(true)) else { return Ok(()) };
    for (name, limit) in [("limit", memory.limit()), ("swap", memory.swap())] {
        if set(limit).is_some_and(|limit| (0..=used).contains(&limit)) {
            let call = format!(
                "set /linux/resources/memory/{name} to {} bytes, of which {used} are in use",
                limit.unwrap_or(0)
            );
            return Err(Error::refused(call)(Errno::EBUSY)
                .with_cure(Errno::EBUSY, "ask for more, or without checkBeforeUpdate"));
        }
    }
    Ok(())
}

/// The property that only version 1 can do, if one is asked for: its name in the config.
pub(super) fn asks_for_v1(memory: &LinuxMemory) -> Option<&'static str> {
    let asked = [
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

/// What is wrong with the limits, whichever version they are for: the property's name, and why.
pub(super) fn check(memory: &LinuxMemory) -> Option<(&'static str, &'static str)> {
    if memory.swappiness().is_some_and(|value| value > 100) {
        return Some(("swappiness", "must be from 0 to 100"));
    }
    match (set(memory.limit()), set(memory.swap())) {
        (None | Some(-1), Some(0..)) => {
            Some(("swap", "counts memory and swap together, so it needs a memory limit too"))
        }
        (Some(limit), Some(swap @ 0..)) if swap < limit => {
            Some(("swap", "counts memory and swap together, so it cannot be below the memory limit"))
        }
        _ => None,
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
