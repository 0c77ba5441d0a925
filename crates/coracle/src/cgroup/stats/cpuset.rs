//! Processors and memory nodes, and how they are shared; runc tells them of version 1 only.

use serde::Serialize;

use super::super::cpuset::{CPUS, MEMS};
use super::{Folder, number, parse, text};
use crate::error::Result;
use crate::scheduler;

/// The switches are 0 or 1, as the kernel's files (cpuset(7)).
#[derive(Debug, Default, Serialize)]
pub(super) struct Cpuset {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cpus: Vec<usize>,
    cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mems: Vec<usize>,
    mem_hardwall: u64,
    mem_exclusive: u64,
    memory_migrate: u64,
    memory_spread_page: u64,
    memory_spread_slab: u64,
    memory_pressure: u64,
    sched_load_balance: u64,
    sched_relax_domain_level: i64,
}

/// Of a folder of version 1.
pub(super) fn read(folder: &Folder) -> Result<Cpuset> {
    // A list of none is an empty line.
    let numbers = |text: String| scheduler::numbers(text.trim(), usize::MAX).unwrap_or_default();
    let list = |file| Ok(text(folder, file)?.map(numbers).unwrap_or_default());
    let switch = |name: &str| Ok(number(folder, &format!("cpuset.{name}"))?.unwrap_or(0));
    let level = text(folder, "cpuset.sched_relax_domain_level")?;
    Ok(Cpuset {
        cpus: list(CPUS)?,
        cpu_exclusive: switch("cpu_exclusive")?,
        mems: list(MEMS)?,
        mem_hardwall: switch("mem_hardwall")?,
        mem_exclusive: switch("mem_exclusive")?,
        memory_migrate: switch("memory_migrate")?,
        memory_spread_page: switch("memory_spread_page")?,
        memory_spread_slab: switch("memory_spread_slab")?,
        memory_pressure: switch("memory_pressure")?,
        sched_load_balance: switch("sched_load_balance")?,
        sched_relax_domain_level: level.as_deref().and_then(parse).unwrap_or(0),
    })
}
