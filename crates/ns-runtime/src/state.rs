//! state: one word.

use std::path::Path;

use crate::error::Result;
use crate::host;
use crate::machine::{Command, State};
use crate::store::{self, Found};

/// The command: the container's state. What has stopped by itself is noted.
///
/// # Errors
/// As [`host::require_proc`] and [`store::look`].
pub fn state(root: &Path, id: &str) -> Result<State> {
    host::require_proc(Command::State)?;
    let Some(dir) = store::find(root, id)? else { return Ok(State::Unknown) };
    let Some(Found { record, state, .. }) = store::look(&dir)? else { return Ok(State::Unknown) };
    if state == State::Stopped && record.status != State::Stopped {
        store::note_stopped(dir)?;
    }
    Ok(state)
}
