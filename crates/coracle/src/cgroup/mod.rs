//! Control groups: limits that bite (cgroups(7)).
//!
//! A control group is a folder; its limits are files in it; a process is in it when `cgroup.procs` says so. Version 2
//! has one tree of folders, version 1 a tree (a hierarchy) for each controller or few. Both may be there at once, and a
//! container is in a folder of each: what asks "which processes are yours" may ask in any of them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, PathBuf};

use nix::errno::Errno;
use oci_spec::runtime::LinuxResources;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sys;

mod below;
mod cpu;
mod cpuset;
mod delegate;
mod devices;
mod folder;
mod freezer;
mod hierarchy;
mod hugetlb;
mod io;
mod kill;
mod limits;
mod memory;
mod network;
mod oom;
mod pids;
mod rdma;
mod remove;
mod settings;
mod stats;
pub mod systemd;
mod update;
mod v1;
mod v2;

pub use devices::{Access, Rule, rules};
pub use limits::check;
pub use oom::OomWatch;
pub use settings::Settings;
pub use stats::Stats;

/// Who makes control groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Driver {
    /// We do, as folders of their file system.
    #[default]
    Files,
    /// systemd does, when it is asked.
    Systemd,
}

/// The control group that a container asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its path. An absolute one is below the root of every hierarchy. A relative one is below the runtime's own group
    /// on version 1, and beside it on version 2, where a group that limits its children may hold no process.
    pub path: PathBuf,
    /// The scope to be, where systemd makes the group: then `path` says nothing.
    pub scope: Option<systemd::Scope>,
    /// Its limits, as [`check`] lets them pass.
    pub resources: LinuxResources,
    /// Whether the container may do without, where we may not make one: nobody asked for it by path or limit.
    pub optional: bool,
    /// The user, outside of the container, who may divide it: where its program is that of a user namespace and has the
    /// group's files to write to.
    pub owner: Option<u32>,
}

impl Plan {
    /// Whether the container may do without what failed with `error`.
    fn does_without(&self, error: &Error) -> bool {
        let forbidden = [Errno::EACCES, Errno::EPERM, Errno::EROFS];
        self.optional && error.errno().is_some_and(|errno| forbidden.contains(&errno))
    }
}

/// The control group of a container, in each hierarchy of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// The folders, each with the names of the controllers there (empty: version 2).
    pub folders: Vec<Folder>,
    /// Whether it is another container's, which this one joins: then its limits, its other processes and its end are
    /// none of our business.
    #[serde(default)]
    pub shared: bool,
    /// Its scope, where systemd has made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<systemd::Unit>,
}

/// A folder of a control group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// The controllers of this hierarchy of version 1, or `name=systemd`; empty for version 2.
    pub controllers: Vec<String>,
    /// The hierarchy's mount point.
    pub mount: PathBuf,
    /// The folder.
    pub path: PathBuf,
}

/// Where the control group of `plan` will be: what to note down before it is made. What is noted down may be killed and
/// removed later, so one that somebody asked for by path is looked at first: the root, or a group with processes in it,
/// never becomes a container's. Only a container that joins another one (`joining`: its PID namespace) and asks for no
/// limits may join that one's group as well.
///
/// # Errors
/// [`Error::Config`] where no hierarchy is mounted and the control group is not optional, or for the root; `EBUSY` for
/// a group that holds processes; those of reading `/proc/self/mountinfo`.
pub fn locate(plan: &Plan, joining: bool) -> Result<Cgroup> {
    if !plan.path.components().any(|part| matches!(part, Component::Normal(_))) {
        return Err(limits::wrong("/linux/cgroupsPath", "must name a group below the root"));
    }
    let hierarchies = hierarchy::mounted(plan.path.is_relative())?;
    if hierarchies.is_empty() && !plan.optional {
        return Err(limits::wrong(
            "/linux/cgroupsPath and /linux/resources",
            "no control groups are mounted here; mount them (mount -t cgroup2 cgroup2 /sys/fs/cgroup), or ask for \
             neither",
        ));
    }
    let own = if plan.path.is_relative() { hierarchy::own_groups()? } else { String::new() };
    let folder = |hierarchy: hierarchy::Hierarchy| Folder {
        path: hierarchy.folder(&plan.path, &own),
        mount: hierarchy.mount,
        controllers: hierarchy.controllers,
    };
    let folders: Vec<Folder> = hierarchies.into_iter().map(folder).collect();
    let mut shared = false;
    if !plan.optional {
        match folders.iter().try_for_each(folder::must_be_empty) {
            Err(error) if joining && error.errno() == Some(Errno::EBUSY) => {
                // Its limits would be the other one's, too.
                shared = limits::needed(&plan.resources).is_empty();
                if !shared {
                    return Err(error);
                }
                folders.iter().try_for_each(folder::must_run)?;
            }
            other => other?,
        }
    }
    Ok(Cgroup { folders, shared, unit: None })
}

/// The way into a control group's folders of version 1; empty where there are none.
#[derive(Debug, Default)]
pub struct Doors {
    tasks: Vec<OwnedFd>,
}

impl Doors {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Their descriptors.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.tasks.iter().map(AsFd::as_fd)
    }

    /// Puts the calling process, which has one thread, into the folders. The caller closes the
    /// descriptors ([`sys::close_all_but`]) before the container's root is entered.
    ///
    /// # Errors
    /// Those of write(2) on the file `tasks`: `ENOSPC` for a cpuset without CPU or memory node.
    pub fn enter(&self) -> Result<()> {
        self.tasks.iter().try_for_each(|tasks| v1::enter(tasks.as_fd()))
    }

    /// Leaves them to be closed with all other descriptors, or by the end of the process.
    pub fn leave_open(self) {
        sys::leave_open(self.tasks);
    }
}

impl Cgroup {
    /// Makes the folders and sets the limits, before any process is in. One that exists and is empty is used; no
    /// process may be in it, and it may not be frozen. On an error, what it made is gone again, and there is nothing to
    /// [`Cgroup::remove`]. Where the plan's control group is optional, `self` has only those folders afterwards that we may
    /// make: none, or those of a hierarchy that was delegated to us. One that is shared is there already, and keeps its
    /// limits.
    ///
    /// # Errors
    /// A controller that is missing, by its JSON pointer; `EBUSY` for a group that holds processes or is frozen;
    /// what the kernel refuses, with file and value.
    pub fn create(&mut self, plan: &Plan) -> Result<()> {
        if self.shared {
            return Ok(());
        }
        let settings = self.settings(&plan.resources)?;
        let mut made = Vec::new();
        self.make_folders(plan, &settings, &mut made)
            .and_then(|()| settings.apply(self))
            .and_then(|()| plan.owner.map_or(Ok(()), |owner| self.delegate(owner)))
            .or_else(|error| self.undo(plan, &made, error))
    }

    /// Makes the folders, with those above them that are missing; `made` takes what was not there before. Those that the plan can
    /// do without, and that we may not make, are `self`'s no more.
    ///
    /// # Errors
    /// Those of [`Cgroup::make`].
    fn make_folders(&mut self, plan: &Plan, settings: &Settings, made: &mut Vec<PathBuf>) -> Result<()> {
        let mut without = Vec::new();
        for folder in &self.folders {
            match self.make(folder, settings, made) {
                Err(error) if plan.does_without(&error) => without.push(folder.path.clone()),
                other => other?,
            }
        }
        self.folders.retain(|folder| !without.contains(&folder.path));
        Ok(())
    }

    /// Makes one of the folders, with those above it that are missing; `made` takes what was not there before.
    ///
    /// # Errors
    /// Those of mkdir(2), and of giving it its controllers; `EBUSY` for one that holds processes or is frozen.
    fn make(&self, folder: &Folder, settings: &Settings, made: &mut Vec<PathBuf>) -> Result<()> {
        if !folder.is_v2() {
            return v1::make(folder, made);
        }
        // Beside version 1, whose hierarchies hold the controllers, only what is asked for.
        let all = self.folders.len() == 1;
        v2::make(folder, &self.needed_of_v2(settings), all, made)
    }

    /// The controllers that version 2 must have for `settings`.
    fn needed_of_v2<'a>(&self, settings: &'a Settings) -> Vec<&'a limits::Need> {
        settings.needs.iter().filter(|need| need.unified || self.v1(&need.controller).is_none()).collect()
    }

    /// Removes again the folders that were `made` before `error`, the last one first.
    ///
    /// # Errors
    /// `error`, unless the plan can do without a control group and we may not make one: then `self` has no folder.
    fn undo(&mut self, plan: &Plan, made: &[PathBuf], error: Error) -> Result<()> {
        for folder in made.iter().rev() {
            // Somebody else may have put a group of theirs into a parent of ours by now: then it stays.
            let _ = std::fs::remove_dir(folder);
        }
        if plan.does_without(&error) {
            self.folders.clear();
            return Ok(());
        }
        Err(error)
    }

    /// Has systemd stop its unit, when it is removed; `false` where there is none.
    ///
    /// # Errors
    /// [`Error::Systemd`].
    pub fn stop_unit(&self) -> Result<bool> {
        match &self.unit {
            // Whoever is in its folder now is in another unit of the same name.
            Some(unit) if self.folders.iter().all(|folder| !folder.path.exists()) => {
                unit.stop().map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// The folder to be born in (clone3(2), CLONE_INTO_CGROUP): that of version 2, if there is one. The caller closes
    /// it; nobody may be left who has it open in the container.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn birthplace(&self) -> Result<Option<OwnedFd>> {
        self.v2().map(v2::open_folder).transpose()
    }

    /// The scope into which only systemd can put a process. A user's part of the tree is theirs, and what is above it is not: so
    /// an ordinary user who is elsewhere in the tree, as in a session by ssh, can neither move there nor be born there (cgroups(7),
    /// "Cgroups v2 delegation"). Their systemd can have it done.
    pub fn doorkeeper(&self) -> Option<&systemd::Unit> {
        self.unit.as_ref().filter(|unit| unit.owner == systemd::Owner::User)
    }

    /// The way into the folders of version 1 hierarchies, in which nobody can be born: opened by who may, for a process
    /// that goes in itself ([`Doors::enter`]).
    ///
    /// # Errors
    /// Those of open(2): `EACCES` without the right, `ENOENT` where the group is gone.
    pub fn doors(&self) -> Result<Doors> {
        let v1 = self.folders.iter().filter(|folder| !folder.is_v2());
        Ok(Doors { tasks: v1.map(v1::open_door).collect::<Result<_>>()? })
    }

    /// The folder of version 2.
    fn v2(&self) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.is_v2())
    }

    /// The folder of version 1 that has this controller.
    fn v1(&self, controller: &str) -> Option<&Folder> {
        let name = if controller == "io" { "blkio" } else { controller };
        self.folders.iter().find(|folder| folder.controllers.iter().any(|other| other == name))
    }

    /// The folder that has this controller, or may be given it. Those of networks are version 1's alone.
    fn with(&self, controller: &str) -> Option<&Folder> {
        self.v1(controller).or_else(|| self.v2().filter(|_| !controller.starts_with("net_")))
    }
}
