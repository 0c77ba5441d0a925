//! What becomes of a system call (config-linux.md, "Seccomp"): nine names, eight answers of the kernel's.

/// The names of the actions, as libseccomp has them.
pub const NAMES: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

/// What becomes of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is done.
    Allow,
    /// It fails with an errno.
    Errno,
    /// The process ends by SIGSYS.
    KillProcess,
    /// The thread does.
    KillThread,
    /// It is done, and the kernel writes a line about it.
    Log,
    /// A supervisor outside decides.
    Notify,
    /// A tracer decides; without one it fails with ENOSYS.
    Trace,
    /// The thread gets a SIGSYS that it may handle.
    Trap,
}

impl Action {
    /// The action called `name`; `None` for another word. `SCMP_ACT_KILL` is the old name of `SCMP_ACT_KILL_THREAD`.
    pub fn named(name: &str) -> Option<Action> {
        Some(match name {
            "SCMP_ACT_ALLOW" => Action::Allow,
            "SCMP_ACT_ERRNO" => Action::Errno,
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
            "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
            "SCMP_ACT_LOG" => Action::Log,
            "SCMP_ACT_NOTIFY" => Action::Notify,
            "SCMP_ACT_TRACE" => Action::Trace,
            "SCMP_ACT_TRAP" => Action::Trap,
            _ => return None,
        })
    }

    /// The greatest number that the action takes with it; `None` where it takes none. Above it the kernel would quietly make
    /// it another: no errno is greater than 4095, and a tracer gets 16 bits.
    pub fn greatest_number(self) -> Option<u32> {
        match self {
            Action::Errno => Some(4095),
            Action::Trace => Some(libc::SECCOMP_RET_DATA),
            _ => None,
        }
    }
}

/// The filter's answer for `action`: `SECCOMP_RET_*` of seccomp(2) in the upper 16 bits, in the lower ones `number`, which
/// Errno (an errno) and Trace (a word for the tracer) take. Where the config gives none, it is that of EPERM.
pub fn encode(action: Action, number: Option<u32>) -> u32 {
    let kind = match action {
        Action::Allow => libc::SECCOMP_RET_ALLOW,
        Action::Errno => libc::SECCOMP_RET_ERRNO,
        Action::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        Action::KillThread => libc::SECCOMP_RET_KILL_THREAD,
        Action::Log => libc::SECCOMP_RET_LOG,
        Action::Notify => libc::SECCOMP_RET_USER_NOTIF,
        Action::Trace => libc::SECCOMP_RET_TRACE,
        Action::Trap => libc::SECCOMP_RET_TRAP,
    };
    match action.greatest_number() {
        Some(greatest) => kind | number.unwrap_or(libc::EPERM as u32) & greatest,
        None => kind,
    }
}

/// Whether a call with this answer is done, or a tracer sees to it: then what is newer than the profile is not forbidden.
pub fn lets_through(answer: u32) -> bool {
    let kinds = [libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_LOG, libc::SECCOMP_RET_TRACE];
    kinds.contains(&(answer & libc::SECCOMP_RET_ACTION_FULL))
}
