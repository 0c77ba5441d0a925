//! Id-mapped mounts: the same files with other owners (mount_setattr(2), "ID-mapped mounts").
//!
//! The kernel takes the mapping from a user namespace. So where the mapping is not that of a user namespace that is there,
//! one is made, in which nobody lives: the process that it is born with ends at once, and a descriptor holds it.
//!
//! Nothing is written to the disk. An id of the file system that the mapping does not know is seen as the overflow id
//! (/proc/sys/kernel/overflowuid), and who makes a file with an id that it does not know gets `EOVERFLOW`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::Mount;
use crate::channel::{self, Channel};
use crate::error::{Error, Result};
use crate::explain::Explain;
use crate::mapping::{self, Mappings};
use crate::namespace::{Kind, Namespaces};
use crate::{birth, sys};

/// Whose the files are that are seen through a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap {
    /// From the ids in the file system (inside) to those that are seen (outside, in the runtime's user namespace);
    /// `None`: those of the user namespace that the container joins.
    pub mappings: Option<Mappings>,
    /// In all mounts below as well.
    pub recursive: bool,
}

/// The user namespaces whose mappings were asked for so far.
pub(super) struct Known<'a> {
    joined: Option<BorrowedFd<'a>>,
    made: Vec<(Mappings, OwnedFd)>,
}

impl<'a> Known<'a> {
    /// None yet but the one that the container joins.
    pub(super) fn new(joined: Option<BorrowedFd<'a>>) -> Known<'a> {
        Known { joined, made: Vec::new() }
    }

    /// The user namespace of these mappings.
    fn of(&mut self, wanted: Option<&Mappings>) -> Result<BorrowedFd<'_>> {
        let Some(wanted) = wanted else {
            return self
                .joined
                .ok_or_else(|| Error::refused("find the user namespace to map by")(Errno::EINVAL));
        };
        let place = match self.made.iter().position(|(mappings, _)| mappings == wanted) {
            Some(place) => place,
            None => {
                self.made.push((wanted.clone(), make(wanted)?));
                self.made.len() - 1
            }
        };
        Ok(self.made[place].1.as_fd())
    }
}

/// Gives `copy`, the mount of `mount`, which hangs nowhere yet, its mapping.
///
/// # Errors
/// `EINVAL` for a file system that knows no such mounts, `EPERM` for one that is somebody else's; those of a user
/// namespace's making.
pub(super) fn apply(mount: &Mount, copy: BorrowedFd<'_>, idmap: &IdMap, known: &mut Known<'_>) -> Result<()> {
    let userns = known.of(idmap.mappings.as_ref())?;
    sys::mount_idmap(copy, idmap.recursive, userns).map_err(|errno| {
        mount.refused("mount_setattr MOUNT_ATTR_IDMAP")(errno)
            .with_cure(
                Errno::EINVAL,
                "its file system knows no id-mapped mounts on this kernel (tmpfs: from Linux 6.3)",
            )
            .with_cure(
                Errno::EPERM,
                "its file system belongs to another user namespace, the mount has a mapping already, \
                 or the container joins the host's own user namespace",
            )
            .with_cure(Errno::ENOSYS, "use Linux 5.12 or later")
    })
}

/// Makes a user namespace with these mappings, in which nobody is.
///
/// # Errors
/// Those of clone3(2) and of writing the mappings.
fn make(mappings: &Mappings) -> Result<OwnedFd> {
    let (ours, theirs) = channel::pair()?;
    // It must be there until it is mapped and opened; should we be killed meanwhile, it sees the end of the channel.
    let life = |channel: Channel| {
        if sys::close_all_but(&[channel.as_fd()], 0).is_ok() {
            let _ = channel.receive();
        }
    };
    let own = Namespaces::new([Kind::User]);
    let born = birth::give(&own, None, &ours, theirs, life, &Explain::silent())?;
    let opened = mapping::map(born.pid, mappings).and_then(|()| {
        let path = format!("/proc/{}/ns/user", born.pid);
        open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(Error::refused(format!("open {path}")))
    });
    born.bury();
    opened
}
