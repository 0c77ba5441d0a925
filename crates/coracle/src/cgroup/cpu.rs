//! How much CPU time a group gets.

use nix::errno::Errno;
use oci_spec::runtime::LinuxCpu;

use super::limits::set;
use super::settings::List;

const LIMITS: &str = "the kernel takes periods of 1000 to 1000000 and quotas from 1000 on, no less than the burst, and no more than the group \
     above has";
const REALTIME: &str = "the groups above must have real-time runtime to give";

/// Asks for the limits on CPU time on version 2 (runtime-spec, config-linux.md, "CPU"): `quota` microseconds in each
/// `period` in `cpu.max` (a quota below 0 means `max`; without a period, it stays as it is), and `shares`, the group's part
/// when everybody wants the CPU, in `cpu.weight` by [`weight`]. What is missing or 0 is left as it is.
pub(super) fn limit_cpu_v2(list: &mut List, cpu: &LinuxCpu) {
    let quota = match cpu.quota() {
        Some(quota @ 1..) => quota.to_string(),
        _ => "max".to_owned(),
    };
    let line = match (set(cpu.quota()), set(cpu.period())) {
        (None, None) => None,
        (_, Some(period)) => Some(format!("{quota} {period}")),
        (_, None) => Some(quota),
    };
    if let Some(line) = line {
        list.write("cpu.max", line).cure(Errno::EINVAL, LIMITS);
    }
    if let Some(shares) = shares(cpu) {
        list.write("cpu.weight", weight(shares));
    }
}

/// Asks for the limits on CPU time on version 1: `cpu.cfs_period_us`, `cpu.cfs_quota_us` (-1: none) and `cpu.shares`, in
/// the config's own units. What is missing or 0 is left as it is.
pub(super) fn limit_cpu_v1(list: &mut List, cpu: &LinuxCpu) {
    if let Some(period) = set(cpu.period()) {
        list.write("cpu.cfs_period_us", period).cure(Errno::EINVAL, LIMITS);
    }
    if let Some(quota) = set(cpu.quota()) {
        list.write("cpu.cfs_quota_us", quota.max(-1)).cure(Errno::EINVAL, LIMITS);
    }
    if let Some(shares) = shares(cpu) {
        list.write("cpu.shares", shares);
    }
}

/// Asks for `burst`, the microseconds that may be saved up from one period for the next, and `idle`: 1 lets the group run
/// only when nobody else wants to, 0 as any other. Since Linux 5.14 and 5.15.
pub(super) fn burst_and_idle(list: &mut List, cpu: &LinuxCpu) {
    if let Some(value) = cpu.burst() {
        let file = if list.is_v2() { "cpu.max.burst" } else { "cpu.cfs_burst_us" };
        list.write(file, value).cure(Errno::EINVAL, "it may not be above the quota");
    }
    if let Some(idle) = cpu.idle() {
        list.write("cpu.idle", idle);
    }
}

/// Asks for time for real-time processes, in microseconds, which only version 1 has. Without any, none can be made
/// (sched(7)).
pub(super) fn realtime(list: &mut List, cpu: &LinuxCpu) {
    if let Some(period) = set(cpu.realtime_period()) {
        list.write("cpu.rt_period_us", period).cure(Errno::EINVAL, REALTIME);
    }
    if let Some(runtime) = set(cpu.realtime_runtime()) {
        list.write("cpu.rt_runtime_us", runtime).cure(Errno::EINVAL, REALTIME);
    }
}

/// What is wrong with the limits, whichever version they are for: the property's name, and why.
pub(super) fn check(cpu: &LinuxCpu) -> Option<(&'static str, &'static str)> {
    let (quota, burst) = (cpu.quota().unwrap_or(0), cpu.burst().unwrap_or(0));
    if cpu.idle().is_some_and(|idle| !(0..=1).contains(&idle)) {
        Some(("idle", "must be 0 or 1"))
    } else if quota > 0 && burst > quota as u64 {
        Some(("burst", "must not be larger than the quota"))
    } else {
        None
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
    set(cpu.shares()).is_some()
        || set(cpu.quota()).is_some()
        || set(cpu.period()).is_some()
        || cpu.burst().is_some()
        || cpu.idle().is_some()
        || asks_for_v1(cpu).is_some()
}

/// The shares to write. An idle group's weight is fixed.
fn shares(cpu: &LinuxCpu) -> Option<u64> {
    set(cpu.shares()).filter(|_| cpu.idle() != Some(1))
}

/// Version 2's weight (1 to 10000, 100 unless told) for version 1's shares (2 to 262144, 1024 unless told): the curve
/// through these three pairs, 10^((l² + 125 l) / 612 - 7 / 34) with l = log2(shares). The line through the first and the
/// last, which runtimes took before (1 + (shares - 2) * 9999 / 262142), makes 39 of 1024: a container that asks for what
/// everybody has would get less than half of it.
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
