//! config-linux.md, "User namespace mappings". Row O-20.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::geteuid;
use serde_json::{Value, json};
use testkit::Test;

use super::common::Bundle;
use super::namespaces::{inode, map, started};
use super::running::refused;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o20_ids_are_mapped_in_several_ranges(ids),
    o20_files_belong_to_the_mapped_ids(root),
    o20_the_owners_of_the_root_filesystem_stay(root),
    o20_a_container_needs_no_root(userns),
    o20_exec_needs_no_root(userns),
    o20_an_id_that_is_nobodys_is_refused(userns),
};

/// A range of ids that we may map: as root any, else those of a file such as /etc/subuid.
fn range(file: &str) -> u32 {
    if geteuid().is_root() {
        return 100_000;
    }
    let name = nix::unistd::User::from_uid(geteuid()).ok().flatten().expect("a user").name;
    let all = fs::read_to_string(file).expect("ranges of ids");
    let own = all.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(':')?.split(':').next());
    own.and_then(|first| first.parse().ok()).expect("a range of our own")
}

/// Root is who we are, and three ranges of two ids each are behind it. Returns the uids' in /proc's words as well.
fn in_ranges() -> (Value, String) {
    let mut config = Bundle::config();
    map(&mut config, 0);
    let mut uids = format!("0 {} 1", geteuid());
    for (name, file) in [("uidMappings", "/etc/subuid"), ("gidMappings", "/etc/subgid")] {
        for n in 0..3 {
            let (inside, outside) = (10 * (n + 1), range(file) + 2 * n);
            let list = config["linux"][name].as_array_mut().expect("a list");
            list.push(json!({ "containerID": inside, "hostID": outside, "size": 2 }));
            if name == "uidMappings" {
                uids += &format!(" {inside} {outside} 2");
            }
        }
    }
    (config, uids)
}

/// "uidMappings (array of objects)": as many as the kernel takes.
fn o20_ids_are_mapped_in_several_ranges() {
    let (mut config, uids) = in_ranges();
    config["process"]["user"] = json!({ "uid": 31, "gid": 21, "additionalGids": [10] });
    config["process"]["args"] = json!(["/probe", "open", "/proc/self/uid_map"]);
    let bundle = Bundle::new();
    open(&bundle);
    let report = bundle.write(&config).report();
    let told = report.did.and_then(|did| did.detail).unwrap_or_default();
    // In the words of /proc, which are those of the mappings.
    assert_eq!(told.split_whitespace().collect::<Vec<_>>().join(" "), uids);
    assert_eq!((report.uid, report.gid, report.groups), (31, 21, vec![10]));
}

/// Lets others into the bundle's folder: ids that are mapped are others there.
fn open(bundle: &Bundle) {
    fs::set_permissions(bundle.path(), fs::Permissions::from_mode(0o711)).expect("chmod");
}

/// "hostID: the starting uid/gid on the host to be mapped to containerID."
fn o20_files_belong_to_the_mapped_ids() {
    let (mut config, _) = in_ranges();
    config["process"]["user"] = json!({ "uid": 11, "gid": 20 });
    config["process"]["args"] = json!(["/probe", "write", "/tmp/new", "x"]);
    let bundle = Bundle::new();
    open(&bundle);
    let folder = bundle.path().join("rootfs/tmp");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("chmod");
    bundle.write(&config).report();
    let new = fs::metadata(folder.join("new")).expect("the file");
    assert_eq!((new.uid(), new.gid()), (100_001, 100_002));
}

/// "The runtime SHOULD NOT modify the ownership of referenced filesystems to realize the mapping."
fn o20_the_owners_of_the_root_filesystem_stay() {
    let bundle = Bundle::new();
    open(&bundle);
    let owners = |path: &Path| {
        let found = fs::metadata(path).expect("a file");
        (found.uid(), found.gid())
    };
    let probe = bundle.path().join("rootfs/probe");
    std::os::unix::fs::chown(&probe, Some(70_001), Some(70_002)).expect("chown");
    let (config, _) = in_ranges();
    bundle.write(&config).report();
    assert_eq!(owners(&probe), (70_001, 70_002));
    assert_eq!(owners(&bundle.path().join("rootfs")), (0, 0));
}

fn without_root() -> Value {
    let mut config = Bundle::config();
    map(&mut config, 1000);
    config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    config
}

/// No rule of the specification's asks for an id 0 among the mapped.
fn o20_a_container_needs_no_root() {
    let bundle = Bundle::new();
    let report = bundle.write(&without_root()).report();
    assert_eq!((report.uid, report.gid, report.pid), (1000, 1000, 1));
    assert_ne!(report.ns["user"], inode("self", "user"));
}

fn o20_exec_needs_no_root() {
    let bundle = Bundle::new();
    let config = without_root();
    started(&bundle, config);
    let said = bundle.must(&["exec", bundle.id(), "/probe"]);
    let report: probe::Report = serde_json::from_str(&said).expect("a report");
    assert_eq!((report.uid, report.gid), (1000, 1000));
}

/// A process that is nobody in its user namespace could not be.
fn o20_an_id_that_is_nobodys_is_refused() {
    let mut config = without_root();
    config["process"]["user"] = json!({ "uid": 0, "gid": 1000 });
    refused(&config);
}
