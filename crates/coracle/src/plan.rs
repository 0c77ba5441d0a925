//! A checked plan of a container: everything that can be found wrong beforehand was.
//!
//! Init only carries it out. What a config says wrong is found on the way to a plan, so that it leaves nothing behind;
//! what only the kernel or the root filesystem can tell, init finds.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

use crate::cgroup;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::hook::{self, Hooks};
use crate::intel_rdt;
use crate::keyring::Keyring;
use crate::mapping::Mappings;
use crate::mount::Mount;
use crate::namespace::Namespaces;
use crate::network;
use crate::process::Process;
use crate::rootfs::Rootfs;
use crate::sysctl::Sysctl;

/// What is to be made.
#[derive(Debug)]
pub struct Plan {
    /// The container's id.
    pub id: String,
    /// Its bundle's folder, absolute; empty where there is none (`sandbox`).
    pub bundle: PathBuf,
    /// The bundle's config as it was read; empty where there is none.
    pub config: Vec<u8>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its own namespaces.
    pub namespaces: Namespaces,
    /// Who its root is, where it has a new user namespace.
    pub mappings: Mappings,
    /// Network devices of the host's that move into its network namespace.
    pub net_devices: Vec<network::Device>,
    /// Its hostname; `None` leaves the host's.
    pub hostname: Option<String>,
    /// Its NIS domain name; `None` leaves the host's.
    pub domainname: Option<String>,
    /// Its root filesystem; `None` leaves it the tree that its mount namespace has (`sandbox` without `--root`, and
    /// where no mount namespace is new).
    pub rootfs: Option<Rootfs>,
    /// Its file systems, in the order of their mounting.
    pub mounts: Vec<Mount>,
    /// Its devices, those that every container has among them; empty without a root filesystem.
    pub devices: Vec<Device>,
    /// Absolute paths inside that it may not see.
    pub masked: Vec<PathBuf>,
    /// Absolute paths inside that it may not write.
    pub read_only: Vec<PathBuf>,
    /// Its control group; `None` leaves it the runtime's.
    pub cgroup: Option<cgroup::Plan>,
    /// Its share of the processor's cache; `None` leaves it the runtime's.
    pub intel_rdt: Option<intel_rdt::Wish>,
    /// Settings of the kernel in its namespaces.
    pub sysctls: Vec<Sysctl>,
    /// Its session keyring; `None` leaves it the runtime's.
    pub keyring: Option<Keyring>,
    /// What it runs.
    pub process: Process,
    /// What runs when something becomes of it.
    pub hooks: Hooks,
    /// Whether a reaper of ours is its PID 1, with the program as its child.
    pub reaper: bool,
}

impl Plan {
    /// What hooks are told of its container: [`hook::told`].
    pub fn told(&self, status: impl Display, pid: Option<i32>) -> Vec<u8> {
        hook::told(&self.id, &self.bundle, &self.annotations, status, pid)
    }

    /// Asserts that there is something to run: a container without a process can be created (runtime-spec, config.md,
    /// "Process"), and no more.
    ///
    /// # Errors
    /// At `/process`.
    pub fn require_process(&self) -> Result<()> {
        if !self.process.args.is_empty() {
            return Ok(());
        }
        let problem = "is missing: nothing to run; create a container whose config has one".to_owned();
        Err(Error::Config { pointer: "/process".to_owned(), problem })
    }
}

/// How a container is to be created, beyond what is in its plan.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// The socket to send the terminal's other end to; `None` keeps it.
    pub console_socket: Option<PathBuf>,
    /// The socket to send init's pidfd to.
    pub pidfd_socket: Option<PathBuf>,
    /// The file to write init's number to, last of all.
    pub pid_file: Option<PathBuf>,
    /// How many descriptors after standard error the program keeps.
    pub preserve_fds: u32,
    /// Whether the root is changed without pivot_root(2), which a root on a ramfs does not allow.
    pub no_pivot: bool,
    /// Whether the container dies with this process.
    pub die_together: bool,
    /// Whether the word to start the program comes at once and from this process: then init waits for it where it
    /// listens already, and there is no start socket.
    pub at_once: bool,
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
