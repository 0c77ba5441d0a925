//! `/linux/devices`: the nodes of the container's /dev.

use std::path::Path;

use super::wrong;
use crate::config;
use crate::device::{self, Device, Kind};
use crate::error::Result;
use crate::path::clean;

/// The nodes that `listed` asks for, and those that every container has where `listed` has none of that path.
///
/// # Errors
/// At `/linux/devices/N` for a path that is relative or has another node already, an unknown kind, and numbers that
/// the kernel has no room for.
pub fn devices(listed: &[config::Device]) -> Result<Vec<Device>> {
    let mut devices: Vec<Device> = Vec::new();
    for (n, found) in listed.iter().enumerate() {
        let device = device(found, &format!("/linux/devices/{n}"))?;
        match devices.iter().find(|other| other.path == device.path) {
            None => devices.push(device),
            Some(same) if *same == device => {}
            Some(_) => {
                let problem = format!("{} is another device already", device.path.display());
                return Err(wrong(format!("/linux/devices/{n}/path"), problem));
            }
        }
    }
    let mut all = device::defaults();
    all.retain(|default| devices.iter().all(|device| device.path != default.path));
    all.extend(devices);
    Ok(all)
}

fn device(found: &config::Device, pointer: &str) -> Result<Device> {
    let kind = match found.kind.as_str() {
        "c" | "u" => Kind::Character,
        "b" => Kind::Block,
        "p" => Kind::Fifo,
        _ => return Err(wrong(format!("{pointer}/type"), "must be c, b, u or p")),
    };
    let path = Path::new(&found.path);
    if !path.is_absolute() || found.path.contains('\0') {
        return Err(wrong(format!("{pointer}/path"), format!("{path:?} must be an absolute path")));
    }
    // Without the slashes and dots that would make two of one path.
    let path = clean(path);
    if path == Path::new("/") {
        return Err(wrong(
            format!("{pointer}/path"),
            "is the root filesystem: it must be a file's place in it",
        ));
    }
    // What engines write leaves out a minor number of 0, as that of /dev/tty.
    if kind != Kind::Fifo && found.major.is_none() {
        return Err(wrong(format!("{pointer}/major"), "is missing: only a fifo has none"));
    }
    // dev_t of the kernel: 12 bits and 20.
    let number = |name: &str, value: Option<i64>, bits: u32| match u32::try_from(value.unwrap_or(0)) {
        _ if kind == Kind::Fifo => Ok(0),
        Ok(number) if number >> bits == 0 => Ok(number),
        _ => Err(wrong(
            format!("{pointer}/{name}"),
            format!("{} must be from 0 to {}", value.unwrap_or(0), (1u32 << bits) - 1),
        )),
    };
    let (major, minor) = (number("major", found.major, 12)?, number("minor", found.minor, 20)?);
    if kind != Kind::Fifo && (major, minor) == (0, 0) {
        return Err(wrong(format!("{pointer}/major"), "major and minor are missing: 0:0 is no device"));
    }
    Ok(Device {
        path,
        kind,
        major,
        minor,
        mode: found.file_mode.unwrap_or(0o666) & 0o7777,
        uid: found.uid.unwrap_or(0),
        gid: found.gid.unwrap_or(0),
    })
}
