//! `/linux/resources` (runtime-spec, config-linux.md, "Control groups").

use std::collections::HashMap;

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxNetwork, LinuxRdma};
use serde::{Deserialize, Serialize};

use super::object::{only_objects, or_nothing};

/// Limits of a control group. The types of the crate `oci-spec` are taken where they mean what the specification does.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Resources {
    /// The rules in their order: the last one that fits counts.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceRule>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<LinuxMemory>,
    /// Processor time, and which processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<LinuxCpu>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<Pids>,
    /// The use of disks.
    #[serde(rename = "blockIO", skip_serializing_if = "Option::is_none")]
    pub block_io: Option<LinuxBlockIo>,
    /// Huge pages, one limit a size.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub hugepage_limits: Vec<HugepageLimit>,
    /// Marks on what is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<LinuxNetwork>,
    /// Remote direct memory access, by device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdma: Option<HashMap<String, LinuxRdma>>,
    /// Files of version 2 and what is written to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unified: Option<HashMap<String, String>>,
}

/// One of `/linux/resources/devices`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct DeviceRule {
    /// Whether it allows or denies.
    pub allow: bool,
    /// `c`, `b`, or `a` for both, as when it is missing.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Major number; missing or -1: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    /// Minor number; missing or -1: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// Of `r`, `w` and `m` (mknod).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
}

/// `/linux/resources/pids`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Pids {
    /// The most processes and threads; below 0: no limit. Since version 1.3 a missing one asks for nothing, and 0 is a
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// One of `/linux/resources/hugepageLimits`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct HugepageLimit {
    /// The size of the pages, such as `2MB`.
    pub page_size: String,
    /// The most bytes.
    pub limit: u64,
}

only_objects!(Resources, DeviceRule, Pids, HugepageLimit);
