//! `coracle sandbox`: a container from flags alone, without a bundle.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use oci_spec::runtime::{LinuxCpuBuilder, LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources};

use crate::config;
use crate::console::Size;
use crate::error::{Error, Result};
use crate::hook::Hooks;
use crate::mapping::{self, Mappings};
use crate::mount::Mount;
use crate::namespace::{Kind, Namespaces};
use crate::plan::Plan;
use crate::process::Process;
use crate::program::{self, DEFAULT_PATH};
use crate::rootfs::{self, Rootfs};
use crate::{cgroup, device, spec};

/// What `coracle sandbox` is asked for.
#[derive(Debug, Default)]
pub struct Wish {
    /// The root filesystem; `None`: the host's tree, in a mount namespace of its own.
    pub rootfs: Option<PathBuf>,
    /// The hostname; `None` leaves the host's.
    pub hostname: Option<String>,
    /// Additional `NAME=value`.
    pub env: Vec<OsString>,
    /// File systems in the root filesystem, as [`Mount::from_flag`] reads them, in the order of their mounting.
    pub mounts: Vec<String>,
    /// Whether it has a /dev, before them.
    pub dev: bool,
    /// Whether PID 1 is a reaper.
    pub reaper: bool,
    /// Most bytes of memory.
    pub memory: Option<i64>,
    /// Most processes.
    pub pids: Option<i64>,
    /// Most processor time, in processors.
    pub cpus: Option<f64>,
    /// Its control group, below the root of each hierarchy.
    pub cgroup: Option<PathBuf>,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// The program and its arguments.
    pub command: Vec<OsString>,
}

/// Makes the plan: new namespaces of every kind that isolates, a user namespace where the caller is no root, and a cgroup
/// namespace where the container has a control group.
/// With a root filesystem, the program gets its own /proc and a small environment; without, the caller's.
///
/// # Errors
/// Where the root filesystem is no directory, a text has a NUL byte in it, or a mount is not written as it should be.
pub fn plan(wish: Wish) -> Result<Plan> {
    let privileged = mapping::is_privileged();
    let id = unique_id();
    let cgroup = control_group(&wish, &id)?;
    let mut kinds = vec![Kind::Pid, Kind::Mount, Kind::Uts, Kind::Ipc, Kind::Network];
    kinds.extend((!privileged).then_some(Kind::User));
    // What is no group of its own is no root of its own either.
    kinds.extend(cgroup.as_ref().map(|_| Kind::Cgroup));
    let rootfs = wish.rootfs.as_deref().map(rootfs::directory).transpose()?;
    let inherited = if rootfs.is_some() { small_environment() } else { environment() };
    let mounts = if rootfs.is_some() { file_systems(&wish)? } else { Vec::new() };
    let devices = if wish.dev && device::are_wanted(&mounts) { device::defaults() } else { Vec::new() };
    // A terminal of its own needs a devpts: the host's where it has the host's tree, else one of its own.
    let has_devpts =
        rootfs.is_none() || mounts.iter().any(|mount| mount.destination == Path::new("/dev/pts"));
    Ok(Plan {
        bundle: PathBuf::new(),
        config: Vec::new(),
        annotations: BTreeMap::new(),
        namespaces: Namespaces::new(kinds),
        mappings: if privileged { Mappings::default() } else { Mappings::caller_is_root() },
        net_devices: Vec::new(),
        hostname: wish.hostname,
        domainname: None,
        mounts,
        devices,
        masked: Vec::new(),
        read_only: Vec::new(),
        cgroup,
        intel_rdt: None,
        sysctls: Vec::new(),
        keyring: None,
        process: Process {
            args: wish.command.into_iter().map(c_string).collect::<Result<_>>()?,
            env: program::environment(
                inherited.into_iter().chain(wish.env).map(c_string).collect::<Result<Vec<_>>>()?,
            ),
            cwd: c_string(match &rootfs {
                Some(_) => "/".into(),
                None => std::env::current_dir().map_err(Error::io("getcwd"))?.into(),
            })?,
            terminal: (wish.terminal && has_devpts).then(Size::default),
            ..Process::default()
        },
        id,
        rootfs: rootfs.map(|path| Rootfs { path, readonly: false, propagation: None }),
        hooks: Hooks::default(),
        reaper: wish.reaper,
    })
}

/// A control group where there are limits, or where somebody named one.
fn control_group(wish: &Wish, id: &str) -> Result<Option<cgroup::Plan>> {
    let mut resources = LinuxResources::default();
    if let Some(limit) = wish.memory {
        resources.set_memory(Some(LinuxMemoryBuilder::default().limit(limit).build().map_err(built)?));
    }
    if let Some(limit) = wish.pids {
        resources.set_pids(Some(LinuxPidsBuilder::default().limit(limit).build().map_err(built)?));
    }
    if let Some(cpus) = wish.cpus {
        // In microseconds: so many of each tenth of a second.
        let quota = (cpus * 100_000.0) as i64;
        let cpu = LinuxCpuBuilder::default().period(100_000u64).quota(quota).build().map_err(built)?;
        resources.set_cpu(Some(cpu));
    }
    if wish.cgroup.is_none() && resources == LinuxResources::default() {
        return Ok(None);
    }
    let path = wish.cgroup.clone().unwrap_or_else(|| format!("/coracle-{id}").into());
    Ok(Some(cgroup::Plan {
        path: Path::new("/").join(path),
        scope: None,
        resources,
        optional: false,
        owner: None,
    }))
}

fn built(error: oci_spec::OciSpecError) -> Error {
    Error::Usage { problem: error.to_string() }
}

/// A number of bytes, with K, M or G for 1024, 1024² or 1024³ of them; B or iB may stand behind it.
///
/// # Errors
/// [`Error::Usage`].
pub fn bytes(text: &str) -> Result<i64> {
    let short = text.trim_end_matches(['b', 'B']).trim_end_matches(['i', 'I']);
    let (digits, unit) = match short.to_ascii_uppercase().chars().last() {
        Some('K') => (&short[..short.len() - 1], 1 << 10),
        Some('M') => (&short[..short.len() - 1], 1 << 20),
        Some('G') => (&short[..short.len() - 1], 1 << 30),
        _ => (text.trim_end_matches(['b', 'B']), 1),
    };
    let bytes = digits.parse::<i64>().ok().filter(|number| *number > 0).and_then(|n| n.checked_mul(unit));
    bytes.ok_or_else(|| Error::Usage {
        problem: format!("{text}: give a number of bytes such as 67108864 or 64M"),
    })
}

/// Its own /proc, which the namespaces need, its /dev, and what else was asked for.
fn file_systems(wish: &Wish) -> Result<Vec<Mount>> {
    let proc = config::Mount::new("/proc", "proc", "proc", &["nosuid", "nodev", "noexec"]);
    let dev = if wish.dev { spec::dev() } else { Vec::new() };
    let mut mounts = std::iter::once(proc)
        .chain(dev)
        .map(|spec| Mount::from_spec(&spec))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|wrong| Error::Config { pointer: wrong.pointer, problem: wrong.problem })?;
    if !wish.mounts.is_empty() {
        let here = std::env::current_dir().map_err(Error::io("getcwd"))?;
        for text in &wish.mounts {
            mounts.push(Mount::from_flag(text, &here)?);
        }
    }
    Ok(mounts)
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
