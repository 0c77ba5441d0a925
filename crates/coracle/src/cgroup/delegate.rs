//! Giving a group to a user, who may then make groups below it, and move their processes between them (cgroups(7),
//! "Delegation").

use std::os::unix::fs::chown;
use std::path::Path;

use nix::errno::Errno;

use super::{Cgroup, folder};
use crate::error::{Error, Result};

/// The files that may be given away, by the kernel's word.
const LIST: &str = "/sys/kernel/cgroup/delegate";

/// What they are where the kernel says nothing.
const FILES: &str = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

impl Cgroup {
    /// Makes `owner`, a user outside of the container, the owner of the folder and of those of its files that the kernel
    /// lists: the others hold the limits. Version 1 has no safe way to do so, and beside it version 2 is not what the
    /// container sees: then nothing is done (runtime-spec, config-linux.md, "Cgroup ownership").
    ///
    /// # Errors
    /// Those of chown(2): `EPERM` where the owner is not us and we are not root.
    pub(super) fn delegate(&self, owner: u32) -> Result<()> {
        let [folder] = &self.folders[..] else { return Ok(()) };
        if !folder.is_v2() {
            return Ok(());
        }
        let give = |path: &Path| {
            chown(path, Some(owner), None).map_err(Error::io(format!("chown {} to {owner}", path.display())))
        };
        give(&folder.path)?;
        let files = folder::or_gone(folder::read_file(Path::new(LIST)))?.unwrap_or_else(|| FILES.to_owned());
        for file in files.lines().filter(|file| !file.is_empty() && !file.contains('/')) {
            match give(&folder.path.join(file)) {
                Err(error) if error.errno() == Some(Errno::ENOENT) => {}
                other => other?,
            }
        }
        Ok(())
    }
}
