//! The user namespace's identities: who its root is outside.

use std::fmt::Write;

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::unistd::{Gid, Pid, Uid, getegid, geteuid, setgroups, setresgid, setresuid};

use crate::error::{Error, Result};

/// A range of ids: `size` of them from `inside` on are those from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First id inside the user namespace.
    pub inside: u32,
    /// First id outside, in the runtime's user namespace.
    pub outside: u32,
    /// How many.
    pub size: u32,
}

/// The mappings of a new user namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings {
    /// User ids.
    pub uids: Vec<Range>,
    /// Group ids.
    pub gids: Vec<Range>,
}

impl Mappings {
    /// The one mapping that everybody may make: root inside is the caller outside.
    pub fn caller_is_root() -> Mappings {
        let one = |outside| vec![Range { inside: 0, outside, size: 1 }];
        Mappings { uids: one(geteuid().as_raw()), gids: one(getegid().as_raw()) }
    }
}

/// Whether we may make namespaces without a user namespace around them.
pub fn is_privileged() -> bool {
    caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(false)
}

/// Writes the mappings of the user namespace of `pid`, from outside (user_namespaces(7)).
///
/// # Errors
/// `EPERM` for more than one's own id without CAP_SETUID and CAP_SETGID outside.
pub fn map(pid: Pid, mappings: &Mappings) -> Result<()> {
    let cure = "an ordinary user may map one id: their own";
    let write = |file: &str, text: &str| {
        let path = format!("/proc/{pid}/{file}");
        std::fs::write(&path, text).map_err(|error| {
            Error::io(format!("write {:?} to {path}", text.trim_end()))(error).with_cure(Errno::EPERM, cure)
        })
    };
    // Without CAP_SETGID, a group map is only taken once setgroups is off: a process could otherwise drop a group
    // that a file denies access to.
    if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SETGID).unwrap_or(false) {
        write("setgroups", "deny")?;
    }
    write("gid_map", &lines(&mappings.gids))?;
    write("uid_map", &lines(&mappings.uids))
}

/// Takes the ids of the user namespace's root.
///
/// # Errors
/// `EINVAL` where the mapping has no id 0.
pub fn become_root() -> Result<()> {
    let (gid, uid) = (Gid::from_raw(0), Uid::from_raw(0));
    setresgid(gid, gid, gid).map_err(Error::refused("setresgid 0"))?;
    setresuid(uid, uid, uid).map_err(Error::refused("setresuid 0"))
}

/// Leaves all supplementary groups. Where the user namespace has setgroups switched off nobody can, which is what the
/// switch is for: that is no error.
///
/// # Errors
/// Those of setgroups(2) but `EPERM`.
pub fn drop_groups() -> Result<()> {
    match setgroups(&[]) {
        Ok(()) | Err(Errno::EPERM) => Ok(()),
        Err(errno) => Err(Error::refused("setgroups")(errno)),
    }
}

fn lines(ranges: &[Range]) -> String {
    ranges.iter().fold(String::new(), |mut text, range| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {} {}", range.inside, range.outside, range.size);
        text
    })
}
