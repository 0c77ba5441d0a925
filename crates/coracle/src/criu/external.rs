//! What of a container comes from outside, so that CRIU does not look for it inside: mounts of the host's files, namespaces that
//! were joined, and standard input, output and error.

use std::collections::HashSet;
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::message::{CgroupRoot, Inherited, Pair};
use super::text;
use crate::cgroup::Cgroup;
use crate::error::{Error, Result};
use crate::mount::What;
use crate::namespace::{Kind, Namespaces};
use crate::plan::Plan;
use crate::procfs::{mount_line, unescaped};

/// The name of what covers a file that the container may not see.
const NULL: &str = "/dev/null";

/// The kinds of namespaces that CRIU leaves to us where they are joined, and the name of ours for each.
const NAMESPACES: [(Kind, &str); 2] = [(Kind::Network, "extRootNetNS"), (Kind::Pid, "extRootPidNS")];

/// A mount from outside.
struct Mount {
    /// Where it is inside.
    inside: PathBuf,
    /// What it is of.
    outside: PathBuf,
}

/// Those that the plan says, whether they are there or not.
fn planned(plan: &Plan, cgroup: &Cgroup) -> Vec<Mount> {
    let mut found = Vec::new();
    let own_view = plan.namespaces.own().any(|kind| kind == Kind::Cgroup);
    for mount in &plan.mounts {
        match &mount.what {
            What::Bind { source, .. } => {
                found.push(Mount { inside: mount.destination.clone(), outside: source.clone() });
            }
            // In a cgroup namespace these are file systems of its own.
            What::Cgroup if !own_view => found.extend(cgroup.folders.iter().map(|folder| {
                let name = folder.mount.file_name().filter(|_| cgroup.folders.len() > 1);
                Mount {
                    inside: name.map_or(mount.destination.clone(), |name| mount.destination.join(name)),
                    outside: folder.path.clone(),
                }
            })),
            _ => {}
        }
    }
    found.extend(
        plan.devices.iter().map(|device| Mount { inside: device.path.clone(), outside: device.path.clone() }),
    );
    found
}

/// The mounts from outside in the container of the process `pid`, to write them: where they are, and their names.
///
/// # Errors
/// Those of reading its mounts.
pub(crate) fn mounts_of(pid: Pid, plan: &Plan, cgroup: &Cgroup) -> Result<Vec<Pair>> {
    let text = mountinfo(pid)?;
    let there: HashSet<PathBuf> =
        text.lines().filter_map(mount_line).map(|line| PathBuf::from(unescaped(line.point))).collect();
    let named = |mount: Mount| Pair { key: super::text(&mount.inside), value: super::text(&mount.inside) };
    let mut found: Vec<Pair> =
        planned(plan, cgroup).into_iter().filter(|mount| there.contains(&mount.inside)).map(named).collect();
    // A folder is covered by a file system of the container's own.
    let covered = text.lines().filter_map(mount_line).filter(|line| line.root.ends_with("/null"));
    let of_mask = |point: String| {
        let masked = plan.masked.iter().any(|path| path == Path::new(&point));
        masked.then(|| Pair { key: point, value: NULL.to_owned() })
    };
    found.extend(covered.filter_map(|line| of_mask(unescaped(line.point))));
    Ok(found)
}

/// The same, to make them again: their names, and what they are of.
pub(crate) fn mounts_for(plan: &Plan, cgroup: &Cgroup) -> Vec<Pair> {
    let named = |mount: Mount| Pair { key: text(&mount.inside), value: text(&mount.outside) };
    let null = Pair { key: NULL.to_owned(), value: NULL.to_owned() };
    planned(plan, cgroup).into_iter().map(named).chain([null]).collect()
}

/// The namespaces of the process `pid` that it joined, in CRIU's words.
///
/// # Errors
/// Those of stat(2).
pub(crate) fn namespaces_of(pid: Pid, joined: &[Kind]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (kind, name) in NAMESPACES.iter().filter(|(kind, _)| joined.contains(kind)) {
        let path = format!("/proc/{pid}/ns/{}", kind.file());
        let inode = fs::metadata(&path).map_err(Error::io(format!("stat {path}")))?.ino();
        found.push(format!("{}[{inode}]:{name}", kind.file()));
    }
    Ok(found)
}

/// The namespaces to join, by descriptors of ours that CRIU keeps.
pub(crate) fn namespaces_for(namespaces: &Namespaces) -> Vec<(&'static str, BorrowedFd<'_>)> {
    NAMESPACES.iter().filter_map(|(kind, name)| Some((*name, namespaces.joins(*kind)?))).collect()
}

/// What standard input, output and error of the process `pid` are: names of pipes, and of files on no mount of the
/// container's (`file[MOUNT:INODE]`), which an engine's log is, and the host's /dev/null.
///
/// # Errors
/// Those of reading what /proc tells of them.
pub(crate) fn descriptors_of(pid: Pid) -> Result<Vec<String>> {
    let text = mountinfo(pid)?;
    let inside: HashSet<u64> = text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
    (0..3).map(|number| descriptor(pid, number, &inside)).collect()
}

fn descriptor(pid: Pid, number: u32, inside: &HashSet<u64>) -> Result<String> {
    let path = format!("/proc/{pid}/fd/{number}");
    let Ok(target) = fs::read_link(&path) else { return Ok(String::new()) };
    if !target.starts_with("/") {
        return Ok(super::text(&target));
    }
    let of = format!("/proc/{pid}/fdinfo/{number}");
    let told = fs::read_to_string(&of).map_err(Error::io(format!("read {of}")))?;
    let mount = told.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    match mount {
        Some(mount) if !inside.contains(&mount) => {
            let inode = fs::metadata(&path).map_err(Error::io(format!("stat {path}")))?.ino();
            Ok(format!("file[{mount:x}:{inode:x}]"))
        }
        _ => Ok(super::text(&target)),
    }
}

/// Those of the names that CRIU must be told of beforehand.
pub(crate) fn files(descriptors: &[String]) -> Vec<String> {
    let mut files: Vec<String> =
        descriptors.iter().filter(|name| name.starts_with("file[")).cloned().collect();
    files.sort();
    files.dedup();
    files
}

/// What stands for those that were from outside: our own standard input, output and error.
pub(crate) fn inherited(descriptors: &[String]) -> Vec<Inherited> {
    let from_outside = |name: &str| ["pipe:", "socket:", "file["].iter().any(|kind| name.starts_with(kind));
    let mut found: Vec<Inherited> = Vec::new();
    for (fd, name) in (0..).zip(descriptors) {
        // Output and error are often the same.
        if from_outside(name) && !found.iter().any(|other| other.key == *name) {
            found.push(Inherited { key: name.clone(), fd });
        }
    }
    found
}

/// Joined namespaces, as descriptors that CRIU keeps under the same number.
pub(crate) fn inherited_namespaces(namespaces: &[(&str, BorrowedFd<'_>)]) -> Vec<Inherited> {
    namespaces.iter().map(|(key, fd)| Inherited { key: (*key).to_owned(), fd: fd.as_raw_fd() }).collect()
}

/// The control groups that the process `pid` is in, as where those of the container are now.
///
/// # Errors
/// Those of reading `/proc/PID/cgroup`, whose lines are `ID:CONTROLLERS:PATH`.
pub(crate) fn cgroup_roots(pid: Pid) -> Result<Vec<CgroupRoot>> {
    let path = format!("/proc/{pid}/cgroup");
    let text = fs::read_to_string(&path).map_err(Error::io(format!("read {path}")))?;
    let mut found = Vec::new();
    for (controllers, path) in text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':')) {
        for controller in controllers.split(',') {
            let controller = Some(controller.to_owned()).filter(|name| !name.is_empty());
            found.push(CgroupRoot { controller, path: path.to_owned() });
        }
    }
    Ok(found)
}

fn mountinfo(pid: Pid) -> Result<String> {
    let path = format!("/proc/{pid}/mountinfo");
    fs::read_to_string(&path).map_err(Error::io(format!("read {path}")))
}
