//! `/linux/seccomp` (runtime-spec, config-linux.md, "Seccomp").

use serde::{Deserialize, Serialize};

use super::object::{only_objects, or_nothing};

/// Which system calls may be made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Seccomp {
    /// What becomes of calls that no rule is about.
    #[serde(default, deserialize_with = "or_nothing")]
    pub default_action: String,
    /// The number that goes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// Whose calls are known, beside the machine's own.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// Flags of seccomp(2); none is not the same as an empty list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// The socket of the supervisor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    /// What the supervisor is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_metadata: Option<String>,
    /// The rules.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub syscalls: Vec<Syscalls>,
}

/// One of `/linux/seccomp/syscalls`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Syscalls {
    /// The calls.
    #[serde(default, deserialize_with = "or_nothing")]
    pub names: Vec<String>,
    /// What becomes of them.
    pub action: String,
    /// The number that goes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// What their arguments must be.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Argument>,
}

/// One of `/linux/seccomp/syscalls/N/args`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Argument {
    /// Which one, from 0.
    pub index: u32,
    /// What it is compared with.
    pub value: u64,
    /// For the one operator that takes two.
    #[serde(default, deserialize_with = "or_nothing")]
    pub value_two: u64,
    /// How.
    pub op: String,
}

only_objects!(Seccomp, Syscalls, Argument);
