//! `join`: a config whose container is one more process in a running container.
//!
//! Four steps: the runtime's `state` tells the pid; `/proc/PID` tells the namespaces and the control group; both go
//! into a config. Any runtime that has `state` will do.

use std::ffi::OsStr;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, anyhow};
use coracle::config::{Config, IdMapping, Linux, Namespace, Root};
use coracle::namespace::{KINDS, Kind};
use coracle::spec;
use nix::sys::stat::stat;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::{self, CONFIG};
use crate::error;
use crate::run::root_option;

/// A running container.
#[derive(Debug)]
pub struct Target {
    /// Its first process.
    pid: i32,
    /// Its bundle.
    bundle: PathBuf,
    /// Whether its runtime can join all that it made.
    exact: bool,
}

/// The answer to `state`, as far as it matters here (runtime-spec, runtime.md, "State").
#[derive(Deserialize)]
struct State {
    #[serde(default)]
    pid: i32,
    status: String,
    bundle: PathBuf,
}

impl Target {
    /// Asks `runtime` for the container `id`.
    ///
    /// # Errors
    /// There is no such container, or it does not run; the runtime cannot be executed, or does not answer.
    pub fn of(runtime: &OsStr, root: Option<&Path>, id: &str) -> Result<Target> {
        let name = Path::new(runtime);
        let output =
            Command::new(runtime).args(root_option(root)).args(["state", id]).output().map_err(|error| {
                let cure = "name an OCI runtime with --runtime, such as --runtime runc";
                error::about("ask the runtime", name, error, cure)
            })?;
        let ask = format!("join the container {id:?}: ask");
        if !output.status.success() {
            let cause = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let cure =
                "see which containers there are with its verb list; --root names its folder of containers";
            return Err(error::about(&ask, name, cause, cure));
        }
        let state: State = serde_json::from_slice(&output.stdout).map_err(|cause| {
            error::about(&ask, name, cause, "its answer to `state` must be a state as JSON")
        })?;
        if state.pid <= 0 || !matches!(state.status.as_str(), "created" | "running" | "paused") {
            let cause = format!("the container is {}", state.status);
            return Err(error::about(&ask, name, cause, "start it first: only what runs can be joined"));
        }
        let exact = name.file_name().is_some_and(|name| name == "coracle");
        Ok(Target { pid: state.pid, bundle: state.bundle, exact })
    }

    /// The namespaces of the container that are not our own, by their paths.
    fn namespaces(&self) -> Result<Vec<(Kind, PathBuf)>> {
        let mut different = Vec::new();
        for kind in KINDS {
            let ours = stat(&PathBuf::from(format!("/proc/self/ns/{}", kind.file())));
            // A kind that the kernel does not have.
            let Ok(ours) = ours else { continue };
            let path = PathBuf::from(format!("/proc/{}/ns/{}", self.pid, kind.file()));
            let its = stat(&path).map_err(|errno| error::io("look at the namespace", &path)(errno.into()))?;
            if (its.st_dev, its.st_ino) != (ours.st_dev, ours.st_ino) {
                different.push((kind, path));
            }
        }
        Ok(different)
    }

    /// The container's control group. It may differ by controller where a container was not made by an OCI runtime,
    /// or was made in a group of the caller's: then the one that most of them are in.
    fn cgroup(&self) -> Result<Option<String>> {
        let path = PathBuf::from(format!("/proc/{}/cgroup", self.pid));
        let text = fs::read_to_string(&path).map_err(error::io("read the control groups of", &path))?;
        let paths: Vec<_> = text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).collect();
        let votes = |path: &str| paths.iter().filter(|other| **other == path).count();
        let most = paths.iter().rev().max_by_key(|path| votes(path)).filter(|path| **path != "/");
        Ok(most.map(|path| (*path).to_owned()))
    }

    /// The ids of the container's user namespace, from `uid_map` or `gid_map`: user_namespaces(7).
    fn mappings(&self, map: &str) -> Result<Vec<IdMapping>> {
        let path = PathBuf::from(format!("/proc/{}/{map}", self.pid));
        let text = fs::read_to_string(&path).map_err(error::io("read", &path))?;
        let range = |line: &str| {
            let mut numbers = line.split_whitespace().map_while(|number| number.parse().ok());
            Some(IdMapping { container_id: numbers.next()?, host_id: numbers.next()?, size: numbers.next()? })
        };
        Ok(text.lines().filter_map(range).collect())
    }

    /// The folder that the container's root filesystem is in on the host, and its mounts.
    fn rootfs(&self) -> Result<(String, Value)> {
        let mut config = bundle::read(&self.bundle)?;
        let rootfs = bundle::rootfs(&self.bundle)?;
        let rootfs = rootfs.canonicalize().map_err(error::io("find the root filesystem", &rootfs))?;
        let path =
            rootfs.to_str().ok_or_else(|| anyhow!("use {}: its name is no UTF-8", rootfs.display()))?;
        Ok((path.to_owned(), config["mounts"].take()))
    }
}

/// The text of a config that runs `command` in the container. With `exact`, or where the runtime is known to be able
/// to, all its namespaces and its very control group are joined. Otherwise it gets the same root filesystem and
/// mounts in a mount namespace of its own, and a control group below the container's: runc sets up a root filesystem
/// in the mount namespace it joins, whatever is there, and crun 1 fails; runc 1.1 kills all that is in the control
/// group at the end, and later ones refuse a group that has processes.
///
/// # Errors
/// `/proc` or the container's bundle cannot be read.
pub fn config(target: &Target, command: Vec<String>, exact: bool) -> Result<String> {
    let exact = exact || target.exact;
    let mut config =
        Config { hostname: None, mounts: Vec::new(), linux: Linux::default(), ..spec::default() };
    // Whatever is named: without a new mount namespace nobody looks at it.
    let mut root = Root { path: "/".into(), readonly: false };
    let process = config.process.get_or_insert_default();
    process.args = command;
    process.terminal = std::io::stdin().is_terminal();
    config.linux.cgroups_path = target.cgroup()?;
    for (kind, path) in target.namespaces()? {
        let path = Some(path.to_string_lossy().into_owned()).filter(|_| exact || kind != Kind::Mount);
        config.linux.namespaces.push(Namespace { kind: kind.name().into(), path });
    }
    let mut mounts = Value::Array(Vec::new());
    if !exact {
        (root.path, mounts) = target.rootfs()?;
        config.linux.cgroups_path = config.linux.cgroups_path.map(|path| path + "/join");
        // runc wants them told, although a namespace that is joined has them.
        if config.linux.namespaces.iter().any(|namespace| namespace.kind == "user") {
            config.linux.uid_mappings = target.mappings("uid_map")?;
            config.linux.gid_mappings = target.mappings("gid_map")?;
        }
    }
    config.root = Some(root);
    Ok(spec::text(&WithMounts { config, mounts }))
}

/// A config with mounts from elsewhere, which may hold what ours never do. The list is there even if it is empty:
/// crun asks for it.
#[derive(Serialize)]
struct WithMounts {
    #[serde(flatten)]
    config: Config,
    mounts: Value,
}

/// Makes a bundle of the config. One that is there stays.
///
/// # Errors
/// The system's.
pub fn write(bundle: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(bundle).map_err(error::io("make the folder", bundle))?;
    bundle::put(&bundle.join(CONFIG), text.as_bytes(), 0o644, false)
}
