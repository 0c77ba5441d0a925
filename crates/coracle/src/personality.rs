//! The kernel that programs see: personality(2).

use crate::error::{Error, Result};
use crate::sys;

/// An execution domain (runtime-spec, config-linux.md, "Personality").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    /// The kernel as it is.
    Linux,
    /// On a processor of 64 bits, uname(2) tells of one of 32.
    Linux32,
}

impl Personality {
    /// The kernel's number: `PER_LINUX` and `PER_LINUX32` of include/uapi/linux/personality.h.
    fn number(self) -> libc::c_ulong {
        match self {
            Personality::Linux => 0x0000,
            Personality::Linux32 => 0x0008,
        }
    }
}

/// Gives this process, and what it becomes, a personality. Before seccomp: a filter may forbid the call.
///
/// # Errors
/// Those of personality(2).
pub fn set(personality: Personality) -> Result<()> {
    sys::personality(personality.number()).map_err(Error::refused(format!("personality {personality:?}")))
}
