//! What can go wrong. Each kind tells by its first words whose move it is.

use std::fmt;

use crate::machine::{self, Command, Outcome, State};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command failed. The exit code is 1 for all of them; that of a program in the container is never an error of ours.
#[derive(Debug)]
pub enum Error {
    /// The container is in a state in which the command is not allowed. Nothing has changed.
    Logical {
        /// What was to be done.
        command: Command,
        /// The container's id.
        id: String,
        /// Its state.
        state: State,
        /// What to do instead, with `ID` in place of the id.
        cure: &'static str,
    },
    /// The container was said to run, but its PID 1 is dead. Its state is stopped now.
    StalePid {
        /// The container's id.
        id: String,
        /// The number that its PID 1 had.
        pid: i32,
    },
    /// The machine, or the caller's rights on it, do not allow it. The container's state has not changed.
    Host {
        /// What was to be done.
        command: Command,
        /// What is missing, and what to do.
        problem: String,
    },
    /// The container, or a session in it, could not be made.
    Library(coracle::Error),
    /// The container's directory holds something that is not ours.
    Damaged {
        /// The file, what is wrong with it, and what to do.
        problem: String,
    },
}

/// Whether `command` is allowed in `state`, by the [`machine`]'s table.
///
/// # Errors
/// [`Error::Logical`] where it is not.
pub fn check(command: Command, id: &str, state: State) -> Result<()> {
    match machine::outcome(state, command) {
        Outcome::Refused(cure) => Err(Error::Logical { command, id: id.to_owned(), state, cure }),
        Outcome::Becomes(_) | Outcome::Stays => Ok(()),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Logical { command, id, state, cure } => {
                let cure = cure.replace("ID", id);
                write!(f, "logical state: {command}: container '{id}' is {state}: {cure}")
            }
            Error::StalePid { id, pid } => write!(
                f,
                "stale pid: container '{id}' is not running any more: its PID 1 ({pid}) is dead, and its state is \
                 stopped now; to run it again, delete it, and create it anew"
            ),
            Error::Host { command, problem } => write!(f, "host precondition: {command}: {problem}"),
            Error::Library(error) => error.fmt(f),
            Error::Damaged { problem } => f.write_str(problem),
        }
    }
}

impl std::error::Error for Error {}

impl From<coracle::Error> for Error {
    fn from(error: coracle::Error) -> Error {
        Error::Library(error)
    }
}
