//! What is measured of a group, and what it may have, under the names that runc's `events` gives it.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Group;

/// What is not there on this machine is left out.
#[derive(Debug, Default, Serialize)]
pub struct Stats {
    #[serde(skip_serializing_if = "Option::is_none")]
    l3_cache_info: Option<Cache>,
    #[serde(skip_serializing_if = "String::is_empty")]
    l3_cache_schema_root: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    l3_cache_schema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_bw_info: Option<Bandwidth>,
    #[serde(skip_serializing_if = "String::is_empty")]
    mem_bw_schema_root: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    mem_bw_schema: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mbm_stats: Vec<Traffic>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmt_stats: Vec<Occupancy>,
}

#[derive(Debug, Serialize)]
struct Cache {
    cbm_mask: String,
    min_cbm_bits: u64,
    num_closids: u64,
}

#[derive(Debug, Serialize)]
struct Bandwidth {
    bandwidth_gran: u64,
    delay_linear: u64,
    min_bandwidth: u64,
    num_closids: u64,
}

/// To and from memory, in bytes.
#[derive(Debug, Serialize)]
struct Traffic {
    mbm_total_bytes: u64,
    mbm_local_bytes: u64,
}

/// Of the cache, in bytes.
#[derive(Debug, Serialize)]
struct Occupancy {
    llc_occupancy: u64,
}

impl Group {
    /// What is known of it now.
    pub fn stats(&self) -> Stats {
        let root = self.folder.parent().unwrap_or(Path::new("/"));
        let (cache, bandwidth) = (root.join("info/L3"), root.join("info/MB"));
        let measured = self.monitor.as_ref().unwrap_or(&self.folder).join("mon_data");
        let mut domains: Vec<_> =
            fs::read_dir(measured).into_iter().flatten().flatten().map(|domain| domain.path()).collect();
        domains.sort();
        Stats {
            l3_cache_info: cache.is_dir().then(|| Cache {
                cbm_mask: text(&cache.join("cbm_mask")),
                min_cbm_bits: number(&cache.join("min_cbm_bits")).unwrap_or(0),
                num_closids: number(&cache.join("num_closids")).unwrap_or(0),
            }),
            l3_cache_schema_root: schema(root, "L3:"),
            l3_cache_schema: schema(&self.folder, "L3:"),
            mem_bw_info: bandwidth.is_dir().then(|| Bandwidth {
                bandwidth_gran: number(&bandwidth.join("bandwidth_gran")).unwrap_or(0),
                delay_linear: number(&bandwidth.join("delay_linear")).unwrap_or(0),
                min_bandwidth: number(&bandwidth.join("min_bandwidth")).unwrap_or(0),
                num_closids: number(&bandwidth.join("num_closids")).unwrap_or(0),
            }),
            mem_bw_schema_root: schema(root, "MB:"),
            mem_bw_schema: schema(&self.folder, "MB:"),
            mbm_stats: domains
                .iter()
                .filter_map(|domain| {
                    Some(Traffic {
                        mbm_total_bytes: number(&domain.join("mbm_total_bytes"))?,
                        mbm_local_bytes: number(&domain.join("mbm_local_bytes")).unwrap_or(0),
                    })
                })
                .collect(),
            cmt_stats: domains
                .iter()
                .filter_map(|domain| {
                    Some(Occupancy { llc_occupancy: number(&domain.join("llc_occupancy"))? })
                })
                .collect(),
        }
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn number(path: &Path) -> Option<u64> {
    text(path).parse().ok()
}

/// The line of one resource in a class's file `schemata`.
fn schema(class: &Path, resource: &str) -> String {
    let all = text(&class.join("schemata"));
    all.lines().map(str::trim).find(|line| line.starts_with(resource)).unwrap_or_default().to_owned()
}
