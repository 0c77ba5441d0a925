//! config.md, "Root" and "Mounts": what becomes the root, and what is mounted where. Row O-08. The options are in the room
//! beside this one.

use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};
use testkit::Test;

use super::harbour::{Bundle, assert_options, tmpfs, told};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o08_root_path_is_the_root_of_the_container(userns),
    o08_a_root_path_that_is_no_directory_is_an_error(userns),
    o08_a_readonly_root_cannot_be_written(userns),
    o08_mounts_in_a_readonly_root_can_be_written(userns),
    o08_mounts_are_made_in_the_listed_order(userns),
    o08_a_relative_destination_is_below_the_root(userns),
    o08_a_missing_destination_is_made(userns),
    o08_no_symlink_leads_a_destination_out(userns),
    o08_a_relative_source_is_below_the_bundle(userns),
    o08_the_type_of_a_bind_mount_means_nothing(userns),
    o08_bind_without_r_leaves_the_mounts_below_behind(userns),
    o08_a_source_that_is_missing_is_an_error(userns),
    o08_a_file_does_not_go_on_a_directory(userns),
    o08_a_file_system_that_the_kernel_does_not_know_is_an_error(userns),
    o08_a_tmpfs_has_the_mode_of_what_it_covers(userns),
    o08_proc_and_sysfs_need_a_real_directory(userns),
    o08_the_default_file_systems_can_be_had(userns),
    o08_a_cgroup_mount_shows_the_containers_own(root, cgroup),
};

/// "path: Specifies the path to the root filesystem": absolute, or relative to the bundle.
fn o08_root_path_is_the_root_of_the_container() {
    let bundle = Bundle::new();
    bundle.file("rootfs/mark", "");
    std::fs::rename(bundle.path("rootfs"), bundle.path("tree")).expect("another name");
    let absolute = bundle.path("tree").display().to_string();
    for path in ["tree", "./host/../tree", &absolute] {
        let mut config = Bundle::config(&[], &[]);
        config["root"]["path"] = json!(path);
        let entries = bundle.0.write(&config).report().root_entries;
        assert!(entries.contains(&"mark".into()), "{path}: {entries:?}");
    }
}

/// "A directory MUST exist at the path declared by the field."
fn o08_a_root_path_that_is_no_directory_is_an_error() {
    let bundle = Bundle::new();
    for (path, words) in [("nowhere", "/root/path"), ("host/file", "/root/path")] {
        let mut config = Bundle::config(&[], &[]);
        config["root"]["path"] = json!(path);
        bundle.must_fail(&config, words);
    }
}

fn in_readonly_root(mounts: &[Value], action: &[&str]) -> Value {
    let mut config = Bundle::config(mounts, action);
    config["root"]["readonly"] = json!(true);
    config
}

/// "If true then the root filesystem MUST be read-only inside the container, defaults to false."
fn o08_a_readonly_root_cannot_be_written() {
    let bundle = Bundle::new();
    let config = in_readonly_root(&[], &["write", "/here", "x"]);
    assert_eq!(told(&bundle.0.write(&config).report()), "EROFS");
    assert!(!bundle.path("rootfs/here").exists());
    assert_eq!(told(&bundle.report(&[], &["write", "/here", "x"])), "");
    assert!(bundle.path("rootfs/here").exists(), "without readonly, it can be written");
}

/// What is mounted in it is none of the root file system.
fn o08_mounts_in_a_readonly_root_can_be_written() {
    let bundle = Bundle::new();
    let mounts = [tmpfs("/scratch", &[]), bundle.bind("host", "/data", &["rbind"])];
    for place in ["/scratch/new", "/data/new"] {
        let config = in_readonly_root(&mounts, &["write", place, "x"]);
        assert_eq!(told(&bundle.0.write(&config).report()), "", "{place}");
    }
    assert!(bundle.path("host/new").exists());
}

/// "The runtime MUST mount entries in the listed order."
fn o08_mounts_are_made_in_the_listed_order() {
    let bundle = Bundle::new();
    let mounts = [
        tmpfs("/a", &["size=64k"]),
        tmpfs("/a/b", &["size=128k"]),
        bundle.bind("host", "/a/b/c", &["bind"]),
        tmpfs("/d/e", &[]),
        tmpfs("/d", &["size=256k"]),
    ];
    let report = bundle.report(&mounts, &["stat", "/a/b/c/file", "/d/e"]);
    for place in ["/a", "/a/b", "/a/b/c", "/d/e", "/d"] {
        assert!(report.mount_at(place).is_some(), "nothing at {place}: {:?}", report.mounts);
    }
    let files = &report.did.as_ref().expect("an action").files;
    assert!(files.contains_key("/a/b/c/file"), "the later is in the earlier: {files:?}");
    assert!(!files.contains_key("/d/e"), "the later covers the earlier: {files:?}");
}

/// "It MAY be a relative path, in which case it MUST be interpreted as relative to /."
fn o08_a_relative_destination_is_below_the_root() {
    let bundle = Bundle::new();
    let mut config = Bundle::config(
        &[tmpfs("data/deep", &[]), bundle.bind("host/file", "data/deep/file", &["bind"])],
        &[],
    );
    config["process"]["cwd"] = json!("/tmp");
    let report = bundle.0.write(&config).report();
    for place in ["/data/deep", "/data/deep/file"] {
        assert!(report.mount_at(place).is_some(), "{place}");
    }
}

/// As every runtime does it: a directory, or for a file a file; also where a symlink leads to nothing yet.
fn o08_a_missing_destination_is_made() {
    let bundle = Bundle::new();
    symlink("/run/far/away", bundle.path("rootfs/dangling")).expect("a symlink");
    let mounts = [
        tmpfs("/new/tmpfs", &[]),
        bundle.bind("host", "/new/folder", &["bind"]),
        bundle.bind("host/file", "/new/file", &["bind"]),
        bundle.bind("host/file", "/dangling", &["bind"]),
    ];
    let report = bundle.report(&mounts, &["open", "/new/file"]);
    assert_eq!(told(&report), "of the host");
    for place in ["/new/tmpfs", "/new/folder", "/run/far/away"] {
        assert!(report.mount_at(place).is_some(), "{place}: {:?}", report.mounts);
    }
}

/// "destination: path inside container".
fn o08_no_symlink_leads_a_destination_out() {
    let bundle = Bundle::new();
    let outside = bundle.path("host/below");
    std::fs::remove_file(outside.join("file")).expect("an empty folder");
    let up = format!("{}{}", "../".repeat(40), outside.display());
    for (name, way) in [("absolute", outside.display().to_string()), ("relative", up)] {
        symlink(&way, bundle.path("rootfs").join(name)).expect("a symlink");
        let mounts = [
            tmpfs(&format!("/{name}/new/place"), &[]),
            bundle.bind("host/file", &format!("/{name}/file"), &["bind"]),
        ];
        bundle.report(&mounts, &[]);
        let left: Vec<_> = std::fs::read_dir(&outside).expect("the host's folder").flatten().collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

/// "Path values for bind mounts are either absolute or relative to the bundle."
fn o08_a_relative_source_is_below_the_bundle() {
    let bundle = Bundle::new();
    for source in ["host/file", "./host/file", "rootfs/../host/file"] {
        let mount = json!({ "destination": "/it", "source": source, "options": ["bind"] });
        assert_eq!(told(&bundle.report(&[mount], &["open", "/it"])), "of the host", "{source}");
    }
}

/// "A mount is a bind mount if it has either bind or rbind in the options"; the type is a dummy.
fn o08_the_type_of_a_bind_mount_means_nothing() {
    let bundle = Bundle::new();
    for kind in [json!("none"), json!("bind"), json!("tmpfs"), json!("dummy"), json!(""), Value::Null] {
        for option in ["bind", "rbind"] {
            let mut mount = bundle.bind("host", "/it", &[option]);
            mount["type"] = kind.clone();
            assert_eq!(told(&bundle.report(&[mount], &["open", "/it/file"])), "of the host", "{kind}");
        }
    }
}

/// mount(8): rbind takes the mounts below along, bind does not. In a user namespace bind may not look under them.
fn o08_bind_without_r_leaves_the_mounts_below_behind() {
    let bundle = Bundle::new();
    let report = bundle.report(&[bundle_source("rbind")], &[]);
    let below = |report: &probe::Report| {
        report.mounts.iter().flatten().filter(|mount| mount.mountpoint.starts_with("/it/")).count()
    };
    assert_ne!(below(&report), 0, "rbind: {:?}", report.mounts);
    if nix::unistd::geteuid().is_root() {
        assert_eq!(below(&bundle.report(&[bundle_source("bind")], &[])), 0, "bind");
    }
}

/// /dev of any host has mounts below it, such as /dev/pts.
fn bundle_source(option: &str) -> Value {
    json!({ "destination": "/it", "type": "none", "source": "/dev", "options": [option] })
}

/// What cannot be mounted is an error (runtime.md, "Create"), and leaves nothing.
fn o08_a_source_that_is_missing_is_an_error() {
    let bundle = Bundle::new();
    bundle.must_fail(
        &Bundle::config(&[bundle.bind("nowhere", "/it", &["bind"])], &[]),
        "no such file or directory",
    );
    let without = json!({ "destination": "/it", "type": "bind", "options": ["bind"] });
    let config = Bundle::config(&[without], &[]);
    if super::common::is_coracle() {
        bundle.must_fail(&config, "/mounts/1/source: is missing");
    }
}

fn o08_a_file_does_not_go_on_a_directory() {
    let bundle = Bundle::new();
    std::fs::create_dir(bundle.path("rootfs/folder")).expect("a directory");
    bundle.file("rootfs/plain", "");
    for (source, to) in [("host/file", "/folder"), ("host", "/plain")] {
        let config = Bundle::config(&[bundle.bind(source, to, &["bind"])], &[]);
        bundle.must_fail(&config, "is a directory, the other is not");
    }
}

fn o08_a_file_system_that_the_kernel_does_not_know_is_an_error() {
    let bundle = Bundle::new();
    let mount = json!({ "destination": "/it", "type": "nosuchfs", "source": "nosuchfs" });
    bundle.must_fail(&Bundle::config(&[mount], &[]), "this kernel knows no such file system");
    if super::common::is_coracle() {
        let mount = json!({ "destination": "/it", "source": "it" });
        bundle.must_fail(&Bundle::config(&[mount], &[]), "/mounts/1/type: is missing");
    }
}

/// As runc has it: the permissions of the directory, unless an option says others.
fn o08_a_tmpfs_has_the_mode_of_what_it_covers() {
    let bundle = Bundle::new();
    let place = bundle.path("rootfs/scratch");
    std::fs::create_dir(&place).expect("a directory");
    std::fs::set_permissions(&place, PermissionsExt::from_mode(0o1750)).expect("a change of mode");
    let seen = |options: &[&str], place: &str| {
        let report = bundle.report(&[tmpfs(place, options)], &["stat", place]);
        report.did.expect("an action").files[place].mode
    };
    assert_eq!(seen(&[], "/scratch"), 0o1750);
    assert_eq!(seen(&["mode=711"], "/scratch"), 0o711);
}

/// What is written to /proc must arrive at the kernel (CVE-2019-19921 and its kind).
fn o08_proc_and_sysfs_need_a_real_directory() {
    let bundle = Bundle::new();
    let words = "must be mounted on ordinary directory";
    std::fs::create_dir(bundle.path("rootfs/elsewhere")).expect("a directory");
    symlink("elsewhere", bundle.path("rootfs/sys")).expect("a symlink");
    let sysfs = json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs" });
    bundle.must_fail(&Bundle::config(&[sysfs], &[]), words);
    std::fs::remove_dir(bundle.path("rootfs/proc")).expect("no /proc");
    symlink("elsewhere", bundle.path("rootfs/proc")).expect("a symlink");
    bundle.must_fail(&Bundle::config(&[], &[]), words);
}

/// config-linux.md, "Default Filesystems".
fn o08_the_default_file_systems_can_be_had() {
    let bundle = Bundle::new();
    let mounts = [
        tmpfs("/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        json!({ "destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] }),
        tmpfs("/dev/shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        json!({ "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
            "options": ["nosuid", "noexec", "nodev"] }),
        json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs",
            "options": ["nosuid", "noexec", "nodev", "ro"] }),
    ];
    let report = bundle.report(&mounts, &[]);
    for (place, kind) in [
        ("/proc", "proc"),
        ("/sys", "sysfs"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"),
        ("/dev/mqueue", "mqueue"),
    ] {
        let mount = report.mount_at(place).unwrap_or_else(|| panic!("nothing at {place}"));
        assert_eq!(mount.fstype, kind, "{place}");
    }
    assert_options(&report, "/sys", &["ro", "nosuid", "nodev", "noexec"], &[], "sysfs");
    assert_options(&report, "/dev/shm", &["size=65536k", "nodev"], &[], "shm");
}

/// With a cgroup namespace it is the root; without, the folder that the host sees; either way the container's.
fn o08_a_cgroup_mount_shows_the_containers_own() {
    for namespace in [true, false] {
        let bundle = Bundle::new();
        let mounts = [
            json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs" }),
            json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "relatime", "ro"] }),
        ];
        let mut config = Bundle::config(&mounts, &[]);
        if namespace {
            let namespaces = config["linux"]["namespaces"].as_array_mut().expect("a list");
            namespaces.push(json!({ "type": "cgroup" }));
        }
        let report = bundle.0.write(&config).report();
        let is_tree = |mount: &&probe::Mount| mount.fstype.starts_with("cgroup");
        let trees: Vec<_> = report.mounts.iter().flatten().filter(is_tree).collect();
        assert!(!trees.is_empty(), "no control groups: {:?}", report.mounts);
        for tree in trees {
            assert!(tree.options.contains(&"ro".into()), "{tree:?}");
            let own = report.cgroup.iter().any(|cgroup| cgroup.path == tree.root && !cgroup.path.is_empty());
            assert!(own, "{tree:?} is not of {:?}", report.cgroup);
        }
    }
}
