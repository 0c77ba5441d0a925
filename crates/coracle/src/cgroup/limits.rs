//! `/linux/resources`: what of it we do, which controllers that needs, and the order of setting it.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxNetwork, LinuxResources};

use super::{Cgroup, Folder, cpu, cpuset, devices, memory, pids, v2};
use crate::error::{Error, Result};

/// A controller that a limit needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// Its name, such as `memory`.
    pub(super) controller: &'static str,
    /// Who needs it: a JSON pointer.
    pub(super) pointer: &'static str,
}

impl Need {
    /// The error where it is missing; `where_from` says in what.
    pub(super) fn missing(&self, where_from: &str) -> Error {
        let problem = format!(
            "needs the controller {:?}, and it is missing: {where_from}; let the kernel and the groups above have it, \
             or take the limit out",
            self.controller
        );
        Error::Config { pointer: self.pointer.into(), problem }
    }
}

/// Checks everything that can be found wrong in `resources` before anything is made. Empty objects and lists ask for
/// nothing.
///
/// # Errors
/// [`Error::Config`] with the JSON pointer.
pub fn check(resources: &LinuxResources) -> Result<()> {
    let not_done = [
        ("/linux/resources/blockIO", resources.block_io().as_ref().is_some_and(asks_for_block_io)),
        (
            "/linux/resources/hugepageLimits",
            resources.hugepage_limits().as_ref().is_some_and(|l| !l.is_empty()),
        ),
        ("/linux/resources/network", resources.network().as_ref().is_some_and(asks_for_network)),
        ("/linux/resources/rdma", resources.rdma().as_ref().is_some_and(|map| !map.is_empty())),
    ];
    if let Some((pointer, _)) = not_done.iter().find(|(_, asked)| *asked) {
        return Err(wrong(*pointer, "this version does not do this; take it out of the config"));
    }
    for file in resources.unified().iter().flatten().map(|(file, _)| file) {
        // A slash would lead to another group's files, and some files are no limits but doors.
        if file.contains('/') || !file.contains('.') || file.starts_with("cgroup.") {
            let problem = "is not the name of a controller's file, such as memory.high";
            return Err(wrong(format!("/linux/resources/unified/{}", file.replace('/', "~1")), problem));
        }
    }
    resources.memory().as_ref().map_or(Ok(()), memory::check)?;
    devices::rules(resources).map(drop)
}

fn asks_for_block_io(io: &LinuxBlockIo) -> bool {
    let some = |length: Option<usize>| length.unwrap_or(0) != 0;
    io.weight().unwrap_or(0) != 0
        || io.leaf_weight().unwrap_or(0) != 0
        || some(io.weight_device().as_ref().map(Vec::len))
        || some(io.throttle_read_bps_device().as_ref().map(Vec::len))
        || some(io.throttle_write_bps_device().as_ref().map(Vec::len))
        || some(io.throttle_read_iops_device().as_ref().map(Vec::len))
        || some(io.throttle_write_iops_device().as_ref().map(Vec::len))
}

fn asks_for_network(network: &LinuxNetwork) -> bool {
    network.class_id().unwrap_or(0) != 0 || network.priorities().as_ref().is_some_and(|list| !list.is_empty())
}

/// The controllers that `resources` needs. That of devices is none: version 2 has programs instead, and without
/// either, the runtime's own privilege decides.
pub(super) fn needed(resources: &LinuxResources) -> Vec<Need> {
    let memory = resources.memory().as_ref().is_some_and(memory::asked);
    let cpu = resources.cpu().as_ref();
    let all = [
        ("pids", "/linux/resources/pids", resources.pids().is_some_and(|pids| pids.limit() != 0)),
        ("memory", "/linux/resources/memory", memory),
        ("cpu", "/linux/resources/cpu", cpu.is_some_and(cpu::asked)),
        ("cpuset", "/linux/resources/cpu", cpu.is_some_and(cpuset::asked)),
    ];
    let asked = all.into_iter().filter(|(_, _, asked)| *asked);
    asked.map(|(controller, pointer, _)| Need { controller, pointer }).collect()
}

/// Sets all limits on the folders, which are there.
///
/// # Errors
/// What the kernel refuses, with file and value; [`Error::Config`] for what only version 1 can do where there is none.
pub(super) fn set(cgroup: &Cgroup, resources: &LinuxResources) -> Result<()> {
    devices::limit(cgroup, resources)?;
    for need in needed(resources) {
        let Some(folder) = cgroup.v1(need.controller).or(cgroup.v2()) else { continue };
        match need.controller {
            "pids" => resources.pids().iter().try_for_each(|pids| pids::limit_processes(folder, pids))?,
            "memory" => resources.memory().iter().try_for_each(|memory| set_memory(folder, &need, memory))?,
            "cpu" => resources.cpu().iter().try_for_each(|cpu| set_cpu(folder, &need, cpu))?,
            _ => resources.cpu().iter().try_for_each(|cpu| cpuset::limit(folder, cpu))?,
        }
    }
    match (resources.unified().as_ref().filter(|unified| !unified.is_empty()), cgroup.v2()) {
        (None, _) => Ok(()),
        (Some(unified), Some(folder)) => v2::set_unified(folder, unified),
        (Some(_), None) => Err(wrong(
            "/linux/resources/unified",
            "needs version 2 of control groups, and it is not mounted here",
        )),
    }
}

fn set_memory(folder: &Folder, need: &Need, memory: &LinuxMemory) -> Result<()> {
    if folder.is_v2() {
        refuse_v1_only(need, memory::asks_for_v1(memory))?;
        memory::limit_memory_v2(folder, memory)
    } else {
        memory::limit_memory_v1(folder, memory)?;
        memory::only_in_v1(folder, memory)
    }
}

fn set_cpu(folder: &Folder, need: &Need, cpu: &LinuxCpu) -> Result<()> {
    if folder.is_v2() {
        refuse_v1_only(need, cpu::asks_for_v1(cpu))?;
        cpu::limit_cpu_v2(folder, cpu)?;
    } else {
        cpu::limit_cpu_v1(folder, cpu)?;
        cpu::realtime(folder, cpu)?;
    }
    cpu::burst_and_idle(folder, cpu)
}

fn refuse_v1_only(need: &Need, name: Option<&str>) -> Result<()> {
    match name {
        Some(name) => Err(wrong(
            format!("{}/{name}", need.pointer),
            "version 2 of control groups, which this machine has, cannot do this; take it out of the config",
        )),
        None => Ok(()),
    }
}

/// An error in the config.
pub(super) fn wrong(pointer: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::Config { pointer: pointer.into(), problem: problem.into() }
}
