//! Pause and resume: every process of a container stands still, and goes on.

use std::path::Path;

use crate::error::{Error, Result};
use crate::lifecycle::{self, Status};
use crate::state::Dir;

/// The verb `pause`: returns once every process of the container `id` below `root` stands still.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`] unless it is running or created.
pub fn pause(root: &Path, id: &str) -> Result<()> {
    let locked = Dir::find(root, id)?.lock()?;
    match lifecycle::of(&locked.dir)? {
        (state, Status::Running | Status::Created) if state.cgroup.shared => {
            let cure = "its control group is another container's too; pause that one";
            Err(Error::status("pause", id, "in company", cure))
        }
        (state, Status::Running | Status::Created) => state.cgroup.freeze(true),
        (_, status) => Err(Error::status("pause", id, status, "only a running container can be paused")),
    }
}

/// The verb `resume`: lets the processes of the paused container `id` below `root` go on.
///
/// # Errors
/// [`Error::NoContainer`]; [`Error::Status`] unless it is paused.
pub fn resume(root: &Path, id: &str) -> Result<()> {
    let locked = Dir::find(root, id)?.lock()?;
    match lifecycle::of(&locked.dir)? {
        (state, Status::Paused) => state.cgroup.freeze(false),
        (_, status) => Err(Error::status("resume", id, status, "only a paused container can be resumed")),
    }
}
