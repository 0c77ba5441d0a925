//! Processes and threads.

use serde::Serialize;

use super::{Cgroup, is_nothing, number};
use crate::error::Result;

#[derive(Debug, Default, Serialize)]
pub(super) struct Pids {
    #[serde(skip_serializing_if = "is_nothing")]
    current: u64,
    /// 0: none.
    #[serde(skip_serializing_if = "is_nothing")]
    limit: u64,
}

/// Where nobody counts them, the processes are counted here.
pub(super) fn read(cgroup: &Cgroup) -> Result<Pids> {
    let counted = cgroup.with("pids").map(|folder| number(folder, "pids.current")).transpose()?.flatten();
    let limit = cgroup.with("pids").map(|folder| number(folder, "pids.max")).transpose()?.flatten();
    Ok(Pids {
        current: match counted {
            Some(count) => count,
            None => cgroup.processes()?.len() as u64,
        },
        limit: limit.filter(|limit| *limit != u64::MAX).unwrap_or(0),
    })
}
