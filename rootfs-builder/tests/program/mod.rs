//! A static program that ends with status 0: an ELF header, one segment, and the system call exit(0).

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// mov eax, 60; xor edi, edi; syscall
#[cfg(target_arch = "x86_64")]
const MACHINE_AND_CODE: (u16, &[u8]) = (62, &[0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05]);

/// mov x8, #93; mov x0, #0; svc #0
#[cfg(target_arch = "aarch64")]
const MACHINE_AND_CODE: (u16, &[u8]) =
    (183, &[0xa8, 0x0b, 0x80, 0xd2, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4]);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The program's path.
pub(crate) fn program() -> &'static Path {
    PROGRAM.get().expect("main has written the program")
}

/// Writes the program into `directory`, once, before the tests run.
pub(crate) fn write(directory: &Path) {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    // Large enough for a write of it to be cut off half-way.
    const SIZE: u64 = 256 * 1024;
    let (machine, code) = MACHINE_AND_CODE;
    let mut bytes = Vec::new();
    let mut put = |width: usize, value: u64| bytes.extend_from_slice(&value.to_le_bytes()[..width]);
    for (width, value) in [
        // The header: magic, 64 bits, little-endian, version 1; executable; machine; entry; tables and their sizes.
        (8, 0x0001_0102_464c_457f),
        (8, 0),
        (2, 2),
        (2, machine.into()),
        (4, 1),
        (8, BASE + HEADERS),
        (8, 64),
        (8, 0),
        (4, 0),
        (2, 64),
        (2, 56),
        (2, 1),
        (2, 0),
        (2, 0),
        (2, 0),
        // The segment: to be loaded, readable and executable, the whole file.
        (4, 1),
        (4, 5),
        (8, 0),
        (8, BASE),
        (8, BASE),
        (8, SIZE),
        (8, SIZE),
        (8, 0x1000),
    ] {
        put(width, value);
    }
    bytes.extend_from_slice(code);
    bytes.resize(SIZE as usize, 0);
    let path = directory.join("program");
    let mut file = File::create(&path).expect("a temporary directory can be written to");
    file.write_all(&bytes).unwrap();
    file.set_permissions(Permissions::from_mode(0o755)).unwrap();
    PROGRAM.set(path).expect("written once");
}
