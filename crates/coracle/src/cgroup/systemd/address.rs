//! Addresses of D-Bus (D-Bus Specification, "Server Addresses"), those of Unix sockets.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

/// Where somebody listens.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) socket: SocketAddr,
    /// Whether a bus is there, which passes calls on; otherwise it is systemd's manager itself.
    pub(super) is_bus: bool,
}

impl Address {
    /// The socket at `path`; `None` where that is too long for one.
    pub(super) fn at(path: &str, is_bus: bool) -> Option<Address> {
        Some(Address { socket: SocketAddr::from_pathname(path).ok()?, is_bus })
    }

    /// The Unix sockets of a list of buses, such as `unix:path=/run/user/1000/bus,guid=...;tcp:...`.
    pub(super) fn list(text: &str) -> Vec<Address> {
        let unix = text.split(';').filter_map(|one| one.strip_prefix("unix:"));
        let keys = unix.flat_map(|keys| keys.split(',').filter_map(|key| key.split_once('=')));
        keys.filter_map(|(key, value)| match key {
            "path" => Address::at(&unescaped(value)?, true),
            "abstract" => {
                let socket = SocketAddr::from_abstract_name(unescaped(value)?).ok()?;
                Some(Address { socket, is_bus: true })
            }
            _ => None,
        })
        .collect()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.socket.as_pathname(), self.socket.as_abstract_name()) {
            (Some(path), _) => path.display().fmt(f),
            (_, name) => write!(f, "@{}", String::from_utf8_lossy(name.unwrap_or_default())),
        }
    }
}

/// A value of an address, in which `%2f` stands for a slash.
fn unescaped(value: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut parts = value.split('%');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.bytes());
    }
    String::from_utf8(bytes).ok()
}
