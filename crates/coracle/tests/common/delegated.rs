//! A control group that an ordinary user was given.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use serde_json::json;

use super::fresh_id;
use super::user::{User, must, read};

/// A group of version 2 that is the user's, and one in it for their processes.
pub(crate) struct Delegated {
    pub(crate) path: PathBuf,
}

impl Delegated {
    /// `None` where version 2 is not mounted.
    pub(crate) fn new() -> Option<Delegated> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let is_v2 = |path: &&Path| statfs(*path).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC);
        let path = roots.into_iter().find(is_v2)?.join(fresh_id());
        let inner = path.join("theirs");
        fs::create_dir(&path).and_then(|()| fs::create_dir(&inner)).expect("a control group");
        let (uid, gid) = User::ids();
        let own = |path: &Path| chown(path, Some(uid), Some(gid)).expect("we are root");
        for folder in [&path, &inner] {
            own(folder);
            ["cgroup.procs", "cgroup.subtree_control"].iter().for_each(|file| own(&folder.join(file)));
        }
        Some(Delegated { path })
    }

    /// Where a container sees the user's group that has none of its own.
    pub(crate) fn inside(&self) -> String {
        let name = self.path.file_name().expect("a name").to_string_lossy();
        match self.path.starts_with("/sys/fs/cgroup/unified") {
            true => format!("/sys/fs/cgroup/unified/{name}"),
            // Its namespace's root.
            false => "/sys/fs/cgroup".to_owned(),
        }
    }

    /// Runs the probe with this `action` in such a container of the `user`, whose mount of the control groups has this option.
    /// It is called from the group itself: beside that one there may be no other.
    #[track_caller]
    pub(crate) fn report(&self, user: &User, option: &str, action: &[&str]) -> probe::Report {
        let mut config = user.config(action);
        let mounts = config["mounts"].as_array_mut().expect("a list");
        let mount = mounts.iter_mut().find(|mount| mount["type"] == "cgroup").expect("spec's");
        mount["options"] = json!(["nosuid", "noexec", "nodev", option]);
        user.0.write(&config);
        let before = Delegated::enter(&self.path);
        read(&must(user.after(&before.each_ref().map(String::as_str), &["run", user.id()])))
    }

    /// `before` a call: it is made in that group.
    pub(crate) fn enter(group: &Path) -> [String; 4] {
        let script = "echo 0 >\"$0/cgroup.procs\" && exec \"$@\"";
        ["sh", "-c", script, &group.display().to_string()].map(str::to_owned)
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let inner = fs::read_dir(&self.path).into_iter().flatten().flatten();
        inner.for_each(|entry| drop(fs::remove_dir(entry.path())));
        let _ = fs::remove_dir(&self.path);
    }
}
