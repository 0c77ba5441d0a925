//! Coracle, an OCI container runtime whose source is meant to be read.
//!
//! The rooms, from the ground up; each needs only those before it:
//!
//! | room | what it holds |
//! |---|---|
//! | [`sys`] | system calls that no crate wraps; the only `unsafe` |
//! | [`error`], [`explain`] | what went wrong, what is being done |
//! | [`namespace`] | which namespaces a container gets, and its names |
//! | [`path`] | paths that cannot leave a root filesystem |
//! | [`rootfs`], [`mount`] | from the host's tree to the container's own |
//! | [`signal`], [`wait`] | signals on their way to the program; its end |
//! | [`program`] | finding the program, and becoming it |
//! | [`user`] | the user namespace's identities |
//! | [`plan`], [`bundle`], [`sandbox`] | from `config.json`, or flags, to a checked plan |
//! | [`state`], [`channel`] | the container's directory; the words between runtime and init |
//! | [`reaper`], [`init`] | what PID 1 does, in one numbered list |
//! | [`create`], [`start`], [`run`] | the verbs, one file each |
//! | [`cli`] | the command line |

pub mod bundle;
pub mod channel;
pub mod cli;
pub mod create;
pub mod error;
pub mod explain;
pub mod init;
pub mod mount;
pub mod namespace;
pub mod path;
pub mod plan;
pub mod program;
pub mod reaper;
pub mod rootfs;
pub mod run;
pub mod sandbox;
pub mod signal;
pub mod start;
pub mod state;
pub mod sys;
pub mod user;
pub mod wait;

pub use error::{Error, Result};
