//! Whose systemd makes a container's scope, and where it is to be found.

use nix::unistd::{geteuid, getuid};
use serde::{Deserialize, Serialize};

use super::address::Address;
use crate::mapping;

/// Whose systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// The machine's.
    System,
    /// An ordinary user's own.
    User,
}

impl Owner {
    /// Those who may be asked: root asks the machine's, an ordinary user their own. Root of a user namespace is mostly an
    /// ordinary user, and in a system container root of a machine of its own.
    pub(super) fn candidates() -> &'static [Owner] {
        match (mapping::is_host_root(), geteuid().is_root()) {
            (true, _) => &[Owner::System],
            (false, true) => &[Owner::User, Owner::System],
            (false, false) => &[Owner::User],
        }
    }

    /// Where it listens: on a bus, and without one on a socket of its own.
    pub(super) fn addresses(self) -> Vec<Address> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        match self {
            Owner::System => {
                let mut all = Address::list(&variable("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default());
                all.extend(Address::at("/run/dbus/system_bus_socket", true));
                all.extend(Address::at("/run/systemd/private", false));
                all
            }
            Owner::User => {
                let mut all = Address::list(&variable("DBUS_SESSION_BUS_ADDRESS").unwrap_or_default());
                let folder = variable("XDG_RUNTIME_DIR").unwrap_or_else(|| format!("/run/user/{}", getuid()));
                all.extend(Address::at(&format!("{folder}/bus"), true));
                all.extend(Address::at(&format!("{folder}/systemd/private"), false));
                all
            }
        }
    }

    pub(super) fn cure(self) -> &'static str {
        match self {
            Owner::System => "look for its bus: systemctl status dbus",
            Owner::User => {
                "it is there while the user is logged in, or lingers (loginctl enable-linger), and is found by \
                 XDG_RUNTIME_DIR"
            }
        }
    }

    /// The slice for whoever asks for none.
    pub(super) fn slice(self) -> &'static str {
        match self {
            Owner::System => "system.slice",
            Owner::User => "user.slice",
        }
    }
}
