//! `prepare`: BusyBox, its applets' links and the usual folders, put into a root filesystem.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, anyhow};
use rootfs_builder::{Entry, Kind, Source, Tree};

use crate::{bundle, error};

/// Finds a static BusyBox, or fetches one. The tool carries it along, to work outside of the checkout.
const FETCH: &str = include_str!("../../../scripts/fetch-busybox");

/// Fills the root filesystem of the bundle in `bundle` and says what it did. A second time changes nothing.
///
/// # Errors
/// There is no static BusyBox; something is in the way that is not ours, and `force` is not set (then nothing was
/// changed); or the system's.
pub fn prepare(bundle: &Path, busybox: Option<PathBuf>, force: bool) -> Result<String> {
    let rootfs = rootfs(bundle)?;
    let busybox = busybox.map_or_else(find, Ok)?;
    let tree = Tree::of(&Source::Busybox(busybox)).map_err(|error| anyhow!("{error}"))?;
    let mut missing = Vec::new();
    for (name, entry) in tree.iter() {
        let path = rootfs.join(name);
        match state(&path, entry, force) {
            State::Done => {}
            State::Missing => missing.push((path, entry)),
            State::InTheWay(cause, cure) => return Err(error::about("put BusyBox at", &path, cause, cure)),
        }
    }
    for (path, entry) in &missing {
        put(path, entry, force)?;
    }
    Ok(format!("{}: {} entries, {} of them new", rootfs.display(), tree.len(), missing.len()))
}

/// The folder that is filled; made if it is not there.
fn rootfs(bundle: &Path) -> Result<PathBuf> {
    bundle.metadata().map_err(error::io("find the bundle", bundle))?;
    let path = bundle::rootfs(bundle)?;
    fs::create_dir_all(&path).map_err(error::io("make the folder", &path))?;
    let real = path.canonicalize().map_err(error::io("find", &path))?;
    if real == Path::new("/") {
        return Err(error::about(
            "fill",
            &path,
            "this is the host's own root",
            "change /root/path in the config",
        ));
    }
    Ok(real)
}

fn find() -> Result<PathBuf> {
    let output = Command::new("sh")
        .args(["-c", FETCH])
        .arg(std::env::current_exe().unwrap_or_default())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(error::io("look for BusyBox with", Path::new("sh")))?;
    match String::from_utf8_lossy(&output.stdout).lines().last() {
        Some(path) if output.status.success() => Ok(path.into()),
        _ => Err(anyhow!(
            "find a static BusyBox\n  cure: install busybox-static, or name one with --busybox FILE"
        )),
    }
}

enum State {
    Done,
    Missing,
    /// Why, and what to do.
    InTheWay(&'static str, &'static str),
}

/// What is to be done at `path`. The folders come first in a tree, and a link is never taken for one: so no path
/// here leads out of the root filesystem.
fn state(path: &Path, entry: &Entry, force: bool) -> State {
    const MOVE: &str = "move it away, or choose an empty root filesystem";
    const FORCE: &str = "move it away, or replace it with --force";
    let Ok(there) = path.symlink_metadata() else { return State::Missing };
    match &entry.kind {
        Kind::Directory if there.is_dir() => State::Done,
        Kind::Directory => State::InTheWay("must be a folder, and is none", MOVE),
        _ if there.is_dir() => State::InTheWay("is a folder", MOVE),
        Kind::Link(target) if fs::read_link(path).is_ok_and(|found| found == Path::new(target)) => {
            State::Done
        }
        // What the user has set up in /etc is his.
        Kind::File(_) if there.is_file() && path.parent().is_some_and(|folder| folder.ends_with("etc")) => {
            State::Done
        }
        Kind::File(bytes) if there.is_file() && fs::read(path).is_ok_and(|found| found == *bytes) => {
            State::Done
        }
        _ if force => State::Missing,
        _ => State::InTheWay("is there already, and is not ours", FORCE),
    }
}

fn put(path: &Path, entry: &Entry, force: bool) -> Result<()> {
    match &entry.kind {
        // The mode is set afterwards, past the umask.
        Kind::Directory => DirBuilder::new()
            .mode(0o700)
            .create(path)
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(entry.mode)))
            .map_err(error::io("make the folder", path)),
        Kind::File(bytes) => bundle::put(path, bytes, entry.mode, force),
        Kind::Link(target) => {
            if force && path.symlink_metadata().is_ok() {
                fs::remove_file(path).map_err(error::io("remove", path))?;
            }
            symlink(target, path).map_err(error::io("make the link", path))
        }
    }
}
