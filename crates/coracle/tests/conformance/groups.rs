//! What the rooms about control groups share: a container with limits, and its group's files as the host sees them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::stat::{major, minor};
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};
use serde_json::{Value, json};

use super::common::{Bundle, text};

/// What is asked for; and files with their values on version 1, and on version 2.
pub(super) type Row<'a> = (Value, &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]);

const ROOT: &str = "/sys/fs/cgroup";

/// Whether there is version 2 alone.
pub(super) fn is_v2() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// The roots of all hierarchies.
pub(super) fn roots() -> Vec<PathBuf> {
    if is_v2() {
        return vec![ROOT.into()];
    }
    let entries = std::fs::read_dir(ROOT).expect("control groups").flatten().map(|entry| entry.path());
    // A folder of this name that somebody has left there is none.
    let kinds = [CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC];
    entries.filter(|path| statfs(path).is_ok_and(|fs| kinds.contains(&fs.filesystem_type()))).collect()
}

/// The folders of the group `path`, in all hierarchies that have it.
pub(super) fn folders(path: &str) -> Vec<PathBuf> {
    let all = roots().into_iter().map(|root| root.join(path.trim_start_matches('/')));
    all.filter(|folder| folder.is_dir()).collect()
}

/// What the file of this name says in the group `path`.
#[track_caller]
pub(super) fn said(path: &str, file: &str) -> String {
    let found = folders(path).into_iter().map(|folder| folder.join(file)).find(|path| path.exists());
    let found = found.unwrap_or_else(|| panic!("{path} has no {file}"));
    std::fs::read_to_string(found).expect("a file of a control group").trim_end().to_owned()
}

/// A config with these limits, in a group of the bundle's own id, whose program does this.
pub(super) fn config(bundle: &Bundle, resources: &Value, action: &[&str]) -> Value {
    let mut config = Bundle::config();
    config["process"]["args"] = json!([&["/probe"], action].concat());
    config["linux"]["resources"] = resources.clone();
    config["linux"]["cgroupsPath"] = json!(group(bundle));
    config
}

/// A container with these limits that is created: the limits are there before its program is.
#[track_caller]
pub(super) fn limited(resources: &Value) -> Bundle {
    let bundle = Bundle::new();
    bundle.write(&config(&bundle, resources, &["wait-signal", "TERM"])).create(bundle.id());
    bundle
}

/// What the program did that ran with these limits; and its exit code.
#[track_caller]
pub(super) fn did(
    resources: &Value,
    action: &[&str],
    change: impl FnOnce(&mut Value),
) -> (Option<probe::Did>, Option<i32>) {
    let bundle = Bundle::new();
    let mut config = config(&bundle, resources, action);
    change(&mut config);
    let output = bundle.write(&config).run();
    let said = text(&output.stdout);
    let report: Option<probe::Report> = serde_json::from_str(said.lines().next().unwrap_or_default()).ok();
    (report.and_then(|report| report.did), output.status.code())
}

/// The group of a bundle's container: of the bundle's own id.
pub(super) fn group(bundle: &Bundle) -> String {
    format!("/{}", bundle.id())
}

/// Whether the files have these values: for a file of lines, that it has each of the lines.
#[track_caller]
pub(super) fn assert_files(path: &str, v1: &[(&str, &str)], v2: &[(&str, &str)], row: &Value) {
    for (file, value) in if is_v2() { v2 } else { v1 } {
        let text = said(path, file);
        let has = text == *value || text.lines().any(|line| line == *value);
        assert!(has, "{row}: {file} is {text:?}, not {value:?}");
    }
}

/// Each is asked for, and is so.
#[track_caller]
pub(super) fn each_is_so(rows: &[Row<'_>]) {
    for (resources, v1, v2) in rows {
        let bundle = limited(resources);
        assert_files(&group(&bundle), v1, v2, resources);
    }
}

/// A group of the test's own, made in every hierarchy; removed at its end, with those below it.
pub(super) struct Group(pub(super) String);

impl Group {
    pub(super) fn new() -> Group {
        let group = Group::of_no_hierarchy();
        for root in roots() {
            std::fs::create_dir(root.join(&group.0[1..])).expect("a group");
        }
        group
    }

    /// A name for one that is not there.
    pub(super) fn of_no_hierarchy() -> Group {
        Group(format!("/{}", super::common::fresh_id()))
    }

    /// Writes to one of its files, where it has that.
    pub(super) fn write(&self, file: &str, value: &str) {
        for path in folders(&self.0).into_iter().map(|folder| folder.join(file)).filter(|path| path.exists())
        {
            std::fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }

    /// Freezes it, and lets it go on after `test`.
    pub(super) fn while_frozen(&self, test: impl FnOnce()) {
        freeze(&self.0, true);
        thawed_after(&self.0, test);
    }
}

/// Lets the group `path`, which is frozen, go on after `test`; and sooner where a runtime has put a process into it: not even
/// a signal ends that, and the test would wait for it for ever.
pub(super) fn thawed_after(path: &str, test: impl FnOnce()) {
    let (over, end) = std::sync::mpsc::channel::<()>();
    let late = testkit::patient(Duration::from_secs(10));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = end.recv_timeout(late);
            freeze(path, false);
        });
        // Also where the test fails.
        let _over = over;
        test();
    });
}

/// Freezes the group `path`, or lets it go on.
fn freeze(path: &str, frozen: bool) {
    let (file, value) = match (is_v2(), frozen) {
        (true, _) => ("cgroup.freeze", if frozen { "1" } else { "0" }),
        (false, true) => ("freezer.state", "FROZEN"),
        (false, false) => ("freezer.state", "THAWED"),
    };
    for path in folders(path).into_iter().map(|folder| folder.join(file)).filter(|path| path.exists()) {
        std::fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        assert!(name.starts_with("test-"), "{} is not the test's own", self.0);
        freeze(&self.0, false);
        let end = Instant::now() + testkit::patient(Duration::from_secs(5));
        for folder in folders(&self.0) {
            // The kernel lets go of one a moment after its last process has ended.
            while !remove(&folder) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// A file of one page as a disk, which nobody else uses.
pub(super) struct Disk {
    path: String,
    pub(super) major: u64,
    pub(super) minor: u64,
    _file: tempfile::NamedTempFile,
}

impl Disk {
    pub(super) fn new() -> Disk {
        let file = tempfile::NamedTempFile::new().expect("a file");
        file.as_file().set_len(4096).expect("its length");
        let made = Command::new("losetup").args(["--find", "--show"]).arg(file.path()).output();
        let made = made.expect("losetup starts");
        assert!(made.status.success(), "{}", text(&made.stderr));
        let path = text(&made.stdout).trim().to_owned();
        let numbers = std::fs::metadata(&path).expect("a device").rdev();
        let disk = Disk { path, major: major(numbers), minor: minor(numbers), _file: file };
        disk.forget();
        disk
    }

    /// Nothing of it is in memory: whoever reads waits for it.
    pub(super) fn forget(&self) {
        let status = Command::new("blockdev").args(["--flushbufs", &self.path]).status();
        assert!(status.expect("blockdev starts").success(), "{}", self.path);
    }

    /// Has a container of this config find it at /tmp/disk, and nothing in its way.
    pub(super) fn goes_into(&self, config: &mut Value) {
        let node = json!({ "type": "b", "major": self.major, "minor": self.minor });
        let (mut there, mut allowed) = (node.clone(), node);
        there["path"] = json!("/tmp/disk");
        allowed["allow"] = json!(true);
        allowed["access"] = json!("rwm");
        config["linux"]["devices"] = json!([there]);
        config["linux"]["resources"]["devices"] = json!([allowed]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.path]).status();
    }
}

fn remove(folder: &Path) -> bool {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    std::fs::remove_dir(folder).is_ok() || !folder.exists()
}
