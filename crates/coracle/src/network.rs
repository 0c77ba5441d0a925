//! Network devices: the loopback device of a new network namespace, and those of the host's that move into a container's
//! (runtime-spec, config-linux.md, "Network Devices").
//!
//! ```text
//! main                                    init
//!  |                                       | is in its network namespace
//!  | <---- Network (a netlink socket) ---- | opened there: it speaks to there
//!  | addresses of the device; move, rename
//!  | by the socket: addresses, up
//!  | ---------------- Go ----------------> | goes on
//! ```
//!
//! At the end the kernel moves physical devices back, and virtual ones end with the namespace; nobody else may
//! (the same, "Namespace Lifecycle and Container Termination").

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::channel::{Channel, Message};
use crate::error::{Error, Result};
use crate::netlink::{Address, LOOPBACK, Link, Netlink};
use crate::sys;

/// A device to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name outside.
    pub outside: String,
    /// Its name inside; `%d` in it stands for the first number whose name is free.
    pub inside: String,
}

/// Brings up the loopback device of the network namespace we are in: a new one's is down, and a program that speaks to
/// itself by it would find nobody.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN over the network namespace.
pub fn bring_up_loopback() -> Result<()> {
    let bring_up = |netlink: Netlink| {
        netlink.bring_up(LOOPBACK)?;
        // Init closes all that it does not need, with one call.
        sys::leave_open([netlink.into()]);
        Ok(())
    };
    Netlink::open().and_then(bring_up).map_err(|errno| {
        Error::refused("bring up lo")(errno).with_cure(
            Errno::EPERM,
            "a new network namespace needs CAP_NET_ADMIN: or leave it out of /linux/namespaces",
        )
    })
}

/// Init's part: gives the runtime a socket to our network namespace by `channel`, and waits until it has moved the devices.
///
/// # Errors
/// Those of socket(2) and of sending.
pub fn ask_for_devices(channel: &Channel) -> Result<()> {
    let netlink = Netlink::open().map_err(Error::refused("open a netlink socket"))?;
    channel.send_with(&Message::Network, Some(netlink.as_fd()))?;
    match channel.receive()? {
        Some(Message::Go) => Ok(()),
        // The runtime's death is ours.
        _ => sys::exit_now(1),
    }
}

/// A device that was moved, to be moved back should the container not come about.
#[derive(Debug)]
struct Moved {
    device: Device,
    was: Link,
    addresses: Vec<Address>,
}

/// Devices that are in a container's network namespace now. Dropped without [`Guests::stay`], they go back: a container that
/// fails leaves the host as it was.
#[derive(Debug)]
pub struct Guests {
    ours: Netlink,
    theirs: Netlink,
    moved: Vec<Moved>,
}

/// Moves `devices` from our network namespace into that of the process `to`, to which the socket `theirs` speaks: each gets
/// its name, its lasting addresses, and is up.
///
/// # Errors
/// `ENODEV` for one that is not there, `EEXIST` for a name that is taken inside, `EINVAL` for one that cannot be moved,
/// `EPERM` without CAP_NET_ADMIN in our namespace. None is moved then.
pub fn attach(devices: &[Device], theirs: Netlink, to: Pid) -> Result<Guests> {
    let ours = Netlink::open().map_err(Error::refused("open a netlink socket"))?;
    let mut guests = Guests { ours, theirs, moved: Vec::new() };
    // Where one fails, those before it go back when they are dropped.
    devices.iter().try_for_each(|device| guests.take(device, to))?;
    Ok(guests)
}

impl Guests {
    /// Leaves the devices where they are.
    pub fn stay(mut self) {
        self.moved.clear();
    }

    fn take(&mut self, device: &Device, to: Pid) -> Result<()> {
        let Device { outside, .. } = device;
        let failed = |what: &str| Error::refused(format!("{what} network device {outside}"));
        let was = self.ours.link(outside).and_then(|link| link.ok_or(Errno::ENODEV));
        let was = was.map_err(|errno| {
            failed("find")(errno).with_cure(Errno::ENODEV, "ip link names those that are there")
        })?;
        let addresses = self.ours.addresses(was.index).map_err(failed("read the addresses of"))?;
        let inside = self.free_name(&device.inside)?;
        let device = Device { outside: outside.clone(), inside: inside.clone() };
        let same = device.outside == device.inside;
        // Noted first: a device may be moved by a call that fails at its name.
        self.moved.push(Moved { device, was, addresses: addresses.clone() });
        self.ours.move_to(was.index, to, &inside).map_err(|errno| {
            failed("move")(errno)
                .with_cure(
                    Errno::EPERM,
                    "moving a device needs CAP_NET_ADMIN outside of the container: run as root",
                )
                .with_cure(Errno::EINVAL, "the kernel keeps this kind of device in its network namespace")
                .with_cure(
                    Errno::EEXIST,
                    "another device inside has its name: give it another in /linux/netDevices",
                )
        })?;
        let link = self
            .theirs
            .link(&inside)
            .and_then(|link| link.ok_or(Errno::ENODEV))
            .map_err(failed("find the moved"))?;
        for address in &addresses {
            self.theirs.add(link.index, address, same).map_err(failed("give its addresses to"))?;
        }
        self.theirs.bring_up(link.index).map_err(failed("bring up"))
    }

    /// The name that a device gets inside.
    fn free_name(&self, wanted: &str) -> Result<String> {
        let is_free = |name: &str| {
            let found = self.theirs.link(name).map_err(Error::refused(format!("look for {name} inside")));
            found.map(|found| found.is_none())
        };
        let taken = || {
            let step = format!("name a network device {wanted}");
            Error::refused(step)(Errno::EEXIST).with_cure(
                Errno::EEXIST,
                "the container has one of this name: give another in /linux/netDevices",
            )
        };
        if !wanted.contains("%d") {
            return if is_free(wanted)? { Ok(wanted.to_owned()) } else { Err(taken()) };
        }
        // As the kernel counts, and no further.
        for number in 0..(8 * 4096) {
            let name = wanted.replacen("%d", &number.to_string(), 1);
            if is_free(&name)? {
                return Ok(name);
            }
        }
        Err(taken())
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        // The first error is the one to tell, and it is being told.
        for Moved { device, was, addresses } in self.moved.drain(..).rev() {
            // It did not get that far.
            if self.ours.link(&device.outside).is_ok_and(|link| link.is_some()) {
                continue;
            }
            let inside = [&device.inside, &device.outside];
            let Some(link) = inside.iter().find_map(|name| self.theirs.link(name).ok().flatten()) else {
                continue;
            };
            if self.theirs.move_to(link.index, Pid::this(), &device.outside).is_err() {
                continue;
            }
            let Ok(Some(back)) = self.ours.link(&device.outside) else { continue };
            for address in &addresses {
                let _ = self.ours.add(back.index, address, true);
            }
            if was.is_up {
                let _ = self.ours.bring_up(back.index);
            }
        }
    }
}
