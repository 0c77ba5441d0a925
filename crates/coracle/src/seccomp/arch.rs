//! Architectures: in one container there may be programs of several, and a call's number means another call in each.

/// An architecture, as a profile knows it. Where the kernel makes no difference and the calls differ, it is one of its own:
/// x32 calls are x86-64 calls with a bit set in their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Arch {
    Aarch64,
    Arm,
    Loongarch64,
    M68k,
    Mips,
    Mips64,
    Mips64N32,
    Mipsel,
    Mipsel64,
    Mipsel64N32,
    Parisc,
    Parisc64,
    Ppc,
    Ppc64,
    Ppc64le,
    Riscv64,
    S390,
    S390x,
    Sh,
    Sheb,
    X32,
    X86,
    X86_64,
}

/// All of them, by the names of libseccomp.
const ALL: [(&str, Arch); 23] = [
    ("SCMP_ARCH_AARCH64", Arch::Aarch64),
    ("SCMP_ARCH_ARM", Arch::Arm),
    ("SCMP_ARCH_LOONGARCH64", Arch::Loongarch64),
    ("SCMP_ARCH_M68K", Arch::M68k),
    ("SCMP_ARCH_MIPS", Arch::Mips),
    ("SCMP_ARCH_MIPS64", Arch::Mips64),
    ("SCMP_ARCH_MIPS64N32", Arch::Mips64N32),
    ("SCMP_ARCH_MIPSEL", Arch::Mipsel),
    ("SCMP_ARCH_MIPSEL64", Arch::Mipsel64),
    ("SCMP_ARCH_MIPSEL64N32", Arch::Mipsel64N32),
    ("SCMP_ARCH_PARISC", Arch::Parisc),
    ("SCMP_ARCH_PARISC64", Arch::Parisc64),
    ("SCMP_ARCH_PPC", Arch::Ppc),
    ("SCMP_ARCH_PPC64", Arch::Ppc64),
    ("SCMP_ARCH_PPC64LE", Arch::Ppc64le),
    ("SCMP_ARCH_RISCV64", Arch::Riscv64),
    ("SCMP_ARCH_S390", Arch::S390),
    ("SCMP_ARCH_S390X", Arch::S390x),
    ("SCMP_ARCH_SH", Arch::Sh),
    ("SCMP_ARCH_SHEB", Arch::Sheb),
    ("SCMP_ARCH_X32", Arch::X32),
    ("SCMP_ARCH_X86", Arch::X86),
    ("SCMP_ARCH_X86_64", Arch::X86_64),
];

/// Their names.
pub const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = ALL[n].0;
        n += 1;
    }
    names
};

/// The bit of an x32 call's number: `__X32_SYSCALL_BIT` of asm/unistd.h.
pub const X32_BIT: u32 = 0x4000_0000;

// linux/audit.h: an architecture is its number in ELF files and these.
const BITS_64: u32 = 0x8000_0000;
const LITTLE_ENDIAN: u32 = 0x4000_0000;
const N32: u32 = 0x2000_0000;
/// linux/elf-em.h; the libc crate has it for no other machine.
const EM_LOONGARCH: u16 = 258;

impl Arch {
    /// The architecture called `name`; `None` for another word.
    pub fn named(name: &str) -> Option<Arch> {
        ALL.iter().find(|(known, _)| *known == name).map(|(_, arch)| *arch)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(_, arch)| *arch == self).map_or("", |(name, _)| name)
    }

    /// `AUDIT_ARCH_*`: what the kernel tells a filter (`seccomp_data.arch`).
    pub fn audit(self) -> u32 {
        let (machine, rest) = match self {
            Arch::Aarch64 => (libc::EM_AARCH64, BITS_64 | LITTLE_ENDIAN),
            Arch::Arm => (libc::EM_ARM, LITTLE_ENDIAN),
            Arch::Loongarch64 => (EM_LOONGARCH, BITS_64 | LITTLE_ENDIAN),
            Arch::M68k => (libc::EM_68K, 0),
            Arch::Mips => (libc::EM_MIPS, 0),
            Arch::Mips64 => (libc::EM_MIPS, BITS_64),
            Arch::Mips64N32 => (libc::EM_MIPS, BITS_64 | N32),
            Arch::Mipsel => (libc::EM_MIPS, LITTLE_ENDIAN),
            Arch::Mipsel64 => (libc::EM_MIPS, BITS_64 | LITTLE_ENDIAN),
            Arch::Mipsel64N32 => (libc::EM_MIPS, BITS_64 | LITTLE_ENDIAN | N32),
            Arch::Parisc => (libc::EM_PARISC, 0),
            Arch::Parisc64 => (libc::EM_PARISC, BITS_64),
            Arch::Ppc => (libc::EM_PPC, 0),
            Arch::Ppc64 => (libc::EM_PPC64, BITS_64),
            Arch::Ppc64le => (libc::EM_PPC64, BITS_64 | LITTLE_ENDIAN),
            Arch::Riscv64 => (libc::EM_RISCV, BITS_64 | LITTLE_ENDIAN),
            Arch::S390 => (libc::EM_S390, 0),
            Arch::S390x => (libc::EM_S390, BITS_64),
            Arch::Sh => (libc::EM_SH, LITTLE_ENDIAN),
            Arch::Sheb => (libc::EM_SH, 0),
            Arch::X32 | Arch::X86_64 => (libc::EM_X86_64, BITS_64 | LITTLE_ENDIAN),
            Arch::X86 => (libc::EM_386, LITTLE_ENDIAN),
        };
        u32::from(machine) | rest
    }

    /// Whether an argument of a call has 64 bits. Of 32, the upper half is not looked at.
    pub fn has_wide_arguments(self) -> bool {
        self.audit() & BITS_64 != 0
    }

    /// That of this program.
    pub fn native() -> Arch {
        if cfg!(target_arch = "x86_64") {
            Arch::X86_64
        } else if cfg!(target_arch = "x86") {
            Arch::X86
        } else if cfg!(target_arch = "aarch64") {
            Arch::Aarch64
        } else if cfg!(target_arch = "arm") {
            Arch::Arm
        } else if cfg!(target_arch = "riscv64") {
            Arch::Riscv64
        } else if cfg!(target_arch = "s390x") {
            Arch::S390x
        } else if cfg!(target_arch = "loongarch64") {
            Arch::Loongarch64
        } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            Arch::Ppc64le
        } else {
            Arch::Ppc64
        }
    }

    /// Those that a kernel of this architecture has calls of, itself first.
    pub fn family(self) -> Vec<Arch> {
        match self {
            Arch::X86_64 => vec![Arch::X86_64, Arch::X86, Arch::X32],
            Arch::Aarch64 => vec![Arch::Aarch64, Arch::Arm],
            Arch::S390x => vec![Arch::S390x, Arch::S390],
            Arch::Ppc64 => vec![Arch::Ppc64, Arch::Ppc],
            other => vec![other],
        }
    }
}

/// The architectures whose calls the filter of a profile with these must know: this program's own, and the `listed` ones
/// that the kernel can meet here. Calls of all others end the process.
pub fn of_filter(listed: &[Arch]) -> Vec<Arch> {
    let native = Arch::native();
    let family = native.family().into_iter();
    family.filter(|arch| *arch == native || listed.contains(arch)).collect()
}
