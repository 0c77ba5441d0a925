//! The start socket: connecting to it lets the program start.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};

use super::{Locked, NO_ROOM, SOCKET};
use crate::error::{Error, Result};

impl Locked {
    /// The start socket, listening. Init accepts one connection on it, and that is the word to go on.
    ///
    /// # Errors
    /// Those of socket(2), bind(2), listen(2).
    pub fn listen(&self) -> Result<OwnedFd> {
        let listener = new_socket()?;
        let failed = |errno| {
            let path = self.dir.path.join(SOCKET);
            Error::refused(format!("bind {}", path.display()))(errno).with_cure(Errno::ENOSPC, NO_ROOM)
        };
        bind(listener.as_raw_fd(), &self.address()?).map_err(failed)?;
        listen(&listener, Backlog::new(1).unwrap_or(Backlog::MAXCONN))
            .map_err(Error::refused("listen on the start socket"))?;
        Ok(listener)
    }

    /// A connection to the start socket.
    ///
    /// # Errors
    /// `ECONNREFUSED` where init is gone.
    pub fn connect(&self) -> Result<OwnedFd> {
        let socket = new_socket()?;
        connect(socket.as_raw_fd(), &self.address()?)
            .map_err(Error::refused("connect to the start socket"))?;
        Ok(socket)
    }

    /// A socket's address may be 107 bytes long, and engines keep containers under longer paths: so it goes through our
    /// descriptor of the directory.
    fn address(&self) -> Result<UnixAddr> {
        let path = format!("/proc/self/fd/{}/{SOCKET}", self.folder.as_raw_fd());
        UnixAddr::new(path.as_str()).map_err(Error::refused("name the start socket"))
    }
}

fn new_socket() -> Result<OwnedFd> {
    socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)
        .map_err(Error::refused("socket"))
}
