//! A checked plan of a container: everything that can be found wrong beforehand was.
//!
//! Init only carries it out. What a config says wrong is found on the way to a plan, so that it leaves nothing behind;
//! what only the kernel or the root filesystem can tell, init finds.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::mount::Mount;
use crate::namespace::Namespaces;
use crate::program::Process;
use crate::user::Mappings;

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The container's id.
    pub id: String,
    /// Its own namespaces.
    pub namespaces: Namespaces,
    /// Who its root is, where it has a user namespace.
    pub mappings: Mappings,
    /// Its hostname; `None` leaves the host's.
    pub hostname: Option<String>,
    /// Its root directory on the host, absolute; `None` leaves it the host's tree (`sandbox` without `--root`).
    pub rootfs: Option<PathBuf>,
    /// Its file systems, in the order of their mounting.
    pub mounts: Vec<Mount>,
    /// What it runs.
    pub process: Process,
    /// Whether a reaper of ours is its PID 1, with the program as its child.
    pub reaper: bool,
}

/// Checks a container's id: it becomes the name of a directory.
///
/// # Errors
/// [`Error::Id`] with the rule.
pub fn check_id(id: &str) -> Result<()> {
    let fail = |problem| Err(Error::Id { id: id.to_owned(), problem });
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    match id {
        "" => fail("must not be empty"),
        "." | ".." => fail("must not be the name of a folder above"),
        _ if id.len() > 255 => fail("must not be longer than 255 bytes, the longest name of a directory"),
        _ if !id.chars().all(allowed) => fail("may hold letters, digits and _ + - . only"),
        _ => Ok(()),
    }
}
