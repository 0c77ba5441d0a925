//! The `coracle` binary: everything is in the library.
//!
//! It does without the standard library's own start: that reads /proc/self/maps and sets up handlers for a stack
//! overflow, thirty system calls and a tenth of a millisecond, twice, for the runtime executes itself once more
//! (seal.rs). What it does beside that, [`coracle::sys::begin`] does.
#![no_main]
#![allow(unsafe_code, reason = "the name `main` is the linker's")]

// SAFETY: no other symbol of this program is called so.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    coracle::cli::main().into()
}
