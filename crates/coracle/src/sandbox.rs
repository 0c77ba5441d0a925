//! `coracle sandbox`: a container from flags alone, without a bundle.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::mount::Mount;
use crate::namespace::{Kind, Namespaces};
use crate::plan::Plan;
use crate::program::{self, DEFAULT_PATH, Process};
use crate::rootfs;
use crate::user::{self, Mappings};

/// What `coracle sandbox` is asked for.
#[derive(Debug, Default)]
pub struct Wish {
    /// The root filesystem; `None`: the host's tree, in a mount namespace of its own.
    pub rootfs: Option<PathBuf>,
    /// The hostname; `None` leaves the host's.
    pub hostname: Option<String>,
    /// Additional `NAME=value`.
    pub env: Vec<OsString>,
    /// Whether PID 1 is a reaper.
    pub reaper: bool,
    /// The program and its arguments.
    pub command: Vec<OsString>,
}

/// Makes the plan: new namespaces of every kind that isolates, and a user namespace where the caller is no root.
/// With a root filesystem, the program gets its own /proc and a small environment; without, the caller's.
///
/// # Errors
/// Where the root filesystem is no directory, or a text has a NUL byte in it.
pub fn plan(wish: Wish) -> Result<Plan> {
    let privileged = user::is_privileged();
    let mut kinds = vec![Kind::Pid, Kind::Mount, Kind::Uts, Kind::Ipc, Kind::Network];
    kinds.extend((!privileged).then_some(Kind::User));
    let rootfs = wish.rootfs.as_deref().map(rootfs::directory).transpose()?;
    let inherited = if rootfs.is_some() { small_environment() } else { environment() };
    Ok(Plan {
        id: unique_id(),
        namespaces: Namespaces::new(kinds),
        mappings: if privileged { Mappings::default() } else { Mappings::caller_is_root() },
        hostname: wish.hostname,
        mounts: rootfs.iter().map(|_| Mount::Proc { destination: "/proc".into() }).collect(),
        process: Process {
            args: wish.command.into_iter().map(c_string).collect::<Result<_>>()?,
            env: program::environment(
                inherited.into_iter().chain(wish.env).map(c_string).collect::<Result<Vec<_>>>()?,
            ),
            cwd: c_string(match &rootfs {
                Some(_) => "/".into(),
                None => std::env::current_dir().map_err(Error::io("getcwd"))?.into(),
            })?,
        },
        rootfs,
        reaper: wish.reaper,
    })
}

fn small_environment() -> Vec<OsString> {
    let path = OsString::from(format!("PATH={DEFAULT_PATH}"));
    let term = std::env::var_os("TERM").map(|term| variable("TERM".into(), term));
    [path, "HOME=/root".into()].into_iter().chain(term).collect()
}

fn environment() -> Vec<OsString> {
    std::env::vars_os().map(|(name, value)| variable(name, value)).collect()
}

fn variable(mut name: OsString, value: OsString) -> OsString {
    name.push("=");
    name.push(value);
    name
}

fn c_string(text: OsString) -> Result<CString> {
    CString::new(text.into_vec()).map_err(|error| {
        let shown = std::ffi::OsStr::from_bytes(&error.into_vec()).to_string_lossy().into_owned();
        Error::refused(format!("text {shown:?}, which has a NUL byte"))(Errno::EINVAL)
    })
}

/// An id that no other sandbox has: the clock tells apart what shares a process number.
fn unique_id() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("sandbox-{}-{:x}", std::process::id(), now.as_nanos())
}
