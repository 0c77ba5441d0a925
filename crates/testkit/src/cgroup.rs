//! A cgroup of the run's own, in every hierarchy, where we are root: for the runtime to use, and to bound it.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use probe::Mount;

use crate::failure::{Class, fail};
use crate::leak::GONE;
use crate::vm::patient;

const PREFIX: &str = "coracle-test-";

/// The run's cgroups; removed when dropped.
#[derive(Debug, Default)]
pub struct Cgroups {
    /// The name below each hierarchy's root.
    pub name: String,
    /// The folders.
    pub folders: Vec<PathBuf>,
    /// The folder to put the run's processes into, so that their number is bounded.
    pub join: Vec<PathBuf>,
}

impl Cgroups {
    /// Makes them in each hierarchy that lets us. An ordinary user gets none: the net bounds them otherwise.
    pub fn new(processes: u64) -> Cgroups {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        let mut groups = Cgroups::default();
        if !nix::unistd::geteuid().is_root() {
            return groups;
        }
        SWEPT.call_once(sweep);
        groups.name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        for mount in hierarchies() {
            let root = Path::new(&mount.mountpoint);
            let folder = root.join(&groups.name);
            if std::fs::create_dir(&folder).is_err() {
                continue;
            }
            // A cpuset of version 1 starts empty, and nobody can run in an empty one.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if let Ok(value) = std::fs::read(root.join(file)) {
                    let _ = std::fs::write(folder.join(file), value);
                }
            }
            // What is swapped out does not count, so a limit on memory would bite on some machines only. The groups below
            // are bound by the first, and begin with the second's value.
            for file in ["memory.swap.max", "memory.swappiness"] {
                let file = folder.join(file);
                if file.exists() {
                    let _ = std::fs::write(file, "0");
                }
            }
            groups.bound(&folder, processes);
            groups.folders.push(folder);
        }
        groups
    }

    /// Bounds the number of processes, where this hierarchy can.
    fn bound(&mut self, folder: &Path, processes: u64) {
        if std::fs::write(folder.join("pids.max"), processes.to_string()).is_err() {
            return;
        }
        // On version 2 a cgroup with cgroups below it holds no processes: the run's are in a leaf.
        let leaf =
            if folder.join("cgroup.controllers").exists() { folder.join("net") } else { folder.to_owned() };
        if leaf == folder || std::fs::create_dir(&leaf).is_ok() {
            self.join.push(leaf);
        }
    }

    /// Removes them.
    ///
    /// # Panics
    /// Where one cannot be removed: something of the run is still in it.
    pub(crate) fn remove(&mut self) {
        self.try_remove();
        if let Some(left) = std::mem::take(&mut self.folders).first() {
            fail(Class::Harness, format!("a leak: {} cannot be removed", left.display()));
        }
    }

    /// Removes what can be removed. The kernel lets go of a cgroup a moment after its last process has been buried.
    fn try_remove(&mut self) {
        let end = Instant::now() + patient(GONE);
        self.folders.retain(|folder| {
            while !remove_tree(folder) {
                if Instant::now() > end {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            false
        });
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.try_remove();
    }
}

/// Removes what tests left that were killed: cgroups named after a process that is no more.
fn sweep() {
    let entries = hierarchies().into_iter().flat_map(|mount| std::fs::read_dir(mount.mountpoint));
    for entry in entries.flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove_tree(&entry.path());
        }
    }
}

/// The cgroup hierarchies of this machine, by their mounts.
pub(crate) fn hierarchies() -> Vec<Mount> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Mount::parse_all(&text).into_iter().filter(|mount| mount.fstype.starts_with("cgroup")).collect()
}

/// Removes a cgroup and those below it; whether it is gone.
fn remove_tree(folder: &Path) -> bool {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    std::fs::remove_dir(folder).is_ok() || !folder.exists()
}
