//! Limits of one process: rlimits (getrlimit(2)) and what the OOM killer thinks of it.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::sys;

const CURE: &str = "lower /process/rlimits/N/hard, or give the runtime CAP_SYS_RESOURCE";

/// A resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// What is enforced; `u64::MAX` is none.
    pub soft: u64,
    /// The most that `soft` may be raised to.
    pub hard: u64,
}

/// The resource called `name` in `config.json`, such as "RLIMIT_NOFILE"; `None` for a name that Linux has not.
pub fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "RLIMIT_AS" => Resource::RLIMIT_AS,
        "RLIMIT_CORE" => Resource::RLIMIT_CORE,
        "RLIMIT_CPU" => Resource::RLIMIT_CPU,
        "RLIMIT_DATA" => Resource::RLIMIT_DATA,
        "RLIMIT_FSIZE" => Resource::RLIMIT_FSIZE,
        "RLIMIT_LOCKS" => Resource::RLIMIT_LOCKS,
        "RLIMIT_MEMLOCK" => Resource::RLIMIT_MEMLOCK,
        "RLIMIT_MSGQUEUE" => Resource::RLIMIT_MSGQUEUE,
        "RLIMIT_NICE" => Resource::RLIMIT_NICE,
        "RLIMIT_NOFILE" => Resource::RLIMIT_NOFILE,
        "RLIMIT_NPROC" => Resource::RLIMIT_NPROC,
        "RLIMIT_RSS" => Resource::RLIMIT_RSS,
        "RLIMIT_RTPRIO" => Resource::RLIMIT_RTPRIO,
        "RLIMIT_RTTIME" => Resource::RLIMIT_RTTIME,
        "RLIMIT_SIGPENDING" => Resource::RLIMIT_SIGPENDING,
        "RLIMIT_STACK" => Resource::RLIMIT_STACK,
        _ => return None,
    })
}

/// Sets the limits of this process, which keeps them across execve(2).
///
/// # Errors
/// `EPERM` for a hard limit above today's without CAP_SYS_RESOURCE on the host: root of a user namespace has it not.
/// `EINVAL` for a soft limit above the hard one.
pub fn apply(limits: &[Limit]) -> Result<()> {
    limits.iter().try_for_each(|limit| {
        setrlimit(limit.resource, limit.soft, limit.hard).map_err(|errno| refused("setrlimit", limit, errno))
    })
}

/// Lets the process `pid`, our child, which has our limits, set `limits` by itself: raises the hard ones that are too low
/// for that, from outside, where we may (prlimit(2)). Returns whether there were any.
///
/// # Errors
/// `EPERM` without CAP_SYS_RESOURCE on the host.
pub fn make_room(pid: Pid, limits: &[Limit]) -> Result<bool> {
    let mut raised = false;
    for limit in limits {
        let (soft, hard) = getrlimit(limit.resource).map_err(Error::refused("getrlimit"))?;
        if limit.hard > hard {
            raised = true;
            sys::prlimit(pid, limit.resource, soft, limit.hard)
                .map_err(|errno| refused("prlimit", limit, errno))?;
        }
    }
    Ok(raised)
}

fn refused(call: &str, limit: &Limit, errno: Errno) -> Error {
    Error::refused(format!("{call} {:?} to {} (hard: {})", limit.resource, limit.soft, limit.hard))(errno)
        .with_cure(Errno::EPERM, CURE)
}

/// Writes `/proc/PID/oom_score_adj` (proc(5)), from outside: -1000 (never killed) to 1000.
///
/// # Errors
/// `EACCES` to lower it below what it was without CAP_SYS_RESOURCE, `EINVAL` outside of the range.
pub fn oom_score_adj(pid: Pid, value: i32) -> Result<()> {
    std::fs::write(format!("/proc/{pid}/oom_score_adj"), value.to_string()).map_err(|error| {
        Error::io(format!("write {value} to /proc/{pid}/oom_score_adj"))(error)
            .with_cure(Errno::EACCES, "raise /process/oomScoreAdj, or give the runtime CAP_SYS_RESOURCE")
    })
}
