//! Huge pages, by their size.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Folder, folder, is_nothing, number, table};
use crate::error::{Error, Result};

/// In bytes.
#[derive(Debug, Default, Serialize)]
pub(super) struct Hugetlb {
    #[serde(skip_serializing_if = "is_nothing")]
    usage: u64,
    /// The most that was in use at once.
    #[serde(skip_serializing_if = "is_nothing")]
    max: u64,
    /// How often the limit was met.
    failcnt: u64,
}

/// Of the sizes that the group has files for.
pub(super) fn read(folder: &Folder) -> Result<BTreeMap<String, Hugetlb>> {
    let suffix = if folder.is_v2() { ".current" } else { ".usage_in_bytes" };
    let failed = Error::io(format!("list {}", folder.path.display()));
    let Some(files) = folder::or_gone(std::fs::read_dir(&folder.path).map_err(failed))? else {
        return Ok(BTreeMap::new());
    };
    let mut found = BTreeMap::new();
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let size = name.strip_prefix("hugetlb.").and_then(|name| name.strip_suffix(suffix));
        // What is reserved has files of its own: `hugetlb.2MB.rsvd.current`.
        if let Some(size) = size.filter(|size| !size.contains('.')) {
            found.insert(size.to_owned(), of_size(folder, size, &name)?);
        }
    }
    Ok(found)
}

fn of_size(folder: &Folder, size: &str, current: &str) -> Result<Hugetlb> {
    let value = |what: &str| Ok(number(folder, &format!("hugetlb.{size}.{what}"))?.unwrap_or(0));
    let usage = number(folder, current)?.unwrap_or(0);
    if folder.is_v2() {
        let events = table(folder, &format!("hugetlb.{size}.events"))?;
        return Ok(Hugetlb { usage, max: 0, failcnt: events.get("max").copied().unwrap_or(0) });
    }
    Ok(Hugetlb { usage, max: value("max_usage_in_bytes")?, failcnt: value("failcnt")? })
}
