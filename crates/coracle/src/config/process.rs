//! `/process`.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::object::{only_objects, or_nothing};
use super::{CpuAffinity, IoPriority, Scheduler};

/// What a container runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Process {
    /// Whether it gets a terminal of its own.
    #[serde(default, deserialize_with = "or_nothing")]
    pub terminal: bool,
    /// The terminal's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_size: Option<ConsoleSize>,
    /// Who it is.
    pub user: User,
    /// The program and its arguments.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// `NAME=VALUE` each.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The absolute path that it starts in.
    pub cwd: String,
    /// What it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// Limits: setrlimit(2).
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub rlimits: Vec<Rlimit>,
    /// Whether no program that it executes can give it more rights.
    #[serde(default, deserialize_with = "or_nothing")]
    pub no_new_privileges: bool,
    /// AppArmor's profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor_profile: Option<String>,
    /// What the OOM killer adds to its badness: proc(5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    /// Its scheduling: sched_setattr(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// SELinux's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux_label: Option<String>,
    /// Its priority in the use of disks: ioprio_set(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<IoPriority>,
    /// The processors that a process of exec runs on.
    #[serde(rename = "execCPUAffinity", skip_serializing_if = "Option::is_none")]
    pub exec_cpu_affinity: Option<CpuAffinity>,
}

/// `/process/consoleSize`, in characters.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[allow(missing_docs, reason = "the names say it")]
pub struct ConsoleSize {
    pub height: u64,
    pub width: u64,
}

/// `/process/user`, by ids inside.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it")]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub additional_gids: Vec<u32>,
}

/// One of `/process/rlimits`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[allow(missing_docs, reason = "the names are the manual's")]
pub struct Rlimit {
    #[serde(rename = "type")]
    pub kind: String,
    pub hard: u64,
    pub soft: u64,
}

/// `/process/capabilities`: capabilities(7), by their names. Those that nobody knows are no error (config.md, "Linux
/// Process").
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self", default)]
#[allow(missing_docs, reason = "the names are the manual's")]
pub struct Capabilities {
    #[serde(deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub bounding: Vec<String>,
    #[serde(deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub effective: Vec<String>,
    #[serde(deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub inheritable: Vec<String>,
    #[serde(deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub permitted: Vec<String>,
    #[serde(deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub ambient: Vec<String>,
    /// Whether they were one list, which before version 1.0 meant all sets but the ambient one, and is none of later
    /// versions.
    #[serde(skip)]
    pub flat: bool,
}

only_objects!(Process, ConsoleSize, User, Rlimit);

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Capabilities::serialize(self, serializer)
    }
}

impl<'text> Deserialize<'text> for Capabilities {
    fn deserialize<D: Deserializer<'text>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SetsOrList)
    }
}

struct SetsOrList;

impl<'text> Visitor<'text> for SetsOrList {
    type Value = Capabilities;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'text>>(self, sets: A) -> Result<Capabilities, A::Error> {
        Capabilities::deserialize(MapAccessDeserializer::new(sets))
    }

    fn visit_seq<A: SeqAccess<'text>>(self, list: A) -> Result<Capabilities, A::Error> {
        let list = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(Capabilities {
            bounding: list.clone(),
            effective: list.clone(),
            inheritable: list.clone(),
            permitted: list,
            ambient: Vec::new(),
            flat: true,
        })
    }
}
