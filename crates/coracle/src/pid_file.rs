//! The pid file: how an engine learns the number of a process that was made for it.

use std::ffi::OsString;
use std::path::Path;

use nix::unistd::Pid;

use crate::error::{Error, Result};

/// Writes `pid` to the file at `path`: decimal, without a newline, as runc does. Who sees the file sees all of it.
///
/// # Errors
/// Those of open(2), write(2), rename(2).
pub fn write(path: &Path, pid: Pid) -> Result<()> {
    let failed = || Error::io(format!("write the pid file {}", path.display()));
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let new = path.with_file_name(name);
    std::fs::write(&new, pid.to_string()).map_err(failed())?;
    std::fs::rename(&new, path).map_err(failed())
}
