//! Becoming another program.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
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

/// An execve(2) that is ready: nothing is left to do for it but the call, which takes no memory.
#[derive(Debug)]
pub struct Prepared<'a> {
    file: &'a CStr,
    args: Vec<*const libc::c_char>,
    env: Vec<*const libc::c_char>,
    texts: PhantomData<&'a [CString]>,
}

impl<'a> Prepared<'a> {
    /// The program at `file` with these arguments, its name first, and this environment.
    pub fn new(file: &'a CStr, args: &'a [CString], env: &[&'a CStr]) -> Prepared<'a> {
        let args = args.iter().map(|text| text.as_ptr()).chain([null()]).collect();
        let env = env.iter().map(|text| text.as_ptr()).chain([null()]).collect();
        Prepared { file, args, env, texts: PhantomData }
    }

    /// The program's path.
    pub fn file(&self) -> &'a CStr {
        self.file
    }

    /// Becomes it. Returns only where that did not work.
    pub fn execute(&self) -> Errno {
        // SAFETY: both lists end in a null pointer, and each text in NUL; the texts are borrowed for as long as self lives.
        unsafe { libc::execve(self.file.as_ptr(), self.args.as_ptr(), self.env.as_ptr()) };
        Errno::last()
    }
}
