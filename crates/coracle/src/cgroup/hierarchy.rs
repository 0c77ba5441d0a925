//! Where the hierarchies of control groups are mounted, and which group in each is our own.

use std::path::{Component, Path, PathBuf};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use super::folder::read_file;
use crate::error::Result;
use crate::procfs::{MountLine, mount_line, unescaped};

/// Where a machine that has only version 2 has it.
pub(super) const UNIFIED: &str = "/sys/fs/cgroup";

/// The controllers that version 1 can mount (cgroups(7)). The other options of such a mount are none.
const CONTROLLERS: [&str; 15] = [
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
    "debug",
];

/// A hierarchy that is mounted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Its controllers in version 1, or `name=systemd` and the like; empty for version 2.
    pub(super) controllers: Vec<String>,
    /// Where it is mounted.
    pub(super) mount: PathBuf,
    /// The group that the mount shows as its root.
    root: PathBuf,
}

impl Hierarchy {
    /// The folder of the group `path` ([`super::Plan::path`]); `own` is what [`own_groups`] said. No part of `path`
    /// leads upwards.
    pub(super) fn folder(&self, path: &Path, own: &str) -> PathBuf {
        let mut folder = self.mount.clone();
        if path.is_relative() {
            let own = own_group(own, &self.controllers);
            let from = if self.controllers.is_empty() { own.parent().unwrap_or(own) } else { own };
            // In a cgroup namespace the mount's root may be above ours, and has no name then.
            folder
                .extend(from.strip_prefix(&self.root).into_iter().flat_map(Path::components).filter(is_name));
        }
        folder.extend(path.components().filter(is_name));
        folder
    }
}

fn is_name(part: &Component<'_>) -> bool {
    matches!(part, Component::Normal(_))
}

/// The hierarchies that can be seen from here. `roots`: whether it matters which group a mount shows as its root.
///
/// # Errors
/// Those of reading `/proc/self/mountinfo`.
pub(super) fn mounted(roots: bool) -> Result<Vec<Hierarchy>> {
    // The common case needs no list of mounts.
    if !roots && statfs(UNIFIED).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC) {
        return Ok(vec![Hierarchy { controllers: Vec::new(), mount: UNIFIED.into(), root: "/".into() }]);
    }
    Ok(from_mountinfo(&read_file(Path::new("/proc/self/mountinfo"))?))
}

/// What `/proc/self/cgroup` says.
///
/// # Errors
/// Those of reading it.
pub(super) fn own_groups() -> Result<String> {
    read_file(Path::new("/proc/self/cgroup"))
}

/// The group in the hierarchy of these controllers that `/proc/PID/cgroup` says, ours or another's. The lines are `ID:CONTROLLERS:PATH`; version 2 names none.
pub(super) fn own_group<'a>(own: &'a str, controllers: &[String]) -> &'a Path {
    let ours = own.lines().filter_map(|line| line.split_once(':')?.1.split_once(':')).find(|(names, _)| {
        let mut names = names.split(',').filter(|name| !name.is_empty());
        let count = names.clone().count();
        count == controllers.len() && names.all(|name| controllers.iter().any(|ours| ours == name))
    });
    Path::new(ours.map_or("/", |(_, path)| path))
}

fn from_mountinfo(text: &str) -> Vec<Hierarchy> {
    let mut lines: Vec<MountLine<'_>> = text.lines().filter_map(mount_line).collect();
    // Of several mounts the one at the place that everybody knows.
    lines.sort_by_key(|line| !Path::new(line.point).starts_with(UNIFIED));
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in lines.iter().filter(|line| matches!(line.kind, "cgroup" | "cgroup2")) {
        let named = |option: &&str| option.starts_with("name=") || CONTROLLERS.contains(option);
        let controllers: Vec<String> = match line.kind {
            "cgroup2" => Vec::new(),
            _ => line.options.split(',').filter(named).map(str::to_owned).collect(),
        };
        // A hierarchy may be mounted twice, and is one all the same; one without a name is none we know.
        let known = found.iter().any(|other| other.controllers == controllers);
        let nameless = line.kind == "cgroup" && controllers.is_empty();
        if !known && !nameless && visible(line, None, &lines) {
            let (mount, root) = (unescaped(line.point).into(), unescaped(line.root).into());
            found.push(Hierarchy { controllers, mount, root });
        }
    }
    found
}

/// Whether a path leads to this mount: the list also has those that lie below another one. `child`: the mount on it that is asked
/// for, which covers it where both have the same place, and is no less visible for it.
fn visible(line: &MountLine<'_>, child: Option<&MountLine<'_>>, lines: &[MountLine<'_>]) -> bool {
    let covered = lines.iter().any(|other| {
        let on_top = other.parent == line.id && other.point == line.point;
        let above = other.parent == line.parent
            && other.point != line.point
            && Path::new(line.point).starts_with(other.point);
        other.id != line.id && child.is_none_or(|child| other.id != child.id) && (on_top || above)
    });
    let parent = lines.iter().find(|other| other.id == line.parent && other.id != line.id);
    !covered && parent.is_none_or(|parent| visible(parent, Some(line), lines))
}
