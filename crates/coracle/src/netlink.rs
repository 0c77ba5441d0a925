//! rtnetlink: what the kernel is asked about network devices, and told (netlink(7), rtnetlink(7)).
//!
//! A socket speaks to the network namespace that it was opened in, whoever holds it. A request is a header, a fixed part
//! and attributes; the answer is messages of the same form, and an acknowledgement at the end.
//!
//! Four messages need no library: those there are decode all that the kernel says of a device, where we ask for its number.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use nix::unistd::Pid;

/// Numbers of linux/if_link.h and linux/if_addr.h that the libc crate does not have, the same on every architecture.
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_PID: u16 = 19;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_PROTO: u16 = 11;

/// The loopback device's number, in every network namespace.
pub const LOOPBACK: u32 = 1;

/// The fixed part of a message about a device: struct ifinfomsg, without what nobody asks for.
const DEVICE: usize = 16;
/// The fixed part of a message about an address: struct ifaddrmsg.
const ADDRESS: usize = 8;
/// struct nlmsghdr.
const HEADER: usize = 16;

/// A socket of the family that asks about network devices.
#[derive(Debug)]
pub struct Netlink(OwnedFd);

/// A network device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Whether it is up.
    pub is_up: bool,
}

/// An address of a device, as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    family: u8,
    bits: u8,
    flags: u32,
    attributes: Vec<(u16, Vec<u8>)>,
}

impl Netlink {
    /// A socket to the network namespace that we are in, close-on-exec.
    ///
    /// # Errors
    /// Those of socket(2).
    pub fn open() -> nix::Result<Netlink> {
        let (flags, route) = (SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
        socket(AddressFamily::Netlink, SockType::Raw, flags, route).map(Netlink)
    }

    /// One that somebody else has opened: it speaks to their network namespace.
    pub fn from_socket(socket: OwnedFd) -> Netlink {
        Netlink(socket)
    }

    /// The device of that name; `None`: there is none.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn link(&self, name: &str) -> nix::Result<Option<Link>> {
        let mut body = device(0, 0, 0);
        attribute(&mut body, IFLA_IFNAME, &text(name));
        let told = match self.ask(libc::RTM_GETLINK, 0, &body) {
            Err(Errno::ENODEV) => return Ok(None),
            told => told?,
        };
        let link = |message: &Vec<u8>| {
            let number = |at: usize| Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?));
            Some(Link { index: number(4)?, is_up: number(8)? & libc::IFF_UP as u32 != 0 })
        };
        told.first().and_then(link).map(Some).ok_or(Errno::EPROTO)
    }

    /// Brings the device `index` up, so that it takes packets.
    ///
    /// # Errors
    /// `EPERM` without CAP_NET_ADMIN over its network namespace.
    pub fn bring_up(&self, index: u32) -> nix::Result<()> {
        let up = libc::IFF_UP as u32;
        self.ask(libc::RTM_NEWLINK, 0, &device(index, up, up)).map(drop)
    }

    /// Moves the device `index` into the network namespace of the process `to`, and calls it `name` there. Its addresses do
    /// not go with it, and it is down.
    ///
    /// # Errors
    /// `EPERM` without CAP_NET_ADMIN over both namespaces; `EINVAL` for a device that cannot leave its own; `EEXIST` for a
    /// name that is taken: then the device may have been moved under its own name.
    pub fn move_to(&self, index: u32, to: Pid, name: &str) -> nix::Result<()> {
        let mut body = device(index, 0, 0);
        attribute(&mut body, IFLA_NET_NS_PID, &to.as_raw().to_ne_bytes());
        attribute(&mut body, IFLA_IFNAME, &text(name));
        self.ask(libc::RTM_NEWLINK, 0, &body).map(drop)
    }

    /// The lasting addresses of the device `index` that are good everywhere: not those that came by themselves, or that
    /// hold for this link or host alone.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn addresses(&self, index: u32) -> nix::Result<Vec<Address>> {
        // All of them are told, of every device.
        let told = self.ask(libc::RTM_GETADDR, libc::NLM_F_DUMP, &[0; ADDRESS])?;
        let own = |message: &&Vec<u8>| message.get(4..ADDRESS).is_some_and(|own| own == index.to_ne_bytes());
        Ok(told.iter().filter(own).filter_map(|message| Address::read(message)).collect())
    }

    /// Gives the device `index` an address. `same_name`: it is called as where the address comes from.
    ///
    /// # Errors
    /// `EEXIST` where it has it already.
    pub fn add(&self, index: u32, address: &Address, same_name: bool) -> nix::Result<()> {
        let (flags, create) = (address.flags, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
        let mut body = vec![address.family, address.bits, flags as u8, libc::RT_SCOPE_UNIVERSE];
        body.extend(index.to_ne_bytes());
        // An old label begins with the old name.
        let kept = address.attributes.iter().filter(|(kind, _)| same_name || *kind != libc::IFA_LABEL);
        kept.for_each(|(kind, value)| attribute(&mut body, *kind, value));
        attribute(&mut body, libc::IFA_FLAGS, &flags.to_ne_bytes());
        self.ask(libc::RTM_NEWADDR, create, &body).map(drop)
    }

    /// Sends a request and returns the messages of the answer, without their headers.
    fn ask(&self, kind: u16, flags: libc::c_int, body: &[u8]) -> nix::Result<Vec<Vec<u8>>> {
        let length = (HEADER + body.len()) as u32;
        let flags = (flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        // What follows is who asks, which the kernel fills in, and which question it is: we ask one at a time.
        let header = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8]].concat();
        send(self.0.as_raw_fd(), &[&header, body].concat(), MsgFlags::empty())?;
        let mut told = Vec::new();
        // More the kernel never says at once (netlink_dump of net/netlink/af_netlink.c).
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let length = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC)?;
            let mut rest = buffer.get(..length).ok_or(Errno::EMSGSIZE)?;
            while let Some((kind, message, behind)) = split(rest, 4, HEADER) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(told),
                    libc::NLMSG_ERROR => {
                        let code = message.get(..4).and_then(|code| code.try_into().ok());
                        return match code.map_or(-(Errno::EPROTO as i32), i32::from_ne_bytes) {
                            0 => Ok(told),
                            code => Err(Errno::from_raw(-code)),
                        };
                    }
                    _ => told.push(message.to_vec()),
                }
                rest = behind;
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Netlink> for OwnedFd {
    fn from(netlink: Netlink) -> OwnedFd {
        netlink.0
    }
}

impl Address {
    /// Reads a message about an address; `None` for one that stays where it is.
    fn read(message: &[u8]) -> Option<Address> {
        let [family, bits, flags, scope] = message.get(..4)?.try_into().ok()?;
        let (mut flags, mut attributes, mut rest) = (u32::from(flags), Vec::new(), message.get(ADDRESS..)?);
        while let Some((kind, value, behind)) = split(rest, 2, 4) {
            match kind {
                libc::IFA_FLAGS => flags = u32::from_ne_bytes(value.get(..4)?.try_into().ok()?),
                libc::IFA_ADDRESS | libc::IFA_LOCAL | libc::IFA_BROADCAST | libc::IFA_LABEL => {
                    attributes.push((kind, value.to_vec()));
                }
                IFA_RT_PRIORITY | IFA_PROTO => attributes.push((kind, value.to_vec())),
                // How long it lasts: for ever; and what is not to be set.
                _ => {}
            }
            rest = behind;
        }
        let inet = [libc::AF_INET, libc::AF_INET6].contains(&i32::from(family));
        let stays = !inet || flags & libc::IFA_F_PERMANENT == 0 || scope != libc::RT_SCOPE_UNIVERSE;
        let settable = libc::IFA_F_NODAD
            | libc::IFA_F_HOMEADDRESS
            | libc::IFA_F_MANAGETEMPADDR
            | libc::IFA_F_NOPREFIXROUTE
            | libc::IFA_F_MCAUTOJOIN;
        (!stays).then_some(Address { family, bits, flags: flags & settable, attributes })
    }
}

/// The fixed part of a message about a device: of those `flags` that `mask` names, these are to be set.
fn device(index: u32, flags: u32, mask: u32) -> Vec<u8> {
    let numbers = [0, index, flags, mask];
    let body: Vec<u8> = numbers.into_iter().flat_map(u32::to_ne_bytes).collect();
    debug_assert_eq!(body.len(), DEVICE);
    body
}

/// A text with the NUL byte that the kernel wants at its end.
fn text(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

/// Appends an attribute: its length, its kind, its value, and what is missing to four bytes.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend(((4 + value.len()) as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Takes the first of several messages or attributes: its kind, what is behind its header, and the rest. The header begins
/// with the length, a number of `width` bytes, and the kind follows.
fn split(bytes: &[u8], width: usize, header: usize) -> Option<(u16, &[u8], &[u8])> {
    let length = match width {
        2 => usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?)),
        _ => u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize,
    };
    let kind = u16::from_ne_bytes(bytes.get(width..width + 2)?.try_into().ok()?);
    let message = bytes.get(header..length)?;
    Some((kind, message, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}
