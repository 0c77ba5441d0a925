//! A bundle: `config.json` and a root filesystem, read into a [`Plan`].
//!
//! What a config says is in [`crate::config`]; whether it makes sense, the files here find, one a part of it. What a
//! config asks for and we do not do is refused by name: a container without the lock that somebody asked for is worse
//! than none.

pub mod blame;
pub mod cgroup;
pub mod device;
pub mod file;
pub mod hook;
pub mod idmap;
pub mod kernel;
pub mod label;
pub mod mapping;
pub mod mount_label;
pub mod namespace;
pub mod network;
pub mod parse;
pub mod process;
pub mod refuse;
pub mod root;
pub mod scheduling;
pub mod seccomp;
pub mod sysctl;
pub mod version;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;

use crate::cgroup::Driver;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::explain::Explain;
use crate::keyring::Keyring;
use crate::mount::Mount;
use crate::namespace::{Kind, Namespaces};
use crate::plan::{self, Plan};
use crate::{sys, user};

pub use hook::hooks_of;
pub use process::{blamed_on, from_file, of_container, process};

/// Reads the bundle in the folder `bundle` into a plan of a container `id`, whose control group `driver` will make.
///
/// # Errors
/// Names the file, or the property by its JSON pointer.
pub fn load(bundle: &Path, id: &str, driver: Driver, explain: &Explain) -> Result<Plan> {
    plan::check_id(id)?;
    Source { driver, ..Source::open(bundle)? }.plan(id, &format!("coracle-{id}"), explain)
}

/// A bundle as it was read, and not understood yet.
#[derive(Debug)]
pub struct Source {
    folder: OwnedFd,
    bundle: PathBuf,
    config: PathBuf,
    text: String,
    driver: Driver,
}

impl Source {
    /// Reads the config of the bundle in the folder `bundle`.
    ///
    /// # Errors
    /// Names the folder or the file.
    pub fn open(bundle: &Path) -> Result<Source> {
        let (folder, bundle) = file::folder(bundle)?;
        let text = file::config(&folder, &bundle)?;
        Ok(Source { config: bundle.join(file::CONFIG), folder, bundle, text, driver: Driver::default() })
    }

    /// The same with the config in the file `config`, in place of the bundle's own.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn with_config(config: &Path, bundle: &Path) -> Result<Source> {
        let text = file::read(AT_FDCWD, config, config)?;
        let (folder, bundle) = file::folder(bundle)?;
        Ok(Source { folder, bundle, config: config.to_owned(), text, driver: Driver::default() })
    }

    /// The plan of a container `id`. Its control group is called `group`, where the config says nothing of one.
    ///
    /// # Errors
    /// Names the property by its JSON pointer.
    pub fn plan(self, id: &str, group: &str, explain: &Explain) -> Result<Plan> {
        let config = parse::config(&self.text, &self.config, explain)?;
        let mut plan = plan_of(&config, id, group, self.driver, explain)?;
        if plan.namespaces.has(Kind::Mount) {
            plan.rootfs = Some(root::rootfs(&config, &self.folder, &self.bundle)?);
            inside(&mut plan, &config, &self.bundle)?;
        } else {
            tell_of_what_is_skipped(&config, explain);
        }
        // Our end closes it, and init all that it does not need.
        sys::leave_open([self.folder]);
        Ok(Plan { bundle: self.bundle, config: self.text.into_bytes(), ..plan })
    }
}

/// The plan without what needs a root filesystem.
fn plan_of(config: &Config, id: &str, group: &str, driver: Driver, explain: &Explain) -> Result<Plan> {
    refuse::in_config(config)?;
    let mut process = process::first(config, explain)?;
    process.seccomp = seccomp::filter(config.linux.seccomp.as_ref(), explain)?;
    process.user.keeps_groups = user::keeps_groups(&config.annotations);
    let namespaces = namespace::namespaces(&config.linux.namespaces)?;
    let offsets = namespace::offsets(&config.linux.time_offsets, &namespaces)?;
    let namespaces = namespaces.with_offsets(offsets);
    let mappings = mapping::mappings(&config.linux, &namespaces, explain)?;
    mapping::check_identity(&mappings, &process.user)?;
    let sysctls = sysctl::settings(&config.linux.sysctl, &namespaces)?;
    let mut group = cgroup::plan(&config.linux, group, driver, explain)?;
    group.owner = cgroup::owner(config, process.user.uid, &mappings, &namespaces);
    Ok(Plan {
        id: id.to_owned(),
        bundle: PathBuf::new(),
        config: Vec::new(),
        annotations: annotations(config)?,
        net_devices: network::devices(&config.linux.net_devices, &namespaces)?,
        hostname: name("/hostname", config.hostname.as_deref(), &namespaces)?,
        domainname: name("/domainname", config.domainname.as_deref(), &namespaces)?,
        namespaces,
        mappings,
        rootfs: None,
        mounts: Vec::new(),
        devices: Vec::new(),
        masked: Vec::new(),
        read_only: Vec::new(),
        cgroup: Some(group),
        intel_rdt: config.linux.intel_rdt.as_ref().map_or(Ok(None), kernel::intel_rdt)?,
        sysctls,
        keyring: Some(Keyring::of(id)),
        process,
        hooks: hook::hooks(config.hooks.as_ref())?,
        reaper: false,
    })
}

/// Adds what is mounted, made and covered inside of the root filesystem.
fn inside(plan: &mut Plan, config: &Config, bundle: &Path) -> Result<()> {
    plan.mounts = mounts(config)?;
    mount_label::label(&mut plan.mounts, config.linux.mount_label.as_deref().unwrap_or_default())?;
    idmap::idmaps(&mut plan.mounts, config, &plan.namespaces, &plan.mappings)?;
    plan.mounts.iter_mut().for_each(|mount| mount.begin_at(bundle));
    plan.devices = device::devices(&config.linux.devices)?;
    if !crate::device::are_wanted(&plan.mounts) {
        plan.devices.retain(|device| !device.path.starts_with("/dev"));
    }
    plan.masked = paths("/linux/maskedPaths", &config.linux.masked_paths)?;
    plan.read_only = paths("/linux/readonlyPaths", &config.linux.readonly_paths)?;
    Ok(())
}

/// Without a new mount namespace, all that is inside of a root filesystem is somebody else's, or the host's.
fn tell_of_what_is_skipped(config: &Config, explain: &Explain) {
    let linux = &config.linux;
    let skipped: Vec<_> = [
        ("/root", config.root.is_some()),
        ("/mounts", !config.mounts.is_empty()),
        ("/linux/devices", !linux.devices.is_empty()),
        ("/linux/maskedPaths", !linux.masked_paths.is_empty()),
        ("/linux/readonlyPaths", !linux.readonly_paths.is_empty()),
        ("/linux/mountLabel", linux.mount_label.as_ref().is_some_and(|label| !label.is_empty())),
        ("/linux/rootfsPropagation", linux.rootfs_propagation.is_some()),
    ]
    .into_iter()
    .filter_map(|(pointer, is_there)| is_there.then_some(pointer))
    .collect();
    if !skipped.is_empty() {
        explain.warn(&format!("no new mount namespace: {} ignored", skipped.join(", ")));
    }
}

fn annotations(config: &Config) -> Result<BTreeMap<String, String>> {
    match config.annotations.contains_key("") {
        true => Err(wrong("/annotations", "has an empty key")),
        false => Ok(config.annotations.clone()),
    }
}

/// The name for the property at `pointer`, `/hostname` or `/domainname`: `None` where nothing is asked for, or an empty
/// one. It becomes the name of the UTS namespace that the container's first process is in, so `namespaces` must have one
/// that is not the caller's, new or joined ([`Namespaces::own`]): else it would be the host that is renamed.
///
/// # Errors
/// At `pointer`, without such a namespace; for a name of more than 64 bytes (sethostname(2)), or with a NUL byte in it.
fn name(pointer: &str, name: Option<&str>, namespaces: &Namespaces) -> Result<Option<String>> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
    if !namespaces.own().any(|kind| kind == Kind::Uts) {
        let problem = "needs a uts namespace in /linux/namespaces: it would be the host's name";
        return Err(wrong(pointer, problem));
    }
    if name.len() > 64 {
        return Err(wrong(pointer, "is longer than the 64 bytes that the kernel takes"));
    }
    if name.contains('\0') {
        return Err(wrong(pointer, "has a NUL byte in it"));
    }
    Ok(Some(name.to_owned()))
}

fn mounts(config: &Config) -> Result<Vec<Mount>> {
    let listed = config.mounts.iter().enumerate();
    listed
        .map(|(n, mount)| {
            Mount::from_spec(mount)
                .map_err(|found| wrong(format!("/mounts/{n}{}", found.pointer), found.problem))
        })
        .collect()
}

/// Absolute paths inside of the container.
fn paths(pointer: &str, listed: &[String]) -> Result<Vec<PathBuf>> {
    let path = |(n, text): (usize, &String)| match text.as_str() {
        text if text.contains('\0') => Err(wrong(format!("{pointer}/{n}"), "has a NUL byte in it")),
        text if text.starts_with('/') => Ok(PathBuf::from(text)),
        text => Err(wrong(format!("{pointer}/{n}"), format!("{text:?} must be an absolute path"))),
    };
    listed.iter().enumerate().map(path).collect()
}

/// What is wrong with the property at `pointer`.
fn wrong(pointer: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::Config { pointer: pointer.into(), problem: problem.into() }
}
