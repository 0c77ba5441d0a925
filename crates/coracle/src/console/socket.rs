//! Handing a terminal on to somebody who will hold it.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::error::{Error, Result};
use crate::rootfs;

/// The longest path that fits into a socket's address (unix(7)), less its NUL byte.
const LONGEST: usize = 107;

/// Sends `master` to the stream socket at `path` (`--console-socket`), as one SCM_RIGHTS message (unix(7)). Its text is
/// the terminal's name, as runc has it: some receivers read one.
///
/// # Errors
/// Those of connect(2) and sendmsg(2).
pub fn send(path: &Path, master: BorrowedFd<'_>) -> Result<()> {
    let socket = connect(path).map_err(|error| {
        Error::io(format!("connect to the console socket {}", path.display()))(error)
            .with_cure(Errno::ENOENT, "whoever gives --console-socket must listen on it")
            .with_cure(Errno::ECONNREFUSED, "whoever gives --console-socket must listen on it")
    })?;
    let fds = [master.as_raw_fd()];
    let text = [IoSlice::new(b"/dev/ptmx")];
    sendmsg::<()>(socket.as_raw_fd(), &text, &[ControlMessage::ScmRights(&fds)], MsgFlags::MSG_NOSIGNAL, None)
        .map(drop)
        .map_err(Error::refused("sendmsg of the terminal"))
}

/// Connects to the stream socket `path`, however long that is: through a descriptor of its folder where it does not fit.
///
/// # Errors
/// Those of connect(2).
pub fn connect(path: &Path) -> std::io::Result<UnixStream> {
    if path.as_os_str().len() <= LONGEST {
        return UnixStream::connect(path);
    }
    let invalid = || std::io::Error::from_raw_os_error(Errno::EINVAL as i32);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(invalid()) };
    let folder = rootfs::open_directory(folder).map_err(|error| {
        error.errno().map_or_else(invalid, |errno| std::io::Error::from_raw_os_error(errno as i32))
    })?;
    UnixStream::connect(Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name))
}
