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
//! | [`cgroup`], [`bpf`] | control groups: limits that bite; the program that guards devices |
//! | [`rootfs`], [`mount`], [`device`], [`mask`] | from the host's tree to the container's own |
//! | [`signal`], [`wait`] | signals on their way to the program; its end |
//! | [`user`], [`capability`], [`limit`], [`console`] | who the process is, what it may, where it speaks |
//! | [`program`], [`process`] | finding the program, and becoming it |
//! | [`seal`] | what the container must not reach: the runtime itself |
//! | [`config`] | `config.json`, as it is read and written |
//! | [`plan`], [`bundle`], [`sandbox`] | from a config, or flags, to a checked plan |
//! | [`state`], [`channel`] | the container's directory; the words between runtime and init |
//! | [`reaper`], [`init`] | what PID 1 does, in one numbered list |
//! | [`create`], [`start`], [`run`] | the verbs, one file each |
//! | [`spec`], [`features`] | a config to begin with; what this runtime can do |
//! | [`cli`] | the command line |

pub mod birth;
pub mod bpf;
pub mod bundle;
pub mod capability;
pub mod cgroup;
pub mod channel;
pub mod cli;
pub mod config;
pub mod console;
pub mod create;
pub mod delete;
pub mod device;
pub mod error;
pub mod exec;
pub mod explain;
pub mod features;
pub mod init;
pub mod kill;
pub mod limit;
pub mod list;
pub mod log;
pub mod mask;
pub mod mount;
pub mod namespace;
pub mod path;
pub mod pause;
pub mod pid_file;
pub mod plan;
pub mod proc;
pub mod process;
pub mod program;
pub mod ps;
pub mod reaper;
pub mod rootfs;
pub mod run;
pub mod sandbox;
pub mod seal;
pub mod signal;
pub mod spec;
pub mod start;
pub mod state;
pub mod status;
pub mod sys;
pub mod time;
pub mod user;
pub mod wait;

/// The version of the runtime-spec that we follow.
pub const OCI_VERSION: &str = "1.3.0";

pub use error::{Error, Result};
