//! Coracle, an OCI container runtime whose source is meant to be read.
//!
//! The rooms, from the ground up; each needs only those before it:
//!
//! | room | what it holds |
//! |---|---|
//! | [`sys`] | system calls that no crate wraps; the only `unsafe` |
//! | [`error`], [`log`], [`explain`], [`time`] | what went wrong, what is being done |
//! | [`procfs`], [`signal`] | what /proc tells of a process; signals on their way to one |
//! | [`clock`] | the clocks of a time namespace |
//! | [`netlink`] | what the kernel is asked about network devices |
//! | [`namespace`], [`mapping`] | which namespaces a container gets, its names, who its root is outside |
//! | [`path`] | paths that cannot leave a root filesystem |
//! | [`config`] | `config.json`, as it is read and written |
//! | [`cgroup`] | control groups: limits that bite |
//! | [`rootfs`], [`mount`], [`device`], [`mask`] | from the host's tree to the container's own |
//! | [`user`], [`capability`], [`rlimit`], [`console`] | who the process is, what it may, where it speaks |
//! | [`scheduler`], [`memory_policy`], [`intel_rdt`], [`personality`] | when it runs, from which memory and cache, as which Linux |
//! | [`sysctl`], [`keyring`], [`label`] | the kernel's settings of its own, its keys, its labels |
//! | [`seccomp`] | which system calls it may make |
//! | [`program`], [`process`] | finding the program, and becoming it |
//! | [`seal`] | what the container must not reach: the runtime itself |
//! | [`hook`] | programs that run when something becomes of the container |
//! | [`plan`], [`bundle`], [`sandbox`] | from a config, or flags, to a checked plan |
//! | [`state`], [`lifecycle`], [`pid_file`] | the container's directory; which state it is in |
//! | [`channel`], [`birth`], [`exit`] | the words to the process that is made; its birth and its end |
//! | [`handover`] | descriptors for whoever listens: a terminal, a process |
//! | [`network`] | network devices that move into a container |
//! | [`witness`] | what is heard of a process under a filter |
//! | [`reaper`], [`init`] | what PID 1 does, in one numbered list |
//! | [`create`], [`start`], [`run`], [`exec`], [`kill`], [`delete`], [`pause`], [`ps`], [`list`], [`events`] | the verbs, one file each |
//! | [`criu`], [`checkpoint`], [`restore`] | a running container becomes files, and files a container |
//! | [`spec`], [`features`] | a config to begin with; what this runtime can do |
//! | [`cli`] | the command line |

pub mod birth;
pub mod bundle;
pub mod capability;
pub mod cgroup;
pub mod channel;
pub mod checkpoint;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod create;
pub mod criu;
pub mod delete;
pub mod device;
pub mod error;
pub mod events;
pub mod exec;
pub mod exit;
pub mod explain;
pub mod features;
pub mod handover;
pub mod hook;
pub mod init;
pub mod intel_rdt;
pub mod keyring;
pub mod kill;
pub mod label;
pub mod lifecycle;
pub mod list;
pub mod log;
pub mod mapping;
pub mod mask;
pub mod memory_policy;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod network;
pub mod path;
pub mod pause;
pub mod personality;
pub mod pid_file;
pub mod plan;
pub mod process;
pub mod procfs;
pub mod program;
pub mod ps;
pub mod reaper;
pub mod restore;
pub mod rlimit;
pub mod rootfs;
pub mod run;
pub mod sandbox;
pub mod scheduler;
pub mod seal;
pub mod seccomp;
pub mod signal;
pub mod spec;
pub mod start;
pub mod state;
pub mod sys;
pub mod sysctl;
pub mod time;
pub mod update;
pub mod user;
pub mod witness;

/// The version of the runtime-spec that we follow.
pub const OCI_VERSION: &str = "1.3.0";

pub use error::{Error, Result};
