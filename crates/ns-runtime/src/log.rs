//! The log, on standard error: `[HH:MM:SS.mmm] [LEVEL] [ROLE] message: details`, with numbered steps; and what a command
//! says on standard output.

use std::cell::Cell;
use std::io::Write;

use coracle::explain::Explain;

use crate::error::{Error, Result};

/// How much is logged: what is of this level, and of those below it in this list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// Every step of the library, with its system calls.
    Debug,
    /// The steps of the command.
    #[default]
    Info,
    /// What was ignored, or is otherwise than somebody may think.
    Warn,
    /// What went wrong.
    Error,
}

/// Which process speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This one, and it makes no other.
    Host,
    /// This one, on the way to a process in the container. That one is the child, and the library speaks for it.
    Parent,
}

/// The log of one command.
#[derive(Debug)]
pub struct Log {
    level: Level,
    quiet: bool,
    role: Cell<Role>,
    steps: Cell<u32>,
}

impl Log {
    /// With what is of `level` and above; with `quiet`, errors' one line for the user is all that is told.
    pub fn new(level: Level, quiet: bool) -> Log {
        Log { level, quiet, role: Cell::new(Role::Host), steps: Cell::new(0) }
    }

    /// From here on, `role` speaks.
    pub fn speak_as(&self, role: Role) {
        self.role.set(role);
    }

    /// A command begins: its steps count from 1.
    pub fn begin(&self, words: &str) {
        self.steps.set(0);
        self.info(words);
    }

    /// A step of the command, with its number.
    pub fn step(&self, words: &str) {
        self.steps.set(self.steps.get() + 1);
        self.info(&format!("[{}] {words}", self.steps.get()));
    }

    /// Says something at level info.
    pub fn info(&self, words: &str) {
        self.say(Level::Info, words);
    }

    /// Says something at `level`.
    pub fn say(&self, level: Level, words: &str) {
        if self.quiet || level < self.level {
            return;
        }
        let name = match level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        let role = if self.role.get() == Role::Host { "HOST" } else { "PARENT" };
        // Where nobody can be told, the exit code still tells.
        let _ = std::io::stderr().write_all(coracle::log::line(name, role, words).as_bytes());
    }

    /// Tells of an error: to the log, and in one line to the user.
    pub fn error(&self, error: &Error) {
        self.say(Level::Error, &error.to_string());
        let _ = writeln!(std::io::stderr(), "Error: {error}");
    }

    /// Says a line of the command's outcome on standard output.
    pub fn tell(&self, words: &str) {
        if !self.quiet {
            // As above.
            let _ = writeln!(std::io::stdout(), "  {words}");
        }
    }

    /// The library's part of the log: its steps, and its warnings.
    ///
    /// # Errors
    /// `EMFILE` where no more descriptors are allowed.
    pub fn explain(&self) -> Result<Explain> {
        if self.quiet || self.level > Level::Warn {
            return Ok(Explain::silent());
        }
        Ok(Explain::lines_to_stderr(self.level == Level::Debug)?)
    }
}
