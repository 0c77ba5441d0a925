//! The bundle that both runtimes are given.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::guide::Guide;

/// The folders that a container's mounts and devices need.
const FOLDERS: [&str; 6] = ["dev", "etc", "proc", "run", "sys", "tmp"];

/// Writes a bundle into `folder`: a root filesystem with nothing in it but the probe, and a config of the least that
/// every runtime takes, with the guide's on top of it.
///
/// The probe is in the root filesystem under the same path as outside. So a runtime that does not change the root yet
/// finds it as well.
pub(super) fn write(folder: &Path, probe: &Path, guide: &Guide, cgroup: Option<&str>) -> Result<()> {
    let rootfs = folder.join("rootfs");
    let inside = rootfs.join(probe.strip_prefix("/").unwrap_or(probe));
    let folders = FOLDERS.iter().map(|name| rootfs.join(name));
    for folder in folders.chain(inside.parent().map(PathBuf::from)) {
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::copy(probe, &inside).with_context(|| format!("copying {}", probe.display()))?;
    let mut args = vec![probe.display().to_string()];
    args.extend(guide.program.iter().cloned());
    let namespaces = ["pid", "mount", "uts", "ipc", "network"].map(|kind| json!({ "type": kind }));
    let mut config = json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs" },
        "hostname": "boat",
        "process": { "args": args, "cwd": "/", "env": ["PATH=/bin"], "user": { "uid": 0, "gid": 0 } },
        "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
        "linux": { "namespaces": namespaces },
    });
    if let Some(path) = cgroup {
        config["linux"]["cgroupsPath"] = format!("/{path}").into();
    }
    lay_over(&mut config, &guide.config);
    Ok(fs::write(folder.join("config.json"), config.to_string())?)
}

/// Objects are merged, everything else is replaced.
fn lay_over(under: &mut Value, over: &Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(inner @ Value::Object(_)), Value::Object(value)) => lay_over(inner, value),
            _ => under[key.as_str()] = value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn the_guides_config_is_laid_over_the_bundles() {
        let mut config = json!({ "linux": { "namespaces": [1] }, "mounts": [1, 2] });
        let over = json!({ "linux": { "resources": { "pids": 1 } }, "mounts": [3] });
        super::lay_over(&mut config, over.as_object().unwrap());
        let expected = json!({ "linux": { "namespaces": [1], "resources": { "pids": 1 } }, "mounts": [3] });
        assert_eq!(config, expected);
    }
}
