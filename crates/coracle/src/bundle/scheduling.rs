//! `/process/scheduler`, `/process/ioPriority` and `/process/execCPUAffinity`.

use nix::sched::CpuSet;

use super::wrong;
use crate::config::{self, CpuAffinity, IoPriority, Scheduler};
use crate::error::Result;
use crate::scheduler::{self, IoClass, Scheduling};

/// How a process of exec is scheduled that the process object `asked`, at the JSON pointer `at`, describes.
///
/// # Errors
/// At the property, for an unknown name, or a number that the kernel does not take with the rest.
pub(super) fn scheduling(asked: &config::Process, at: &str) -> Result<Scheduling> {
    let affinity = asked.exec_cpu_affinity.clone().unwrap_or_default();
    let (before, after) = affinity_of(&affinity, at)?;
    Ok(Scheduling {
        scheduler: asked.scheduler.as_ref().map(|asked| scheduler_of(asked, at)).transpose()?,
        io_priority: asked.io_priority.as_ref().map(|asked| io_priority_of(asked, at)).transpose()?,
        // Newer kernels would remember those that the runtime's caller has, even in a control group with others. Where
        // only the beginning is asked for, the rest is the kernel's.
        processors: after.or_else(|| before.is_none().then(scheduler::all_processors)),
        before,
    })
}

fn scheduler_of(asked: &Scheduler, at: &str) -> Result<scheduler::Scheduler> {
    let fail = |name: &str, problem: String| Err(wrong(format!("{at}/scheduler/{name}"), problem));
    let Some(policy) = scheduler::policy(&asked.policy) else {
        return fail(
            "policy",
            match asked.policy.as_str() {
                "" => "scheduler policy is required: it is missing or empty".into(),
                other => format!("unknown value `{other}`: no policy of sched(7)"),
            },
        );
    };
    let real_time = [libc::SCHED_FIFO, libc::SCHED_RR].contains(&policy);
    if !(-20..=19).contains(&asked.nice) {
        return fail("nice", format!("invalid scheduler.nice: {} must be from -20 to 19", asked.nice));
    }
    match asked.priority {
        0 if !real_time => {}
        1..=99 if real_time => {}
        _ if real_time => {
            return fail(
                "priority",
                format!("{} must be from 1 to 99 with {}", asked.priority, asked.policy),
            );
        }
        _ => return fail("priority", "can only be specified for SCHED_FIFO or SCHED_RR policy".into()),
    }
    let times = [("runtime", asked.runtime), ("deadline", asked.deadline), ("period", asked.period)];
    if policy != libc::SCHED_DEADLINE
        && let Some((name, _)) = times.iter().find(|(_, time)| *time != 0)
    {
        return fail(name, "runtime/deadline/period can only be specified for SCHED_DEADLINE policy".into());
    }
    let mut flags = 0;
    for (n, name) in asked.flags.iter().enumerate() {
        match scheduler::flag(name) {
            Some(flag) => flags |= flag,
            None => {
                return fail(
                    &format!("flags/{n}"),
                    format!("unknown value `{name}`: no flag of sched_setattr(2)"),
                );
            }
        }
    }
    Ok(scheduler::Scheduler {
        policy,
        flags,
        nice: asked.nice,
        priority: asked.priority.unsigned_abs(),
        runtime: asked.runtime,
        deadline: asked.deadline,
        period: asked.period,
    })
}

fn io_priority_of(asked: &IoPriority, at: &str) -> Result<scheduler::IoPriority> {
    let fail = |name: &str, problem: String| Err(wrong(format!("{at}/ioPriority/{name}"), problem));
    let Some(class) = scheduler::io_class(&asked.class) else {
        let known = "IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE";
        return fail("class", format!("unknown value `{}`; must be {known}", asked.class));
    };
    match u8::try_from(asked.priority) {
        // The idle class has no levels, and the kernel wants to hear of none.
        Ok(0..=7) if class == IoClass::Idle => Ok(scheduler::IoPriority { class, level: 0 }),
        Ok(level @ 0..=7) => Ok(scheduler::IoPriority { class, level }),
        _ => fail("priority", format!("{} must be from 0 to 7", asked.priority)),
    }
}

/// The processors before and after.
fn affinity_of(asked: &CpuAffinity, at: &str) -> Result<(Option<CpuSet>, Option<CpuSet>)> {
    let set = |name: &str, list: &str| {
        if list.is_empty() {
            return Ok(None);
        }
        let numbers = scheduler::numbers(list, CpuSet::count()).map_err(|problem| {
            wrong(format!("{at}/execCPUAffinity/{name}"), format!("{list:?}: {problem}"))
        })?;
        let mut set = CpuSet::new();
        for number in numbers {
            // Within its size nothing can fail.
            let _ = set.set(number);
        }
        Ok(Some(set))
    };
    Ok((set("initial", &asked.initial)?, set("final", &asked.last)?))
}
