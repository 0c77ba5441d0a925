//! System calls that no crate wraps safely: the only `unsafe` of the runtime.
//!
//! Each function is one call, with its descriptors owned or borrowed and its error as an [`Errno`]. Every
//! descriptor that is made here is close-on-exec; what init must not even have before that, [`close_all_but`] closes.
#![allow(unsafe_code)]

mod bpf;
mod exec;
mod file;
mod identity;
mod keyring;
mod mount;
mod namespace;
mod process;
mod schedule;
mod seccomp;
mod terminal;

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

pub use bpf::*;
pub use exec::*;
pub use file::*;
pub use identity::*;
pub use keyring::*;
pub use mount::*;
pub use namespace::*;
pub use process::*;
pub use schedule::*;
pub use seccomp::*;
pub use terminal::*;

/// Takes over a descriptor that a system call just made.
fn owned(result: libc::c_long) -> nix::Result<OwnedFd> {
    // SAFETY: a non-negative result of the calls above is a descriptor that nobody else owns.
    Errno::result(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
