//! Can this program be the only one in a root filesystem?

use std::path::Path;

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::{Error, Result};

const STEP: &str = "check the program";
const CURE: &str =
    "use a static program of this machine; scripts/fetch-busybox finds or fetches a BusyBox like that";

/// Passes a static ELF program of the architecture this crate is compiled for.
///
/// Static means: no `PT_INTERP`. With one the kernel would first look for the dynamic loader, which the new root
/// filesystem does not have, and execve would say ENOENT about a program that plainly exists. A static-pie program
/// relocates itself and is fine, although `file` calls it a shared object.
pub(crate) fn check(path: &Path, bytes: &[u8]) -> Result<()> {
    inspect(bytes).map_err(|cause| Error::new(STEP, path, cause, CURE))
}

fn inspect(bytes: &[u8]) -> Result<(), String> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err("it is not an ELF program".into());
    }
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(|_| {
        format!("it is not a 64-bit ELF program, and this machine is {}", std::env::consts::ARCH)
    })?;
    let malformed =
        |error: object::Error| format!("its ELF header makes no sense ({error}): is the file whole?");
    let endian = header.endian().map_err(malformed)?;
    let machine = header.e_machine(endian);
    if machine != native() || !header.is_little_endian() {
        let found = name(machine);
        return Err(format!(
            "it is for another architecture ({found}), and this machine is {}",
            std::env::consts::ARCH
        ));
    }
    // A relocatable file or a shared library starts nowhere.
    if !matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN) || header.e_entry(endian) == 0 {
        return Err("it is an ELF file, but not a program (an object file or a library)".into());
    }
    // A file that was cut short has lost its end, which is where linkers put the section table.
    if header.section_headers(endian, bytes).is_err() {
        return Err(cut_short(bytes));
    }
    for segment in header.program_headers(endian, bytes).map_err(malformed)? {
        let end = segment.p_offset(endian).saturating_add(segment.p_filesz(endian));
        if end > bytes.len() as u64 {
            return Err(format!(
                "it has {} bytes and should have at least {end}: the file is cut short",
                bytes.len()
            ));
        }
        if let Some(loader) = segment.interpreter(endian, bytes).map_err(malformed)? {
            let loader = String::from_utf8_lossy(loader);
            return Err(format!(
                "it is dynamic: it needs the loader {loader} and libraries, which the tree lacks"
            ));
        }
    }
    Ok(())
}

fn cut_short(bytes: &[u8]) -> String {
    format!("it has {} bytes and its header speaks of more: the file is cut short", bytes.len())
}

/// The machine number of the architecture this crate is compiled for.
const fn native() -> u16 {
    if cfg!(target_arch = "x86_64") {
        elf::EM_X86_64
    } else if cfg!(target_arch = "aarch64") {
        elf::EM_AARCH64
    } else {
        elf::EM_NONE
    }
}

fn name(machine: u16) -> String {
    match machine {
        elf::EM_X86_64 => "x86_64".into(),
        elf::EM_AARCH64 => "aarch64".into(),
        elf::EM_ARM => "arm".into(),
        elf::EM_386 => "x86".into(),
        elf::EM_RISCV => "riscv".into(),
        elf::EM_PPC64 => "powerpc64".into(),
        elf::EM_S390 => "s390x".into(),
        other => format!("ELF machine number {other}"),
    }
}
