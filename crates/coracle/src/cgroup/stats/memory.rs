//! Memory, in bytes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::pressure::{self, Pressure};
use super::{Folder, is_nothing, number, table};
use crate::error::Result;

#[derive(Debug, Default, Serialize)]
pub(super) struct Memory {
    /// Files that were read or written.
    #[serde(skip_serializing_if = "is_nothing")]
    cache: u64,
    usage: Entry,
    /// Memory and swap together, as version 1 counts them.
    swap: Entry,
    kernel: Entry,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: Entry,
    /// All that `memory.stat` says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    raw: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Debug, Default, Serialize)]
struct Entry {
    limit: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    usage: u64,
    /// The most that was in use at once.
    #[serde(skip_serializing_if = "is_nothing")]
    max: u64,
    /// How often the limit was met.
    failcnt: u64,
}

pub(super) fn read(folder: &Folder) -> Result<Memory> {
    let raw = table(folder, "memory.stat")?;
    let cache = raw.get(if folder.is_v2() { "file" } else { "cache" }).copied().unwrap_or(0);
    if !folder.is_v2() {
        return Ok(Memory {
            cache,
            usage: entry_v1(folder, "memory")?,
            swap: entry_v1(folder, "memory.memsw")?,
            kernel: entry_v1(folder, "memory.kmem")?,
            kernel_tcp: entry_v1(folder, "memory.kmem.tcp")?,
            raw,
            psi: None,
        });
    }
    let usage = entry_v2(folder, "memory")?;
    // Version 2 counts swap alone; where it is not counted at all, that is nothing.
    let alone = entry_v2(folder, "memory.swap")?;
    let swap = Entry {
        limit: alone.limit.saturating_add(usage.limit),
        usage: alone.usage + usage.usage,
        ..Entry::default()
    };
    Ok(Memory {
        cache,
        usage,
        swap,
        raw,
        psi: pressure::read(folder, "memory.pressure"),
        ..Memory::default()
    })
}

fn entry_v1(folder: &Folder, name: &str) -> Result<Entry> {
    let value = |what: &str| Ok(number(folder, &format!("{name}.{what}"))?.unwrap_or(0));
    Ok(Entry {
        limit: value("limit_in_bytes")?,
        usage: value("usage_in_bytes")?,
        max: value("max_usage_in_bytes")?,
        failcnt: value("failcnt")?,
    })
}

fn entry_v2(folder: &Folder, name: &str) -> Result<Entry> {
    let value = |what: &str| Ok(number(folder, &format!("{name}.{what}"))?.unwrap_or(0));
    Ok(Entry { limit: value("max")?, usage: value("current")?, max: value("peak")?, failcnt: 0 })
}
