//! Programs for the kernel.

use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::owned;

/// From `linux/bpf.h`.
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// An instruction of the kernel's machine: `struct bpf_insn`. Its codes are in the kernel's
/// Documentation/bpf/standardization/instruction-set.rst; all here work on 32 bits.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    value: i32,
}

impl Instruction {
    const fn new(code: u8, to: u8, from: u8, offset: i16, value: u32) -> Instruction {
        Instruction { code, registers: from << 4 | to, offset, value: value as i32 }
    }

    /// `to` = the 32 bits at `offset` bytes behind the pointer in `from`.
    pub const fn load(to: u8, from: u8, offset: i16) -> Instruction {
        Instruction::new(0x61, to, from, offset, 0)
    }

    /// `to` = `from`.
    pub const fn copy(to: u8, from: u8) -> Instruction {
        Instruction::new(0xbc, to, from, 0, 0)
    }

    /// `to` = `value`.
    pub const fn set(to: u8, value: u32) -> Instruction {
        Instruction::new(0xb4, to, 0, 0, value)
    }

    /// `to` &= `value`.
    pub const fn and(to: u8, value: u32) -> Instruction {
        Instruction::new(0x54, to, 0, 0, value)
    }

    /// `to` >>= `bits`.
    pub const fn shift_right(to: u8, bits: u32) -> Instruction {
        Instruction::new(0x74, to, 0, 0, bits)
    }

    /// Skips `over` instructions.
    pub const fn jump(over: i16) -> Instruction {
        Instruction::new(0x05, 0, 0, over, 0)
    }

    /// Skips `over` instructions unless `register` == `value`.
    pub const fn jump_unless_equal(register: u8, value: u32, over: i16) -> Instruction {
        Instruction::new(0x56, register, 0, over, value)
    }

    /// Skips `over` instructions if `register` & `value` is not 0.
    pub const fn jump_if_any(register: u8, value: u32, over: i16) -> Instruction {
        Instruction::new(0x46, register, 0, over, value)
    }

    /// The program's end: its answer is in register 0.
    pub const fn exit() -> Instruction {
        Instruction::new(0x95, 0, 0, 0, 0)
    }
}

/// The beginning of `union bpf_attr` for BPF_PROG_LOAD. The kernel takes what is behind it for zeroes.
#[repr(C)]
struct Load {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
}

/// The same for BPF_PROG_ATTACH.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

/// Loads a program that decides about devices (BPF_PROG_TYPE_CGROUP_DEVICE); the kernel checks it. The descriptor keeps
/// it until it is attached.
///
/// # Errors
/// `EPERM` without the right, and before Linux 5.11 where too much memory is locked; `EINVAL`, `EACCES` for a program
/// that the kernel does not trust.
pub fn bpf_load_device_filter(program: &[Instruction]) -> nix::Result<OwnedFd> {
    let load = Load {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
    };
    loop {
        // SAFETY: load, the instructions and the license live through the call; sizes and count are theirs.
        let result =
            owned(unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, size_of::<Load>()) });
        // The kernel gives up its check when a signal comes.
        if result.as_ref().err() != Some(&Errno::EAGAIN) {
            return result;
        }
    }
}

/// Attaches a program to the control group of this folder of version 2, beside those of groups above and below.
///
/// # Errors
/// `EPERM` without the right, or where a group above forbids it; `EBADF` where the folder is none of version 2.
pub fn bpf_attach_device_filter(group: BorrowedFd<'_>, program: &impl AsFd) -> nix::Result<()> {
    let attach = Attach {
        target: group.as_raw_fd() as u32,
        program: program.as_fd().as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: attach lives through the call and its size is the one passed.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attach, size_of::<Attach>()) };
    Errno::result(result).map(drop)
}
