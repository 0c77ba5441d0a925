//! The words between the runtime and the process it makes, while a container or a session in one is being made.
//!
//! ```text
//! main                          child
//!  |  --------- Go ---------->    |   what only we can do from outside is done: go on
//!  |  <-- Born (a pidfd) ------   |   (a child that joined a user namespace has made the real one)
//!  |  <-- Network (a socket) --   |   (only where network devices are to be moved; then Go once more)
//!  |  <-- Terminal (a master) -   |   (only where the process has a terminal)
//!  |  <-- Mounted -------------   |   (only where the runtime has hooks to run now; then Go once more)
//!  |  <-- Ready | Failed ------   |   all is set up, or what stopped it
//! ```

use std::io::IoSlice;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, recvmsg, sendmsg,
    shutdown, socketpair,
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Failure, Result};
use crate::signal::Held;
use crate::sys;

/// A word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// To the child: what only the runtime can do for you is done.
    Go,
    /// From a child that only makes another: its number. A pidfd comes with it.
    Born(i32),
    /// From the child: I am in my network namespace. A netlink socket to it comes with it; then `Go`.
    Network,
    /// From the child: here is the other end of my terminal. A descriptor comes with it.
    Terminal,
    /// From the child: the container's tree stands, and is not the root yet. It waits for `Go`.
    Mounted,
    /// From the child: everything is set up.
    Ready,
    /// From a child that puts itself under a filter, and becomes the program of this path: a number in memory that tells
    /// what went wrong where it may not speak any more. The memory's descriptor comes with it.
    Slate(String),
    /// From the same: a supervisor must hear of my calls. The filter's listener comes with it; it waits for `Go`.
    Listener,
    /// From init, to whoever starts it: now I become the program. What comes next is the end of the conversation, or why not.
    Executing,
    /// From the child: it is over.
    Failed(Failure),
}

/// One end. A message is one packet, so it arrives whole or not at all; the end of the other side is the end of
/// the conversation.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// A message longer than this was never sent by us.
const LONGEST: usize = 32 * 1024;

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

    /// Says `message`.
    ///
    /// # Errors
    /// `EPIPE` where the other side is gone.
    pub fn send(&self, message: &Message) -> Result<()> {
        self.send_with(message, None)
    }

    /// Says `message`, and gives a copy of `descriptor` with it (unix(7), SCM_RIGHTS).
    ///
    /// # Errors
    /// `EPIPE` where the other side is gone.
    pub fn send_with(&self, message: &Message, descriptor: Option<BorrowedFd<'_>>) -> Result<()> {
        let bytes = serde_json::to_vec(message).expect("a message has no map with other keys than strings");
        self.send_packet(&bytes, descriptor)
    }

    /// As [`Channel::send_with`], of words that are none of ours.
    ///
    /// # Errors
    /// `EPIPE` where the other side is gone.
    pub fn send_packet(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<()> {
        let raw = descriptor.map(|fd| [fd.as_raw_fd()]);
        let rights: Vec<_> = raw.iter().map(|fds| ControlMessage::ScmRights(fds)).collect();
        sendmsg::<UnixAddr>(self.0.as_raw_fd(), &[IoSlice::new(bytes)], &rights, MsgFlags::MSG_NOSIGNAL, None)
            .map(drop)
            .map_err(Error::refused("send to the other process"))
    }

    /// Waits for the next message; `None` when the other side is gone.
    ///
    /// # Errors
    /// `EPROTO` for something that is no message of ours.
    pub fn receive(&self) -> Result<Option<Message>> {
        Ok(self.receive_with()?.map(|(message, _)| message))
    }

    /// Waits for the next message and the descriptor that came with it, which is close-on-exec and the caller's.
    ///
    /// # Errors
    /// `EPROTO` for something that is no message of ours.
    pub fn receive_with(&self) -> Result<Option<(Message, Option<OwnedFd>)>> {
        let Some((bytes, descriptor)) = self.receive_packet()? else { return Ok(None) };
        let not_ours = |_| Error::refused("receive from the other process")(Errno::EPROTO);
        serde_json::from_slice(&bytes).map(|message| Some((message, descriptor))).map_err(not_ours)
    }

    /// As [`Channel::receive_with`], of words that are none of ours.
    ///
    /// # Errors
    /// Those of recvmsg(2).
    pub fn receive_packet(&self) -> Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
        let failed = || Error::refused("receive from the other process");
        let mut bytes = vec![0; LONGEST];
        let mut space = nix::cmsg_space!([i32; 1]);
        let (length, descriptor) = {
            let mut part = [IoSliceMut::new(&mut bytes)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            match recvmsg::<UnixAddr>(self.0.as_raw_fd(), &mut part, Some(&mut space), flags) {
                Ok(received) => {
                    let mut all = received.cmsgs().map_err(failed())?;
                    (received.bytes, all.find_map(|one| sys::received(&one)))
                }
                // A socket that was closed with something unread in it: gone as well.
                Err(Errno::ECONNRESET) => return Ok(None),
                Err(errno) => return Err(failed()(errno)),
            }
        };
        if length == 0 {
            return Ok(None);
        }
        bytes.truncate(length);
        Ok(Some((bytes, descriptor)))
    }
}

impl Channel {
    /// Waits for `Go` under a filter that may forbid much: by read(2), and without taking memory.
    ///
    /// # Errors
    /// Those of read(2); `ECONNRESET` where the other side is gone or says something else.
    pub fn wait_for_go(&self) -> Result<()> {
        const GO: &[u8] = b"\"Go\"";
        let mut word = [0; GO.len() + 1];
        let failed = || Error::refused("read from the other process");
        match nix::unistd::read(self, &mut word) {
            Ok(length) if &word[..length] == GO => Ok(()),
            Ok(_) => Err(failed()(Errno::ECONNRESET)),
            Err(errno) => Err(failed()(errno)),
        }
    }

    /// As [`Channel::receive_with`], for whoever makes a container meanwhile: a signal that asks us to end ends the waiting,
    /// and the caller then takes back what was made.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; those of [`Channel::receive_with`].
    pub fn next(&self, held: &Held) -> Result<Option<(Message, Option<OwnedFd>)>> {
        loop {
            let mut news =
                [PollFd::new(self.as_fd(), PollFlags::POLLIN), PollFd::new(held.as_fd(), PollFlags::POLLIN)];
            match poll(&mut news, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::refused("poll")(errno)),
            }
            if news[0].any().unwrap_or(false) {
                return self.receive_with();
            }
            if let Some(signal) = held.end()? {
                return Err(Error::interrupted(signal));
            }
        }
    }
}

impl Channel {
    /// Ends the conversation for everybody, whoever else holds a descriptor of either end.
    pub fn hang_up(&self) {
        // What was ended already is.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.0
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
