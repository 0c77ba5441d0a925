//! A session keyring of the container's own: the keys that the runtime's caller holds are none of its business
//! (keyrings(7), session-keyring(7)).

use std::ffi::CString;

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::label;
use crate::procfs::Procfs;
use crate::sys;

/// A keyring, by its name: exec joins it as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring(CString);

/// "Others may search" and "its user may search": `KEY_OTH_SEARCH`, `KEY_USR_SEARCH` of the kernel's include/linux/key.h.
const OTHERS_MAY_SEARCH: u32 = 0x0000_0008;
const USER_MAY_SEARCH: u32 = 0x0008_0000;

/// What the kernel gives a new session keyring that has a name (security/keys/process_keys.c, `join_session_keyring`): all
/// for who possesses it, and view, read and link for its user.
const OF_A_NEW_ONE: u32 = 0x3f13_0000;

impl Keyring {
    /// That of the container `id`, which must have no NUL byte in it. The name is runc's.
    pub fn of(id: &str) -> Keyring {
        Keyring(CString::new(format!("_ses.{id}")).expect("no NUL byte in a checked id"))
    }

    /// Joins it, or makes it, and lets who is in the container find it by its name: in a user namespace of its own they may
    /// be anybody. `label` is the SELinux label that it gets, with the procfs to say so.
    ///
    /// Where the kernel has no keys, or lets us have none, there is nothing to protect: that is no error.
    ///
    /// # Errors
    /// `EDQUOT` at the user's limit; those of keyctl(2).
    pub fn join(&self, user_namespace: bool, label: Option<(&str, &Procfs)>) -> Result<()> {
        if let Some((label, procfs)) = label {
            label::set_on_keys(label, procfs)?;
        }
        let joined = self.join_and_open(if user_namespace { OTHERS_MAY_SEARCH } else { USER_MAY_SEARCH });
        if let Some((_, procfs)) = label {
            label::set_on_keys("", procfs)?;
        }
        joined
    }

    fn join_and_open(&self, also: u32) -> Result<()> {
        let id = match sys::join_session_keyring(&self.0) {
            // EPERM is none of its errors: something around us forbids the call.
            Err(Errno::ENOSYS | Errno::EPERM) => return Ok(()),
            joined => joined.map_err(|errno| {
                Error::refused(format!("keyctl KEYCTL_JOIN_SESSION_KEYRING {:?}", self.0))(errno)
                    .with_cure(
                        Errno::EDQUOT,
                        "raise /proc/sys/kernel/keys/maxkeys, or create it with --no-new-keyring",
                    )
                    .with_cure(
                        Errno::EACCES,
                        "another container has a keyring of this name: choose another id",
                    )
            })?,
        };
        // What it has from the kernel, and this: nobody need ask what that was.
        sys::set_key_permissions(id, OF_A_NEW_ONE | also).map_err(Error::refused("keyctl KEYCTL_SETPERM"))
    }
}
