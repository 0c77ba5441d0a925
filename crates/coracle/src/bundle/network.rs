//! `/linux/netDevices`: devices of the host's that move into the container.

use std::collections::BTreeMap;

use nix::net::if_::if_nametoindex;

use super::wrong;
use crate::config::NetDevice;
use crate::error::Result;
use crate::namespace::{Kind, Namespaces};
use crate::network::Device;

const POINTER: &str = "/linux/netDevices";

/// The devices to move (config-linux.md, "Network Devices").
///
/// # Errors
/// At `/linux/netDevices` without a network namespace that is not ours; at the device for one that is not there; at the
/// name that no device can have, or that two of them would.
pub(super) fn devices(
    asked: &BTreeMap<String, Option<NetDevice>>,
    namespaces: &Namespaces,
) -> Result<Vec<Device>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    if !namespaces.own().any(|kind| kind == Kind::Network) {
        // runc's words, which its callers know.
        let problem = "unable to move network devices without a NET namespace: add one to /linux/namespaces";
        return Err(wrong(POINTER, problem));
    }
    let mut devices: Vec<Device> = Vec::new();
    for (outside, asked) in asked {
        let at = format!("{POINTER}/{}", outside.replace('~', "~0").replace('/', "~1"));
        check_name(&at, outside)?;
        if if_nametoindex(outside.as_str()).is_err() {
            return Err(wrong(at, "there is no such network device; ip link names those that are there"));
        }
        let name = asked.as_ref().and_then(|device| device.name.clone()).filter(|name| !name.is_empty());
        let inside = match name {
            Some(name) => {
                let at = format!("{at}/name");
                check_name(&at, &name)?;
                check_template(&at, &name)?;
                name
            }
            None => outside.clone(),
        };
        if !inside.contains('%') && devices.iter().any(|other| other.inside == inside) {
            return Err(wrong(at, format!("another device gets the name {inside:?} as well")));
        }
        devices.push(Device { outside: outside.clone(), inside });
    }
    Ok(devices)
}

/// The kernel's rule for a name (net/core/dev.c, `dev_valid_name`).
fn check_name(pointer: &str, name: &str) -> Result<()> {
    let allowed = |c: char| !c.is_whitespace() && !"/:\0".contains(c);
    if (1..libc::IFNAMSIZ).contains(&name.len()) && name.chars().all(allowed) && ![".", ".."].contains(&name)
    {
        return Ok(());
    }
    let problem =
        format!("{name:?} is no name of a network device: at most 15 bytes, without / : and white space");
    Err(wrong(pointer, problem))
}

/// A `%` means a number to the kernel, and it takes one.
fn check_template(pointer: &str, name: &str) -> Result<()> {
    match name.matches('%').count() {
        0 => Ok(()),
        1 if name.contains("%d") => Ok(()),
        _ => Err(wrong(
            pointer,
            format!("{name:?}: a % is only allowed once, as %d: a free number is put there"),
        )),
    }
}
