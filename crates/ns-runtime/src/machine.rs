//! The state machine: what each command does to a container in each state. The one place that says so; the commands look
//! it up, the tests try every line of it, and the book draws it.

use std::fmt;

use serde::{Deserialize, Serialize};

use Command::{Create, Delete, Exec, Run, Start, State as Ask};
use Outcome::{Becomes, Refused, Stays};
use State::{Created, Running, Stopped, Unknown};

/// A container's state, by the word that `state` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is no such container, or none any more.
    Unknown,
    /// Its config is checked and kept; no process runs.
    Created,
    /// Its program runs, as its PID 1.
    Running,
    /// Its program has ended.
    Stopped,
}

/// A command about a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Keep a container's config.
    Create,
    /// Start its program.
    Start,
    /// Both.
    Run,
    /// One more process in it.
    Exec,
    /// End it, and remove what is left.
    Delete,
    /// Ask for its state.
    State,
}

/// What a command does to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeds, and the state is another one.
    Becomes(State),
    /// It succeeds, and the state is what it was.
    Stays,
    /// It is an error, and changes nothing; and what to do instead, with `ID` in place of the id.
    Refused(&'static str),
}

const TAKEN: &str =
    "that id already exists: choose another one, or remove the container: ns-runtime delete ID";
const NONE: &str = "there is no such container: ns-runtime create --bundle=DIR ID makes one";
const ONCE: &str = "it ran, and cannot run again: delete it, and create it anew";

/// Every state and every command. A running container also becomes stopped by itself, when its PID 1 ends: no command
/// does that.
pub const TABLE: [(State, Command, Outcome); 24] = [
    (Unknown, Create, Becomes(Created)),
    (Unknown, Start, Refused(NONE)),
    (Unknown, Run, Becomes(Running)),
    (Unknown, Exec, Refused(NONE)),
    (Unknown, Delete, Stays),
    (Unknown, Ask, Refused(NONE)),
    (Created, Create, Refused(TAKEN)),
    (Created, Start, Becomes(Running)),
    (Created, Run, Refused(TAKEN)),
    (Created, Exec, Refused("its program does not run yet: ns-runtime start ID")),
    (Created, Delete, Becomes(Unknown)),
    (Created, Ask, Stays),
    (Running, Create, Refused(TAKEN)),
    (Running, Start, Refused("its program runs already: ns-runtime exec ID opens a shell beside it")),
    (Running, Run, Refused(TAKEN)),
    (Running, Exec, Stays),
    (Running, Delete, Becomes(Unknown)),
    (Running, Ask, Stays),
    (Stopped, Create, Refused(TAKEN)),
    (Stopped, Start, Refused(ONCE)),
    (Stopped, Run, Refused(TAKEN)),
    (Stopped, Exec, Refused(ONCE)),
    (Stopped, Delete, Becomes(Unknown)),
    (Stopped, Ask, Stays),
];

/// What `command` does to a container that is in `state`.
pub fn outcome(state: State, command: Command) -> Outcome {
    let line = TABLE.iter().find(|(from, what, _)| (*from, *what) == (state, command));
    line.expect("the table has a line for every state and every command").2
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unknown => "unknown",
            Created => "created",
            Running => "running",
            Stopped => "stopped",
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Create => "create",
            Start => "start",
            Run => "run",
            Exec => "exec",
            Delete => "delete",
            Ask => "state",
        })
    }
}
