//! How much of the remote direct memory access devices a group may use: the same file in both versions.

use std::collections::HashMap;

use oci_spec::runtime::LinuxRdma;

use super::settings::{self, List};

/// Asks for the most handles and objects of each device, a line of `rdma.max` each. What is missing is left as it is.
pub(super) fn limit(list: &mut List, devices: &HashMap<String, LinuxRdma>) {
    let mut devices: Vec<_> = devices.iter().collect();
    devices.sort_by_key(|(name, _)| *name);
    for (name, most) in devices {
        let word =
            |word: &str, most: Option<u32>| most.map_or(String::new(), |most| format!(" {word}={most}"));
        let line = format!(
            "{name}{}{}",
            word("hca_handle", most.hca_handles()),
            word("hca_object", most.hca_objects())
        );
        list.write("rdma.max", line).undone_by(format!("{name} hca_handle=max hca_object=max"));
    }
}

/// What is wrong: the device, and why.
pub(super) fn check(devices: &HashMap<String, LinuxRdma>) -> Option<(&str, &'static str)> {
    devices.iter().find_map(|(name, most)| {
        if !settings::is_word(name) {
            Some((name.as_str(), "is no device's name"))
        } else if most.hca_handles().is_none() && most.hca_objects().is_none() {
            Some((name.as_str(), "must have hcaHandles or hcaObjects"))
        } else {
            None
        }
    })
}
