//! `tmpcopyup`: a tmpfs that begins with what is in the directory that it covers.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmodat, fstatat, mkdirat, mknodat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat, symlinkat};

/// How deep a tree may be: each level holds descriptors open.
const DEEPEST: usize = 100;

/// Copies what is in the directory `from` into the directory `to`, all the way down: contents, owners, permissions,
/// times. No symlink is followed.
///
/// # Errors
/// Those of reading and writing; `ENAMETOOLONG` for a tree of more than a hundred levels.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> nix::Result<()> {
    copy_directory(from, to, DEEPEST)
}

fn copy_directory(from: BorrowedFd<'_>, to: BorrowedFd<'_>, levels: usize) -> nix::Result<()> {
    let levels = levels.checked_sub(1).ok_or(Errno::ENAMETOOLONG)?;
    // `from` may be a mere place (`O_PATH`), which cannot be read.
    let mut listed =
        Dir::openat(from, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    for entry in listed.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            copy_entry(from, to, name, levels)?;
        }
    }
    Ok(())
}

fn copy_entry(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, levels: usize) -> nix::Result<()> {
    let stat = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
    let private = Mode::S_IRWXU;
    if kind == SFlag::S_IFDIR {
        mkdirat(to, name, private)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let (from, to) = (openat(from, name, flags, Mode::empty())?, openat(to, name, flags, Mode::empty())?);
        copy_directory(from.as_fd(), to.as_fd(), levels)?;
    } else if kind == SFlag::S_IFREG {
        let read = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let write = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mut from = File::from(openat(from, name, read, Mode::empty())?);
        let mut to = File::from(openat(to, name, write, private)?);
        std::io::copy(&mut from, &mut to)
            .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    } else if kind == SFlag::S_IFLNK {
        let target = CString::new(readlinkat(from, name)?.into_encoded_bytes()).map_err(|_| Errno::EINVAL)?;
        symlinkat(target.as_c_str(), to, name)?;
    } else {
        mknodat(to, name, kind, private, stat.st_rdev)?;
    }
    take_over(to, name, kind, &stat)
}

/// Owner first: a change of owner takes set-user-id bits off.
fn take_over(to: BorrowedFd<'_>, name: &CStr, kind: SFlag, stat: &FileStat) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    fchownat(to, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if kind != SFlag::S_IFLNK {
        let mode = Mode::from_bits_truncate(stat.st_mode & 0o7777);
        fchmodat(to, name, mode, FchmodatFlags::FollowSymlink)?;
    }
    let accessed = TimeSpec::new(stat.st_atime, stat.st_atime_nsec);
    let changed = TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec);
    utimensat(to, name, &accessed, &changed, UtimensatFlags::NoFollowSymlink)
}
