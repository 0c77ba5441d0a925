//! SCMP_ACT_NOTIFY: a supervisor outside decides on system calls. It gets the filter's listener, with one message that says
//! whose it is (runtime-spec, config-linux.md, "The Container Process State"); what it does with it is in seccomp_unotify(2).

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

use nix::errno::Errno;
use serde_json::{Value, json};

use super::Listener;
use crate::error::{Error, Result};
use crate::handover;

/// Hands `descriptor`, the listener of the filter of the process `pid` (as the runtime sees it), to the supervisor `listener`:
/// one connection, one message, and no more on it. `state` is the container's (runtime.md, "State").
///
/// # Errors
/// Those of connect(2) and sendmsg(2).
pub fn send(listener: &Listener, pid: i32, state: &Value, descriptor: BorrowedFd<'_>) -> Result<()> {
    let mut message = json!({
        "ociVersion": crate::OCI_VERSION,
        "fds": ["seccompFd"],
        "pid": pid,
        "state": state,
    });
    if !listener.metadata.is_empty() {
        message["metadata"] = json!(listener.metadata);
    }
    let text = message.to_string();
    let mut socket = connect(listener).map_err(|error| {
        // Engines and tests of theirs look for these words.
        let shown = listener.path.display();
        Error::io(format!("failed to connect with seccomp agent at /linux/seccomp/listenerPath, {shown}"))(
            error,
        )
        .with_cure(Errno::ENOENT, "start the supervisor first")
        .with_cure(Errno::ECONNREFUSED, "start the supervisor first: nobody listens there")
        .with_cure(Errno::EPROTOTYPE, "it must be a stream socket")
    })?;
    let failed = || Error::refused(format!("send the listener to {}", listener.path.display()));
    let sent = handover::send_with(&socket, text.as_bytes(), descriptor).map_err(failed())?;
    socket
        .write_all(&text.as_bytes()[sent..])
        .map_err(Error::io(format!("send the container's state to {}", listener.path.display())))
}

fn connect(listener: &Listener) -> std::io::Result<UnixStream> {
    match listener.path.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?),
        None => handover::connect(&listener.path),
    }
}
