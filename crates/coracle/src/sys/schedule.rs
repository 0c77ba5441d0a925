//! When a process runs, from which memory, and as what kind of Linux.

use nix::errno::Errno;
use nix::unistd::Pid;

/// The kernel's include/uapi/linux/ioprio.h: of one process.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;

/// Sets how the process `pid` is scheduled, as sched_setattr(2).
///
/// # Errors
/// `EPERM` without CAP_SYS_NICE for what is more than it has; `EINVAL`, `EBUSY` for what the policy does not allow.
pub fn sched_setattr(pid: Pid, attributes: &libc::sched_attr) -> nix::Result<()> {
    // SAFETY: the structure tells its own size and lives through the call, which only reads it.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setattr, pid.as_raw(), std::ptr::from_ref(attributes), 0) };
    Errno::result(result).map(drop)
}

/// Sets the priority of the process `pid` in the use of disks, as ioprio_set(2).
///
/// # Errors
/// `EPERM` without the right; `EINVAL` for an unknown class or level.
pub fn ioprio_set(pid: Pid, value: i32) -> nix::Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid.as_raw(), value) };
    Errno::result(result).map(drop)
}

/// Sets on which nodes this process takes memory, as set_mempolicy(2). `nodes` is a mask: bit N is node N.
///
/// # Errors
/// `EINVAL` for nodes that are not there, or a mode that asks for others.
pub fn set_mempolicy(mode: libc::c_int, nodes: &[libc::c_ulong]) -> nix::Result<()> {
    // The kernel takes one off the number of bits.
    let bits = if nodes.is_empty() { 0 } else { nodes.len() * libc::c_ulong::BITS as usize + 1 };
    let mask = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the kernel reads as many whole words as the bits are in, and they live through the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) }).map(drop)
}

/// Sets the execution domain of this process, as personality(2).
///
/// # Errors
/// `EINVAL`.
pub fn personality(persona: libc::c_ulong) -> nix::Result<()> {
    // SAFETY: no pointers.
    Errno::result(unsafe { libc::personality(persona) }).map(drop)
}
