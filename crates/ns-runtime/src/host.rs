//! What the machine must have.

use std::path::Path;

use crate::error::{Error, Result};
use crate::machine::Command;

/// Makes sure that /proc is there: it tells whether a process is the one that we mean, and leads to its namespaces.
///
/// # Errors
/// [`Error::Host`].
pub fn require_proc(command: Command) -> Result<()> {
    if Path::new("/proc/self/ns/pid").exists() {
        return Ok(());
    }
    let problem = "/proc is not mounted here, and it alone tells whether a container's PID 1 lives: \
                   mount it, as root: mount -t proc proc /proc"
        .to_owned();
    Err(Error::Host { command, problem })
}
