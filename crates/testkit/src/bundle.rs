//! The bundle that a runtime other than ours is given, to make the same container.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::failure::OrHarness;

/// What a bundle is made of.
pub(crate) struct Contents<'a> {
    pub(crate) rootfs: &'a Path,
    pub(crate) hostname: Option<&'a str>,
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) args: &'a [String],
    pub(crate) cgroup: &'a str,
}

/// Writes `config.json` into `folder`.
pub(crate) fn write(folder: &Path, contents: &Contents<'_>) {
    let env: Vec<_> = contents.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut config = json!({
        "ociVersion": "1.0.2",
        "root": { "path": contents.rootfs },
        "hostname": contents.hostname,
        "process": {
            "args": contents.args, "cwd": "/", "env": env, "user": { "uid": 0, "gid": 0 },
            "capabilities": capabilities(),
        },
        "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
        "linux": {
            "namespaces": [
                { "type": "pid" }, { "type": "mount" }, { "type": "uts" }, { "type": "ipc" }, { "type": "network" },
            ],
            "cgroupsPath": format!("/{}/c", contents.cgroup),
        },
    });
    if contents.hostname.is_none() {
        config.as_object_mut().map(|map| map.remove("hostname"));
    }
    if contents.cgroup.is_empty() {
        config["linux"]["cgroupsPath"] = Value::Null;
    }
    std::fs::write(folder.join("config.json"), config.to_string()).or_harness("write config.json");
}

/// Ours leaves the program all that it has, so the others should as well: the tests mount and change roots.
fn capabilities() -> Value {
    let all = json!([
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_KILL",
        "CAP_MKNOD",
        "CAP_NET_ADMIN",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SYS_ADMIN",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
    ]);
    json!({ "bounding": all, "effective": all, "permitted": all })
}
