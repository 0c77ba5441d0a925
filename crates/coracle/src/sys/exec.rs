//! Becoming another program.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null;

use nix::errno::Errno;

unsafe extern "C" {
    /// The C library's variable, environ(7).
    static environ: *const *const libc::c_char;
}

/// Becomes the program in the file of `program` with these arguments and our own environment, as execveat(2) with
/// `AT_EMPTY_PATH`. Returns only where that did not work.
pub fn exec_descriptor(program: BorrowedFd<'_>, args: &[CString]) -> Errno {
    let pointers: Vec<_> = args.iter().map(|arg| arg.as_ptr()).chain([null()]).collect();
    // SAFETY: both lists end in a null pointer, each text in NUL, and all live through the call. The runtime has a
    // single thread, so nobody changes the environment meanwhile.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            pointers.as_ptr(),
            environ,
            libc::AT_EMPTY_PATH,
        )
    };
    Errno::last()
}
