//! Errors for the person who must act on them: step, path, cause, cure.

use std::fmt::Display;
use std::io;
use std::path::Path;

use anyhow::{Error, anyhow};

/// An error about the file or folder `path`.
pub(crate) fn about(step: &str, path: &Path, cause: impl Display, cure: impl Display) -> Error {
    anyhow!("{step} {}: {cause}\n  cure: {cure}", path.display())
}

/// For `map_err`: an error of the system, whose cure follows from its kind.
pub(crate) fn io<'a>(step: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |error| about(step, path, &error, cure(&error))
}

fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path; `oci-tool init BUNDLE` makes a bundle",
        io::ErrorKind::AlreadyExists => "choose another folder, or remove what is there",
        io::ErrorKind::PermissionDenied => "choose a place that you may write to, or run as its owner",
        io::ErrorKind::ReadOnlyFilesystem => "choose a place on a filesystem that is mounted for writing",
        io::ErrorKind::NotADirectory => "a part of the path is a file: choose another place",
        _ => "mend the cause and run the same command again: nothing half-made was left behind",
    }
}
