//! A child that takes memory until it has enough, or somebody has enough of it.

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};

use crate::actions;
use crate::report::Did;
use crate::sys;

/// Has a child take that many megabytes, and tells in `detail` how it ended where it did not get them.
pub(crate) fn hog(megabytes: usize) -> Did {
    let child = sys::fork(|| i32::from(actions::fill(megabytes).is_none()));
    let (ok, errno, detail) = match child.and_then(|child| waitpid(child, None)) {
        Ok(WaitStatus::Exited(_, 0)) => (true, None, None),
        Ok(WaitStatus::Signaled(_, signal, _)) => (false, None, Some(signal.as_str().to_owned())),
        Ok(_) => (false, Some(Errno::ENOMEM), None),
        Err(errno) => (false, Some(errno), Some("fork".to_owned())),
    };
    let errno = errno.map(|errno| format!("{errno:?}"));
    Did { ok, errno, detail, value: i64::try_from(megabytes).ok().filter(|_| ok), ..actions::done("hog") }
}
