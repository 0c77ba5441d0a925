//! Beside and renamed: how an output gets to its place without ever being half there.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::{Error, Result};

const STEP: &str = "make";
const PREFIX: &str = ".rootfs-builder-";

/// Refuses a place where something stands, unless `force` is given and it is a directory that this program could have
/// made: one with none but the names in `tops` at its top, and nothing mounted inside.
pub(super) fn check_directory(path: &Path, tops: &[&str], force: bool) -> Result<()> {
    let Some(metadata) = existing(path, force)? else {
        return Ok(());
    };
    if !metadata.is_dir() {
        return Err(refused(path, "it exists and is not a directory"));
    }
    for entry in fs::read_dir(path).map_err(Error::io("look into", path))? {
        let name = entry.map_err(Error::io("look into", path))?.file_name();
        if !tops.iter().any(|top| name == *top) {
            let cause =
                format!("it holds {name:?}, which this program never makes: it may be something else");
            return Err(refused(path, &cause));
        }
    }
    // Removing the old tree would go on into what is mounted in it.
    if let Some(mounted) = mount_within(path)? {
        let cure = format!("unmount it first: umount {mounted}");
        return Err(Error::new(STEP, path, format!("{mounted} is a mount point"), cure));
    }
    Ok(())
}

/// Refuses a place where something stands, unless `force` is given and it is a regular file.
pub(super) fn check_file(path: &Path, force: bool) -> Result<()> {
    match existing(path, force)? {
        Some(metadata) if !metadata.is_file() => Err(refused(path, "it exists and is not a regular file")),
        _ => Ok(()),
    }
}

/// Lets `write` make a directory beside `path`, and moves it there.
pub(super) fn directory(
    path: &Path,
    tops: &[&str],
    force: bool,
    write: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let beside = Builder::new().prefix(PREFIX).tempdir_in(parent(path)?).map_err(Error::io(STEP, path))?;
    let (new, old) = (beside.path().join("new"), beside.path().join("old"));
    write(&new)?;
    // Time has passed since the first look.
    check_directory(path, tops, force)?;
    let replaces = match fs::rename(path, &old) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(Error::io("put aside", path)(error)),
    };
    if let Err(error) = fs::rename(&new, path) {
        if replaces {
            fs::rename(&old, path).map_err(Error::io("put back", path))?;
        }
        return Err(Error::io("put in place", path)(error));
    }
    let left = beside.path().to_owned();
    beside.close().map_err(|error| {
        let cure = format!("the new one is in place; remove the old one by hand: rm -r {}", left.display());
        Error::new("remove what was replaced, now in", &left, error.to_string(), cure)
    })
}

/// Lets `write` make a file beside `path`, and moves it there.
pub(super) fn file(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> Result<()> {
    let mut beside =
        Builder::new().prefix(PREFIX).tempfile_in(parent(path)?).map_err(Error::io(STEP, path))?;
    write(&mut beside).map_err(Error::io("write", path))?;
    check_file(path, force)?;
    let placed = if force { beside.persist(path) } else { beside.persist_noclobber(path) };
    placed.map_err(|error| Error::io("put in place", path)(error.error))?;
    Ok(())
}

/// What stands at `path`, if it may be replaced at all. A link counts as itself, not as what it leads to.
fn existing(path: &Path, force: bool) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(_) if !force => Err(Error::new(
            STEP,
            path,
            "it exists already",
            "choose another path, or replace it with --force",
        )),
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

fn refused(path: &Path, cause: &str) -> Error {
    let cure = "choose another path, or remove it yourself: --force replaces only an earlier output of the same kind";
    Error::new(STEP, path, cause, cure)
}

fn parent(path: &Path) -> Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(_)) if parent.as_os_str().is_empty() => Ok(".".into()),
        (Some(parent), Some(_)) => Ok(parent.to_owned()),
        _ => Err(Error::new(STEP, path, "it has no name of its own", "name the output: dir=PATH/rootfs")),
    }
}

/// A mount point at or below `path`, as /proc/self/mountinfo writes it.
fn mount_within(path: &Path) -> Result<Option<String>> {
    let table = Path::new("/proc/self/mountinfo");
    let text = fs::read(table).map_err(Error::io("look for mounts in", table))?;
    let path = fs::canonicalize(path).map_err(Error::io("look at", path))?;
    // The table escapes what would break its columns, so the path is escaped too.
    let mut wanted = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => wanted.extend(format!("\\{byte:03o}").bytes()),
            _ => wanted.push(*byte),
        }
    }
    let within = |point: &&[u8]| {
        point.strip_prefix(wanted.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    let mut points = text.split(|byte| *byte == b'\n').filter_map(|line| line.split(|b| *b == b' ').nth(4));
    Ok(points.find(within).map(|point| String::from_utf8_lossy(point).into_owned()))
}
