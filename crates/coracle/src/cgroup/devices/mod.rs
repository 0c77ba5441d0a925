//! Which devices a group's processes may open and make: rules in order, of which the last that matches wins.

use std::os::fd::AsFd;

use nix::errno::Errno;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, LinuxResources};

use super::Cgroup;
use super::limits::wrong;
use crate::error::Result;
use crate::mapping;

mod v1;
mod v2;

/// What may be done with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(pub u32);

impl Access {
    /// Making a node of it, as mknod(2). The numbers are the kernel's, `BPF_DEVCG_ACC_*`.
    pub const MKNOD: Access = Access(1);
    /// Opening it to read.
    pub const READ: Access = Access(2);
    /// Opening it to write.
    pub const WRITE: Access = Access(4);
    /// All three.
    pub const ALL: Access = Access(7);
}

/// A rule about devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Whether it allows or denies.
    pub allow: bool,
    /// `b` block devices, `c` character devices, `a` both.
    pub kind: char,
    /// Major number; `None`: any.
    pub major: Option<u32>,
    /// Minor number; `None`: any.
    pub minor: Option<u32>,
    /// For which access.
    pub access: Access,
}

/// What every container may, whatever its config says, beyond which it may nothing unless its config says so: make any
/// node, and open those that every /dev has, terminals, and a network tunnel. Engines count on this very list. The
/// console is not in it: 5:1 is the host's, and a container's /dev/console is a terminal mounted there.
const ALWAYS: [Rule; 11] = [
    allow('c', None, None, Access::MKNOD),
    allow('b', None, None, Access::MKNOD),
    allow('c', Some(1), Some(3), Access::ALL),    // null
    allow('c', Some(1), Some(5), Access::ALL),    // zero
    allow('c', Some(1), Some(7), Access::ALL),    // full
    allow('c', Some(1), Some(8), Access::ALL),    // random
    allow('c', Some(1), Some(9), Access::ALL),    // urandom
    allow('c', Some(5), Some(0), Access::ALL),    // tty
    allow('c', Some(5), Some(2), Access::ALL),    // ptmx
    allow('c', Some(136), None, Access::ALL),     // pts/N
    allow('c', Some(10), Some(200), Access::ALL), // net/tun
];

const DENY_ALL: Rule = Rule { allow: false, kind: 'a', major: None, minor: None, access: Access::ALL };

const fn allow(kind: char, major: Option<u32>, minor: Option<u32>, access: Access) -> Rule {
    Rule { allow: true, kind, major, minor, access }
}

/// All rules for a container, in order: deny everything, then the config's, then what every container may. Those
/// before a rule about everything are left out, for they decide nothing.
///
/// # Errors
/// [`crate::Error::Config`] with the JSON pointer for a type, a number or an access that is none.
pub fn rules(resources: &LinuxResources) -> Result<Vec<Rule>> {
    let mut rules = vec![DENY_ALL];
    for (n, listed) in resources.devices().iter().flatten().enumerate() {
        let rule = rule(listed)
            .map_err(|(name, problem)| wrong(format!("/linux/resources/devices/{n}/{name}"), problem))?;
        if (Rule { allow: false, ..rule }) == DENY_ALL {
            rules.clear();
        }
        rules.push(rule);
    }
    rules.extend(ALWAYS);
    Ok(rules)
}

fn rule(listed: &LinuxDeviceCgroup) -> std::result::Result<Rule, (&'static str, &'static str)> {
    let kind = match listed.typ() {
        None | Some(LinuxDeviceType::A) => 'a',
        Some(LinuxDeviceType::B) => 'b',
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => 'c',
        Some(LinuxDeviceType::P) => return Err(("type", "a fifo is no device that could be denied")),
    };
    let number = |name, value: Option<i64>| match value {
        None | Some(-1) => Ok(None),
        Some(value) => u32::try_from(value).map(Some).map_err(|_| (name, "is no device number")),
    };
    let (major, minor) = (number("major", listed.major())?, number("minor", listed.minor())?);
    let mut access = Access(0);
    for letter in listed.access().as_deref().unwrap_or_default().chars() {
        access.0 |= match letter {
            'r' => Access::READ.0,
            'w' => Access::WRITE.0,
            'm' => Access::MKNOD.0,
            _ => return Err(("access", "may have the letters r, w and m only")),
        };
    }
    let access = if access.0 == 0 { Access::ALL } else { access };
    Ok(Rule { allow: listed.allow(), kind, major, minor, access })
}

/// Makes the kernel ask the rules: by the devices controller of version 1, or by a program on the folder of version 2.
///
/// # Errors
/// What the kernel refuses, but for `EPERM` to who is not the host's root: they cannot make device nodes anyway.
pub(super) fn limit(cgroup: &Cgroup, rules: &[Rule]) -> Result<()> {
    let result = match (cgroup.v1("devices"), cgroup.v2()) {
        (Some(folder), _) => v1::limit(folder, rules),
        (None, Some(folder)) => v2::filter_devices(super::v2::open_folder(folder)?.as_fd(), rules),
        (None, None) => Ok(()),
    };
    match result {
        Err(error) if error.errno() == Some(Errno::EPERM) && !mapping::is_host_root() => Ok(()),
        other => other,
    }
}
