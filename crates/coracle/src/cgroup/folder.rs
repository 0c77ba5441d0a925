//! A group's folder and the files in it.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, read, write};

use super::Folder;
use crate::error::{Error, Result};

const NOT_YOURS: &str = "run as root, or let somebody who may give you this folder (delegation, cgroups(7))";
const READ_ONLY: &str = "the control groups are mounted read-only here";

impl Folder {
    /// Whether it is in the one hierarchy of version 2.
    pub(super) fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }

    /// Writes `value` to one of its files. The kernel takes a value in one write(2), whole or not at all.
    ///
    /// # Errors
    /// What the kernel says to the value, with the file, the value, and a cure where we know one.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<()> {
        write_file(&self.path.join(file), value)
    }

    /// The text of one of its files.
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    pub(super) fn read(&self, file: &str) -> Result<String> {
        read_file(&self.path.join(file))
    }
}

/// As [`Folder::write`], to a file of any group: opens it for writing (close-on-exec; it is there already, the kernel
/// made it with the group) and gives `value` to one write(2). A library that buffers or writes in parts will not do.
///
/// # Errors
/// As [`Folder::write`]: "write VALUE to FILE".
pub(super) fn write_file(path: &Path, value: &str) -> Result<()> {
    let failed = |errno| with_cures(Error::refused(format!("write {value:?} to {}", path.display()))(errno));
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(failed)?;
    write(&file, value.as_bytes()).map(drop).map_err(failed)
}

/// As [`Folder::read`], of any file: the size of the kernel's files is not known beforehand.
pub(super) fn read_file(path: &Path) -> Result<String> {
    let failed = |errno| Error::refused(format!("read {}", path.display()))(errno);
    let file = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(failed)?;
    let (mut text, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        match read(&file, &mut buffer).map_err(failed)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Makes the folder of one group, whose parent is there. `false`: it was there already.
///
/// # Errors
/// Those of mkdir(2).
pub(super) fn make_folder(path: &Path) -> Result<bool> {
    match std::fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(with_cures(Error::io(format!("mkdir {}", path.display()))(error))),
    }
}

/// Makes the folder and those above it that are missing, from the hierarchy's mount point down; notes in `made` what
/// was not there, and calls `each` with every group above the folder before anything is made in it.
///
/// # Errors
/// Those of mkdir(2) and of `each`; `EBUSY` where the folder was there and is not empty, or it is frozen; `EOPNOTSUPP` where
/// it was there and is for threads.
pub(super) fn make_path(
    folder: &Folder,
    made: &mut Vec<PathBuf>,
    each: impl Fn(&Path) -> Result<()>,
) -> Result<()> {
    let mut path = folder.mount.clone();
    for part in folder.path.strip_prefix(&folder.mount).unwrap_or(Path::new("")) {
        each(&path)?;
        path.push(part);
        match make_folder(&path)? {
            true => made.push(path.clone()),
            false if path == folder.path => {
                must_be_empty(folder)?;
                must_take_processes(folder)?;
                must_run(folder)?;
            }
            false => {}
        }
    }
    // The root of a hierarchy never is, so that right below it a new one need not be asked.
    if made.last() == Some(&folder.path) && folder.path.parent() != Some(&folder.mount) {
        must_run(folder)?;
    }
    Ok(())
}

/// A group of threads (cgroups(7), "Thread mode") takes no process of its own, and does not tell whose threads it holds.
fn must_take_processes(folder: &Folder) -> Result<()> {
    let kind = if folder.is_v2() { or_gone(folder.read("cgroup.type"))? } else { None };
    match kind.as_deref().map(str::trim) {
        Some(kind @ ("threaded" | "domain invalid")) => {
            let call = format!("use {}, whose cgroup.type is {kind}", folder.path.display());
            Err(Error::refused(call)(Errno::EOPNOTSUPP)
                .with_cure(Errno::EOPNOTSUPP, "it may hold threads only: choose another /linux/cgroupsPath"))
        }
        _ => Ok(()),
    }
}

/// Two containers in one group would share its limits, and deleting one would kill the other.
///
/// # Errors
/// `EBUSY` where there are processes in the folder or below it.
pub(super) fn must_be_empty(folder: &Folder) -> Result<()> {
    match processes_below(&folder.path)?.first() {
        Some(pid) => {
            let path = folder.path.display();
            Err(Error::refused(format!("use {path}, which holds processes already ({pid}, and maybe more)"))(
                Errno::EBUSY,
            )
            .with_cure(Errno::EBUSY, "choose another /linux/cgroupsPath, or end them"))
        }
        None => Ok(()),
    }
}

/// A process born into a frozen group would never get to run, not even to die: not where the group itself is frozen, and not
/// where one above it is.
///
/// # Errors
/// `EBUSY` where it is.
pub(super) fn must_run(folder: &Folder) -> Result<()> {
    match folder.stands_still()? {
        true => Err(Error::refused(format!("use {}, which is frozen", folder.path.display()))(Errno::EBUSY)
            .with_cure(
                Errno::EBUSY,
                "thaw it, or the group above it that is, or choose another /linux/cgroupsPath",
            )),
        false => Ok(()),
    }
}

/// The groups right below one. A folder's count of links is 2 and one for each folder in it: without any, it need
/// not be listed.
pub(super) fn children(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = || Error::io(format!("list {}", path.display()));
    if std::fs::symlink_metadata(path).map_err(failed())?.nlink() <= 2 {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The processes in a group and in those below it; none where it is gone.
///
/// # Errors
/// Those of reading the folders.
pub(super) fn processes_below(path: &Path) -> Result<Vec<Pid>> {
    let text = match read_file(&path.join("cgroup.procs")) {
        // A group of threads (cgroups(7), "Thread mode"): its processes are listed at its domain, above.
        Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => String::new(),
        other => match or_gone(other)? {
            Some(text) => text,
            None => return Ok(Vec::new()),
        },
    };
    let mut pids: Vec<Pid> = text.lines().filter_map(|line| line.parse().ok().map(Pid::from_raw)).collect();
    for child in or_gone(children(path))?.unwrap_or_default() {
        pids.extend(processes_below(&child)?);
    }
    Ok(pids)
}

/// A group may go at any moment: `None` where it has. An open file of a removed one says `ENODEV`.
pub(super) fn or_gone<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENODEV)) => Ok(None),
        other => other.map(Some),
    }
}

fn with_cures(error: Error) -> Error {
    error
        .with_cure(Errno::EACCES, NOT_YOURS)
        .with_cure(Errno::EPERM, NOT_YOURS)
        .with_cure(Errno::EROFS, READ_ONLY)
}
