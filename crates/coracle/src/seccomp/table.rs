//! The numbers of system calls by their names.
//!
//! They come from the crate `syscalls`, which has them from the kernel's own tables; what it lacks of the architectures that
//! we meet is here. Of SCMP_ARCH_MIPS64N32, SCMP_ARCH_MIPSEL64N32, M68K, PARISC, S390 and SH it has no table: such an
//! architecture may be named, and has no calls.

use std::ops::Range;

use super::arch::{Arch, X32_BIT};

/// x32 calls with a number of their own, from 512 on: their arguments hold pointers (the kernel's
/// arch/x86/entry/syscalls/syscall_64.tbl).
const X32_OWN: [&str; 36] = [
    "rt_sigaction",
    "rt_sigreturn",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "execve",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
    "execveat",
    "preadv2",
    "pwritev2",
];
const X32_OWN_FIRST: u32 = X32_BIT | 512;

/// Calls of x86-64 that x32 has not.
const NOT_IN_X32: [&str; 13] = [
    "_sysctl",
    "create_module",
    "epoll_ctl_old",
    "epoll_wait_old",
    "get_kernel_syms",
    "get_thread_area",
    "nfsservctl",
    "query_module",
    "set_thread_area",
    "uselib",
    "vserver",
    "uprobe",
    "uretprobe",
];

/// Calls of ARM's own, from `__ARM_NR_BASE` + 1 on (its asm/unistd.h).
const ARM_OWN: [&str; 6] = ["breakpoint", "cacheflush", "usr26", "usr32", "set_tls", "get_tls"];
const ARM_OWN_FIRST: u32 = 0x0f_0001;

/// The number of the call `name` for `arch`; `None` where it has no such call, or we know of none.
pub fn number(arch: Arch, name: &str) -> Option<u32> {
    macro_rules! from {
        ($table:ident, $name:expr) => {
            $name.parse::<syscalls::$table::Sysno>().ok().map(|call| call.id() as u32)
        };
    }
    let own =
        |own: &[&str], first: u32| own.iter().position(|known| *known == name).map(|n| first + n as u32);
    match arch {
        // The crate has 32-bit calls there that are none, and its name of one is another.
        Arch::Aarch64 | Arch::Loongarch64 if name == "fstatat" || name.ends_with("time64") => None,
        Arch::Aarch64 | Arch::Loongarch64 if is_of_32_bits(name) => None,
        Arch::Aarch64 => from!(aarch64, if name == "newfstatat" { "fstatat" } else { name }),
        Arch::Loongarch64 => from!(loongarch64, if name == "newfstatat" { "fstatat" } else { name }),
        Arch::Arm => own(&ARM_OWN, ARM_OWN_FIRST)
            .or_else(|| from!(arm, if name == "sync_file_range2" { "arm_sync_file_range" } else { name })),
        Arch::Mips | Arch::Mipsel => from!(mips, name),
        Arch::Mips64 | Arch::Mipsel64 => from!(mips64, name),
        Arch::Ppc => from!(powerpc, name),
        Arch::Ppc64 | Arch::Ppc64le => from!(powerpc64, name),
        Arch::Riscv64 => from!(riscv64, name),
        Arch::S390x => from!(s390x, name),
        Arch::X86 => from!(x86, name),
        Arch::X86_64 => from!(x86_64, name),
        Arch::X32 => own(&X32_OWN, X32_OWN_FIRST).or_else(|| {
            let is_there = !NOT_IN_X32.contains(&name);
            from!(x86_64, name).filter(|_| is_there).map(|number| X32_BIT | number)
        }),
        Arch::M68k
        | Arch::Mips64N32
        | Arch::Mipsel64N32
        | Arch::Parisc
        | Arch::Parisc64
        | Arch::S390
        | Arch::Sh
        | Arch::Sheb => None,
    }
}

/// What 32-bit architectures call their calls with 64-bit times, but for those that end so.
fn is_of_32_bits(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "clock_adjtime64",
        "clock_gettime64",
        "clock_settime64",
        "timer_gettime64",
        "timer_settime64",
        "timerfd_gettime64",
        "timerfd_settime64",
        "clock_getres_time64",
    ];
    NAMES.contains(&name)
}

/// Whether we know the numbers of the calls of `arch`.
pub fn has(arch: Arch) -> bool {
    number(arch, "read").is_some()
}

/// The numbers that are given to calls of the architecture's own, far from those that new calls get.
pub fn own(arch: Arch) -> Range<u32> {
    match arch {
        Arch::X32 => X32_OWN_FIRST..X32_OWN_FIRST + X32_OWN.len() as u32,
        Arch::Arm => ARM_OWN_FIRST..ARM_OWN_FIRST + ARM_OWN.len() as u32,
        _ => 0..0,
    }
}

/// Whether there is a call of this name anywhere.
pub fn is_known(name: &str) -> bool {
    use Arch::*;
    let all = [X86_64, X86, Aarch64, Arm, Riscv64, S390x, Ppc64le, Ppc, Loongarch64, Mips, Mips64];
    all.iter().any(|arch| number(*arch, name).is_some())
}

/// Calls that some architectures also have as one call, `socketcall`, whose first argument says which (linux/net.h), from 1.
const BY_SOCKETCALL: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];

/// The same of `ipc` (linux/ipc.h).
const BY_IPC: [(&str, u32); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// Another way to make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detour {
    /// The number of the call for many.
    pub call: u32,
    /// Which bits of its first argument say which one is meant.
    pub mask: u64,
    /// And what they are.
    pub which: u64,
}

/// The other way to make the call `name`, where `arch` has one: what is said of the one must hold for the other as well.
pub fn detour(arch: Arch, name: &str) -> Option<Detour> {
    if let Some(n) = BY_SOCKETCALL.iter().position(|known| *known == name) {
        // An int, whatever is in the register's upper half.
        let (mask, which) = (u64::from(u32::MAX), n as u64 + 1);
        return number(arch, "socketcall").map(|call| Detour { call, mask, which });
    }
    let (_, which) = *BY_IPC.iter().find(|(known, _)| *known == name)?;
    // Above them is a version.
    number(arch, "ipc").map(|call| Detour { call, mask: 0xffff, which: u64::from(which) })
}
