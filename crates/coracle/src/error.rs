//! What can go wrong, told to the person who must act: the step, the path or JSON pointer, the cause, the cure.

use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;

use serde::{Deserialize, Serialize};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a container could not be made, started or waited for. The texts are part of what engines rely on.
#[derive(Debug)]
pub enum Error {
    /// The kernel said no.
    Refused {
        /// The step of the narration (`--explain`) it belongs to; empty outside of any.
        step: &'static str,
        /// The call and what it was about, such as `sethostname "boat"`.
        call: String,
        /// The kernel's answer.
        errno: Errno,
        /// What to do about it, where we know; else empty.
        cure: &'static str,
    },
    /// `config.json` asks for something it may not, or that we do not do.
    Config {
        /// JSON pointer to the property, such as `/process/args`.
        pointer: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The bundle cannot be used.
    Bundle {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A container's id is not allowed.
    Id {
        /// The id as given.
        id: String,
        /// The rule it breaks.
        problem: &'static str,
    },
    /// The id is taken.
    Exists {
        /// The id as given.
        id: String,
        /// The container's directory.
        path: PathBuf,
    },
    /// There is no such container.
    NoContainer {
        /// The id as given.
        id: String,
        /// Where it was looked for.
        root: PathBuf,
    },
    /// The container has stopped, or its init has.
    NotRunning {
        /// Its id.
        id: String,
    },
    /// The container is in a state in which this can't be done.
    Status {
        /// What was to be done.
        verb: &'static str,
        /// The container's id.
        id: String,
        /// Its state.
        status: String,
        /// What to do.
        cure: &'static str,
    },
    /// There is no such signal.
    Signal {
        /// Its name as given.
        name: String,
    },
    /// What was asked for on the command line contradicts itself, or is not allowed.
    Usage {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// We were told to end while a container, or a session in one, was being made.
    Interrupted {
        /// By which signal.
        signal: i32,
        /// What was being made: `container` or `session`.
        what: &'static str,
        /// Whether a process of it is still there. It was killed; but one that stands still does not even die.
        left: bool,
    },
    /// systemd did not do what it was asked for.
    Systemd {
        /// What was to be done, such as `start libpod-1.scope`.
        asked: String,
        /// What it says, and what to do.
        problem: String,
    },
    /// The program is nowhere in the container's PATH.
    ProgramNotFound {
        /// Its name as given.
        name: String,
    },
    /// A hook failed.
    Hook {
        /// When it ran, as the config calls it.
        moment: &'static str,
        /// Its place in the list, from 0.
        number: usize,
        /// Its path.
        path: String,
        /// What is wrong, and the end of what it said.
        problem: String,
    },
    /// CRIU did not do it.
    Criu {
        /// What it was to do.
        verb: &'static str,
        /// What it says.
        said: String,
        /// Its log.
        log: PathBuf,
    },
    /// Init told us what stopped it.
    Init(Failure),
    /// Init ended without a word.
    InitDied,
    /// As [`Error::InitDied`], and the kernel has killed a process of its control group for memory.
    InitStarved,
    /// The process of an exec ended without a word.
    SessionDied,
}

impl Error {
    /// The kernel's `errno` to `call`, for use with `map_err`.
    pub fn refused(call: impl Into<String>) -> impl FnOnce(Errno) -> Error {
        let call = call.into();
        move |errno| Error::Refused { step: "", call, errno, cure: "" }
    }

    /// As [`Error::refused`], for the standard library's calls.
    pub fn io(call: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let call = call.into();
        move |error| Error::refused(call)(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    }

    /// A container in a state in which `verb` can't be done.
    pub fn status(verb: &'static str, id: &str, status: impl fmt::Display, cure: &'static str) -> Error {
        Error::Status { verb, id: id.to_owned(), status: status.to_string(), cure }
    }

    /// The same error with what to do about it, where it came from the kernel and has none yet.
    #[must_use]
    pub fn with_cure(mut self, when: Errno, text: &'static str) -> Error {
        if let Error::Refused { errno, cure, .. } = &mut self
            && *errno == when
            && cure.is_empty()
        {
            *cure = text;
        }
        self
    }

    /// The same error as part of `step`, where it came from the kernel and names none yet.
    #[must_use]
    pub fn at(mut self, name: &'static str) -> Error {
        if let Error::Refused { step, .. } = &mut self
            && step.is_empty()
        {
            *step = name;
        }
        self
    }

    /// Whether it is the end of a container that was created: a hook failed, or we were told to end while one ran
    /// (runtime-spec, runtime.md, "Lifecycle").
    pub fn ends_container(&self) -> bool {
        match self {
            Error::Hook { .. } | Error::Interrupted { .. } => true,
            Error::Init(failure) => failure.hook,
            _ => false,
        }
    }

    /// We were told to end by `signal`, while a container was being made of which nothing is left.
    pub fn interrupted(signal: i32) -> Error {
        Error::Interrupted { signal, what: "container", left: false }
    }

    /// The same interruption, that leaves a process behind.
    #[must_use]
    pub fn leaving(self, one: bool) -> Error {
        match self {
            Error::Interrupted { signal, what, left } => {
                Error::Interrupted { signal, what, left: left || one }
            }
            other => other,
        }
    }

    /// The same error of a session in a container, where it would be one of the container.
    #[must_use]
    pub fn of_session(self) -> Error {
        match self {
            Error::Interrupted { signal, left, .. } => Error::Interrupted { signal, what: "session", left },
            Error::InitDied => Error::SessionDied,
            other => other,
        }
    }

    /// The kernel's number behind it, where there is one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Refused { errno, .. } => Some(*errno),
            Error::ProgramNotFound { .. } => Some(Errno::ENOENT),
            Error::Init(failure) => failure.errno.map(Errno::from_raw),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused { step, call, errno, cure } => {
                if !step.is_empty() {
                    write!(f, "{step}: ")?;
                }
                // Engines look for the lower-case words of runc: "permission denied", "no such file or directory".
                write!(f, "{call}: {} ({errno:?})", errno.desc().to_lowercase())?;
                if !cure.is_empty() {
                    write!(f, "; {cure}")?;
                }
                Ok(())
            }
            Error::Config { pointer, problem } => write!(f, "config.json: {pointer}: {problem}"),
            Error::Bundle { path, problem } => write!(f, "bundle: {}: {problem}", path.display()),
            Error::Id { id, problem } => write!(f, "container id {id:?}: {problem}"),
            Error::Exists { id, path } => write!(
                f,
                "container id {id:?} already exists: choose another one, or remove it: coracle delete {id} (it is kept in {})",
                path.display()
            ),
            Error::NoContainer { id, root } => write!(
                f,
                "container {id:?} does not exist in {}: coracle list names those that do",
                root.display()
            ),
            Error::NotRunning { id } => write!(f, "container not running: {id:?} has stopped"),
            Error::Status { verb, id, status, cure } => {
                write!(f, "{verb}: container {id:?} is {status}: {cure}")
            }
            Error::Signal { name } => write!(
                f,
                "unknown signal {name:?}: give a name such as TERM or SIGTERM, or a number from 1 to 64"
            ),
            Error::Usage { problem } => f.write_str(problem),
            Error::Interrupted { signal, what, left: false } => {
                write!(f, "interrupted by signal {signal}: what was made of the {what} is gone again")
            }
            Error::Interrupted { signal, what, left: true } => write!(
                f,
                "interrupted by signal {signal}: what was made of the {what} is killed, but stands still; \
                 it ends when the container goes on: coracle resume ID"
            ),
            Error::Systemd { asked, problem } => write!(f, "systemd: {asked}: {problem}"),
            Error::ProgramNotFound { name } => write!(
                f,
                "find the program: exec: {name:?}: executable file not found in $PATH of the container; \
                 give its path inside the container, or set PATH"
            ),
            // runc's words come first: engines look for them.
            Error::Hook { moment, number, path, problem } => write!(
                f,
                "error running {moment} hook #{number}: {path}: {problem}; mend it, or take /hooks/{moment}/{number} out of the config"
            ),
            Error::Criu { verb, said, log } => {
                write!(
                    f,
                    "{verb}: criu failed: {said}; its log: {}; what it cannot do here: criu check",
                    log.display()
                )
            }
            Error::Init(failure) => f.write_str(&failure.text),
            Error::InitDied => f.write_str("the container's first process ended while it was being set up"),
            Error::InitStarved => f.write_str(
                "the container's first process was killed while it was being set up: its memory is too little for that; \
                 raise /linux/resources/memory/limit, or --memory",
            ),
            Error::SessionDied => f.write_str("the session ended while it was being set up"),
        }
    }
}

impl std::error::Error for Error {}

/// What stopped init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The whole message: step, call, cause, cure.
    pub text: String,
    /// The kernel's number, where it was the kernel.
    pub errno: Option<i32>,
    /// Whether it was a hook.
    #[serde(default)]
    pub hook: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let hook = matches!(error, Error::Hook { .. });
        let mut text = error.to_string();
        // A name in it may be as long as its owner likes; a message must fit into a packet.
        if let Some((end, _)) = text.char_indices().nth(4096) {
            text.truncate(end);
            text += " ...";
        }
        Failure { text, errno: error.errno().map(|errno| errno as i32), hook }
    }
}
