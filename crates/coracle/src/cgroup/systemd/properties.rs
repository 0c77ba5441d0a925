//! Limits as properties of a unit (systemd.resource-control(5)), made from the files of version 2 and what is written to them:
//! whichever way a limit is asked for, it ends there.

use zbus::Variant;

use super::super::Settings;
use crate::scheduler;

/// A property of a unit: its name and its value.
pub type Property = (&'static str, Variant<'static>);

/// systemd's word for no limit.
const INFINITY: u64 = u64::MAX;

/// Microseconds of processor time in a second that are one percent: systemd counts no less.
const PERCENT: u64 = 10_000;

/// The kernel's period, in microseconds, where nothing is said of it.
const PERIOD: u64 = 100_000;

/// Those of the `settings` that systemd of this version has properties for; of two for the same one the later counts. A value
/// that is none is left out: the kernel says what is wrong with it when it gets it.
pub fn limits(settings: &Settings, version: u32) -> Vec<Property> {
    let lines = settings.of_v2().flat_map(|(file, value)| value.lines().map(move |line| (file, line.trim())));
    lines.flat_map(|(file, line)| of_file(file, line, version)).collect()
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
    /// More than any kernel has processors.
    const MOST: usize = 1 << 16;
    let Ok(numbers) = scheduler::numbers(list, MOST) else { return Vec::new() };
    let mut bits = Vec::new();
    for n in numbers {
        bits.resize(bits.len().max(n / 8 + 1), 0_u8);
        bits[n / 8] |= 1 << (n % 8);
    }
    vec![(name, Variant::new(bits))]
}
