//! `/linux/sysctl`: settings of the kernel that are the container's own.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::wrong;
use crate::error::Result;
use crate::namespace::{Kind, Namespaces};
use crate::sysctl::{self, Sysctl};

const POINTER: &str = "/linux/sysctl";

/// The settings of `asked`, each of which must be one of a namespace that the container does not share with the runtime.
///
/// # Errors
/// At `/linux/sysctl/NAME` for one of the whole machine, or of a namespace that is the runtime's; for the hostname, which
/// has a property of its own; for a name that is no path.
pub(super) fn settings(asked: &BTreeMap<String, String>, namespaces: &Namespaces) -> Result<Vec<Sysctl>> {
    asked.iter().map(|(name, value)| setting(name, value, namespaces)).collect()
}

fn setting(name: &str, value: &str, namespaces: &Namespaces) -> Result<Sysctl> {
    let fail = |problem: String| {
        let key = name.replace('~', "~0").replace('/', "~1");
        Err(wrong(format!("{POINTER}/{key}"), format!("sysctl {name:?} {problem}")))
    };
    let path = sysctl::path(name);
    let is_plain = Path::new(&path).components().all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || path.contains('\0') || !is_plain {
        return fail("is no setting's name; write it as in net.ipv4.ip_forward".into());
    }
    let Some(kind) = sysctl::namespace(&path) else {
        return fail("is not in a separate kernel namespace: it would be the whole machine's".into());
    };
    if path == "kernel/hostname" {
        return fail("is not allowed as it conflicts with /hostname; write it there".into());
    }
    if !namespaces.own().any(|own| own == kind) {
        return fail(match kind {
            Kind::Network => "not allowed in host network namespace; add a network namespace".into(),
            Kind::Ipc => "is not allowed in the hosts ipc namespace; add an ipc namespace".into(),
            other => format!(
                "is not in a separate kernel namespace; add a {} namespace to /linux/namespaces",
                other.name()
            ),
        });
    }
    if value.contains('\0') {
        return fail("has a NUL byte in its value".into());
    }
    if path == "kernel/domainname" && value.len() > 64 {
        return fail("is longer than the 64 bytes that the kernel takes".into());
    }
    Ok(Sysctl { path, value: value.to_owned() })
}
