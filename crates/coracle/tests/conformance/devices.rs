//! config-linux.md, "Devices" and "Default Devices"; runtime-linux.md, "Dev symbolic links". Row O-21.

use std::os::unix::fs::symlink;

use nix::mount::MsFlags;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use probe::Kind;
use serde_json::{Value, json};
use testkit::Test;

use super::harbour::{Bundle, alone, tmpfs, told};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o21_every_container_has_the_default_devices(userns),
    o21_the_links_are_beside_the_devices(userns),
    o21_ptmx_is_the_containers_own(userns),
    o21_ptmx_is_there_without_terminals_too(userns),
    o21_ptmx_may_be_listed_as_a_device(userns),
    o21_a_mount_on_ptmx_is_left(userns),
    o21_a_device_is_of_its_kind_anywhere(root),
    o21_a_device_has_its_mode_and_owner(root),
    o21_a_default_device_can_be_said_otherwise(root),
    o21_a_device_that_is_there_already_is_kept(root),
    o21_no_other_device_is_there(userns),
    o21_a_bound_dev_is_left_as_it_is(root),
    o21_the_devices_stay_inside_of_the_root(userns),
    o21_in_a_user_namespace_they_are_the_hosts(root),
    o21_a_fifo_takes_no_privilege(userns),
};

/// In this order of numbers: mem(4), tty(4).
const DEFAULTS: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// A config with these devices.
pub(crate) fn with_devices(devices: Value, mounts: &[Value], action: &[&str]) -> Value {
    let mut config = Bundle::config(mounts, action);
    config["linux"]["devices"] = devices;
    config
}

pub(crate) fn assert_defaults(devices: &std::collections::BTreeMap<String, probe::Device>, row: &str) {
    for (name, major, minor) in DEFAULTS {
        let device = devices.get(name).unwrap_or_else(|| panic!("{row}: no {name}: {devices:?}"));
        assert_eq!(device.kind, Kind::Char, "{row}: {name}");
        assert_eq!((device.major, device.minor), (Some(major), Some(minor)), "{row}: {name}");
        assert_eq!(device.mode, 0o666, "{row}: {name}");
    }
}

/// "In addition to any devices configured with this setting, the runtime MUST also supply" them: in the root filesystem's
/// own /dev, where it has none, and on a tmpfs.
fn o21_every_container_has_the_default_devices() {
    for (row, mounts) in
        [("a folder", vec![]), ("no /dev", vec![]), ("a tmpfs", vec![tmpfs("/dev", &["mode=755"])])]
    {
        let bundle = Bundle::new();
        if row == "no /dev" {
            std::fs::remove_dir(bundle.path("rootfs/dev")).expect("an empty folder");
        }
        let report = bundle.report(&mounts, &["write", "/dev/null", "x"]);
        assert_eq!(told(&report), "", "{row}: it can be written");
        assert_defaults(&report.devices.expect("a /dev"), row);
        assert_eq!(told(&bundle.report(&mounts, &["open", "/dev/null"])), "", "{row}: it is empty");
    }
}

/// runtime-linux.md: "the runtime MUST create the following symlinks if the source file exists".
fn o21_the_links_are_beside_the_devices() {
    let devices = Bundle::new().report(&[tmpfs("/dev", &[])], &[]).devices.expect("a /dev");
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        let found = devices.get(name).unwrap_or_else(|| panic!("no {name}: {devices:?}"));
        assert_eq!(found.target.as_deref(), Some(to), "{name}");
    }
}

/// "/dev/ptmx: a bind-mount or symlink of the container's /dev/pts/ptmx": also where the root filesystem has a node there.
fn o21_ptmx_is_the_containers_own() {
    let bundle = Bundle::new();
    bundle.file("rootfs/dev/ptmx", "");
    for mounts in [vec![tmpfs("/dev", &[]), terminals()], vec![terminals()]] {
        let report = bundle.report(&mounts, &["stat", "/dev/pts/ptmx"]);
        let ptmx = &report.devices.as_ref().expect("a /dev")["ptmx"];
        let is_link = ptmx.target.as_deref().is_some_and(|to| ["pts/ptmx", "/dev/pts/ptmx"].contains(&to));
        assert!(is_link || report.mount_at("/dev/ptmx").is_some(), "{ptmx:?}");
        assert_eq!(report.did.expect("an action").files["/dev/pts/ptmx"].kind, Kind::Char);
    }
}

/// "the runtime MUST also supply" it, whatever is mounted.
fn o21_ptmx_is_there_without_terminals_too() {
    for mounts in [vec![tmpfs("/dev", &[])], vec![]] {
        let devices = Bundle::new().report(&mounts, &[]).devices.expect("a /dev");
        let ptmx = devices.get("ptmx").unwrap_or_else(|| panic!("no ptmx: {devices:?}"));
        let target = ptmx.target.as_deref().expect("a symlink");
        assert!(["pts/ptmx", "/dev/pts/ptmx"].contains(&target), "{target}");
    }
}

fn terminals() -> Value {
    json!({ "destination": "/dev/pts", "type": "devpts", "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] })
}

/// Engines list what the host has: the node of its ptmx is, inside, that of the container's terminals.
fn o21_ptmx_may_be_listed_as_a_device() {
    let listed = |minor: u32| {
        let device = json!([{ "type": "c", "path": "/dev/ptmx", "major": 5, "minor": minor }]);
        with_devices(device, &[tmpfs("/dev", &[]), terminals()], &["stat", "/dev/pts/ptmx"])
    };
    let report = Bundle::new().0.write(&listed(2)).report();
    let ptmx = &report.devices.as_ref().expect("a /dev")["ptmx"];
    let target = ptmx.target.as_deref().expect("a symlink");
    assert!(["pts/ptmx", "/dev/pts/ptmx"].contains(&target), "{target}");
    if super::common::is_coracle() {
        // Another device is not there under this name, and must not seem to be.
        Bundle::new().must_fail(&listed(3), "device /dev/ptmx");
    }
}

/// "A bind-mount or symlink of the container's /dev/pts/ptmx": the config's own mount.
fn o21_a_mount_on_ptmx_is_left() {
    let bundle = Bundle::new();
    let mount = json!({ "destination": "/dev/ptmx", "type": "bind", "options": ["bind"],
        "source": bundle.path("host/file") });
    let report = bundle.report(&[tmpfs("/dev", &[]), terminals(), mount], &[]);
    assert!(report.mount_at("/dev/ptmx").is_some(), "{:?}", report.devices);
}

/// "type of device: c, b, u or p"; "The path MAY be anywhere in the container filesystem, notably outside of /dev."
fn o21_a_device_is_of_its_kind_anywhere() {
    for folder in ["/dev", "/dev/deep/er", "/opt/devices", "/tmp"] {
        let devices = json!([
            { "type": "c", "path": format!("{folder}/c"), "major": 10, "minor": 229 },
            { "type": "u", "path": format!("{folder}/u"), "major": 1, "minor": 11 },
            { "type": "b", "path": format!("{folder}/b"), "major": 7, "minor": 3 },
            { "type": "p", "path": format!("{folder}/p") },
        ]);
        let paths = ["c", "u", "b", "p"].map(|name| format!("{folder}/{name}"));
        let action: Vec<_> = ["stat"].into_iter().chain(paths.iter().map(String::as_str)).collect();
        let config = with_devices(devices, &[tmpfs("/dev", &[])], &action);
        let files = Bundle::new().0.write(&config).report().did.expect("an action").files;
        let wanted = [
            (Kind::Char, Some(10), Some(229)),
            (Kind::Char, Some(1), Some(11)),
            (Kind::Block, Some(7), Some(3)),
            (Kind::Fifo, None, None),
        ];
        for (path, (kind, major, minor)) in paths.iter().zip(wanted) {
            let file = files.get(path).unwrap_or_else(|| panic!("no {path}: {files:?}"));
            assert_eq!((file.kind, file.major, file.minor), (kind, major, minor), "{path}");
        }
    }
}

/// "fileMode: file mode for the device"; "uid", "gid": "id of device owner". Where nothing is said: root's, for everybody.
fn o21_a_device_has_its_mode_and_owner() {
    let devices = json!([
        { "type": "c", "path": "/dev/x", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 7, "gid": 8 },
        { "type": "p", "path": "/dev/y", "fileMode": 0o1622, "uid": 9 },
        { "type": "b", "path": "/dev/z", "major": 7, "minor": 3 },
        // What kind of file it is, engines say there as well.
        { "type": "c", "path": "/dev/w", "major": 10, "minor": 200, "fileMode": 0o20600 },
    ]);
    let mut config = with_devices(devices, &[tmpfs("/dev", &[])], &[]);
    config["process"]["user"]["umask"] = json!(0o077);
    let seen = Bundle::new().0.write(&config).report().devices.expect("a /dev");
    for (name, wanted) in
        [("x", (0o640, 7, 8)), ("y", (0o1622, 9, 0)), ("z", (0o666, 0, 0)), ("w", (0o600, 0, 0))]
    {
        let device = &seen[name];
        assert_eq!((device.mode, device.uid, device.gid), wanted, "{name}");
    }
}

/// As runc has it: an entry of the same path takes the default one's place.
fn o21_a_default_device_can_be_said_otherwise() {
    let devices = json!([
        { "type": "c", "path": "/dev/null", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 7 },
        { "type": "c", "path": "/dev/tty", "major": 5, "minor": 0, "fileMode": 0o620 },
    ]);
    let config = with_devices(devices, &[tmpfs("/dev", &[])], &[]);
    let seen = Bundle::new().0.write(&config).report().devices.expect("a /dev");
    assert_eq!((seen["null"].mode, seen["null"].uid), (0o600, 7));
    assert_eq!(seen["tty"].mode, 0o620);
    assert_eq!(seen["zero"].mode, 0o666);
}

/// A node in a bundle.
pub(crate) fn node(bundle: &Bundle, name: &str, kind: SFlag, number: (u64, u64)) {
    let path = bundle.path(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    mknod(&path, kind, Mode::from_bits_truncate(0o640), makedev(number.0, number.1)).expect("a node");
}

/// "If a file already exists at path that does not match the requested device, the runtime MUST generate an error": one
/// that does is the device.
fn o21_a_device_that_is_there_already_is_kept() {
    let bundle = Bundle::new();
    node(&bundle, "rootfs/dev/x", SFlag::S_IFCHR, (10, 229));
    node(&bundle, "rootfs/dev/null", SFlag::S_IFCHR, (1, 3));
    node(&bundle, "rootfs/opt/p", SFlag::S_IFIFO, (0, 0));
    let devices = json!([
        { "type": "c", "path": "/dev/x", "major": 10, "minor": 229 },
        { "type": "p", "path": "/opt/p" },
    ]);
    for _ in 0..2 {
        let seen = bundle.0.write(&with_devices(devices.clone(), &[], &[])).report().devices.expect("a /dev");
        assert_eq!((seen["x"].major, seen["x"].minor), (Some(10), Some(229)));
        assert!(seen.contains_key("zero"), "the others are made: {seen:?}");
    }
}

/// "Containers MAY NOT access any device node that is not either explicitly referenced in the devices array or listed as
/// being part of the default devices."
fn o21_no_other_device_is_there() {
    let seen = Bundle::new().report(&[tmpfs("/dev", &[])], &[]).devices.expect("a /dev");
    let is_device = |device: &probe::Device| matches!(device.kind, Kind::Char | Kind::Block);
    let nodes: Vec<_> = seen.iter().filter(|(_, device)| is_device(device)).map(|(name, _)| name).collect();
    let mut wanted: Vec<_> = DEFAULTS.iter().map(|(name, ..)| name).collect();
    wanted.sort();
    assert_eq!(nodes, wanted);
}

/// What was made in it would be made on the host.
fn o21_a_bound_dev_is_left_as_it_is() {
    alone(|| {
        let bundle = Bundle::of_mounts(MsFlags::empty());
        let devices = json!([
            { "type": "c", "path": "/opt/x", "major": 10, "minor": 229 },
            { "type": "c", "path": "/dev/x", "major": 10, "minor": 229 },
        ]);
        let config = with_devices(devices, &[bundle.bind("host", "/dev", &["rbind"])], &["stat", "/opt/x"]);
        let report = bundle.0.write(&config).report();
        let outside = &report.did.as_ref().expect("an action").files["/opt/x"];
        assert_eq!((outside.major, outside.minor), (Some(10), Some(229)), "another place is no /dev");
        let seen: Vec<_> = report.devices.expect("a /dev").into_keys().collect();
        assert_eq!(seen, ["below", "file"]);
        let mut left: Vec<_> = std::fs::read_dir(bundle.path("host"))
            .expect("a folder")
            .flatten()
            .map(|e| e.file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["below", "file"]);
    });
}

/// CVE-2026-41579: a root filesystem whose /dev leads out.
fn o21_the_devices_stay_inside_of_the_root() {
    let bundle = Bundle::new();
    let outside = bundle.path("host/below");
    std::fs::remove_file(outside.join("file")).expect("an empty folder");
    std::fs::remove_dir(bundle.path("rootfs/dev")).expect("an empty folder");
    symlink(&outside, bundle.path("rootfs/dev")).expect("a symlink");
    // Whatever becomes of the container: nothing is made there.
    let output = bundle.0.write(&Bundle::config(&[], &[])).run();
    let left: Vec<_> = std::fs::read_dir(&outside).expect("a folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}: {}", super::common::text(&output.stderr));
}

/// Nobody can make nodes there: "The runtime MAY supply them however it likes (with mknod, by bind mounting ...)".
fn o21_in_a_user_namespace_they_are_the_hosts() {
    let bundle = Bundle::new();
    let mut config = with_devices(
        json!([
            { "type": "c", "path": "/dev/null", "major": 1, "minor": 3 },
            { "type": "p", "path": "/opt/p", "uid": 7, "fileMode": 0o640 },
        ]),
        &[tmpfs("/dev", &[])],
        &["stat", "/opt/p"],
    );
    let ids = json!([{ "containerID": 0, "hostID": 0, "size": 65536 }]);
    let linux = &mut config["linux"];
    linux["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
    (linux["uidMappings"], linux["gidMappings"]) = (ids.clone(), ids);
    let report = bundle.0.write(&config).report();
    let fifo = &report.did.as_ref().expect("an action").files["/opt/p"];
    assert_eq!((fifo.kind, fifo.uid, fifo.mode), (Kind::Fifo, 7, 0o640));
    for (name, ..) in DEFAULTS {
        let place = format!("/dev/{name}");
        assert!(report.mount_at(&place).is_some(), "{place}: {:?}", report.mounts);
    }
    assert_defaults(&report.devices.expect("a /dev"), "by bind");
    config["linux"]["devices"] = json!([{ "type": "c", "path": "/dev/zero", "major": 1, "minor": 3 }]);
    bundle.must_fail(&config, "the host's node of this path is another device");
    config["linux"]["devices"] = json!([{ "type": "c", "path": "/dev/nosuch", "major": 1, "minor": 3 }]);
    bundle.must_fail(&config, "device /dev/nosuch");
    // What is no device is not covered either.
    config["linux"]["devices"] = json!([]);
    let mounts = config["mounts"].as_array_mut().expect("a list");
    mounts.push(bundle.bind("host/file", "/dev/null", &["bind"]));
    bundle.must_fail(&config, "device /dev/null");
}

fn o21_a_fifo_takes_no_privilege() {
    let devices = json!([{ "type": "p", "path": "/opt/p", "fileMode": 0o600 }]);
    let config = with_devices(devices, &[], &["stat", "/opt/p"]);
    let files = Bundle::new().0.write(&config).report().did.expect("an action").files;
    assert_eq!((files["/opt/p"].kind, files["/opt/p"].mode), (Kind::Fifo, 0o600));
}
