//! A supervisor of system calls, as engines have one: listens for listeners of seccomp filters, and decides.

use std::fs;
use std::io::{IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use crate::report::Heard;
use crate::sys;

/// What becomes of the calls.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// They are done.
    Continue,
    /// They fail.
    Errno(i32),
}

/// A connection, until it is closed.
struct Connection {
    stream: UnixStream,
    said: Vec<u8>,
    fds: usize,
}

/// Listens on the socket at `path` until standard input is at its end, prints a line for each message that comes, for each
/// connection's end, and for each call that is decided on.
pub(crate) fn supervise(path: &Path, answer: Answer, print: impl Fn(&Heard)) {
    let Ok(socket) = UnixListener::bind(path) else { return };
    let (mut connections, mut listeners) = (Vec::<Connection>::new(), Vec::<OwnedFd>::new());
    loop {
        let stdin = std::io::stdin();
        let mut news = vec![PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        news.push(PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        news.extend(connections.iter().map(|one| PollFd::new(one.stream.as_fd(), PollFlags::POLLIN)));
        news.extend(listeners.iter().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        if !matches!(poll(&mut news, PollTimeout::NONE), Ok(_) | Err(Errno::EINTR)) {
            return;
        }
        let events: Vec<_> = news.iter().map(|one| one.revents().unwrap_or(PollFlags::empty())).collect();
        if !events[0].is_empty() && stdin.lock().read(&mut [0; 64]).is_ok_and(|count| count == 0) {
            let _ = fs::remove_file(path);
            return;
        }
        let (of_connections, of_listeners) = events[2..].split_at(connections.len());
        let mut event = of_listeners.iter();
        listeners.retain(|listener| {
            let event = event.next().copied().unwrap_or(PollFlags::empty());
            if event.contains(PollFlags::POLLIN)
                && let Some(call) = decide(listener, answer)
            {
                print(&call);
            }
            // Without a call: nobody is under this filter any more.
            event.is_empty() || event.contains(PollFlags::POLLIN)
        });
        let mut event = of_connections.iter();
        connections.retain_mut(|connection| {
            event.next().is_none_or(|event| event.is_empty()) || hear(connection, &mut listeners, &print)
        });
        if !events[1].is_empty()
            && let Ok((stream, _)) = socket.accept()
        {
            connections.push(Connection { stream, said: Vec::new(), fds: 0 });
        }
    }
}

/// Takes what has come on a connection. Returns whether it is still open.
fn hear(connection: &mut Connection, listeners: &mut Vec<OwnedFd>, print: impl Fn(&Heard)) -> bool {
    let mut bytes = vec![0; 1 << 16];
    let mut space = nix::cmsg_space!([i32; 4]);
    let mut part = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let raw = connection.stream.as_raw_fd();
    let Ok(received) = recvmsg::<()>(raw, &mut part, Some(&mut space), flags) else { return false };
    for message in received.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(raw) = message {
            connection.fds += raw.len();
            listeners.extend(raw.into_iter().map(sys::own));
        }
    }
    let length = received.bytes;
    connection.said.extend(&bytes[..length]);
    if length == 0 {
        print(&Heard::Closed);
    } else if let Ok(message) = serde_json::from_slice(&connection.said) {
        print(&Heard::Message { message, fds: connection.fds });
    }
    length > 0
}

/// Decides on the call that waits on `listener`; `None` where its process has ended meanwhile.
fn decide(listener: &OwnedFd, answer: Answer) -> Option<Heard> {
    let asked = sys::notification(listener.as_raw_fd()).ok()?;
    let errno = match answer {
        Answer::Continue => None,
        Answer::Errno(number) => Some(number),
    };
    sys::answer(listener.as_raw_fd(), asked.id, errno).ok()?;
    Some(Heard::Call { number: asked.data.nr.into(), pid: asked.pid })
}
