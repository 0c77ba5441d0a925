//! The clocks of a time namespace (time_namespaces(7)): how far each is ahead of the host's.
//!
//! An offset can be set while nobody lives in the namespace, and never again. So who makes one does not go into it, as
//! clone3(2) would: unshare(2) makes it for those who are born later, the offsets are written, and then there is a birth.

use std::fmt::Write;

use nix::errno::Errno;
use nix::sched::unshare;

use crate::error::{Error, Result};
use crate::namespace::Kind;

/// A clock that a time namespace has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time since some moment, without the time that the machine slept: `CLOCK_MONOTONIC` and its kind.
    Monotonic,
    /// Time since the machine's start: `CLOCK_BOOTTIME` and its kind, and /proc/uptime.
    Boottime,
}

/// All of them.
pub const CLOCKS: [Clock; 2] = [Clock::Monotonic, Clock::Boottime];

impl Clock {
    /// Its name in `config.json`, which is the kernel's (proc_pid_timens_offsets(5)).
    pub fn name(self) -> &'static str {
        match self {
            Clock::Monotonic => "monotonic",
            Clock::Boottime => "boottime",
        }
    }
}

/// How far a clock inside is ahead of the one outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Which.
    pub clock: Clock,
    /// Seconds; fewer than 0: it is behind.
    pub seconds: i64,
    /// Nanoseconds more, below 1000000000.
    pub nanoseconds: u32,
}

const OFFSETS: &str = "/proc/self/timens_offsets";

/// Makes a time namespace with these offsets for those that this process gives birth to. The process itself stays where it
/// is, and every later birth of its own is there as well: so it should be one that soon ends.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN and CAP_SYS_TIME; `EINVAL` on a kernel without time namespaces (before Linux 5.6);
/// `ERANGE` for a clock that would begin before 0, or be more than 146 years ahead.
pub fn set_apart(offsets: &[Offset]) -> Result<()> {
    unshare(Kind::Time.flag()).map_err(|errno| {
        Error::refused("unshare CLONE_NEWTIME")(errno)
            .with_cure(
                Errno::EINVAL,
                "this kernel has no time namespaces: take the one of /linux/namespaces out",
            )
            .with_cure(Errno::EPERM, "run as root, or with a new user namespace")
    })?;
    let text = lines(offsets);
    std::fs::write(OFFSETS, &text).map_err(|error| {
        Error::io(format!("write {text:?} to {OFFSETS}"))(error)
            .with_cure(
                Errno::ERANGE,
                "no clock may begin before 0, and none be 146 years ahead: see /linux/timeOffsets",
            )
            .with_cure(Errno::EPERM, "setting a clock needs CAP_SYS_TIME")
    })
}

/// One line a clock: its name, seconds, nanoseconds.
fn lines(offsets: &[Offset]) -> String {
    offsets.iter().fold(String::new(), |mut text, offset| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {} {}", offset.clock.name(), offset.seconds, offset.nanoseconds);
        text
    })
}
