//! `/linux/resources`: which controllers it needs, and what is written to their files.

use std::collections::HashMap;

use oci_spec::runtime::LinuxResources;

use super::settings::{List, Settings};
use super::{Cgroup, cpu, cpuset, devices, hugetlb, io, memory, network, pids, rdma, v2};
use crate::error::{Error, Result};

/// A controller that a limit needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// Its name, such as `memory`.
    pub(super) controller: String,
    /// Who needs it: a JSON pointer.
    pub(super) pointer: String,
    /// Whether it must be version 2's.
    pub(super) unified: bool,
}

impl Need {
    /// The error where it is missing; `where_from` says in what.
    pub(super) fn missing(&self, where_from: &str) -> Error {
        let problem = format!(
            "needs the controller {:?}, and it is missing: {where_from}; let the kernel and the groups above have it, \
             or take the limit out",
            self.controller
        );
        Error::Config { pointer: self.pointer.clone(), problem }
    }
}

/// Checks everything that can be found wrong in `resources` before anything is made, whatever the machine has. Empty
/// objects and lists ask for nothing.
///
/// # Errors
/// [`Error::Config`] with the JSON pointer.
pub fn check(resources: &LinuxResources) -> Result<()> {
    let at = |name: &str| format!("/linux/resources/{name}");
    if let Some((name, problem)) = resources.memory().as_ref().and_then(memory::check) {
        return Err(wrong(at(&format!("memory/{name}")), problem));
    }
    if let Some((name, problem)) = resources.cpu().as_ref().and_then(cpu::check) {
        return Err(wrong(at(&format!("cpu/{name}")), problem));
    }
    if let Some((name, problem)) = resources.block_io().as_ref().and_then(io::check) {
        return Err(wrong(at(&format!("blockIO/{name}")), problem));
    }
    if let Some((n, problem)) = resources.hugepage_limits().as_deref().and_then(hugetlb::check) {
        return Err(wrong(at(&format!("hugepageLimits/{n}/pageSize")), problem));
    }
    if let Some(n) = resources.network().as_ref().and_then(network::check) {
        return Err(wrong(at(&format!("network/priorities/{n}/name")), "is no device's name"));
    }
    if let Some((name, problem)) = resources.rdma().as_ref().and_then(rdma::check) {
        return Err(wrong(at(&format!("rdma/{}", escaped(name))), problem));
    }
    for file in resources.unified().iter().flatten().map(|(file, _)| file) {
        v2::check_unified(file)
            .map_err(|problem| wrong(at(&format!("unified/{}", escaped(file))), problem))?;
    }
    devices::rules(resources).map(drop)
}

/// A name as a part of a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The controllers that `resources` needs. That of devices is none: version 2 has programs instead, and without
/// either, the runtime's own privilege decides.
pub(super) fn needed(resources: &LinuxResources) -> Vec<Need> {
    let memory = resources.memory().as_ref().is_some_and(memory::asked);
    let (cpu, network) = (resources.cpu().as_ref(), resources.network().as_ref());
    let all = [
        ("pids", "pids", resources.pids().is_some()),
        ("memory", "memory", memory),
        ("cpu", "cpu", cpu.is_some_and(cpu::asked)),
        ("cpuset", "cpu", cpu.is_some_and(cpuset::asked)),
        ("io", "blockIO", resources.block_io().as_ref().is_some_and(io::asked)),
        (
            "hugetlb",
            "hugepageLimits",
            resources.hugepage_limits().as_ref().is_some_and(|list| !list.is_empty()),
        ),
        ("net_cls", "network/classID", network.is_some_and(network::asks_for_class)),
        ("net_prio", "network/priorities", network.is_some_and(network::asks_for_priorities)),
        ("rdma", "rdma", resources.rdma().as_ref().is_some_and(|devices| !devices.is_empty())),
    ];
    let need = |controller: &str, name: &str, unified| Need {
        controller: controller.to_owned(),
        pointer: format!("/linux/resources/{name}"),
        unified,
    };
    let asked = all.into_iter().filter(|(.., asked)| *asked);
    let mut needed: Vec<Need> = asked.map(|(controller, name, _)| need(controller, name, false)).collect();
    for (file, _) in sorted(resources.unified()) {
        if let Some(controller) = v2::controller(file) {
            needed.push(need(controller, &format!("unified/{}", escaped(file)), true));
        }
    }
    needed
}

impl Cgroup {
    /// What `resources` asks of it, file by file: everything that can be found wrong before anything is made was.
    ///
    /// # Errors
    /// [`Error::Config`] at the limit for which this machine has no controller, or one of the wrong version.
    pub fn settings(&self, resources: &LinuxResources) -> Result<Settings> {
        let mut settings =
            Settings { needs: Vec::new(), devices: Some(devices::rules(resources)?), lists: Vec::new() };
        for need in needed(resources) {
            let folder = if need.unified { self.v2() } else { self.with(&need.controller) };
            let Some(folder) = folder else {
                return Err(need.missing("no hierarchy on this machine"));
            };
            if !need.unified {
                let mut list = List::of(folder);
                ask(&mut list, &need, resources)?;
                settings.lists.push((folder.clone(), list));
            }
            settings.needs.push(need);
        }
        // Last: what it says counts.
        match (sorted(resources.unified()), self.v2()) {
            (files, _) if files.is_empty() => {}
            (files, Some(folder)) => settings.lists.push((folder.clone(), v2::unified(folder, &files))),
            (_, None) => {
                let problem = "needs version 2 of control groups, and it is not mounted here";
                return Err(wrong("/linux/resources/unified", problem));
            }
        }
        Ok(settings)
    }
}

/// Adds what the controller of `need` is asked for.
///
/// # Errors
/// [`Error::Config`] for what only version 1 can do where there is version 2: "If the conversion is not possible the runtime
/// MUST generate an error" (runtime-spec, config-linux.md, "Unified").
fn ask(list: &mut List, need: &Need, resources: &LinuxResources) -> Result<()> {
    let v2 = list.is_v2();
    let only_v1 = |name: Option<&str>| match name.filter(|_| v2) {
        Some(name) => Err(wrong(
            format!("{}/{name}", need.pointer),
            "version 2 of control groups, which this machine has, cannot do this; take it out of the config",
        )),
        None => Ok(()),
    };
    match (need.controller.as_str(), resources) {
        ("pids", r) => r.pids().iter().for_each(|pids| pids::limit_processes(list, pids)),
        ("memory", r) => {
            if let Some(memory) = r.memory() {
                only_v1(memory::asks_for_v1(memory))?;
                if v2 {
                    memory::limit_memory_v2(list, memory);
                } else {
                    memory::limit_memory_v1(list, memory);
                    memory::only_in_v1(list, memory);
                }
            }
        }
        ("cpu", r) => {
            if let Some(cpu) = r.cpu() {
                only_v1(cpu::asks_for_v1(cpu))?;
                if v2 {
                    cpu::limit_cpu_v2(list, cpu);
                } else {
                    cpu::limit_cpu_v1(list, cpu);
                    cpu::realtime(list, cpu);
                }
                cpu::burst_and_idle(list, cpu);
            }
        }
        ("cpuset", r) => r.cpu().iter().for_each(|cpu| cpuset::limit(list, cpu)),
        ("io", r) => {
            if let Some(io) = r.block_io() {
                only_v1(io::asks_for_v1(io))?;
                if v2 { io::limit_v2(list, io) } else { io::limit_v1(list, io) }
            }
        }
        ("hugetlb", r) => r.hugepage_limits().iter().for_each(|limits| hugetlb::limit(list, limits)),
        ("net_cls", r) => r.network().iter().for_each(|network| network::class(list, network)),
        ("net_prio", r) => r.network().iter().for_each(|network| network::priorities(list, network)),
        (_, r) => r.rdma().iter().for_each(|devices| rdma::limit(list, devices)),
    }
    Ok(())
}

/// The files of `/linux/resources/unified` in the order of their names, each with its value.
fn sorted(unified: &Option<HashMap<String, String>>) -> Vec<(&str, &str)> {
    let mut files: Vec<_> = unified.iter().flatten().map(|(file, value)| (&**file, &**value)).collect();
    files.sort_unstable();
    files
}

/// In most limits 0 means what a missing one means.
pub(super) fn set<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

/// An error in the config.
pub(super) fn wrong(pointer: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::Config { pointer: pointer.into(), problem: problem.into() }
}
