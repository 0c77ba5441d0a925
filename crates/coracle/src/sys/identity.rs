//! Who a process is and what it may: capabilities and resource limits.

use nix::errno::Errno;
use nix::sys::resource::Resource;
use nix::unistd::Pid;

/// The kernel's `_LINUX_CAPABILITY_VERSION_3`: two words of 32 bits for each set.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    /// 0: the caller.
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Words {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The caller's effective, permitted and inheritable capabilities, as capget(2).
///
/// # Errors
/// None that a kernel of our time gives.
pub fn capget() -> nix::Result<[u64; 3]> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut words = [Words { effective: 0, permitted: 0, inheritable: 0 }; 2];
    // SAFETY: both live through the call; version 3 writes two structures.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    let whole = |half: fn(&Words) -> u32| u64::from(half(&words[0])) | u64::from(half(&words[1])) << 32;
    Ok([whole(|w| w.effective), whole(|w| w.permitted), whole(|w| w.inheritable)])
}

/// Sets the caller's effective, permitted and inheritable capabilities, as capset(2): all three or none.
///
/// # Errors
/// `EPERM` for more than the rules of capabilities(7) allow.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> nix::Result<()> {
    let mut header = Header { version: VERSION, pid: 0 };
    let half = |shift: u32| Words {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    let words = [half(0), half(32)];
    // SAFETY: both live through the call; version 3 reads two structures.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) }).map(drop)
}

/// Takes the capability of this number out of the bounding set, as prctl(2) with `PR_CAPBSET_DROP`.
///
/// # Errors
/// `EINVAL` for a number that the kernel does not know, `EPERM` without CAP_SETPCAP.
pub fn capbset_drop(number: u8) -> nix::Result<()> {
    prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0).map(drop)
}

/// Whether the capability of this number is in the bounding set, as prctl(2) with `PR_CAPBSET_READ`.
///
/// # Errors
/// `EINVAL` for a number that the kernel does not know.
pub fn capbset_read(number: u8) -> nix::Result<bool> {
    prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(number), 0).map(|answer| answer == 1)
}

/// Empties the ambient set, as prctl(2) with `PR_CAP_AMBIENT_CLEAR_ALL`.
///
/// # Errors
/// None that a kernel of our time gives.
pub fn ambient_clear() -> nix::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0).map(drop)
}

/// Puts the capability of this number into the ambient set, as prctl(2) with `PR_CAP_AMBIENT_RAISE`.
///
/// # Errors
/// `EPERM` for one that is not permitted and inheritable, `EINVAL` for an unknown number.
pub fn ambient_raise(number: u8) -> nix::Result<()> {
    let raise = libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong;
    prctl(libc::PR_CAP_AMBIENT, raise, libc::c_ulong::from(number)).map(drop)
}

/// Sets a resource limit of the process `pid`, as prlimit(2).
///
/// # Errors
/// `EPERM` for a hard limit above today's without CAP_SYS_RESOURCE on the host, or a stranger's process; `EINVAL` for a
/// soft limit above the hard one; `ESRCH` where it is gone.
pub fn prlimit(pid: Pid, resource: Resource, soft: u64, hard: u64) -> nix::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads one structure, which lives through the call, and writes none.
    let result = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            pid.as_raw(),
            resource as libc::c_int,
            &raw const limit,
            std::ptr::null::<libc::rlimit64>(),
        )
    };
    Errno::result(result).map(drop)
}

fn prctl(option: libc::c_int, second: libc::c_ulong, third: libc::c_ulong) -> nix::Result<libc::c_int> {
    let zero: libc::c_ulong = 0;
    // SAFETY: none of the options above takes a pointer. The arguments are longs, as the kernel reads them.
    Errno::result(unsafe { libc::prctl(option, second, third, zero, zero) })
}
