//! What a group has used: the numbers of its controllers, one file each here, under the names that runc's `events` gives
//! them (its package `types`). Engines read those, so what is 0 or not known is left out exactly where runc leaves it out.
//!
//! Both versions of control groups are told in the words of version 1. What a kernel does not count is not told.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;

use super::{Cgroup, Folder, folder};
use crate::error::Result;

mod blkio;
mod cpu;
mod cpuset;
mod hugetlb;
mod memory;
mod pids;
mod pressure;

/// What a group has used until now.
#[derive(Debug, Default, Serialize)]
pub struct Stats {
    cpu: cpu::Cpu,
    cpuset: cpuset::Cpuset,
    memory: memory::Memory,
    pids: pids::Pids,
    blkio: blkio::Blkio,
    hugetlb: BTreeMap<String, hugetlb::Hugetlb>,
}

impl Cgroup {
    /// Reads the numbers of all controllers. Those of a group that is gone, or of a container without one, are 0.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn stats(&self) -> Result<Stats> {
        Ok(Stats {
            cpu: cpu::read(self)?,
            cpuset: self.v1("cpuset").map(cpuset::read).transpose()?.unwrap_or_default(),
            memory: self.with("memory").map(memory::read).transpose()?.unwrap_or_default(),
            pids: pids::read(self)?,
            blkio: blkio::read(self)?,
            hugetlb: self.with("hugetlb").map(hugetlb::read).transpose()?.unwrap_or_default(),
        })
    }
}

/// The text of a file of the group; `None` where the kernel has no such file, or counts nothing for it.
fn text(folder: &Folder, file: &str) -> Result<Option<String>> {
    folder::or_gone(folder.read(file))
}

/// The one number in a file; `max`, which means no limit, is the highest there is.
fn number(folder: &Folder, file: &str) -> Result<Option<u64>> {
    let number = |text: String| match text.trim() {
        "max" => Some(u64::MAX),
        text => text.parse().ok(),
    };
    Ok(text(folder, file)?.and_then(number))
}

/// The lines of a file, each a name and a number.
fn table(folder: &Folder, file: &str) -> Result<BTreeMap<String, u64>> {
    let line =
        |line: &str| line.split_once(' ').and_then(|(name, value)| Some((name.to_owned(), parse(value)?)));
    Ok(text(folder, file)?.unwrap_or_default().lines().filter_map(line).collect())
}

fn parse<T: FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

/// For what is left out where it is 0, or empty.
fn is_nothing<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
