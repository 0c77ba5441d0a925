//! Handing a descriptor on to somebody who listens for it: a terminal, or a process.

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

/// What is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The other end of a terminal, for `--console-socket`.
    Terminal,
    /// A pidfd, for `--pidfd-socket`.
    Process,
}

impl What {
    fn socket(self) -> &'static str {
        match self {
            What::Terminal => "console socket",
            What::Process => "pidfd socket",
        }
    }

    fn cure(self) -> &'static str {
        match self {
            What::Terminal => "whoever gives --console-socket must listen on it",
            What::Process => "whoever gives --pidfd-socket must listen on it",
        }
    }

    /// The message's text, as runc has it: some receivers read one.
    fn text(self) -> &'static [u8] {
        match self {
            What::Terminal => b"/dev/ptmx",
            What::Process => b"pidfd",
        }
    }
}

/// Sends `descriptor` to the stream socket at `path`, as one SCM_RIGHTS message (unix(7)).
///
/// # Errors
/// Those of connect(2) and sendmsg(2).
pub fn send(what: What, path: &Path, descriptor: BorrowedFd<'_>) -> Result<()> {
    let socket = connect(path).map_err(|error| {
        Error::io(format!("connect to the {} {}", what.socket(), path.display()))(error)
            .with_cure(Errno::ENOENT, what.cure())
            .with_cure(Errno::ECONNREFUSED, what.cure())
    })?;
    send_with(&socket, what.text(), descriptor)
        .map(drop)
        .map_err(Error::refused(format!("sendmsg to the {}", what.socket())))
}

/// Sends a copy of `descriptor` with `text` on `socket` (unix(7), SCM_RIGHTS). A stream may take less than all of the text, and
/// the descriptor goes with its first byte: returns how much it took.
///
/// # Errors
/// Those of sendmsg(2).
pub fn send_with(socket: &UnixStream, text: &[u8], descriptor: BorrowedFd<'_>) -> nix::Result<usize> {
    let fds = [descriptor.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(text)], &rights, MsgFlags::MSG_NOSIGNAL, None)
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
