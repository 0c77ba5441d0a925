//! `features`: what this runtime can do, for engines that ask before they use it (runtime-spec, features.md and
//! features-linux.md). It tells what the runtime does, not what this machine allows.

use serde::Serialize;

use crate::hook::Moment;
use crate::memory_policy;
use crate::namespace::{KINDS, Kind};
use crate::seccomp::{FLAGS, OPERATORS, action, arch};
use crate::{mount, spec, user};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    oci_version_min: &'static str,
    oci_version_max: &'static str,
    hooks: [&'static str; 6],
    mount_options: Vec<String>,
    linux: Linux,
    annotations: Annotations,
    potentially_unsafe_config_annotations: [&'static str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    namespaces: [&'static str; KINDS.len()],
    capabilities: Vec<String>,
    cgroup: Cgroup,
    seccomp: Seccomp,
    apparmor: Enabled,
    selinux: Enabled,
    intel_rdt: IntelRdt,
    memory_policy: MemoryPolicy,
    mount_extensions: MountExtensions,
    net_devices: Enabled,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cgroup {
    v1: bool,
    v2: bool,
    systemd: bool,
    systemd_user: bool,
    rdma: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seccomp {
    enabled: bool,
    actions: [&'static str; action::NAMES.len()],
    operators: [&'static str; OPERATORS.len()],
    archs: [&'static str; arch::NAMES.len()],
    known_flags: [&'static str; FLAGS.len()],
    supported_flags: [&'static str; FLAGS.len()],
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
struct IntelRdt {
    enabled: bool,
    schemata: bool,
    monitoring: bool,
}

#[derive(Serialize)]
struct MemoryPolicy {
    modes: [&'static str; memory_policy::MODES.len()],
    flags: [&'static str; memory_policy::FLAGS.len()],
}

#[derive(Serialize)]
struct MountExtensions {
    idmap: Enabled,
}

#[derive(Serialize)]
struct Annotations {
    #[serde(rename = "io.github.coracle-runtime.version")]
    version: &'static str,
}

/// The answer of `features`, as indented JSON with a line end.
pub fn json() -> String {
    let flags = FLAGS.map(|(name, _)| name);
    spec::text(&Features {
        oci_version_min: "1.0.0",
        oci_version_max: "1.3.0",
        hooks: Moment::ALL.map(Moment::name),
        mount_options: mount::known_options(),
        linux: Linux {
            namespaces: namespaces(),
            capabilities: capabilities(),
            cgroup: Cgroup { v1: true, v2: true, systemd: true, systemd_user: true, rdma: true },
            seccomp: Seccomp {
                enabled: true,
                actions: action::NAMES,
                operators: OPERATORS.map(|(name, _)| name),
                archs: arch::NAMES,
                known_flags: flags,
                supported_flags: flags,
            },
            apparmor: Enabled { enabled: true },
            selinux: Enabled { enabled: true },
            intel_rdt: IntelRdt { enabled: true, schemata: true, monitoring: true },
            memory_policy: MemoryPolicy {
                modes: memory_policy::MODES.map(|known| known.0),
                flags: memory_policy::FLAGS.map(|known| known.0),
            },
            mount_extensions: MountExtensions { idmap: Enabled { enabled: true } },
            net_devices: Enabled { enabled: true },
        },
        annotations: Annotations { version: env!("CARGO_PKG_VERSION") },
        potentially_unsafe_config_annotations: [user::KEEP_GROUPS],
    })
}

fn namespaces() -> [&'static str; KINDS.len()] {
    let mut names = KINDS.map(Kind::name);
    names.sort_unstable();
    names
}

/// All that Linux has, in the order of their numbers.
fn capabilities() -> Vec<String> {
    let mut all: Vec<_> = caps::all().into_iter().collect();
    all.sort_unstable_by_key(caps::Capability::index);
    all.into_iter().map(|capability| capability.to_string()).collect()
}
