//! Filters of system calls, and the word that can be said without one.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::owned;

/// A statement of classic BPF: `struct sock_filter` of linux/filter.h. The machine has one register, A. A jump skips as many
/// statements as it says, forward only.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// What is done: `BPF_*` constants, put together.
    pub code: u16,
    /// How many statements a comparison skips where it holds.
    pub yes: u8,
    /// And where it does not.
    pub no: u8,
    /// The number it works with.
    pub value: u32,
}

/// A comparison of A with a number, without signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// A == the number.
    Equal,
    /// A > the number.
    Greater,
    /// A >= the number.
    GreaterOrEqual,
}

impl Statement {
    const fn new(code: u32, yes: u8, no: u8, value: u32) -> Statement {
        Statement { code: code as u16, yes, no, value }
    }

    /// A = the 32 bits at `offset` bytes in `struct seccomp_data`.
    pub const fn load(offset: u32) -> Statement {
        Statement::new(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
    }

    /// A &= `mask`.
    pub const fn and(mask: u32) -> Statement {
        Statement::new(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, mask)
    }

    /// Skips `over` statements.
    pub const fn jump(over: u32) -> Statement {
        Statement::new(libc::BPF_JMP | libc::BPF_JA, 0, 0, over)
    }

    /// Skips `yes` statements where A compares so with `value`, else `no` statements.
    pub const fn branch(compare: Compare, value: u32, yes: u8, no: u8) -> Statement {
        let code = match compare {
            Compare::Equal => libc::BPF_JEQ,
            Compare::Greater => libc::BPF_JGT,
            Compare::GreaterOrEqual => libc::BPF_JGE,
        };
        Statement::new(libc::BPF_JMP | code | libc::BPF_K, yes, no, value)
    }

    /// The filter's answer, `SECCOMP_RET_*`; its end.
    pub const fn answer(value: u32) -> Statement {
        Statement::new(libc::BPF_RET | libc::BPF_K, 0, 0, value)
    }
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    count: libc::c_ushort,
    statements: *const Statement,
}

/// Puts this thread, and all it starts, under the filter `program`, as seccomp(2) with `SECCOMP_SET_MODE_FILTER`. `flags` are
/// `SECCOMP_FILTER_FLAG_*`. With `NEW_LISTENER` among them, a descriptor comes back that hears of the calls whose answer is
/// `SECCOMP_RET_USER_NOTIF`; it is close-on-exec.
///
/// # Errors
/// `EACCES` without no_new_privs and without CAP_SYS_ADMIN, `EINVAL` for a program that the kernel does not take (none, more
/// than 4096 statements) or a flag that it does not know, `EBUSY` where there is a listener already, `ENOSYS` where it was
/// built without.
pub fn seccomp_load(program: &[Statement], flags: libc::c_ulong) -> nix::Result<Option<OwnedFd>> {
    let count = libc::c_ushort::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let program = Program { count, statements: program.as_ptr() };
    // SAFETY: the kernel reads `count` statements, which live through the call and have its own form.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 {
        return owned(result).map(Some);
    }
    Errno::result(result).map(|_| None)
}

/// A number in memory that another process can read: to write it takes no system call.
#[derive(Debug)]
pub struct SharedNumber {
    memory: File,
    number: NonNull<AtomicI32>,
}

const NAME: &std::ffi::CStr = c"coracle-last-word";

impl SharedNumber {
    /// A new one, 0; it lives to the end of the process, or to its next execve.
    ///
    /// # Errors
    /// Those of memfd_create(2), ftruncate(2) and mmap(2).
    pub fn new() -> nix::Result<SharedNumber> {
        // Where the sysctl vm.memfd_noexec is 2, it must be said that nobody will execute it; before Linux 6.3 it cannot be.
        let no_program = MFdFlags::MFD_CLOEXEC | MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
        let memory = match memfd_create(NAME, no_program) {
            Err(Errno::EINVAL) => memfd_create(NAME, MFdFlags::MFD_CLOEXEC)?,
            other => other?,
        };
        nix::unistd::ftruncate(&memory, size_of::<AtomicI32>() as libc::off_t)?;
        // SAFETY: a mapping that the kernel places touches no memory of ours.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<AtomicI32>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                memory.as_raw_fd(),
                0,
            )
        };
        match NonNull::new(address.cast()) {
            Some(number) if address != libc::MAP_FAILED => Ok(SharedNumber { memory: memory.into(), number }),
            _ => Err(Errno::last()),
        }
    }

    /// The memory, to be handed to whoever shall read it.
    pub fn memory(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// Makes it `value`, without a system call.
    pub fn set(&self, value: i32) {
        // SAFETY: the mapping is as large as the number, begins at a page, and nobody takes it away.
        unsafe { self.number.as_ref() }.store(value, Ordering::SeqCst);
    }
}
