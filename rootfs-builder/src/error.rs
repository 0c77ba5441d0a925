//! One kind of error, for the person who must act on it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, where, why, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// What was being done: "check the program".
    pub step: &'static str,
    /// The file or directory it was done to.
    pub path: PathBuf,
    /// What went wrong.
    pub cause: String,
    /// What the user can do.
    pub cure: String,
}

impl Error {
    pub(crate) fn new(
        step: &'static str,
        path: &Path,
        cause: impl Into<String>,
        cure: impl Into<String>,
    ) -> Error {
        Error { step, path: path.to_owned(), cause: cause.into(), cure: cure.into() }
    }

    /// For `map_err`: an error of the system, whose cure follows from its kind.
    pub(crate) fn io(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |error| Error { step, path, cure: cure(&error).to_owned(), cause: error.to_string() }
    }
}

fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path; a directory above it must exist (mkdir -p)",
        io::ErrorKind::PermissionDenied => {
            "choose a place that you may write to, or change its mode or owner"
        }
        io::ErrorKind::ReadOnlyFilesystem => "choose a place on a filesystem that is mounted for writing",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room, raise the limit (ulimit -f), or choose another place"
        }
        io::ErrorKind::NotADirectory => "a part of the path is a file: choose another place",
        _ => "mend the cause and run the same command again: nothing was left behind",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}\n  cure: {}", self.step, self.path.display(), self.cause, self.cure)
    }
}

impl std::error::Error for Error {}
