//! `config.json`: one model of it (runtime-spec, config.md), for reading and for writing, in the order that people know
//! from other runtimes.
//!
//! What is required, is required here too; what is not, is left out when it is empty. `null` is nothing, in a list's or
//! an object's place as well: engines write it. Properties that are not listed are ignored, as the specification
//! demands ("Extensibility"). What is done with a property, the files of [`crate::bundle`] say.

mod hooks;
mod kernel;
mod linux;
mod object;
mod process;
mod resources;
mod scheduling;
mod seccomp;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use hooks::{Hook, Hooks};
pub use kernel::{IntelRdt, MemoryPolicy, Personality};
pub use linux::{Device, IdMapping, Linux, Namespace, NetDevice, TimeOffset};
pub use process::{Capabilities, ConsoleSize, Process, Rlimit, User};
pub use resources::{DeviceRule, HugepageLimit, Pids, Resources};
pub use scheduling::{CpuAffinity, IoPriority, Scheduler};
pub use seccomp::{Argument, Seccomp, Syscalls};

use object::{only_objects, or_nothing};

/// A `config.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Config {
    /// The specification's version that it is written for.
    pub oci_version: String,
    /// What runs. A container without it can be created, and not started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Where. Required, but nobody looks at it where a mount namespace is joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// The hostname inside; needs a UTS namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The domain name inside; needs a UTS namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// The container's file systems, in the order of their mounting.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Programs of the host's to run at certain steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks>,
    /// Whatever somebody wants to keep with the container.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What is Linux's own.
    #[serde(default, deserialize_with = "or_nothing")]
    pub linux: Linux,
}

/// `/root`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Root {
    /// The root filesystem, relative to the bundle or absolute.
    pub path: String,
    /// Whether it can be written from inside.
    #[serde(default, deserialize_with = "or_nothing")]
    pub readonly: bool,
}

/// One of `/mounts`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Mount {
    /// Absolute path inside.
    pub destination: String,
    /// Type of the file system.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As mount(8) has them.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// User ids of the files, seen through this mount.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMapping>,
    /// Group ids of the files, seen through this mount.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMapping>,
}

impl Mount {
    /// A mount without mappings.
    pub fn new(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
        Mount {
            destination: destination.into(),
            kind: Some(kind.into()),
            source: Some(source.into()),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            uid_mappings: Vec::new(),
            gid_mappings: Vec::new(),
        }
    }
}

only_objects!(Config, Root, Mount);
