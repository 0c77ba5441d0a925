//! run: create and start in one.

use std::path::Path;

use coracle::explain::Explain;

use crate::create::{self, Made};
use crate::error::Result;
use crate::log::Log;
use crate::machine::Command;
use crate::start::{self, Mode};
use crate::{delete, host};

/// What becomes of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// We end as soon as the program runs.
    Detach,
    /// We wait for the program's end, and leave the stopped container for `delete`.
    Keep,
    /// We wait for the program's end, and remove the container.
    Remove,
}

/// The command. Returns the exit code to end with: the program's; 0 at once where we detach.
///
/// # Errors
/// Whatever kept the program from running. Nothing of the container is left then.
pub fn run(root: &Path, id: &str, bundle: &Path, after: After, log: &Log, explain: &Explain) -> Result<u8> {
    host::require_proc(Command::Run)?;
    let Made { locked, record, .. } = create::make(Command::Run, root, id, bundle, log, explain)?;
    let mode = if after == After::Detach { Mode::Detach } else { Mode::Attach };
    let dir = coracle::state::Dir::find(root, id)?;
    let running =
        start::begin(Command::Run, locked, record, mode, log, explain).inspect_err(|_| dir.forget())?;
    if after == After::Detach {
        return Ok(0);
    }
    let (code, left) = running.until_ended(log, explain)?;
    if let (After::Remove, Some(locked)) = (after, left) {
        delete::clear(&locked, explain)?;
    }
    Ok(code)
}
