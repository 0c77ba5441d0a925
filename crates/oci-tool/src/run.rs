//! `run`: hands a bundle to a runtime.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::error;

/// Becomes `RUNTIME run --bundle BUNDLE ID`: the exit status is the container's. It returns only if it cannot.
///
/// # Errors
/// The runtime cannot be executed; there is no id, and the folder's name is none.
pub fn run(
    runtime: &OsStr,
    root: Option<&Path>,
    keep: bool,
    bundle: &Path,
    id: Option<String>,
) -> Result<()> {
    let folder = bundle.canonicalize().map_err(error::io("find the bundle", bundle))?;
    let id = match id {
        Some(id) => id,
        None => named_after(&folder)?,
    };
    let mut command = Command::new(runtime);
    command.args(root_option(root)).arg("run");
    if keep {
        command.arg("--keep");
    }
    let failed = command.arg("--bundle").arg(&folder).arg(id).exec();
    let cure = "name an OCI runtime with --runtime, such as --runtime runc";
    Err(error::about("run the runtime", Path::new(runtime), failed, cure))
}

/// `--root DIR`, where one is given.
pub(crate) fn root_option(root: Option<&Path>) -> Vec<OsString> {
    root.map(|root| vec!["--root".into(), root.into()]).unwrap_or_default()
}

/// The runtime that is meant where none is named: the `coracle` beside this program, else the one in PATH.
pub fn default_runtime() -> OsString {
    let beside = std::env::current_exe().unwrap_or_default().with_file_name("coracle");
    if beside.is_file() { beside.into() } else { PathBuf::from("coracle").into() }
}

fn named_after(folder: &Path) -> Result<String> {
    let name = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
    coracle::plan::check_id(name).map_err(|problem| {
        anyhow!("name the container after its bundle: {problem}\n  cure: give an ID behind the bundle")
    })?;
    Ok(name.to_owned())
}
