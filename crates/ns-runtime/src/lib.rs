//! `ns-runtime`, the second front-end over the library `coracle`: a container's life in six commands, for people.
//!
//! Where `coracle` follows the OCI runtime-spec and what engines call, this one is simpler: `create` starts no process,
//! `start` does all of it, `state` is one word, `delete` ends what runs. A file a command, and between them
//!
//! | room | what it holds |
//! |---|---|
//! | [`machine`] | which command is allowed in which state, and what comes of it: one table |
//! | [`store`] | a container's directory: its record, its config, and the library's own directory of it |
//! | [`host`] | what the machine must have, before a process is made or entered |
//! | [`log`], [`error`] | what is told: the log, the exit code, one line for the user |

pub mod cli;
pub mod create;
pub mod delete;
pub mod error;
pub mod exec;
pub mod host;
pub mod log;
pub mod machine;
pub mod nsenter;
pub mod run;
pub mod start;
pub mod state;
pub mod store;

pub use error::{Error, Result};
