//! Groups below a container's, made by whoever it delegates to: where a session may have to go.

use std::borrow::Cow;
use std::path::{Component, Path};

use nix::unistd::Pid;

use super::{Cgroup, Folder, folder, hierarchy};
use crate::error::{Error, Result};

impl Cgroup {
    /// Where a session goes that asks for no other: into this group. But on version 2 a group that gives controllers to those
    /// below it may hold no process itself (cgroups(7), "no internal processes"), as in a container that systemd runs:
    /// then into the one below it that the container's `init` has gone to.
    ///
    /// # Errors
    /// Those of reading what the groups say.
    pub fn of_session(&self, init: Pid) -> Result<Cow<'_, Cgroup>> {
        let Some(at) = self.folders.iter().position(Folder::is_v2) else { return Ok(Cow::Borrowed(self)) };
        if self.folders[at].read("cgroup.subtree_control")?.trim().is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let groups = folder::read_file(Path::new(&format!("/proc/{init}/cgroup")))?;
        let mut cgroup = self.clone();
        let folder = &mut cgroup.folders[at];
        let path = hierarchy::own_group(&groups, &[]);
        let of_init = folder.mount.join(path.strip_prefix("/").unwrap_or(path));
        // It may have been moved out by somebody else, who is none of ours to follow.
        if of_init.starts_with(&folder.path) {
            folder.path = of_init;
        }
        Ok(Cow::Owned(cgroup))
    }

    /// The groups below this one that `wishes` name: `PATH`, in every hierarchy; or any number of `CONTROLLER:PATH` for some
    /// of version 1 (commas between their controllers), while in the others it stays this one.
    ///
    /// # Errors
    /// [`Error::Usage`] for a wish that is none, that leads elsewhere, or that is not there: nothing is made.
    pub fn below(&self, wishes: &[String]) -> Result<Cgroup> {
        let mut cgroup = self.clone();
        for wish in wishes {
            let wrong = |problem: String| Error::Usage { problem: format!("--cgroup {wish}: {problem}") };
            let (controllers, path) = wish.split_once(':').unwrap_or(("", wish));
            if controllers.is_empty() && wishes.len() > 1 {
                return Err(wrong("where there are more than one, each must be CONTROLLER:PATH".into()));
            }
            let path = Path::new(path.trim_start_matches('/'));
            if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
                return Err(wrong("must be a path below the container's group".into()));
            }
            let has = |folder: &Folder, name: &str| {
                name.is_empty() || folder.controllers.iter().any(|own| own == name)
            };
            let missing =
                controllers.split(',').find(|name| !self.folders.iter().any(|folder| has(folder, name)));
            if let Some(name) = missing {
                return Err(wrong(format!("the container has no control group {name}").trim_end().into()));
            }
            for (folder, own) in cgroup.folders.iter_mut().zip(&self.folders) {
                if !controllers.split(',').any(|name| has(own, name)) {
                    continue;
                }
                folder.path = own.path.join(path);
                if !folder.path.is_dir() {
                    let path = folder.path.display();
                    return Err(wrong(format!("{path}: no such file or directory; make it first")));
                }
            }
        }
        Ok(cgroup)
    }
}
