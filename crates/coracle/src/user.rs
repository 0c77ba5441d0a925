//! Who a process is: its user, groups and umask.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::prctl::set_keepcaps;
use nix::sys::stat::{Mode, SFlag, fstat, umask};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::error::{Error, Result};
use crate::sys;

/// Who a process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// User id, inside.
    pub uid: u32,
    /// Group id, inside.
    pub gid: u32,
    /// Supplementary group ids, inside.
    pub groups: Vec<u32>,
    /// Whether it has the runtime's supplementary groups in place of these ([`keeps_groups`]).
    pub keeps_groups: bool,
    /// The umask; `None`: 0o022, as runc and crun have it. The specification would have the caller's not be changed, but
    /// as a mere "should" in small letters; and engines count on this, some of which call with a umask of 0, by which all that
    /// a container makes could be written by anybody.
    pub umask: Option<u32>,
}

/// The annotation that lets a container's processes keep the supplementary groups of who calls the runtime: an ordinary user
/// gets at files by them that their user namespace cannot name. crun's; podman's `--group-add keep-groups` sets it.
pub const KEEP_GROUPS: &str = "run.oci.keep_original_groups";

/// Whether [`KEEP_GROUPS`] is among the annotations, whatever it says (as crun has it).
pub fn keeps_groups(annotations: &BTreeMap<String, String>) -> bool {
    annotations.contains_key(KEEP_GROUPS)
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

/// Becomes `identity`: groups, group, user, umask, in this order, since only root may set the first two. The permitted
/// capabilities are kept (prctl(2), PR_SET_KEEPCAPS), for the last steps before execve; the effective ones are gone
/// where the user changes from 0 to another.
///
/// # Errors
/// `EINVAL` for an id that the user namespace does not map; `EPERM` for supplementary groups where setgroups is
/// switched off.
pub fn become_user(identity: &Identity) -> Result<()> {
    umask(Mode::from_bits_truncate(identity.umask.unwrap_or(0o022)));
    if !identity.keeps_groups {
        set_groups(&identity.groups)?;
    }
    let gid = Gid::from_raw(identity.gid);
    setresgid(gid, gid, gid).map_err(|errno| {
        Error::refused(format!("setresgid {gid}"))(errno)
            .with_cure(Errno::EINVAL, "map it in /linux/gidMappings, or choose another /process/user/gid")
    })?;
    set_user(Uid::from_raw(identity.uid))
}

/// Makes the supplementary groups these, and no others.
fn set_groups(groups: &[u32]) -> Result<()> {
    if groups.is_empty() {
        return drop_groups();
    }
    let groups: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).map_err(|errno| {
        Error::refused(format!("setgroups {groups:?}"))(errno)
            .with_cure(Errno::EINVAL, "map all of them in /linux/gidMappings")
            .with_cure(
                Errno::EPERM,
                "groups cannot be set in this user namespace: leave out /process/user/additionalGids",
            )
    })
}

/// Takes the user id. The kernel would take all capabilities with root's; what is permitted stays for now.
fn set_user(uid: Uid) -> Result<()> {
    let keep = |whether| set_keepcaps(whether).map_err(Error::refused("prctl PR_SET_KEEPCAPS"));
    if !uid.is_root() {
        keep(true)?;
    }
    setresuid(uid, uid, uid).map_err(|errno| {
        Error::refused(format!("setresuid {uid}"))(errno)
            .with_cure(Errno::EINVAL, "map it in /linux/uidMappings, or choose another /process/user/uid")
    })?;
    if uid.is_root() { Ok(()) } else { keep(false) }
}

/// The longest /etc/passwd of a container's that we read.
const LONGEST: u64 = 1 << 20;

/// `HOME=` with the home of the user `uid`, as the container's /etc/passwd has it; `/` where it says nothing. As runc has
/// it: a program without HOME is often one that nobody has tried.
pub fn home(uid: u32) -> CString {
    let text = passwd().unwrap_or_default();
    let number = uid.to_string();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(&number));
    let home = line.and_then(|line| line.split(':').nth(5)).filter(|home| !home.is_empty());
    // Text of a file may have NUL bytes in it.
    CString::new(format!("HOME={}", home.unwrap_or("/"))).unwrap_or_else(|_| c"HOME=/".to_owned())
}

/// The container's /etc/passwd, which is whatever somebody has put there: neither a pipe that nobody writes to may hold us
/// up, nor a link lead to a descriptor of ours.
fn passwd() -> Option<String> {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = sys::openat2(AT_FDCWD, c"/etc/passwd", flags, libc::RESOLVE_NO_MAGICLINKS).ok()?;
    let is_file = fstat(&file)
        .is_ok_and(|found| SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG);
    let mut bytes = Vec::new();
    is_file.then(|| File::from(file).take(LONGEST).read_to_end(&mut bytes).ok())??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The name of the user `uid`, as /etc/passwd has it; else their number.
pub fn name(uid: u32) -> String {
    let number = uid.to_string();
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let owner = text.lines().find(|line| line.split(':').nth(2) == Some(&number));
    owner.and_then(|line| line.split(':').next()).map_or(number, str::to_owned)
}
