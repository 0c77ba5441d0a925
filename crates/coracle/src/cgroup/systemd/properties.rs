//! Limits as properties of a unit (systemd.resource-control(5)), made from the files of version 2 and what is written to them:
//! whichever way a limit is asked for, it ends there.

use oci_spec::runtime::LinuxResources;
use zbus::Variant;

use super::super::limits::set;
use super::super::{cpu, cpuset, memory};

/// A property of a unit: its name and its value.
pub(super) type Property = (&'static str, Variant<'static>);

/// systemd's word for no limit.
const INFINITY: u64 = u64::MAX;

/// Microseconds of processor time in a second that are one percent: systemd counts no less.
const PERCENT: u64 = 10_000;

/// The kernel's period, in microseconds, where nothing is said of it.
const PERIOD: u64 = 100_000;

/// The limits of `resources` that systemd of this version has properties for. A value that is none is left out: the kernel
/// says what is wrong with it when it gets it.
pub(super) fn limits(resources: &LinuxResources, version: u32) -> Vec<Property> {
    files(resources).iter().flat_map(|(file, value)| of_file(file, value.trim(), version)).collect()
}

/// The properties that say the same as `value` in `file`.
fn of_file(file: &str, value: &str, version: u32) -> Vec<Property> {
    let number = |name| amount(value).map(|number| (name, number.into())).into_iter().collect();
    match file {
        "memory.max" => number("MemoryMax"),
        "memory.high" => number("MemoryHigh"),
        "memory.low" => number("MemoryLow"),
        "memory.min" => number("MemoryMin"),
        "memory.swap.max" => number("MemorySwapMax"),
        "memory.zswap.max" if version >= 253 => number("MemoryZSwapMax"),
        "pids.max" => number("TasksMax"),
        "cpu.weight" => number("CPUWeight"),
        "cpu.idle" if version >= 252 && value == "1" => vec![("CPUWeight", 0_u64.into())],
        "cpu.max" => bandwidth(value, version).unwrap_or_default(),
        "cpuset.cpus" if version >= 244 => set_of_bits("AllowedCPUs", value),
        "cpuset.mems" if version >= 244 => set_of_bits("AllowedMemoryNodes", value),
        "io.weight" => {
            let weight = value.strip_prefix("default ").unwrap_or(value);
            amount(weight).map(|weight| ("IOWeight", weight.into())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn amount(value: &str) -> Option<u64> {
    if value == "max" { Some(INFINITY) } else { value.parse().ok() }
}

/// `QUOTA PERIOD` of `cpu.max`, both in microseconds, as the share of each second. It is rounded up to what systemd can count:
/// the group may have groups in it with the exact share, and must not have less than they.
fn bandwidth(value: &str, version: u32) -> Option<Vec<Property>> {
    let mut words = value.split_whitespace();
    let quota = amount(words.next()?)?;
    let period = words.next().map(|word| word.parse::<u64>().ok().filter(|period| *period != 0));
    let mut found = Vec::new();
    if let Some(period) = period
        && version >= 242
    {
        found.push(("CPUQuotaPeriodUSec", period?.into()));
    }
    let share = match quota {
        INFINITY => INFINITY,
        quota => {
            let period = u128::from(period.unwrap_or(Some(PERIOD))?);
            let share = u64::try_from(u128::from(quota) * 1_000_000 / period).ok()?;
            share.checked_next_multiple_of(PERCENT)?
        }
    };
    found.push(("CPUQuotaPerSecUSec", share.into()));
    Some(found)
}

/// A list such as `0-3,7` as a set of bits, from the lowest of the first byte on.
fn set_of_bits(name: &'static str, list: &str) -> Vec<Property> {
    bits(list).map(|bits| (name, Variant::new(bits))).into_iter().collect()
}

fn bits(list: &str) -> Option<Vec<u8>> {
    /// More than any kernel has processors.
    const MOST: usize = 1 << 16;
    let mut bits = Vec::new();
    for range in list.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if last >= MOST || first > last {
            return None;
        }
        bits.resize(bits.len().max(last / 8 + 1), 0);
        for n in first..=last {
            bits[n / 8] |= 1 << (n % 8);
        }
    }
    Some(bits)
}

/// The files of version 2 that have a property, and what `resources` writes to them. What is in `unified` comes last, and wins.
fn files(resources: &LinuxResources) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut add = |file: &str, value: String| files.push((file.to_owned(), value));
    let or_max = |value: i64| if value < 0 { "max".to_owned() } else { value.to_string() };
    if let Some(memory) = resources.memory() {
        let limits = [
            ("memory.max", memory.limit().filter(|limit| *limit != 0)),
            ("memory.low", memory.reservation().filter(|limit| *limit != 0)),
            ("memory.swap.max", memory::swap_alone(memory)),
        ];
        for (file, limit) in limits {
            limit.into_iter().for_each(|limit| add(file, or_max(limit)));
        }
    }
    if let Some(cpu) = resources.cpu() {
        let (quota, period) = (set(cpu.quota()), set(cpu.period()));
        if quota.is_some() || period.is_some() {
            add("cpu.max", format!("{} {}", or_max(quota.unwrap_or(-1)), period.unwrap_or(PERIOD)));
        }
        match (cpu.idle(), cpu.shares().filter(|shares| *shares != 0)) {
            (Some(1), _) => add("cpu.idle", "1".to_owned()),
            (_, Some(shares)) => add("cpu.weight", cpu::weight(shares).to_string()),
            _ => {}
        }
        for (file, list) in [(cpuset::CPUS, cpu.cpus()), (cpuset::MEMS, cpu.mems())] {
            list.iter().filter(|list| !list.is_empty()).for_each(|list| add(file, list.clone()));
        }
    }
    match resources.pids().as_ref().map(|pids| pids.limit()) {
        None | Some(0) => {}
        Some(limit) => add("pids.max", or_max(limit)),
    }
    let mut unified: Vec<_> = resources.unified().iter().flatten().collect();
    unified.sort();
    files.extend(unified.into_iter().map(|(file, value)| (file.clone(), value.clone())));
    files
}
