//! The bundle's folder and its `config.json`: opened and read once.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, readlink};
use nix::sys::stat::Mode;

use crate::error::{Error, Result};
use crate::sys;

/// The config's name in a bundle.
pub const CONFIG: &str = "config.json";

/// The longest config that we read: far more than any engine writes.
const LONGEST: u64 = 64 << 20;

/// Opens the bundle's folder; returns its descriptor (`O_PATH`) and its absolute path without symlinks.
///
/// # Errors
/// [`Error::Bundle`] where it is missing or something else.
pub fn folder(bundle: &Path) -> Result<(OwnedFd, PathBuf)> {
    place(AT_FDCWD, bundle).map_err(|errno| match errno {
        Errno::ENOENT => {
            broken(bundle, "no such file or directory; go to a bundle's folder or name it with --bundle")
        }
        Errno::ENOTDIR => broken(bundle, "is not a directory; a bundle is a folder with config.json in it"),
        errno => Error::refused(format!("open the bundle {}", bundle.display()))(errno),
    })
}

/// Opens the directory `path`, from `at` on, as a place (`O_PATH`), and asks the kernel for its path: one walk, where
/// a library would ask for every component.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`.
pub(super) fn place(at: BorrowedFd<'_>, path: &Path) -> nix::Result<(OwnedFd, PathBuf)> {
    let fd = openat(at, path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let real = readlink(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_str())?;
    Ok((fd, real.into()))
}

/// The text of the config in the folder `folder`, which is at `bundle`.
///
/// # Errors
/// [`Error::Bundle`] where it is missing, no file, too long, or not UTF-8.
pub fn config(folder: &OwnedFd, bundle: &Path) -> Result<String> {
    read(folder.as_fd(), Path::new(CONFIG), &bundle.join(CONFIG)).map_err(|error| match error {
        Error::Refused { errno: Errno::ENOENT, .. } => broken(
            &bundle.join(CONFIG),
            "no such file or directory; go to a bundle's folder or name it with --bundle",
        ),
        other => other,
    })
}

/// The text of the file `path`, from `at` on; errors call it `shown`.
///
/// # Errors
/// [`Error::Bundle`] where it is no file, too long, or not UTF-8; what the kernel refuses.
pub fn read(at: BorrowedFd<'_>, path: &Path, shown: &Path) -> Result<String> {
    // O_NONBLOCK: the opening of a fifo would wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let fd = openat(at, path, flags, Mode::empty())
        .map_err(Error::refused(format!("open {}", shown.display())))
        .map_err(|error| error.with_cure(Errno::EACCES, "make it readable for you"))?;
    let (file, failed) = (File::from(fd), || Error::io(format!("read {}", shown.display())));
    let about = file.metadata().map_err(failed())?;
    if !about.is_file() {
        return Err(broken(shown, "is not a regular file"));
    }
    if about.len() > LONGEST {
        return Err(broken(shown, "is longer than 64 MiB: that is no config"));
    }
    // One read takes it all; nobody need look for the end.
    let mut bytes = Vec::with_capacity(about.len() as usize);
    (&file).take(about.len()).read_to_end(&mut bytes).map_err(failed())?;
    // Our end closes it.
    sys::leave_open([file.into()]);
    String::from_utf8(bytes).map_err(|error| {
        broken(shown, format!("is not UTF-8: byte {} of it", error.utf8_error().valid_up_to() + 1))
    })
}

/// What is wrong with a file or folder.
pub(super) fn broken(path: &Path, problem: impl Into<String>) -> Error {
    Error::Bundle { path: path.to_owned(), problem: problem.into() }
}
