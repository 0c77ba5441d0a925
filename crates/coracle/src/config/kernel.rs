//! `/linux/intelRdt`, `/linux/memoryPolicy` and `/linux/personality` (runtime-spec, config-linux.md).

use serde::{Deserialize, Serialize};

use super::object::{only_objects, or_nothing};

/// `/linux/intelRdt`: shares of the processor's cache and of its way to memory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct IntelRdt {
    /// The class of service; none: one of the container's own.
    #[serde(rename = "closID", skip_serializing_if = "Option::is_none")]
    pub clos_id: Option<String>,
    /// Lines of the file `schemata`.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub schemata: Vec<String>,
    /// The line of the cache of level 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l3_cache_schema: Option<String>,
    /// The line of the way to memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem_bw_schema: Option<String>,
    /// Whether the container is measured.
    #[serde(default, deserialize_with = "or_nothing")]
    pub enable_monitoring: bool,
}

/// `/linux/memoryPolicy`: on which nodes memory is taken.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct MemoryPolicy {
    /// Such as `MPOL_INTERLEAVE`.
    #[serde(default, deserialize_with = "or_nothing")]
    pub mode: String,
    /// Such as `0-3,7`.
    #[serde(default, deserialize_with = "or_nothing")]
    pub nodes: String,
    /// Such as `MPOL_F_STATIC_NODES`.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// `/linux/personality`: the kernel that programs see.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Personality {
    /// `LINUX` or `LINUX32`.
    pub domain: String,
    /// None is known.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

only_objects!(IntelRdt, MemoryPolicy, Personality);
