//! The processor's time.

use std::collections::BTreeMap;

use serde::Serialize;

use super::pressure::{self, Pressure};
use super::{Cgroup, Folder, is_nothing, number, parse, table, text};
use crate::error::Result;

/// What the kernel tells of user and system time in version 1 is in ticks, a hundred a second on all machines (USER_HZ).
const NANOSECONDS_A_TICK: u64 = 10_000_000;
const NANOSECONDS_A_MICROSECOND: u64 = 1_000;

#[derive(Debug, Default, Serialize)]
pub(super) struct Cpu {
    usage: Usage,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

/// In nanoseconds.
#[derive(Debug, Default, Serialize)]
struct Usage {
    #[serde(skip_serializing_if = "is_nothing")]
    total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu_kernel: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu_user: Vec<u64>,
    kernel: u64,
    user: u64,
}

/// How often the limit on time was met.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    #[serde(skip_serializing_if = "is_nothing")]
    periods: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    throttled_periods: u64,
    /// In nanoseconds.
    #[serde(skip_serializing_if = "is_nothing")]
    throttled_time: u64,
}

/// In version 1 the time is another controller's than the limit.
pub(super) fn read(cgroup: &Cgroup) -> Result<Cpu> {
    let mut cpu = Cpu::default();
    if let Some(folder) = cgroup.v1("cpuacct") {
        cpu.usage = usage_v1(folder)?;
    }
    if let Some(folder) = cgroup.v1("cpu") {
        let stat = table(folder, "cpu.stat")?;
        cpu.throttling = Throttling::from(&stat, value(&stat, "throttled_time"));
    }
    if let (Some(folder), None, None) = (cgroup.v2(), cgroup.v1("cpuacct"), cgroup.v1("cpu")) {
        let stat = table(folder, "cpu.stat")?;
        let nanoseconds = |name| value(&stat, name) * NANOSECONDS_A_MICROSECOND;
        cpu.usage = Usage {
            total: nanoseconds("usage_usec"),
            kernel: nanoseconds("system_usec"),
            user: nanoseconds("user_usec"),
            ..Usage::default()
        };
        cpu.throttling = Throttling::from(&stat, nanoseconds("throttled_usec"));
        cpu.psi = pressure::read(folder, "cpu.pressure");
    }
    Ok(cpu)
}

fn usage_v1(folder: &Folder) -> Result<Usage> {
    let stat = table(folder, "cpuacct.stat")?;
    let percpu = text(folder, "cpuacct.usage_percpu")?.unwrap_or_default();
    // A head, then a line for each processor: its number, user time, system time.
    let modes = text(folder, "cpuacct.usage_all")?.unwrap_or_default();
    let column = |number| -> Vec<u64> {
        let of_line = |line: &str| parse(line.split(' ').nth(number)?);
        modes.lines().skip(1).filter_map(of_line).collect()
    };
    Ok(Usage {
        total: number(folder, "cpuacct.usage")?.unwrap_or(0),
        percpu: percpu.split_whitespace().filter_map(parse).collect(),
        percpu_kernel: column(2),
        percpu_user: column(1),
        kernel: value(&stat, "system") * NANOSECONDS_A_TICK,
        user: value(&stat, "user") * NANOSECONDS_A_TICK,
    })
}

impl Throttling {
    fn from(stat: &BTreeMap<String, u64>, throttled_time: u64) -> Throttling {
        Throttling {
            periods: value(stat, "nr_periods"),
            throttled_periods: value(stat, "nr_throttled"),
            throttled_time,
        }
    }
}

fn value(stat: &BTreeMap<String, u64>, name: &str) -> u64 {
    stat.get(name).copied().unwrap_or(0)
}
