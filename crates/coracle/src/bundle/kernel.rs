//! `/linux/personality`, `/linux/memoryPolicy` and `/linux/intelRdt`.

use super::wrong;
use crate::config::{self, IntelRdt};
use crate::error::Result;
use crate::intel_rdt::{self, Wish};
use crate::memory_policy::{self, MemoryPolicy};
use crate::personality::Personality;
use crate::scheduler;

/// The personality that a config asks for.
///
/// # Errors
/// At `/linux/personality/domain` for an unknown one; at `/linux/personality/flags` for any: none is known.
pub(super) fn personality(asked: &config::Personality) -> Result<Personality> {
    if let Some(flag) = asked.flags.first() {
        let problem = format!("unknown value `{flag}`: no flag is known");
        return Err(wrong("/linux/personality/flags/0", problem));
    }
    match asked.domain.as_str() {
        "LINUX" => Ok(Personality::Linux),
        "LINUX32" => Ok(Personality::Linux32),
        other => {
            let problem = format!("unknown value `{other}`; must be LINUX or LINUX32");
            Err(wrong("/linux/personality/domain", problem))
        }
    }
}

/// The memory policy that a config asks for; `None` for an empty object, as runc has it.
///
/// # Errors
/// At `/linux/memoryPolicy/mode`, `/flags/N` or `/nodes`, for what set_mempolicy(2) has not, or would not take.
pub(super) fn memory_policy(asked: &config::MemoryPolicy) -> Result<Option<MemoryPolicy>> {
    if asked.mode.is_empty() && asked.nodes.is_empty() && asked.flags.is_empty() {
        return Ok(None);
    }
    let fail = |name: &str, problem: String| Err(wrong(format!("/linux/memoryPolicy/{name}"), problem));
    let Some((name, mode)) = memory_policy::MODES.into_iter().find(|known| known.0 == asked.mode) else {
        let known = memory_policy::MODES.map(|known| known.0).join(", ");
        return fail("mode", format!("invalid memory policy mode {:?}; must be one of {known}", asked.mode));
    };
    let mut flags = 0;
    for (n, flag) in asked.flags.iter().enumerate() {
        match memory_policy::FLAGS.into_iter().find(|known| known.0 == flag) {
            Some((_, bit)) => flags |= bit,
            None => {
                let known = memory_policy::FLAGS.map(|known| known.0).join(", ");
                let problem = format!("invalid memory policy flag {flag:?}; must be one of {known}");
                return fail(&format!("flags/{n}"), problem);
            }
        }
    }
    let nodes = match asked.nodes.as_str() {
        "" => Ok(Vec::new()),
        list => scheduler::numbers(list, memory_policy::MOST_NODES),
    };
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(problem) => {
            return fail("nodes", format!("invalid memory policy nodes {:?}: {problem}", asked.nodes));
        }
    };
    match memory_policy::takes_no_nodes(mode) {
        true if !nodes.is_empty() => {
            fail("nodes", format!("{name} mode requires 0 nodes but got {}", nodes.len()))
        }
        // Without nodes, it prefers the one where the process runs.
        false if nodes.is_empty() && mode != libc::MPOL_PREFERRED => {
            fail("nodes", format!("is missing or empty: {name} mode requires at least 1 node"))
        }
        _ => Ok(Some(MemoryPolicy { mode: mode | flags, nodes })),
    }
}

/// The folders of `resctrl` that are no class.
const NO_CLASS: [&str; 5] = [".", "..", "info", "mon_data", "mon_groups"];

/// The share of the processor that a config asks for; `None` where no `resctrl` is mounted, which [`super::refuse`] has
/// told by then.
///
/// # Errors
/// At `/linux/intelRdt/closID` for what is no folder's name; those of [`schemata`].
pub(super) fn intel_rdt(asked: &IntelRdt) -> Result<Option<Wish>> {
    let class = asked.clos_id.clone().filter(|class| !class.is_empty());
    let is_none = |class: &&String| NO_CLASS.contains(&class.as_str()) || class.contains(['/', '\0', '\n']);
    if let Some(class) = class.as_ref().filter(|class| *class != intel_rdt::DEFAULT).filter(is_none) {
        let problem = format!("invalid intelRdt.ClosID {class:?}: it names a folder in resctrl");
        return Err(wrong("/linux/intelRdt/closID", problem));
    }
    let schemata = schemata(asked)?;
    Ok(intel_rdt::mount_point().map(|root| Wish { root, class, schemata, monitor: asked.enable_monitoring }))
}

/// The share that an update asks for; `None` where it asks for none.
///
/// # Errors
/// Where no `resctrl` is mounted; those of [`schemata`].
pub fn intel_rdt_update(asked: &IntelRdt) -> Result<Option<Wish>> {
    if schemata(asked)?.is_empty() {
        return Ok(None);
    }
    match intel_rdt(asked)? {
        Some(wish) => Ok(Some(wish)),
        None => Err(wrong("/linux/intelRdt", "this machine has no resctrl mounted, which it needs")),
    }
}

/// What is written to a class's `schemata`, each by a write of its own: first the lines of the two old properties, where
/// those of memory's own go before what the cache's says of it; then the lines of the new one, which count.
///
/// # Errors
/// At `/linux/intelRdt/memBwSchema` and `/linux/intelRdt/schemata/N` for what is no line.
pub fn schemata(asked: &IntelRdt) -> Result<Vec<String>> {
    let fail = |name: &str, problem: String| Err(wrong(format!("/linux/intelRdt/{name}"), problem));
    let memory = asked.mem_bw_schema.as_deref().filter(|line| !line.is_empty());
    if let Some(line) = memory.filter(|line| !line.starts_with("MB:") || line.contains('\n')) {
        return fail("memBwSchema", format!("{line:?} must be one line that starts with MB:"));
    }
    let is_no_line = |line: &&String| !line.contains(':') || line.contains('\n');
    if let Some((n, line)) = asked.schemata.iter().enumerate().find(|(_, line)| is_no_line(line)) {
        return fail(&format!("schemata/{n}"), format!("{line:?} must be one line such as L3:0=f;1=f"));
    }
    let cache = asked.l3_cache_schema.as_deref().unwrap_or_default().lines();
    let cache = cache.filter(|line| !line.is_empty() && (memory.is_none() || !line.starts_with("MB:")));
    let old: Vec<_> = cache.chain(memory).collect();
    Ok([old.join("\n"), asked.schemata.join("\n")].into_iter().filter(|text| !text.is_empty()).collect())
}
