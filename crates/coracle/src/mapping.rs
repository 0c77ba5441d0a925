//! User namespaces: who the container's root is outside (user_namespaces(7)).

use std::fmt::Write;
use std::process::Command;
use std::sync::OnceLock;

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::unistd::{Gid, Pid, Uid, getegid, geteuid, setresgid, setresuid};

use crate::error::{Error, Result};
use crate::user::Identity;

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

/// Whether our caller is root, by name: asked once, for the runtime itself never changes.
pub fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| geteuid().is_root())
}

/// Whether we are root, and not only of a user namespace: the host's maps every id to itself.
pub fn is_host_root() -> bool {
    let map = || std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    is_root() && map().split_whitespace().eq(["0", "0", "4294967295"])
}

/// Whether we may make namespaces without a user namespace around them.
pub fn is_privileged() -> bool {
    caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(false)
}

/// Writes the mappings of the user namespace of `pid`, from outside (user_namespaces(7)).
///
/// Everybody may map their own id. More takes CAP_SETUID and CAP_SETGID; who has them not asks newuidmap and newgidmap,
/// which have them and look up in /etc/subuid and /etc/subgid what the caller may use.
///
/// # Errors
/// `EPERM` for ids that are not the caller's to map, `ENOENT` where newuidmap is needed and not installed.
pub fn map(pid: Pid, mappings: &Mappings) -> Result<()> {
    let may = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    if may(Capability::CAP_SETGID) {
        write(pid, "gid_map", &lines(&mappings.gids))?;
    } else if is_only(&mappings.gids, getegid().as_raw()) {
        // Without CAP_SETGID, a group map is only taken once setgroups is off: a process could otherwise drop a group
        // that a file denies access to.
        write(pid, "setgroups", "deny")?;
        write(pid, "gid_map", &lines(&mappings.gids))?;
    } else {
        ask("newgidmap", pid, &mappings.gids)?;
    }
    if may(Capability::CAP_SETUID) || is_only(&mappings.uids, geteuid().as_raw()) {
        write(pid, "uid_map", &lines(&mappings.uids))
    } else {
        ask("newuidmap", pid, &mappings.uids)
    }
}

fn is_only(ranges: &[Range], own: u32) -> bool {
    matches!(ranges, [range] if range.size == 1 && range.outside == own)
}

fn write(pid: Pid, file: &str, text: &str) -> Result<()> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::write(&path, text).map_err(|error| {
        Error::io(format!("write {:?} to {path}", text.trim_end()))(error)
            .with_cure(Errno::EPERM, "an ordinary user may map one id: their own")
            .with_cure(
                Errno::EINVAL,
                "no range may overlap another, be empty, or outside of what is mapped here",
            )
    })
}

/// Has `helper` (newuidmap(1), newgidmap(1)) write the mapping.
fn ask(helper: &str, pid: Pid, ranges: &[Range]) -> Result<()> {
    let numbers = ranges.iter().flat_map(|range| [range.inside, range.outside, range.size]);
    let answer = Command::new(helper)
        .args([pid.as_raw().to_string()].into_iter().chain(numbers.map(|number| number.to_string())))
        .output()
        .map_err(|error| {
            Error::io(format!("run {helper}"))(error).with_cure(
                Errno::ENOENT,
                "install it (the package is often called uidmap), or map only one's own id",
            )
        })?;
    if answer.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&answer.stderr);
    Err(Error::refused(format!("{helper} for process {pid} ({})", words.trim()))(Errno::EPERM)
        .with_cure(
            Errno::EPERM,
            "map only one's own id, or ranges that are the caller's in /etc/subuid and /etc/subgid: root gives some by \
             usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST USER",
        ))
}

/// Takes the ids of the user namespace's root, or those of `otherwise` where the mapping has no id 0. Whoever is born into a
/// new user namespace has all capabilities in it, whatever its ids are, and a change between two that are not 0 takes none
/// (capabilities(7)). But what it makes would belong to nobody: the kernel refuses that on the container's file systems.
///
/// # Errors
/// `EINVAL` where the mapping has neither.
pub fn become_root(otherwise: &Identity) -> Result<()> {
    let unmapped = "map the id in /linux/uidMappings and /linux/gidMappings";
    let group = |id: u32| {
        let gid = Gid::from_raw(id);
        setresgid(gid, gid, gid).map_err(|errno| {
            Error::refused(format!("setresgid {id}"))(errno).with_cure(Errno::EINVAL, unmapped)
        })
    };
    let user = |id: u32| {
        let uid = Uid::from_raw(id);
        setresuid(uid, uid, uid).map_err(|errno| {
            Error::refused(format!("setresuid {id}"))(errno).with_cure(Errno::EINVAL, unmapped)
        })
    };
    let or = |error: Error, other: &dyn Fn() -> Result<()>| match error.errno() {
        Some(Errno::EINVAL) => other(),
        _ => Err(error),
    };
    group(0).or_else(|error| or(error, &|| group(otherwise.gid)))?;
    user(0).or_else(|error| or(error, &|| user(otherwise.uid)))
}

fn lines(ranges: &[Range]) -> String {
    ranges.iter().fold(String::new(), |mut text, range| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {} {}", range.inside, range.outside, range.size);
        text
    })
}
