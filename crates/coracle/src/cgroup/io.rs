//! How a group shares the disks with others, and how much of them it gets.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use super::limits::set;
use super::settings::List;

/// Limits on one device: the config's name for them, version 1's file, version 2's word, the devices.
type Throttle<'a> = (&'static str, &'static str, &'static str, &'a Option<Vec<LinuxThrottleDevice>>);

fn throttles(io: &LinuxBlockIo) -> [Throttle<'_>; 4] {
    [
        ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps", io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps", io.throttle_write_bps_device()),
        (
            "throttleReadIOPSDevice",
            "blkio.throttle.read_iops_device",
            "riops",
            io.throttle_read_iops_device(),
        ),
        (
            "throttleWriteIOPSDevice",
            "blkio.throttle.write_iops_device",
            "wiops",
            io.throttle_write_iops_device(),
        ),
    ]
}

/// Asks for version 2's parts and limits (runtime-spec, config-linux.md, "Block IO"). Parts are `io.bfq.weight`, where the
/// kernel has that scheduler, in the config's own numbers, and else `io.weight` by [`weight`]; limits, in bytes and operations
/// each second, are lines of `io.max`. A rate of 0 is no limit, as version 1 takes it.
pub(super) fn limit_v2(list: &mut List, io: &LinuxBlockIo) {
    if let Some(part) = set(io.weight()) {
        list.write("io.bfq.weight", part).or("io.weight", weight(part));
    }
    for one in io.weight_device().iter().flatten() {
        if let Some(part) = set(one.weight()) {
            let device = format!("{}:{}", one.major(), one.minor());
            list.write("io.bfq.weight", format!("{device} {part}"))
                .or("io.weight", format!("{device} {}", weight(part)))
                .undone_by(format!("{device} default"));
        }
    }
    for (_, _, word, devices) in throttles(io) {
        for one in devices.iter().flatten() {
            let device = format!("{}:{}", one.major(), one.minor());
            let rate = if one.rate() == 0 { "max".to_owned() } else { one.rate().to_string() };
            list.write("io.max", format!("{device} {word}={rate}")).undone_by(format!("{device} {word}=max"));
        }
    }
}

/// Asks for version 1's parts and limits, in the config's own numbers. The files of the parts are those of the scheduler BFQ,
/// or of CFQ, which Linux had before 5.0.
pub(super) fn limit_v1(list: &mut List, io: &LinuxBlockIo) {
    if let Some(part) = set(io.weight()) {
        list.write("blkio.weight", part).or("blkio.bfq.weight", part);
    }
    if let Some(part) = set(io.leaf_weight()) {
        list.write("blkio.leaf_weight", part);
    }
    for one in io.weight_device().iter().flatten() {
        let device = format!("{}:{}", one.major(), one.minor());
        if let Some(part) = set(one.weight()) {
            let line = format!("{device} {part}");
            list.write("blkio.weight_device", &line)
                .or("blkio.bfq.weight_device", &line)
                .undone_by(format!("{device} default"));
        }
        if let Some(part) = set(one.leaf_weight()) {
            list.write("blkio.leaf_weight_device", format!("{device} {part}"))
                .undone_by(format!("{device} default"));
        }
    }
    for (_, file, _, devices) in throttles(io) {
        for one in devices.iter().flatten() {
            let device = format!("{}:{}", one.major(), one.minor());
            list.write(file, format!("{device} {}", one.rate())).undone_by(format!("{device} 0"));
        }
    }
}

/// The property that only version 1 can do, if one is asked for: its name in the config.
pub(super) fn asks_for_v1(io: &LinuxBlockIo) -> Option<&'static str> {
    let of_devices = || io.weight_device().iter().flatten().any(|one| set(one.leaf_weight()).is_some());
    if set(io.leaf_weight()).is_some() {
        Some("leafWeight")
    } else if of_devices() {
        Some("weightDevice")
    } else {
        None
    }
}

/// Whether anything is asked for.
pub(super) fn asked(io: &LinuxBlockIo) -> bool {
    let weights = set(io.weight()).or(set(io.leaf_weight())).is_some();
    weights
        || io.weight_device().as_ref().is_some_and(|list| !list.is_empty())
        || throttles(io).iter().any(|(.., devices)| devices.as_ref().is_some_and(|list| !list.is_empty()))
}

/// What is wrong, whichever version it is for: a JSON pointer from `blockIO` on, and why.
pub(super) fn check(io: &LinuxBlockIo) -> Option<(String, &'static str)> {
    const RANGE: &str = "must be from 10 to 1000";
    let wrong = |part: Option<u16>| set(part).is_some_and(|part| !(10..=1000).contains(&part));
    let number = |number: i64| !(0..=i64::from(u32::MAX)).contains(&number);
    for (name, part) in [("weight", io.weight()), ("leafWeight", io.leaf_weight())] {
        if wrong(part) {
            return Some((name.to_owned(), RANGE));
        }
    }
    for (n, one) in io.weight_device().iter().flatten().enumerate() {
        let at = format!("weightDevice/{n}");
        if one.weight().is_none() && one.leaf_weight().is_none() {
            return Some((at, "must have a weight or a leafWeight"));
        }
        if wrong(one.weight()) || wrong(one.leaf_weight()) {
            return Some((at, RANGE));
        }
        if number(one.major()) || number(one.minor()) {
            return Some((at, "is no device: its numbers must not be negative"));
        }
    }
    for (name, _, _, devices) in throttles(io) {
        let bad = |one: &LinuxThrottleDevice| number(one.major()) || number(one.minor());
        if let Some(n) = devices.iter().flatten().position(bad) {
            return Some((format!("{name}/{n}"), "is no device: its numbers must not be negative"));
        }
    }
    None
}

/// Version 2's weight (1 to 10000, 100 unless told) for version 1's (10 to 1000): the line that runc and crun have agreed on.
fn weight(part: u16) -> u64 {
    1 + (u64::from(part).saturating_sub(10)) * 9999 / 990
}
