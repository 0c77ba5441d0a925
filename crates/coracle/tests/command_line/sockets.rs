//! The sockets that descriptors of a new process are sent to.

use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use testkit::prelude::*;

use crate::common::{Leaks, text};
use crate::{accepted, filled, waiting};

/// The number of the process whose pidfd is the next that somebody sends to `listener`.
fn pid_received(listener: &UnixListener) -> i32 {
    listener.set_nonblocking(true).expect("a socket");
    let mut connection = None;
    within(Duration::from_secs(5), "somebody connects", || {
        connection = listener.accept().ok();
        connection.is_some()
    });
    let (connection, _) = connection.expect("a connection");
    let mut bytes = [0; 64];
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message =
        recvmsg::<()>(connection.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC);
    let message = message.expect("a message");
    let fds = message.cmsgs().expect("control messages").find_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds = fds.expect("descriptors");
    let told =
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fds[0])).expect("what the descriptor is");
    nix::unistd::close(fds[0]).expect("close");
    let pid = told.lines().find_map(|line| line.strip_prefix("Pid:")).expect("a pidfd");
    pid.trim().parse().expect("a number")
}

pub(crate) fn a_pidfd_goes_to_its_socket() {
    let bundle = waiting();
    let listener = UnixListener::bind(bundle.path().join("socket")).expect("a socket");
    let number = |name: &str| -> i32 {
        std::fs::read_to_string(bundle.path().join(name)).expect("the pid file").parse().expect("a number")
    };
    accepted(&bundle, "create --bundle BUNDLE --pid-file @pid --pidfd-socket @socket ID");
    assert_eq!(pid_received(&listener), number("pid"));
    accepted(&bundle, "start ID");
    accepted(&bundle, "exec --detach --pid-file @pid2 --pidfd-socket @socket ID /probe hold");
    assert_eq!(pid_received(&listener), number("pid2"));
    accepted(&bundle, "delete --force ID");
    accepted(&bundle, "run --detach --bundle BUNDLE --pid-file @pid3 --pidfd-socket @socket ID");
    assert_eq!(pid_received(&listener), number("pid3"));
    accepted(&bundle, "delete --force ID");
}

pub(crate) fn a_pidfd_socket_that_nobody_listens_on_is_an_error() {
    let bundle = waiting();
    for verb in ["create", "run"] {
        let row = format!("{verb} --bundle BUNDLE --pid-file @pid --pidfd-socket @socket ID");
        let words = filled(&bundle, &row);
        let mut call = bundle.coracle(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let leaks = Leaks::watch(&mut call, bundle.id());
        let output = call.output().expect("the runtime starts");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{row}: {error}");
        assert!(error.contains("whoever gives --pidfd-socket must listen on it"), "{row}: {error}");
        leaks.assert_none(&bundle, verb);
        assert!(!bundle.path().join("pid").exists(), "the pid file comes last");
    }
}
