//! `/process/scheduler`, `/process/ioPriority` and `/process/execCPUAffinity` (runtime-spec, config.md, "Linux Process").

use serde::{Deserialize, Serialize};

use super::object::{only_objects, or_nothing};

/// `/process/scheduler`: sched_setattr(2).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Scheduler {
    /// Such as `SCHED_BATCH`.
    pub policy: String,
    /// -20 to 19, of the policies that share the processors fairly.
    #[serde(default, deserialize_with = "or_nothing")]
    pub nice: i32,
    /// 1 to 99, of the policies of real time.
    #[serde(default, deserialize_with = "or_nothing")]
    pub priority: i32,
    /// Such as `SCHED_FLAG_RESET_ON_FORK`.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Nanoseconds of a period that `SCHED_DEADLINE` guarantees.
    #[serde(default, deserialize_with = "or_nothing")]
    pub runtime: u64,
    /// Nanoseconds after the period's begin in which it does.
    #[serde(default, deserialize_with = "or_nothing")]
    pub deadline: u64,
    /// The period, in nanoseconds.
    #[serde(default, deserialize_with = "or_nothing")]
    pub period: u64,
}

/// `/process/ioPriority`: ioprio_set(2).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct IoPriority {
    /// Such as `IOPRIO_CLASS_BE`.
    pub class: String,
    /// 0, the highest, to 7. Required, but runc and crun take 0 where it is missing.
    #[serde(default, deserialize_with = "or_nothing")]
    pub priority: i32,
}

/// `/process/execCPUAffinity`: the processors of a process of exec, such as `0-3,7`; empty: not said.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct CpuAffinity {
    /// Those of the runtime that makes it, before it is in the container's control group.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "String::is_empty")]
    pub initial: String,
    /// Those of the process, from then on.
    #[serde(
        rename = "final",
        default,
        deserialize_with = "or_nothing",
        skip_serializing_if = "String::is_empty"
    )]
    pub last: String,
}

only_objects!(Scheduler, IoPriority, CpuAffinity);
