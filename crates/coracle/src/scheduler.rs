//! When a process runs, and where: its policy, its priority in the use of disks, its processors (sched(7)).
//!
//! All of it is set from outside, by the runtime, for root of a user namespace has no say in it.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::sys;

/// How a process is scheduled (sched_setattr(2); runtime-spec, config.md, "scheduler").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduler {
    /// `SCHED_OTHER` and its like.
    pub policy: libc::c_int,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20, much, to 19, little: of `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// 1, the lowest, to 99: of `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// Nanoseconds of each period: of `SCHED_DEADLINE`, as the next two.
    pub runtime: u64,
    /// Nanoseconds from a period's begin on in which they come.
    pub deadline: u64,
    /// The period, in nanoseconds.
    pub period: u64,
}

/// A priority in the use of disks (ioprio_set(2); runtime-spec, config.md, "ioPriority").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoPriority {
    /// Which class.
    pub class: IoClass,
    /// 0, the highest, to 7.
    pub level: u8,
}

/// The classes, with the kernel's numbers (include/uapi/linux/ioprio.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoClass {
    /// Before all others.
    RealTime = 1,
    /// In turn.
    BestEffort = 2,
    /// When nobody else wants to.
    Idle = 3,
}

/// The kernel's `IOPRIO_CLASS_SHIFT`.
const CLASS_SHIFT: i32 = 13;

/// All of it. What is `None` stays as it is with the runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// When it runs.
    pub scheduler: Option<Scheduler>,
    /// When its disk work is done.
    pub io_priority: Option<IoPriority>,
    /// The processors that exec itself runs on, until its process is in the container's control group.
    pub before: Option<CpuSet>,
    /// The processors that the process runs on.
    pub processors: Option<CpuSet>,
}

impl Scheduler {
    /// Whether the process can have it from its first moment on. One of `SCHED_DEADLINE` makes no others, and one of the
    /// real-time policies enters no control group (of version 1) that has no time for them: these get it last.
    pub fn is_ordinary(&self) -> bool {
        [libc::SCHED_OTHER, libc::SCHED_BATCH, libc::SCHED_IDLE].contains(&self.policy)
    }
}

/// All processors: more than the machine has, and the kernel takes those that the control group allows.
pub fn all_processors() -> CpuSet {
    let mut all = CpuSet::new();
    for number in 0..CpuSet::count() {
        // Within its size nothing can fail.
        let _ = all.set(number);
    }
    all
}

/// Puts the process `pid` onto `processors` (sched_setaffinity(2)).
///
/// # Errors
/// `EINVAL` where its control group allows none of them, or the machine has none of them.
pub fn set_processors(pid: Pid, processors: &CpuSet) -> Result<()> {
    sched_setaffinity(pid, processors).map_err(|errno| {
        Error::refused(format!("sched_setaffinity to the processors {}", shown(processors)))(errno).with_cure(
            Errno::EINVAL,
            "choose some that the machine has, and the container's control group allows",
        )
    })
}

/// The numbers in a set.
fn shown(processors: &CpuSet) -> String {
    let numbers = (0..CpuSet::count()).filter(|number| processors.is_set(*number).unwrap_or(false));
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

/// Sets how the process `pid` is scheduled.
///
/// # Errors
/// `EPERM` without CAP_SYS_NICE, or where its control group has no time for real-time processes, or its processors are
/// not all that a deadline needs; `EBUSY` where the processors have not that much left.
pub fn schedule(pid: Pid, scheduler: &Scheduler) -> Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: scheduler.policy as u32,
        sched_flags: scheduler.flags,
        sched_nice: scheduler.nice,
        sched_priority: scheduler.priority,
        sched_runtime: scheduler.runtime,
        sched_deadline: scheduler.deadline,
        sched_period: scheduler.period,
    };
    sys::sched_setattr(pid, &attributes).map_err(|errno| {
        Error::refused(format!("sched_setattr of the policy {}", name(scheduler.policy)))(errno)
            .with_cure(
                Errno::EPERM,
                "run as root with CAP_SYS_NICE; real time needs a control group with cpu.rt_runtime_us, a deadline \
                 all processors",
            )
            .with_cure(Errno::EINVAL, "sched(7) tells what the policy of /process/scheduler takes")
            .with_cure(Errno::EBUSY, "the processors have not that much time left: lower runtime")
    })
}

/// Sets the priority of the process `pid` in the use of disks.
///
/// # Errors
/// `EPERM` for real time without CAP_SYS_NICE.
pub fn set_io_priority(pid: Pid, priority: &IoPriority) -> Result<()> {
    let value = (priority.class as i32) << CLASS_SHIFT | i32::from(priority.level);
    sys::ioprio_set(pid, value).map_err(|errno| {
        Error::refused(format!("ioprio_set to {:?} {}", priority.class, priority.level))(errno)
            .with_cure(Errno::EPERM, "real time is for root: choose another /process/ioPriority/class")
    })
}

/// The policies by their names in `config.json`. (`SCHED_ISO`, which the specification has too, was never in Linux.)
const POLICIES: [(&str, libc::c_int); 6] = [
    ("SCHED_OTHER", libc::SCHED_OTHER),
    ("SCHED_FIFO", libc::SCHED_FIFO),
    ("SCHED_RR", libc::SCHED_RR),
    ("SCHED_BATCH", libc::SCHED_BATCH),
    ("SCHED_IDLE", libc::SCHED_IDLE),
    ("SCHED_DEADLINE", libc::SCHED_DEADLINE),
];

/// The number of the policy called `name`.
pub fn policy(name: &str) -> Option<libc::c_int> {
    POLICIES.into_iter().find(|known| known.0 == name).map(|known| known.1)
}

fn name(policy: libc::c_int) -> &'static str {
    POLICIES.into_iter().find(|known| known.1 == policy).map_or("unknown", |known| known.0)
}

/// The bit of the flag called `name`.
pub fn flag(name: &str) -> Option<u64> {
    let bit = match name {
        "SCHED_FLAG_RESET_ON_FORK" => libc::SCHED_FLAG_RESET_ON_FORK,
        "SCHED_FLAG_RECLAIM" => libc::SCHED_FLAG_RECLAIM,
        "SCHED_FLAG_DL_OVERRUN" => libc::SCHED_FLAG_DL_OVERRUN,
        "SCHED_FLAG_KEEP_POLICY" => libc::SCHED_FLAG_KEEP_POLICY,
        "SCHED_FLAG_KEEP_PARAMS" => libc::SCHED_FLAG_KEEP_PARAMS,
        "SCHED_FLAG_UTIL_CLAMP_MIN" => libc::SCHED_FLAG_UTIL_CLAMP_MIN,
        "SCHED_FLAG_UTIL_CLAMP_MAX" => libc::SCHED_FLAG_UTIL_CLAMP_MAX,
        _ => return None,
    };
    Some(bit as u64)
}

/// The class called `name`.
pub fn io_class(name: &str) -> Option<IoClass> {
    match name {
        "IOPRIO_CLASS_RT" => Some(IoClass::RealTime),
        "IOPRIO_CLASS_BE" => Some(IoClass::BestEffort),
        "IOPRIO_CLASS_IDLE" => Some(IoClass::Idle),
        _ => None,
    }
}

/// The numbers of a list such as `0-3,7`, each below `end` (the form of cpuset(7), "List format"); `Err` with what is
/// wrong with it.
///
/// # Errors
/// A number that is none, a range that goes backwards, or one beyond `end`.
pub fn numbers(list: &str, end: usize) -> Result<Vec<usize>, String> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<usize> = digits.then(|| text.parse().ok()).flatten();
        match number {
            Some(number) if number < end => Ok(number),
            _ if digits => Err(format!("{text} is more than {}", end - 1)),
            _ => Err(format!("{text:?} is no number; write a list such as 0-3,7")),
        }
    };
    let mut all = Vec::new();
    for part in list.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first.trim())?, number(last.trim())?);
        if first > last {
            return Err(format!("{part} goes backwards"));
        }
        all.extend(first..=last);
    }
    Ok(all)
}
