//! Keyrings.

use std::ffi::CStr;

use nix::errno::Errno;

/// Makes the keyring called `name` this process's session keyring, as keyctl(2) with `KEYCTL_JOIN_SESSION_KEYRING`: the
/// one of this name that it may search, or a new one. Returns the keyring's number.
///
/// # Errors
/// `EDQUOT` at the user's limit (keyrings(7)), `ENOSYS` where the kernel has no keys.
pub fn join_session_keyring(name: &CStr) -> nix::Result<i32> {
    // SAFETY: name ends in NUL.
    let id =
        unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr(), 0, 0, 0) };
    // A key's number is an int.
    Errno::result(id).map(|id| id as i32)
}

/// Sets who may do what with a key, as keyctl(2) with `KEYCTL_SETPERM`.
///
/// # Errors
/// `EACCES`.
pub fn set_key_permissions(id: i32, permissions: u32) -> nix::Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_SETPERM, id, permissions, 0, 0) };
    Errno::result(result).map(drop)
}
