//! Start: the word to go on, and whether it worked.

use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::explain::{self, Explain};
use crate::state::Dir;

/// Starts the program of the created container in `dir`. Returns once execve has worked: init's end of the
/// connection is close-on-exec, so the kernel itself tells us.
///
/// # Errors
/// That of execve, such as "permission denied" for a file that is not executable.
pub fn start(dir: &Dir, explain: &Explain) -> Result<()> {
    explain.step(&explain::START, || match Channel::from_socket(dir.connect()?).receive()? {
        None => Ok(()),
        Some(Message::Failed(failure)) => Err(Error::Init(failure)),
        Some(_) => Err(Error::InitDied),
    })
}
