//! The devices controller of version 1: a default, and a list of exceptions to it.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::write;

use super::super::Folder;
use super::{Access, Rule};
use crate::error::{Error, Result};
use crate::sys;

const NO_EXCEPTION: &str = "version 1 of control groups cannot make an exception from a rule with a wildcard; name the devices \
     one by one in /linux/resources/devices";

/// Writes the rules to `devices.deny` and `devices.allow`, each opened once. The kernel's list of exceptions goes by
/// equal numbers: to deny `c 1:3` of an allowed `c 1:*` changes nothing. So such a rule is refused, for it would not
/// bite; and one that takes back exceptions with other numbers is written once for each of them.
///
/// # Errors
/// `EPERM` for what the group above denies; `EOPNOTSUPP` for what the list cannot say.
pub(super) fn limit(folder: &Folder, rules: &[Rule]) -> Result<()> {
    let path = |file: &str| folder.path.join(file);
    let deny = open_file(&path("devices.deny"))?;
    let allow = open_file(&path("devices.allow"))?;
    let mut list = List { allows: true, exceptions: Vec::new() };
    for rule in rules.iter().flat_map(by_kind) {
        let (file, name) = if rule.allow { (&allow, "devices.allow") } else { (&deny, "devices.deny") };
        let refused =
            |rule: &Rule| Error::refused(format!("write {:?} to {}", text(rule), path(name).display()));
        let Some(lines) = list.take(&rule) else {
            return Err(refused(&rule)(Errno::EOPNOTSUPP).with_cure(Errno::EOPNOTSUPP, NO_EXCEPTION));
        };
        for line in lines {
            write(file, text(&line).as_bytes()).map_err(refused(&line))?;
        }
    }
    sys::leave_open([deny, allow]);
    Ok(())
}

fn open_file(path: &std::path::Path) -> Result<OwnedFd> {
    open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(Error::refused(format!("open {}", path.display())))
}

/// The kernel takes `a` for everything, whatever else the line says: one about some devices of both kinds is two.
fn by_kind(rule: &Rule) -> Vec<Rule> {
    match rule.kind {
        'a' if !is_everything(rule) => ['b', 'c'].map(|kind| Rule { kind, ..*rule }).to_vec(),
        _ => vec![*rule],
    }
}

fn is_everything(rule: &Rule) -> bool {
    rule.kind == 'a' && rule.major.is_none() && rule.minor.is_none() && rule.access == Access::ALL
}

fn text(rule: &Rule) -> String {
    if is_everything(rule) {
        return "a".to_owned();
    }
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
    let letters = [(Access::READ, 'r'), (Access::WRITE, 'w'), (Access::MKNOD, 'm')];
    let access: String =
        letters.iter().filter(|(bit, _)| rule.access.0 & bit.0 != 0).map(|(_, letter)| letter).collect();
    format!("{} {}:{} {access}", rule.kind, number(rule.major), number(rule.minor))
}

/// What the kernel's list says so far.
struct List {
    allows: bool,
    exceptions: Vec<Rule>,
}

impl List {
    /// Takes a rule: the lines by which the kernel does the same; `None` where there are none.
    fn take(&mut self, rule: &Rule) -> Option<Vec<Rule>> {
        if is_everything(rule) {
            *self = List { allows: rule.allow, exceptions: Vec::new() };
            return Some(vec![*rule]);
        }
        if rule.allow != self.allows {
            let same = |other: &&mut Rule| {
                (other.kind, other.major, other.minor) == (rule.kind, rule.major, rule.minor)
            };
            match self.exceptions.iter_mut().find(same) {
                Some(known) => known.access.0 |= rule.access.0,
                None => self.exceptions.push(*rule),
            }
            return Some(vec![*rule]);
        }
        // Back to the default: the kernel takes the access from the exception with the same numbers, and from no other.
        let mut lines = Vec::new();
        for known in self.exceptions.iter_mut().filter(|known| overlap(known, rule)) {
            if !covers(rule, known) {
                return None;
            }
            lines.push(Rule { allow: rule.allow, access: Access(known.access.0 & rule.access.0), ..*known });
            known.access.0 &= !rule.access.0;
        }
        Some(lines)
    }
}

/// Whether `rule` is about all devices that `other` is about.
fn covers(rule: &Rule, other: &Rule) -> bool {
    let all = |rule: Option<u32>, other| rule.is_none() || rule == other;
    rule.kind == other.kind && all(rule.major, other.major) && all(rule.minor, other.minor)
}

fn overlap(one: &Rule, other: &Rule) -> bool {
    let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
    one.kind == other.kind
        && meet(one.major, other.major)
        && meet(one.minor, other.minor)
        && one.access.0 & other.access.0 != 0
}
