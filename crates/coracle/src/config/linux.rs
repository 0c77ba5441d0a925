//! `/linux` (runtime-spec, config-linux.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::object::{only_objects, or_nothing};
use super::{IntelRdt, MemoryPolicy, Personality, Resources, Seccomp};

/// What is Linux's own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Linux {
    /// User ids of a new user namespace.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMapping>,
    /// Group ids of a new user namespace.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMapping>,
    /// Settings of the kernel, from `/proc/sys`.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctl: BTreeMap<String, String>,
    /// Limits of the control group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The control group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroups_path: Option<String>,
    /// New namespaces and joined ones.
    #[serde(default, deserialize_with = "or_nothing")]
    pub namespaces: Vec<Namespace>,
    /// Nodes of the container's /dev, beside those that every container has.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Network devices of the host's to move into the container.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "BTreeMap::is_empty")]
    pub net_devices: BTreeMap<String, Option<NetDevice>>,
    /// Which system calls may be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
    /// What of mounts, made and taken away, the host and the container tell each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rootfs_propagation: Option<String>,
    /// Absolute paths that cannot be seen inside.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub masked_paths: Vec<String>,
    /// Absolute paths that cannot be written inside.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub readonly_paths: Vec<String>,
    /// SELinux's label of the mounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_label: Option<String>,
    /// Shares of the processor's cache and of its way to memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdt>,
    /// On which nodes memory is taken: set_mempolicy(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_policy: Option<MemoryPolicy>,
    /// The kernel that programs see: personality(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personality: Option<Personality>,
    /// The clocks of a new time namespace, by their names.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "BTreeMap::is_empty")]
    pub time_offsets: BTreeMap<String, Option<TimeOffset>>,
}

/// One of `/linux/uidMappings` and `/linux/gidMappings`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[allow(missing_docs, reason = "the names say it")]
pub struct IdMapping {
    #[serde(rename = "containerID")]
    pub container_id: u32,
    #[serde(rename = "hostID")]
    pub host_id: u32,
    pub size: u32,
}

/// One of `/linux/namespaces`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Namespace {
    /// Its kind, such as `mount`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The one that is joined; none: a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Namespace {
    /// A new namespace of this kind.
    pub fn new(kind: &str) -> Namespace {
        Namespace { kind: kind.into(), path: None }
    }
}

/// One of `/linux/devices`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Device {
    /// `c` or `u` for a character device, `b` for a block device, `p` for a fifo.
    #[serde(rename = "type")]
    pub kind: String,
    /// Absolute path inside.
    pub path: String,
    /// Major number; a fifo has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    /// Minor number; a fifo has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// Its permissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_mode: Option<u32>,
    /// Its owner, by the id inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its group, by the id inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// One of `/linux/netDevices`; its key is the device's name outside.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct NetDevice {
    /// Its name inside; none: the one that it has outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One of `/linux/timeOffsets`; its key is the clock's name.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct TimeOffset {
    /// Seconds that the clock inside is ahead of the one outside.
    #[serde(default, deserialize_with = "or_nothing")]
    pub secs: i64,
    /// Nanoseconds more.
    #[serde(default, deserialize_with = "or_nothing")]
    pub nanosecs: u32,
}

only_objects!(Linux, IdMapping, Namespace, Device, NetDevice, TimeOffset);
