//! What the rooms about files share: a host whose mounts no other test sees, and a bundle with files of that host.

use std::os::unix::fs::chown;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};
use testkit::within;

use super::{Finish, Leaks, says, text};

/// Runs `test` in a thread that has a mount namespace of its own, whose mounts are private. What it mounts goes with it;
/// the runtime, its child, sees it.
pub(crate) fn alone(test: impl FnOnce() + Send) {
    let in_thread = || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
        change(Path::new("/"), MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        test();
    };
    let outcome = std::thread::scope(|scope| scope.spawn(in_thread).join());
    outcome.unwrap_or_else(|panic| resume_unwind(panic));
}

/// Mounts an empty tmpfs at `place`, with these flags.
pub(crate) fn tmpfs_at(place: &Path, flags: MsFlags) {
    std::fs::create_dir_all(place).expect("a directory");
    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).expect("a tmpfs");
    if !flags.is_empty() {
        change(place, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags);
    }
}

/// Changes flags or propagation of the mount at `place`.
pub(crate) fn change(place: &Path, flags: MsFlags) {
    // A process that another test is just starting has our open files until its execve, and they keep a mount writable.
    within(Duration::from_secs(5), "the mount changes", || {
        match mount(None::<&str>, place, None::<&str>, flags, None::<&str>) {
            Err(Errno::EBUSY) => false,
            other => other.map(|()| true).expect("a change of a mount"),
        }
    });
}

/// A bundle, and what it has on the host beside it: `host`.
pub(crate) struct Bundle(pub(crate) super::Bundle);

/// What is mounted holds its folder.
impl Drop for Bundle {
    fn drop(&mut self) {
        for place in ["host/below", "host"] {
            let _ = umount2(&self.path(place), MntFlags::MNT_DETACH);
        }
    }
}

impl Bundle {
    /// With a /dev in its root filesystem: there are runtimes that do not make one.
    fn empty() -> Bundle {
        Bundle(super::Bundle::new())
    }

    /// With the folder `host` and in it `file`, `below/file`.
    pub(crate) fn new() -> Bundle {
        let bundle = Bundle::empty();
        std::fs::create_dir_all(bundle.path("host/below")).expect("a directory");
        bundle.file("host/file", "of the host");
        bundle.file("host/below/file", "below");
        bundle
    }

    /// The same with a tmpfs at `host` and another one at `host/below`, both with these flags: for [`alone`].
    pub(crate) fn of_mounts(flags: MsFlags) -> Bundle {
        let bundle = Bundle::empty();
        tmpfs_at(&bundle.path("host"), MsFlags::empty());
        tmpfs_at(&bundle.path("host/below"), MsFlags::empty());
        bundle.file("host/file", "of the host");
        bundle.file("host/below/file", "below");
        for place in ["host/below", "host"].iter().filter(|_| !flags.is_empty()) {
            change(&bundle.path(place), MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags);
        }
        bundle
    }

    /// A path below the bundle.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with this in it, and the folders on the way.
    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Gives a file to somebody.
    pub(crate) fn give(&self, name: &str, uid: u32, gid: u32) {
        chown(self.path(name), Some(uid), Some(gid)).expect("a change of owner");
    }

    /// A bind mount of `source` below the bundle.
    pub(crate) fn bind(&self, source: &str, to: &str, options: &[&str]) -> Value {
        json!({ "destination": to, "type": "none", "source": self.path(source), "options": options })
    }

    /// A config with these mounts beside /proc, in which the probe does this.
    pub(crate) fn config(mounts: &[Value], action: &[&str]) -> Value {
        let mut config = super::Bundle::config();
        config["mounts"].as_array_mut().expect("a list").extend_from_slice(mounts);
        let args = config["process"]["args"].as_array_mut().expect("a list");
        args.extend(action.iter().map(|word| json!(word)));
        let may = json!(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
        config["process"]["capabilities"] = json!({ "bounding": may, "effective": may, "permitted": may });
        config
    }

    /// Runs that, and it must succeed.
    #[track_caller]
    pub(crate) fn report(&self, mounts: &[Value], action: &[&str]) -> probe::Report {
        self.0.write(&Bundle::config(mounts, action)).report()
    }

    /// Runs `config`, and it must fail, with these words, and leave nothing.
    #[track_caller]
    pub(crate) fn must_fail(&self, config: &Value, words: &str) {
        let mut command = self.0.write(config).command(&[], self.0.id());
        let leaks = Leaks::watch(&mut command, self.0.id());
        let Output { status, stderr, .. } = command.finish();
        let said = text(&stderr);
        assert!(!status.success(), "{config}: it runs, and should not");
        says(&said, words);
        leaks.assert_none(&self.0, words);
    }
}

/// What the probe read, listed or the error it met.
pub(crate) fn told(report: &probe::Report) -> String {
    let did = report.did.as_ref().expect("an action");
    match &did.errno {
        Some(errno) => errno.clone(),
        None => did.detail.clone().unwrap_or_default(),
    }
}

/// A tmpfs in the container.
pub(crate) fn tmpfs(to: &str, options: &[&str]) -> Value {
    json!({ "destination": to, "type": "tmpfs", "source": "tmpfs", "options": options })
}

/// Whether the mount that is seen at `place` has all of `there`, of its own or of its file system's options, and none of
/// `absent`.
#[track_caller]
pub(crate) fn assert_options(
    report: &probe::Report,
    place: &str,
    there: &[&str],
    absent: &[&str],
    row: &str,
) {
    let mount = report.mount_at(place).unwrap_or_else(|| panic!("{row}: nothing is mounted at {place}"));
    let has = |option: &&str| {
        // Whether it can be written, the mount says for itself.
        let of_both = !["ro", "rw"].contains(option);
        let of_the_file_system = mount.super_options.iter().filter(|_| of_both);
        mount.options.iter().chain(of_the_file_system).any(|known| known == option)
    };
    assert!(there.iter().all(has), "{row}: not all of {there:?} at {place}: {mount:?}");
    assert!(!absent.iter().any(has), "{row}: one of {absent:?} at {place}: {mount:?}");
}
