//! config-linux.md, "Devices": what a runtime must refuse. Row O-21.

use std::os::unix::fs::symlink;

use nix::sys::stat::SFlag;
use serde_json::json;
use testkit::Test;

use super::devices::{assert_defaults, node, with_devices};
use super::harbour::{Bundle, tmpfs};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o21_something_else_in_its_place_is_an_error(root),
    o21_an_empty_file_in_its_place_is_an_error(root),
    o21_a_mount_of_something_else_in_its_place_is_an_error(userns),
    o21_two_devices_at_one_path_are_an_error(userns),
    o21_a_wrong_device_is_an_error(userns),
};

/// "If a file already exists at path that does not match the requested device, the runtime MUST generate an error."
fn o21_something_else_in_its_place_is_an_error() {
    let device = |kind: &str| {
        let mut device = json!({ "type": kind, "path": "/dev/x" });
        if kind != "p" {
            (device["major"], device["minor"]) = (json!(10), json!(229));
        }
        json!([device])
    };
    for (row, make) in OTHERS {
        let bundle = Bundle::new();
        make(&bundle);
        let kinds = if *row == "a fifo" { &["c", "b"][..] } else { &["c", "p"] };
        for kind in kinds {
            bundle.must_fail(&with_devices(device(kind), &[], &[]), "device /dev/x");
        }
    }
}

/// Also an empty file, on which the device could be mounted: somebody made it.
fn o21_an_empty_file_in_its_place_is_an_error() {
    let bundle = Bundle::new();
    bundle.file("rootfs/dev/null", "");
    bundle.must_fail(&Bundle::config(&[], &[]), "device /dev/null");
    let mut left: Vec<_> = std::fs::read_dir(bundle.path("rootfs/dev"))
        .expect("a folder")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    let ours = ["fd", "stdin", "stdout", "stderr", "ptmx", "null"];
    left.retain(|name| !ours.contains(&&*name.to_string_lossy()));
    assert!(left.is_empty(), "{left:?}");
}

type Other = (&'static str, fn(&Bundle));

/// What is no character device 10:229.
const OTHERS: &[Other] = &[
    ("a file", |bundle| bundle.file("rootfs/dev/x", "")),
    ("a folder", |bundle| bundle.file("rootfs/dev/x/file", "")),
    ("a fifo", |bundle| node(bundle, "rootfs/dev/x", SFlag::S_IFIFO, (0, 0))),
    ("another number", |bundle| node(bundle, "rootfs/dev/x", SFlag::S_IFCHR, (10, 230))),
    ("another kind", |bundle| node(bundle, "rootfs/dev/x", SFlag::S_IFBLK, (10, 229))),
    ("a symlink", |bundle| {
        node(bundle, "rootfs/dev/y", SFlag::S_IFCHR, (10, 229));
        symlink("y", bundle.path("rootfs/dev/x")).expect("a symlink");
    }),
];

/// What `mounts` put there is a file that exists; the host's node itself is the device.
fn o21_a_mount_of_something_else_in_its_place_is_an_error() {
    let bundle = Bundle::new();
    let bind = |source: &str| json!({ "destination": "/dev/null", "type": "none", "source": source, "options": ["bind"] });
    let file = bundle.path("host/file").display().to_string();
    let config = Bundle::config(&[tmpfs("/dev", &[]), bind(&file)], &[]);
    bundle.must_fail(&config, "device /dev/null");
    let report = bundle.report(&[tmpfs("/dev", &[]), bind("/dev/null")], &[]);
    assert_defaults(&report.devices.expect("a /dev"), "the host's");
}

/// One path, two devices: one of them would not be there.
fn o21_two_devices_at_one_path_are_an_error() {
    let bundle = Bundle::new();
    let one = |minor: u32, path: &str| json!({ "type": "c", "path": path, "major": 10, "minor": minor });
    for path in ["/dev/x", "/dev/../dev//x", "/dev/./x"] {
        let config = with_devices(json!([one(229, "/dev/x"), one(200, path)]), &[], &[]);
        bundle.must_fail(&config, "/linux/devices/1/path");
    }
}

fn o21_a_wrong_device_is_an_error() {
    let bundle = Bundle::new();
    for (device, words) in [
        (json!({ "type": "x", "path": "/dev/x", "major": 1, "minor": 3 }), "/linux/devices/0/type"),
        (json!({ "type": "a", "path": "/dev/x", "major": 1, "minor": 3 }), "/linux/devices/0/type"),
        (json!({ "type": "", "path": "/dev/x", "major": 1, "minor": 3 }), "/linux/devices/0/type"),
        (json!({ "path": "/dev/x", "major": 1, "minor": 3 }), "/linux/devices/0/type"),
        (json!({ "type": "c", "major": 1, "minor": 3 }), "/linux/devices/0/path"),
        (json!({ "type": "c", "path": "/", "major": 1, "minor": 3 }), "/linux/devices/0/path"),
    ] {
        bundle.must_fail(&with_devices(json!([device]), &[], &[]), words);
    }
    if super::common::is_coracle() {
        for (device, words) in [
            (json!({ "type": "c", "path": "dev/x", "major": 1, "minor": 3 }), "/linux/devices/0/path"),
            (json!({ "type": "c", "path": "/dev/x" }), "/linux/devices/0/major"),
            (json!({ "type": "c", "path": "/dev/x", "major": 0, "minor": 0 }), "/linux/devices/0/major"),
            (json!({ "type": "b", "path": "/dev/x", "minor": 3 }), "/linux/devices/0/major"),
            (json!({ "type": "c", "path": "/dev/x", "major": -1, "minor": 3 }), "/linux/devices/0/major"),
            (
                json!({ "type": "c", "path": "/dev/x", "major": 1, "minor": 1 << 20 }),
                "/linux/devices/0/minor",
            ),
        ] {
            bundle.must_fail(&with_devices(json!([device]), &[], &[]), words);
        }
    }
}
