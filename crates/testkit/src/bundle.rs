//! A bundle that every runtime understands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use probe::Report;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::failure::OrHarness;
use crate::limit::GROUP;
use crate::rootfs::{Rootfs, temporary};
use crate::session::{SOON, parse};
use crate::within;

const CONFIG: &str = "config.json";

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
            "cgroupsPath": format!("/{}/{GROUP}", contents.cgroup),
        },
    });
    if contents.hostname.is_none() {
        config.as_object_mut().map(|map| map.remove("hostname"));
    }
    if contents.cgroup.is_empty() {
        config["linux"]["cgroupsPath"] = Value::Null;
    }
    std::fs::write(folder.join(CONFIG), config.to_string()).or_harness("write config.json");
}

/// Changes the `config.json` in `folder`.
pub(crate) fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let mut config = read(folder);
    change(&mut config);
    std::fs::write(folder.join(CONFIG), config.to_string()).or_harness("write config.json");
}

fn read(folder: &Path) -> Value {
    let text = std::fs::read(folder.join(CONFIG)).or_harness("read config.json");
    serde_json::from_slice(&text).or_harness("read config.json")
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

/// A root filesystem with the probe, and a config.json.
#[derive(Debug)]
pub struct Bundle {
    dir: TempDir,
    rootfs: Rootfs,
}

impl Bundle {
    /// One whose program is the probe with these arguments; its cgroup is to be below the one called `cgroup`.
    pub(crate) fn new(args: &[&str], cgroup: &str) -> Bundle {
        let (dir, rootfs) = (temporary(), Rootfs::probe());
        let args: Vec<String> = ["/probe"].iter().chain(args).map(|word| (*word).to_owned()).collect();
        let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
        let contents =
            Contents { rootfs: rootfs.path(), hostname: Some("boat"), env: &env, args: &args, cgroup };
        write(dir.path(), &contents);
        Bundle { dir, rootfs }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where it is, as an argument.
    pub fn text(&self) -> String {
        self.path().display().to_string()
    }

    /// Its root filesystem.
    pub fn rootfs(&self) -> &Rootfs {
        &self.rootfs
    }

    /// Its config.
    pub fn config(&self) -> Value {
        read(self.path())
    }

    /// Changes its config.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) -> &Bundle {
        edit(self.path(), change);
        self
    }

    /// Where the output goes of a container that [`crate::harbour::Harbour::create`] makes.
    pub(crate) fn output_file(&self) -> PathBuf {
        self.path().join("output")
    }

    /// The pid file of a container that [`crate::harbour::Harbour::create`] makes.
    pub(crate) fn pid_file(&self) -> PathBuf {
        self.path().join("pid")
    }

    /// What the program of the container that was made by [`crate::harbour::Harbour::create`] has printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.output_file()).unwrap_or_default()
    }

    /// The probe's report, the first line of that output, once it is there.
    ///
    /// # Panics
    /// Where it does not come soon: an assertion.
    #[track_caller]
    pub fn report(&self) -> Report {
        within(SOON, "the program reports what it sees", || self.output().contains('\n'));
        parse(self.output().lines().next().unwrap_or_default())
    }
}
