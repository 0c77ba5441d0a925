//! What the machine must have.

use coracle::procfs;

use crate::error::{Error, Result};
use crate::machine::Command;

/// Makes sure that /proc is there, and that of our own PID namespace ([`procfs::require`]), before anything else is done: it
/// tells whether a process is the one that we mean, and leads to its namespaces.
///
/// # Errors
/// [`Error::Host`].
pub fn require_proc(command: Command) -> Result<()> {
    procfs::require().map_err(|error| Error::Host { command, problem: error.to_string() })
}
