//! Processors and memory nodes, and how they are shared; runc tells them of version 1 only.

use serde::Serialize;

use super::super::cpuset::{CPUS, MEMS};
use super::{Folder, number, parse, text};
use crate::error::Result;

/// The switches are 0 or 1, as the kernel's files (cpuset(7)).
#[derive(Debug, Default, Serialize)]
pub(super) struct Cpuset {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cpus: Vec<u16>,
    cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mems: Vec<u16>,
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
    let list = |file| Ok(text(folder, file)?.as_deref().map(numbers).unwrap_or_default());
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

/// The numbers of a list such as `0-3,7` (cpuset(7), "List format").
fn numbers(list: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(parse(first)?..=parse(last)?)
    };
    list.split(',').filter_map(range).flatten().collect()
}
