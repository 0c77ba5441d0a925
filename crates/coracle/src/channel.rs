//! The words between the runtime and init while a container is being made.
//!
//! ```text
//! main                      init
//!  |  ------- Go ------->    |   the ids are mapped, go on
//!  |  <- Ready | Failed --   |   waiting for start, or what stopped it
//! ```

use std::io::IoSlice;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, recvmsg, sendmsg, socketpair};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure, Result};

/// A word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// To init: what only the runtime can do for you is done.
    Go,
    /// From init: everything is set up.
    Ready,
    /// From init: it is over.
    Failed(Failure),
}

/// One end. A message is one packet, so it arrives whole or not at all; the end of the other side is the end of
/// the conversation.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// A message longer than this was never sent by us.
const LONGEST: usize = 64 * 1024;

/// Both ends, close-on-exec.
///
/// # Errors
/// Those of socketpair(2).
pub fn pair() -> Result<(Channel, Channel)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map(|(one, other)| (Channel(one), Channel(other)))
        .map_err(Error::refused("socketpair"))
}

impl Channel {
    /// A descriptor of a connected socket that keeps packets apart.
    pub fn from_socket(socket: OwnedFd) -> Channel {
        Channel(socket)
    }

    /// The descriptor.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Says `message`.
    ///
    /// # Errors
    /// `EPIPE` where the other side is gone.
    pub fn send(&self, message: &Message) -> Result<()> {
        let bytes = serde_json::to_vec(message).expect("a message has no map with other keys than strings");
        let part = [IoSlice::new(&bytes)];
        sendmsg::<UnixAddr>(self.0.as_raw_fd(), &part, &[], MsgFlags::MSG_NOSIGNAL, None)
            .map(drop)
            .map_err(Error::refused("send to the other process"))
    }

    /// Waits for the next message; `None` when the other side is gone.
    ///
    /// # Errors
    /// `EPROTO` for something that is no message of ours.
    pub fn receive(&self) -> Result<Option<Message>> {
        let mut bytes = vec![0; LONGEST];
        let length = {
            let mut part = [IoSliceMut::new(&mut bytes)];
            match recvmsg::<UnixAddr>(self.0.as_raw_fd(), &mut part, None, MsgFlags::empty()) {
                Ok(received) => received.bytes,
                Err(errno) => return Err(Error::refused("receive from the other process")(errno)),
            }
        };
        if length == 0 {
            return Ok(None);
        }
        serde_json::from_slice(&bytes[..length])
            .map(Some)
            .map_err(|_| Error::refused("receive from the other process")(nix::errno::Errno::EPROTO))
    }
}
