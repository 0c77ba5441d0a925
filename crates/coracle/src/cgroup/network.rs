//! Marks on what a group sends. Only version 1 has them: with version 2, a program or a firewall looks at the sender's group.

use oci_spec::runtime::LinuxNetwork;

use super::settings::List;

/// Asks for the class of what the group sends, which traffic control (tc(8)) and firewalls look at.
pub(super) fn class(list: &mut List, network: &LinuxNetwork) {
    if let Some(class) = network.class_id().filter(|class| *class != 0) {
        list.write("net_cls.classid", class);
    }
}

/// Asks for the priority of what the group sends, by network device.
pub(super) fn priorities(list: &mut List, network: &LinuxNetwork) {
    for one in network.priorities().iter().flatten() {
        list.write("net_prio.ifpriomap", format!("{} {}", one.name(), one.priority()))
            .undone_by(format!("{} 0", one.name()));
    }
}

/// Whether a class is asked for.
pub(super) fn asks_for_class(network: &LinuxNetwork) -> bool {
    network.class_id().unwrap_or(0) != 0
}

/// Whether priorities are asked for.
pub(super) fn asks_for_priorities(network: &LinuxNetwork) -> bool {
    network.priorities().as_ref().is_some_and(|list| !list.is_empty())
}

/// Which priority is for no device's name: a space would end it.
pub(super) fn check(network: &LinuxNetwork) -> Option<usize> {
    network.priorities().iter().flatten().position(|one| !super::settings::is_word(one.name()))
}
