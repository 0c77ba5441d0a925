//! Root filesystems for tests, and files that no container may reach.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::failure::OrHarness;
use crate::harness;

/// A root filesystem with nothing in it but the probe. It is gone with its last copy; a container keeps one.
#[derive(Debug, Clone)]
pub struct Rootfs {
    dir: Arc<TempDir>,
}

impl Rootfs {
    /// A fresh one: the probe as `/probe`, and under the same path as on the host, so that a container finds it
    /// whether or not its root has been changed.
    pub fn probe() -> Rootfs {
        let rootfs = Rootfs { dir: Arc::new(temporary()) };
        for directory in ["proc", "dev", "sys", "tmp", "etc", "run"] {
            std::fs::create_dir(rootfs.path().join(directory)).or_harness("make a directory in the rootfs");
        }
        let probe = harness::probe();
        let inside = rootfs.path().join(probe.strip_prefix("/").unwrap_or(&probe));
        std::fs::create_dir_all(inside.parent().unwrap_or(rootfs.path()))
            .or_harness("make the probe's folder");
        for place in [inside, rootfs.path().join("probe")] {
            std::fs::hard_link(harness::copy_of_probe(), place).or_harness("link the probe");
        }
        rootfs
    }

    /// Where it is on the host.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).or_harness("write a file in the rootfs");
    }
}

/// A file of the host that no container with a root of its own may read.
#[derive(Debug)]
pub struct Canary {
    path: PathBuf,
    _dir: TempDir,
}

impl Canary {
    /// A fresh one.
    pub fn new() -> Canary {
        let dir = temporary();
        let path = dir.path().join("canary");
        std::fs::write(&path, "a file of the host").or_harness("write the canary");
        Canary { path, _dir: dir }
    }

    /// Its path on the host.
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap_or_default()
    }
}

impl Default for Canary {
    fn default() -> Canary {
        Canary::new()
    }
}

/// A directory for a test. Everything that a run may touch is in one of these, and they are all below one folder,
/// which the net leaves writable.
pub(crate) fn temporary() -> TempDir {
    tempfile::Builder::new()
        .prefix("t")
        .tempdir_in(harness::directory())
        .or_harness("make a temporary directory")
}
