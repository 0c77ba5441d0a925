//! How much CPU time a group gets.

use nix::errno::Errno;
use oci_spec::runtime::LinuxCpu;

use super::Folder;
use crate::error::Result;

const MORE_THAN_PARENT: &str = "the kernel's range is exceeded, or the group above has less";
const REALTIME: &str = "the groups above must have real-time runtime to give";

/// Sets the limits on CPU time on version 2 (runtime-spec, config-linux.md, "CPU"): `quota` microseconds in each
/// `period` in `cpu.max` (a quota below 0 means `max`; a period that is missing is 100000), and `shares`, the group's
/// part when everybody wants the CPU, in `cpu.weight` by [`weight`]. What is missing or 0 is left as it is.
///
/// # Errors
/// `EINVAL` for values beyond the kernel's range, with the file.
pub(super) fn limit_cpu_v2(folder: &Folder, cpu: &LinuxCpu) -> Result<()> {
    if let Some((quota, period)) = bandwidth(cpu) {
        let quota = match quota {
            Some(1..) => quota.unwrap_or_default().to_string(),
            _ => "max".to_owned(),
        };
        folder
            .write("cpu.max", &format!("{quota} {}", period.unwrap_or(100_000)))
            .map_err(|error| error.with_cure(Errno::EINVAL, MORE_THAN_PARENT))?;
    }
    match cpu.shares() {
        // An idle group's weight is fixed.
        Some(shares @ 1..) if cpu.idle() != Some(1) => {
            folder.write("cpu.weight", &weight(shares).to_string())
        }
        _ => Ok(()),
    }
}

/// Sets the limits on CPU time on version 1: `cpu.cfs_period_us`, `cpu.cfs_quota_us` (-1: none) and `cpu.shares`, in
/// the config's own units. The period comes first, since the quota is checked against it. What is missing or 0 is left
/// as it is.
///
/// # Errors
/// `EINVAL` for values beyond the kernel's range, with the file.
pub(super) fn limit_cpu_v1(folder: &Folder, cpu: &LinuxCpu) -> Result<()> {
    let write = |file: &str, value: String| {
        folder.write(file, &value).map_err(|error| error.with_cure(Errno::EINVAL, MORE_THAN_PARENT))
    };
    if let Some((quota, period)) = bandwidth(cpu) {
        if let Some(period) = period {
            write("cpu.cfs_period_us", period.to_string())?;
        }
        if let Some(quota) = quota {
            write("cpu.cfs_quota_us", quota.max(-1).to_string())?;
        }
    }
    match cpu.shares() {
        Some(shares @ 1..) if cpu.idle() != Some(1) => write("cpu.shares", shares.to_string()),
        _ => Ok(()),
    }
}

/// Sets `burst`, the microseconds that may be saved up from one period for the next, and `idle`: 1 lets the group run
/// only when nobody else wants to.
///
/// # Errors
/// `EINVAL` for a burst above the quota, with the file; `ENOENT` before Linux 5.14 and 5.15.
pub(super) fn burst_and_idle(folder: &Folder, cpu: &LinuxCpu) -> Result<()> {
    let burst = if folder.is_v2() { "cpu.max.burst" } else { "cpu.cfs_burst_us" };
    if let Some(value) = cpu.burst() {
        folder
            .write(burst, &value.to_string())
            .map_err(|error| error.with_cure(Errno::EINVAL, "it may not be above the quota"))?;
    }
    match cpu.idle() {
        Some(idle) => folder.write("cpu.idle", &idle.to_string()),
        None => Ok(()),
    }
}

/// Sets the time for real-time processes, in microseconds, which only version 1 has. Without any, none can be made
/// (sched(7)).
///
/// # Errors
/// `EINVAL` where the groups above have less, with the file.
pub(super) fn realtime(folder: &Folder, cpu: &LinuxCpu) -> Result<()> {
    let write = |file: &str, value: String| {
        folder.write(file, &value).map_err(|error| error.with_cure(Errno::EINVAL, REALTIME))
    };
    if let Some(period @ 1..) = cpu.realtime_period() {
        write("cpu.rt_period_us", period.to_string())?;
    }
    match cpu.realtime_runtime() {
        Some(runtime) if runtime != 0 => write("cpu.rt_runtime_us", runtime.to_string()),
        _ => Ok(()),
    }
}

/// The property that only version 1 can do, if one is asked for: its name in the config.
pub(super) fn asks_for_v1(cpu: &LinuxCpu) -> Option<&'static str> {
    if cpu.realtime_runtime().unwrap_or(0) != 0 {
        Some("realtimeRuntime")
    } else if cpu.realtime_period().unwrap_or(0) != 0 {
        Some("realtimePeriod")
    } else {
        None
    }
}

/// Whether anything of the cpu controller is asked for.
pub(super) fn asked(cpu: &LinuxCpu) -> bool {
    let shares = cpu.shares().unwrap_or(0) != 0;
    shares
        || bandwidth(cpu).is_some()
        || cpu.burst().is_some()
        || cpu.idle().is_some()
        || asks_for_v1(cpu).is_some()
}

/// Quota and period, if either is set.
pub(super) fn bandwidth(cpu: &LinuxCpu) -> Option<(Option<i64>, Option<u64>)> {
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    (quota.is_some() || period.is_some()).then_some((quota, period))
}

/// Version 2's weight (1 to 10000, 100 unless told) for version 1's shares (2 to 262144, 1024 unless told): the curve
/// through the three pairs that all runtimes have agreed on, 10^((l² + 125 l) / 612 - 7 / 34) with l = log2(shares).
pub(super) fn weight(shares: u64) -> u64 {
    match shares {
        ..=2 => 1,
        262_144.. => 10_000,
        _ => {
            let log = (shares as f64).log2();
            10f64.powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0).ceil() as u64
        }
    }
}
