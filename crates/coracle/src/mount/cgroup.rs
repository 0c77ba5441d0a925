//! A mount of type `cgroup`: what the container sees of its control group.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::symlinkat;

use super::{Attributes, Datum, Mount, Options, World, attributes, target};
use crate::cgroup::Folder;
use crate::error::Result;
use crate::path::{self, Last};
use crate::sys;

/// Where the host has its hierarchies.
const HOST: &str = "/sys/fs/cgroup";

/// Puts the container's control group on the place of `mount` in `root`: as its own root where the container has a
/// cgroup namespace, else as the folder that the host sees. Version 1 has a folder for each hierarchy.
///
/// # Errors
/// Those of the mount calls.
pub(super) fn attach(root: BorrowedFd<'_>, mount: &Mount, world: World<'_>) -> Result<()> {
    let target = target::find(root, mount, || Ok(Last::Directory))?.fd;
    let folders = world.cgroup.map(|cgroup| cgroup.folders.as_slice()).unwrap_or_default();
    match folders {
        [] => without_one(target.as_fd(), mount, world),
        [folder] if folder.controllers.is_empty() => {
            let tree = version_2(mount, &folder.path, world)?;
            let options = Options { data: Vec::new(), ..mount.options.clone() };
            attributes::attach(tree.as_fd(), &options, target.as_fd())
                .map_err(mount.refused("attach cgroup2"))
        }
        _ => {
            version_1(target.as_fd(), mount, folders, world)?;
            sys::leave_open([target]);
            Ok(())
        }
    }
}

/// A container without a control group of its own is in its caller's. It sees that, and must not change it: in a user
/// namespace, that group's files may well be its own (CVE-2023-25809).
fn without_one(target: BorrowedFd<'_>, mount: &Mount, world: World<'_>) -> Result<()> {
    let is_version_2 = || statfs(HOST).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC);
    let tree = if world.cgroup_namespace && is_version_2() {
        version_2(mount, Path::new(HOST), world)?
    } else {
        clone_of(mount, Path::new(HOST), true)?
    };
    let mut recursive = mount.options.of_a_new_mount();
    recursive.add(Attributes::READ_ONLY);
    let options = Options { recursive, propagation: mount.options.propagation.clone(), ..Options::default() };
    attributes::attach(tree.as_fd(), &options, target).map_err(|errno| {
        mount.refused("attach the caller's cgroups, read-only")(errno).with_cure(
            Errno::ENOSYS,
            "this needs Linux 5.12: leave the mount out, or give the container a cgroup",
        )
    })
}

/// The tree of version 2, which hangs nowhere yet. Without a cgroup namespace a new mount would show the host's root;
/// one that belongs to another user namespace may not be mounted.
fn version_2(mount: &Mount, folder: &Path, world: World<'_>) -> Result<OwnedFd> {
    if world.cgroup_namespace {
        match new_tree(c"cgroup2", &[]) {
            Err(Errno::EPERM | Errno::EBUSY) => {}
            other => return other.map_err(mount.refused("a new cgroup2")),
        }
    }
    clone_of(mount, folder, false)
}

/// A tmpfs with a directory for each hierarchy. It is attached while it is empty: only on what is attached can be
/// mounted (before Linux 6.15). Nobody else is there yet, so names in it are safe.
fn version_1(target: BorrowedFd<'_>, mount: &Mount, folders: &[Folder], world: World<'_>) -> Result<()> {
    let top = new_tree(c"tmpfs", &[(c"mode".into(), Some(c"755".into()))])
        .map_err(mount.refused("a new tmpfs for the hierarchies"))?;
    sys::move_mount(top.as_fd(), target).map_err(mount.refused("move_mount"))?;
    let mut trees = Vec::new();
    for folder in folders {
        let name = path::c_string(Path::new(folder.mount.file_name().unwrap_or_default()))?;
        let fail = |call: &str| mount.refused(format!("{call} {}", folder.mount.display()));
        let tree = match hierarchy(folder, world) {
            Err(Errno::EPERM | Errno::EBUSY) | Ok(None) => clone_of(mount, &folder.path, false)?,
            Ok(Some(tree)) => tree,
            Err(errno) => return Err(fail("a new mount of")(errno)),
        };
        mkdirat(&top, name.as_c_str(), Mode::from_bits_truncate(0o755)).map_err(fail("mkdir for"))?;
        sys::move_mount_below(tree.as_fd(), top.as_fd(), &name).map_err(fail("move_mount for"))?;
        link_controllers(top.as_fd(), &name, folder).map_err(fail("symlink for"))?;
        trees.push(tree);
    }
    let all = mount.options.of_a_new_mount();
    let propagation = mount.options.propagation.clone();
    match attributes::change_attached(
        top.as_fd(),
        &Options { recursive: all, propagation, ..Options::default() },
    ) {
        // An old kernel changes one mount at a time.
        Err(Errno::ENOSYS) => trees.iter().chain([&top]).try_for_each(|tree| all.remount(tree.as_fd())),
        other => other,
    }
    .map_err(mount.refused("mount_setattr"))?;
    sys::leave_open(trees.into_iter().chain([top]));
    Ok(())
}

/// The hierarchy of `folder` as the cgroup namespace sees it; `None` without one.
fn hierarchy(folder: &Folder, world: World<'_>) -> nix::Result<Option<OwnedFd>> {
    if !world.cgroup_namespace {
        return Ok(None);
    }
    if folder.controllers.is_empty() {
        return new_tree(c"cgroup2", &[]).map(Some);
    }
    let mut data = Vec::new();
    for controller in &folder.controllers {
        let (key, value) = match controller.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (controller.as_str(), None),
        };
        let c_string = |text: &str| CString::new(text).map_err(|_| Errno::EINVAL);
        data.push((c_string(key)?, value.map(c_string).transpose()?));
    }
    new_tree(c"cgroup", &data).map(Some)
}

/// Controllers that share a hierarchy are found by their own names as well: cpu -> cpu,cpuacct.
fn link_controllers(top: BorrowedFd<'_>, name: &CString, folder: &Folder) -> nix::Result<()> {
    let others = folder.controllers.iter().filter(|controller| controller.as_bytes() != name.as_bytes());
    for controller in others.filter(|controller| !controller.contains('=')) {
        symlinkat(name.as_c_str(), top, controller.as_str())?;
    }
    Ok(())
}

fn new_tree(kind: &CStr, data: &[Datum]) -> nix::Result<OwnedFd> {
    let fs = sys::fsopen(kind)?;
    sys::fsconfig(fs.as_fd(), c"source", Some(kind))?;
    data.iter().try_for_each(|(key, value)| sys::fsconfig(fs.as_fd(), key, value.as_deref()))?;
    sys::fsconfig_create(fs.as_fd())?;
    let made = sys::fsmount(fs.as_fd(), 0)?;
    sys::leave_open([fs]);
    Ok(made)
}

fn clone_of(mount: &Mount, folder: &Path, recursive: bool) -> Result<OwnedFd> {
    sys::clone_mount(AT_FDCWD, &path::c_string(folder)?, recursive)
        .map_err(mount.refused(format_args!("open_tree {}", folder.display())))
}
