//! `/linux/cgroupsPath` and `/linux/resources`: the control group that a config asks for.

use std::path::{Component, Path, PathBuf};

use nix::unistd::geteuid;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, LinuxHugepageLimit, LinuxPids, LinuxResources};

use super::wrong;
use crate::cgroup::systemd::Scope;
use crate::cgroup::{self, Driver, Plan};
use crate::config::{Config, DeviceRule, HugepageLimit, Linux, Mount, Resources};
use crate::error::Result;
use crate::explain::Explain;
use crate::mapping::{self, Mappings};
use crate::namespace::{Kind, Namespaces};

const POINTER: &str = "/linux/cgroupsPath";

/// The control group that a config asks for, to be made by `driver`; the one called `group`, where it says nothing of one.
///
/// # Errors
/// Those of [`path`], or of [`Scope::parse`]; at `/linux/resources` for a limit that is wrong or not done.
pub(super) fn plan(linux: &Linux, group: &str, driver: Driver, explain: &Explain) -> Result<Plan> {
    let asked = linux.cgroups_path.as_deref().filter(|path| !path.is_empty());
    let resources =
        linux.resources.as_ref().map_or_else(|| Ok(Default::default()), |r| resources(r, explain))?;
    cgroup::check(&resources)?;
    if driver == Driver::Systemd {
        let scope = Some(Scope::parse(asked, group)?);
        return Ok(Plan { path: PathBuf::new(), scope, resources, optional: false, owner: None });
    }
    let path = match asked {
        Some(asked) => path(Path::new(asked))?,
        None if mapping::is_root() => Path::new("/").join(group),
        // Where others may make groups at all, it is near their own.
        None => PathBuf::from(group),
    };
    let optional = asked.is_none() && !limits(&resources);
    Ok(Plan { path, scope: None, resources, optional, owner: None })
}

/// The user, outside of the container, who is given the control group: the process's, where it lives in a new user namespace
/// and a new cgroup namespace, and has its group's files to write to (config-linux.md, "Cgroup ownership"). Nobody where
/// that is us already.
pub(super) fn owner(
    config: &Config,
    process: u32,
    mappings: &Mappings,
    namespaces: &Namespaces,
) -> Option<u32> {
    let writable = |mount: &Mount| {
        mount.source.as_deref() == Some("cgroup")
            && mount.destination == "/sys/fs/cgroup"
            && !mount.options.iter().any(|option| option == "ro")
    };
    if !namespaces.has(Kind::User) || !namespaces.has(Kind::Cgroup) || !config.mounts.iter().any(writable) {
        return None;
    }
    let range = mappings
        .uids
        .iter()
        .find(|range| (range.inside..range.inside.saturating_add(range.size)).contains(&process))?;
    Some(range.outside + (process - range.inside)).filter(|owner| *owner != geteuid().as_raw())
}

/// `/linux/resources` as the types of the crate `oci-spec`, whose pids and huge pages have no word for "no limit".
///
/// # Errors
/// At `/linux/resources/devices/N/type` for an unknown kind of device.
pub fn resources(asked: &Resources, explain: &Explain) -> Result<LinuxResources> {
    let mut resources = LinuxResources::default();
    let devices: Result<Vec<_>> = asked.devices.iter().enumerate().map(device_rule).collect();
    resources.set_devices(Some(devices?).filter(|rules| !rules.is_empty()));
    resources.set_memory(asked.memory);
    #[allow(deprecated, reason = "a config may still have it")]
    if asked.memory.and_then(|memory| memory.kernel()).is_some_and(|limit| limit > 0) {
        explain.warn("/linux/resources/memory/kernel: ignored, for Linux has no such limit any more; `limit` counts it");
    }
    resources.set_cpu(asked.cpu.clone());
    if let Some(limit) = asked.pids.and_then(|pids| pids.limit) {
        if limit == 0 {
            explain.warn("/linux/resources/pids/limit: 0 read as no process but the first; -1 is no limit");
        }
        let mut pids = LinuxPids::default();
        pids.set_limit(limit);
        resources.set_pids(Some(pids));
    }
    let pages = asked.hugepage_limits.iter().map(huge_pages).collect();
    resources.set_hugepage_limits(Some(pages).filter(|limits: &Vec<_>| !limits.is_empty()));
    resources.set_block_io(asked.block_io.clone());
    resources.set_network(asked.network.clone());
    resources.set_rdma(asked.rdma.clone());
    resources.set_unified(asked.unified.clone());
    Ok(resources)
}

fn device_rule((n, asked): (usize, &DeviceRule)) -> Result<LinuxDeviceCgroup> {
    let kind = match asked.kind.as_deref() {
        None => None,
        Some("a") => Some(LinuxDeviceType::A),
        Some("b") => Some(LinuxDeviceType::B),
        Some("c") => Some(LinuxDeviceType::C),
        Some("u") => Some(LinuxDeviceType::U),
        Some("p") => Some(LinuxDeviceType::P),
        Some(other) => {
            let problem = format!("unknown value `{other}`; must be a, b or c");
            return Err(wrong(format!("/linux/resources/devices/{n}/type"), problem));
        }
    };
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(asked.allow).set_typ(kind).set_access(asked.access.clone());
    rule.set_major(asked.major).set_minor(asked.minor);
    Ok(rule)
}

/// The limit is unsigned in the specification and signed in the crate; what does not fit is more than any machine has.
fn huge_pages(asked: &HugepageLimit) -> LinuxHugepageLimit {
    let mut limit = LinuxHugepageLimit::default();
    limit.set_page_size(asked.page_size.clone()).set_limit(asked.limit.try_into().unwrap_or(i64::MAX));
    limit
}

/// The path of `/linux/cgroupsPath` below the root of every hierarchy: absolute, without `.` and `..`. A relative one
/// is below the root as well; a runtime may choose (config-linux.md, "Cgroups Path").
///
/// # Errors
/// For `..`, which could lead into somebody else's group; for the root itself; for systemd's `slice:prefix:name`.
pub fn path(asked: &Path) -> Result<PathBuf> {
    let shown = asked.display();
    let mut path = PathBuf::from("/");
    for part in asked.components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => return Err(wrong(POINTER, format!("{shown} must not have .. in it"))),
            _ => {}
        }
    }
    let bytes = asked.as_os_str().as_encoded_bytes();
    if asked.is_relative() && bytes.iter().filter(|byte| **byte == b':').count() == 2 {
        let problem =
            format!("{shown} is for systemd: give --systemd-cgroup, or a path such as /group/name here");
        return Err(wrong(POINTER, problem));
    }
    if bytes.contains(&0) || path == Path::new("/") {
        return Err(wrong(POINTER, format!("{shown:?} names no group below the root of the hierarchies")));
    }
    Ok(path)
}

/// Whether there is any limit in it. Device rules are none: every container has some.
pub fn limits(resources: &LinuxResources) -> bool {
    fn some<T: Default + PartialEq>(asked: &Option<T>) -> bool {
        asked.as_ref().is_some_and(|asked| *asked != T::default())
    }
    some(resources.memory())
        || some(resources.cpu())
        || resources.pids().is_some()
        || some(resources.block_io())
        || some(resources.hugepage_limits())
        || some(resources.network())
        || some(resources.rdma())
        || some(resources.unified())
}
