//! `features`: what this runtime can do, for engines that ask before they use it (runtime-spec, features.md and
//! features-linux.md). It tells what the runtime does, not what this machine allows.

use serde::Serialize;

use crate::hook::Moment;
use crate::namespace::{KINDS, Kind};
use crate::spec;

/// The options of `/mounts/*/options` that are ours to carry out; all others go to the file system.
const MOUNT_OPTIONS: [&str; 52] = [
    "acl",
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noacl",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "relatime",
    "remount",
    "rexec",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnosuid",
    "ro",
    "rprivate",
    "rro",
    "rrw",
    "rshared",
    "rslave",
    "rsuid",
    "runbindable",
    "rw",
    "shared",
    "silent",
    "slave",
    "suid",
    "sync",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    oci_version_min: &'static str,
    oci_version_max: &'static str,
    hooks: [&'static str; 6],
    mount_options: &'static [&'static str],
    linux: Linux,
    annotations: Annotations,
    potentially_unsafe_config_annotations: [&'static str; 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    namespaces: [&'static str; KINDS.len()],
    capabilities: Vec<String>,
    cgroup: Cgroup,
    seccomp: Enabled,
    apparmor: Enabled,
    selinux: Enabled,
    intel_rdt: Enabled,
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
struct Enabled {
    enabled: bool,
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
    let off = || Enabled { enabled: false };
    spec::text(&Features {
        oci_version_min: "1.0.0",
        oci_version_max: "1.3.0",
        hooks: Moment::ALL.map(Moment::name),
        mount_options: &MOUNT_OPTIONS,
        linux: Linux {
            namespaces: namespaces(),
            capabilities: capabilities(),
            cgroup: Cgroup { v1: true, v2: true, systemd: false, systemd_user: false, rdma: false },
            seccomp: off(),
            apparmor: off(),
            selinux: off(),
            intel_rdt: off(),
            mount_extensions: MountExtensions { idmap: off() },
            net_devices: off(),
        },
        annotations: Annotations { version: env!("CARGO_PKG_VERSION") },
        potentially_unsafe_config_annotations: [],
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
