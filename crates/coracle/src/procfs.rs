//! What /proc tells of a process, and what is written to it.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, readlinkat};
use nix::sys::stat::fstat;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{Pid, write};

use crate::error::{Error, Result};
use crate::sys;

/// A process's line in /proc/PID/stat (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Whether it has ended, and only waits for its parent to ask how.
    pub ended: bool,
    /// Whether it was cloned and has not called execve(2) since: `PF_FORKNOEXEC` of the kernel's include/linux/sched.h.
    pub never_executed: bool,
    /// When it was born, in clock ticks after the system's start: tells apart two processes of one number.
    pub start_time: u64,
}

/// Reads a small file of the kernel's: one open, one read, one close. Such a file is made whole at the read, and one that is
/// longer than the page that is read here is cut off.
///
/// # Errors
/// Those of open(2) and read(2).
pub fn read_small(path: impl AsRef<Path>) -> std::io::Result<String> {
    let mut bytes = [0; 4096];
    let length = File::open(path)?.read(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

const PF_FORKNOEXEC: u64 = 0x40;

/// Makes sure that /proc is there, and that of our own PID namespace: in another one's, a number is somebody else, or nobody.
///
/// # Errors
/// With what to do.
pub fn require() -> Result<()> {
    // It names whoever asks, as that /proc counts; one that does not see us leads nowhere.
    let ours = std::fs::read_link("/proc/self").ok();
    if ours.as_deref() == Some(Path::new(&std::process::id().to_string())) {
        return Ok(());
    }
    // The errno must be none that engines read as "it has ended".
    let what = if ours.is_some() || Path::new("/proc/version").exists() {
        "/proc is that of another PID namespace"
    } else {
        "/proc is not mounted here"
    };
    let call = format!("tell whether a container's first process lives: {what}");
    Err(Error::refused(call)(Errno::ENODEV)
        .with_cure(Errno::ENODEV, "mount it, as root: mount -t proc proc /proc"))
}

/// The line of the process `pid` that was born at `start_time`; `None` where it is gone. Nobody else of its number is meant, and
/// that it is gone is said only by a /proc that could know: else a container that runs would be taken for a stopped one.
///
/// # Errors
/// As [`stat`].
pub fn stat_of(pid: Pid, start_time: u64) -> Result<Option<Stat>> {
    match stat(pid)? {
        Some(found) if found.start_time == start_time => Ok(Some(found)),
        Some(_) => require().map(|()| None),
        None => Ok(None),
    }
}

/// The line of the process `pid`; `None` where there is no such process.
///
/// # Errors
/// Where /proc is not there, or that of another PID namespace, or says something that we do not understand.
pub fn stat(pid: Pid) -> Result<Option<Stat>> {
    let path = format!("/proc/{pid}/stat");
    let line = match read_small(&path) {
        Ok(line) => line,
        Err(error) => {
            return match error.raw_os_error().map(Errno::from_raw) {
                // Without /proc nobody can tell, and that is not the same as "it has ended".
                Some(Errno::ENOENT | Errno::ESRCH) => require().map(|()| None),
                _ => Err(Error::io(format!("read {path}"))(error)),
            };
        }
    };
    parse(&line).map(Some).ok_or_else(|| Error::refused(format!("understand {path}"))(Errno::EPROTO))
}

/// The second field is the program's name in parentheses, and may hold anything, parentheses too.
fn parse(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(") ")?;
    // The first of these is field 3, the state.
    let field = |number: usize| rest.split_whitespace().nth(number - 3);
    Some(Stat {
        ended: matches!(field(3)?, "Z" | "X"),
        never_executed: field(9)?.parse::<u64>().ok()? & PF_FORKNOEXEC != 0,
        start_time: field(22)?.parse().ok()?,
    })
}

/// A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)); its paths as they are written there, see [`unescaped`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountLine<'a> {
    /// The mount's number.
    pub id: &'a str,
    /// That of the mount it lies on.
    pub parent: &'a str,
    /// Which part of the file system it shows.
    pub root: &'a str,
    /// Where.
    pub point: &'a str,
    /// The file system's type.
    pub kind: &'a str,
    /// The file system's own options.
    pub options: &'a str,
}

/// Reads a line of /proc/PID/mountinfo; `None` where it is none.
pub fn mount_line(text: &str) -> Option<MountLine<'_>> {
    let (left, right) = text.split_once(" - ")?;
    let (mut left, mut right) = (left.split(' '), right.split(' '));
    let (id, parent) = (left.next()?, left.next()?);
    let (root, point) = (left.nth(1)?, left.next()?);
    Some(MountLine { id, parent, root, point, kind: right.next()?, options: right.nth(1)? })
}

/// A path of /proc/PID/mountinfo. Spaces and the like are octal there: `\040`.
pub fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte.into());
                plain.push_str(&part[3..]);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

/// The inode of every procfs's root: `PROC_ROOT_INO` of the kernel's include/linux/proc_fs.h.
const ROOT_INODE: u64 = 1;

/// A procfs that nobody else has touched: for what is written to /proc on a container's behalf. Whatever the container's
/// files and mounts have made of its own /proc, a write through this one reaches the kernel, or fails (CVE-2019-16884,
/// CVE-2025-52881: a label that was written to somebody's file in place of `/proc/self/attr/exec` confined nobody).
#[derive(Debug)]
pub struct Procfs(OwnedFd);

impl Procfs {
    /// A new mount of our PID namespace's procfs, which hangs nowhere (fsopen(2), fsmount(2)). Where the kernel gives an
    /// ordinary user none, a copy of the mount on /proc without those that cover parts of it (open_tree(2)); and where
    /// they may not be looked under, that mount itself: then what is covered cannot be written to.
    ///
    /// # Errors
    /// `ENODEV` where what is on /proc is none; those of the calls.
    pub fn open() -> Result<Procfs> {
        let new = || {
            let fs = sys::fsopen(c"proc")?;
            sys::fsconfig_create(fs.as_fd())?;
            sys::fsmount(
                fs.as_fd(),
                libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC,
            )
        };
        let copy = |_| sys::clone_mount(AT_FDCWD, c"/proc", false);
        let itself = |_| sys::openat2(AT_FDCWD, c"/proc", libc::O_PATH | libc::O_DIRECTORY, 0);
        let found = new().or_else(copy).or_else(itself).map_err(Error::refused("open a procfs"))?;
        // Only the first way knows what it found.
        let is_root = fstatfs(&found).is_ok_and(|fs| fs.filesystem_type() == PROC_SUPER_MAGIC)
            && fstat(&found).is_ok_and(|file| file.st_ino == ROOT_INODE);
        if is_root {
            Ok(Procfs(found))
        } else {
            Err(Error::refused("use /proc, which is no procfs")(Errno::ENODEV))
        }
    }

    /// Writes `text` to the file at `path` below /proc, by one write(2): no symlink is followed, and no other mount
    /// entered.
    ///
    /// # Errors
    /// `ENOENT` where the kernel has no such file, `EXDEV` where something was mounted on it, and what it says to the text.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let call = || format!("write {text:?} to /proc/{path}");
        let name = CString::new(path).map_err(|_| Error::refused(call())(Errno::EINVAL))?;
        let resolve = libc::RESOLVE_BENEATH
            | libc::RESOLVE_NO_XDEV
            | libc::RESOLVE_NO_SYMLINKS
            | libc::RESOLVE_NO_MAGICLINKS;
        sys::openat2(self.as_fd(), &name, libc::O_WRONLY | libc::O_NOCTTY, resolve)
            .and_then(|file| write(&file, text.as_bytes()))
            .map(drop)
            .map_err(Error::refused(call()))
    }

    /// Our own folder in it: `self` is a symlink, and its PID namespace may be another one than ours.
    ///
    /// # Errors
    /// `ENOENT` where we are not in its PID namespace.
    pub fn own_folder(&self) -> Result<String> {
        let folder = readlinkat(&self.0, "self").map_err(Error::refused("readlink /proc/self"))?;
        Ok(folder.to_string_lossy().into_owned())
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
