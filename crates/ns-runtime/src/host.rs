//! What the machine must have.

use std::path::Path;

use crate::error::{Error, Result};
use crate::machine::Command;

/// Makes sure that /proc is there, and that of our own PID namespace: it tells whether a process is the one that we mean, and
/// leads to its namespaces. In another one's, a number is somebody else.
///
/// # Errors
/// [`Error::Host`].
pub fn require_proc(command: Command) -> Result<()> {
    // It names whoever asks, as that /proc counts; one that does not see us has no such link.
    let ours = std::fs::read_link("/proc/self").ok();
    if ours.as_deref() == Some(Path::new(&std::process::id().to_string())) {
        return Ok(());
    }
    let here = if ours.is_some() || Path::new("/proc/version").exists() {
        "/proc is that of another PID namespace"
    } else {
        "/proc is not mounted here"
    };
    let problem = format!(
        "{here}, and it alone tells whether a container's PID 1 lives: mount it, as root: mount -t proc proc /proc"
    );
    Err(Error::Host { command, problem })
}
