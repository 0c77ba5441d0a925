//! `spec`: a `config.json` to begin with. It isolates what it can and needs nothing of the machine beyond root's rights
//! (or a user namespace); other runtimes take it unchanged.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::{getegid, geteuid};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::config::{
    Capabilities, Config, DeviceRule, IdMapping, Linux, Mount, Namespace, Process, Resources, Rlimit, Root,
    User,
};
use crate::error::{Error, Result};

/// Writes the default config to `config.json` in the folder `bundle`, for an ordinary user with `rootless`.
///
/// # Errors
/// A `config.json` that is there already stays as it is; a failure leaves none behind.
pub fn write(bundle: &Path, rootless: bool) -> Result<()> {
    let mut config = default();
    if rootless {
        make_rootless(&mut config);
    }
    let path = bundle.join("config.json");
    let mut file = File::create_new(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::Bundle { path: path.clone(), problem: "is there already; remove it first".into() }
        }
        _ => Error::io(format!("create {}", path.display()))(error),
    })?;
    file.write_all(text(&config).as_bytes()).map_err(|error| {
        // Half a config is worse than none.
        let _ = std::fs::remove_file(&path);
        Error::io(format!("write {}", path.display()))(error)
    })
}

/// A config as the text of a `config.json`, indented by tabs.
pub fn text(config: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"\t"));
    config.serialize(&mut serializer).expect("a config is plain data");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// The default config: a shell in namespaces of its own, on a read-only `rootfs`, with three capabilities and no
/// devices but those that every container has.
///
/// Its version is 1.0.2, for it uses nothing younger and there are runtimes that refuse what they do not know.
pub fn default() -> Config {
    Config {
        oci_version: "1.0.2".into(),
        process: Some(process()),
        root: Some(Root { path: "rootfs".into(), readonly: true }),
        hostname: Some("coracle".into()),
        domainname: None,
        mounts: mounts(),
        hooks: None,
        annotations: BTreeMap::new(),
        linux: Linux {
            resources: Some(Resources { devices: vec![no_device()], ..Resources::default() }),
            namespaces: namespaces(),
            masked_paths: texts(&MASKED),
            readonly_paths: texts(&READ_ONLY),
            ..Linux::default()
        },
    }
}

/// The rule that no device may be used, before those that every container may.
fn no_device() -> DeviceRule {
    DeviceRule { allow: false, kind: None, major: None, minor: None, access: Some("rwm".into()) }
}

/// What the container may not see: what tells of the whole machine, or lets it be changed.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
];

/// What it may see and not change.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

fn process() -> Process {
    let capabilities = texts(&["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    Process {
        terminal: true,
        user: User::default(),
        args: texts(&["sh"]),
        env: texts(&["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]),
        cwd: "/".into(),
        // The inheritable set is empty (CVE-2022-29162), and so nothing can be ambient.
        capabilities: Some(Capabilities {
            bounding: capabilities.clone(),
            effective: capabilities.clone(),
            permitted: capabilities,
            ..Capabilities::default()
        }),
        rlimits: vec![Rlimit { kind: "RLIMIT_NOFILE".into(), hard: 1024, soft: 1024 }],
        no_new_privileges: true,
        ..Process::default()
    }
}

fn mounts() -> Vec<Mount> {
    let dev = ["nosuid", "strictatime", "mode=755", "size=65536k"];
    // Group 5 is tty's, everywhere.
    let pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    let shm = ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"];
    let cgroup = ["nosuid", "noexec", "nodev", "relatime", "ro"];
    vec![
        Mount::new("/proc", "proc", "proc", &[]),
        Mount::new("/dev", "tmpfs", "tmpfs", &dev),
        Mount::new("/dev/pts", "devpts", "devpts", &pts),
        Mount::new("/dev/shm", "tmpfs", "shm", &shm),
        Mount::new("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        Mount::new("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        Mount::new("/sys/fs/cgroup", "cgroup", "cgroup", &cgroup),
    ]
}

/// The mounts of the default config that make a /dev, without ids that a small user namespace does not map.
pub fn dev() -> Vec<Mount> {
    let mut mounts = mounts();
    mounts.retain(|mount| mount.destination.starts_with("/dev"));
    mounts.iter_mut().for_each(keep_to_root);
    mounts
}

/// Takes out of its options who else than root owns its files.
fn keep_to_root(mount: &mut Mount) {
    mount.options.retain(|option| !option.starts_with("gid=") && !option.starts_with("uid="));
}

/// A cgroup namespace belongs to them only where the machine knows nothing but version 2: in version 1 the mount of
/// type `cgroup` shows the container its own groups without one.
fn namespaces() -> Vec<Namespace> {
    let mut kinds = vec!["pid", "network", "ipc", "uts", "mount"];
    if statfs("/sys/fs/cgroup").is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC) {
        kinds.push("cgroup");
    }
    kinds.into_iter().map(Namespace::new).collect()
}

/// Turns a config into one that an ordinary user can run: its root is the caller, mapped in a user namespace of its
/// own, and whatever needs more than this one id is taken out.
pub fn make_rootless(config: &mut Config) {
    let linux = &mut config.linux;
    // In a network of its own the container would have no way out, and the caller cannot make it one.
    linux.namespaces.retain(|namespace| namespace.kind != "network" && namespace.kind != "user");
    linux.namespaces.push(Namespace::new("user"));
    linux.uid_mappings = vec![IdMapping { container_id: 0, host_id: geteuid().as_raw(), size: 1 }];
    linux.gid_mappings = vec![IdMapping { container_id: 0, host_id: getegid().as_raw(), size: 1 }];
    // An ordinary user owns no control group.
    linux.resources = None;
    for mount in &mut config.mounts {
        // Only id 0 is mapped.
        keep_to_root(mount);
        // sysfs belongs to the network namespace, which stays the host's: only its owner may mount another one.
        if mount.destination == "/sys" {
            *mount = Mount::new("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]);
        }
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}
