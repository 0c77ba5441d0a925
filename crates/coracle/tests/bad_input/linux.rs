//! Namespaces, mappings, devices, paths, control groups.

use serde_json::{Value, json};

use super::check;

pub(crate) fn each_wrong_namespace_is_named_by_its_pointer() {
    fn with_offset(config: &mut Value, clock: &str, nanoseconds: u32) {
        config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "time" }));
        config["linux"]["timeOffsets"] = json!({ clock: { "nanosecs": nanoseconds } });
    }
    check(&[
        (
            "twice",
            |_, c| c["linux"]["namespaces"][1]["type"] = json!("pid"),
            &["/linux/namespaces/1/type: a pid namespace is in the list twice"],
        ),
        (
            "an unknown type",
            |_, c| c["linux"]["namespaces"][0]["type"] = json!("place"),
            &["/linux/namespaces/0/type: unknown value `place`"],
        ),
        (
            "a relative path",
            |_, c| c["linux"]["namespaces"][4]["path"] = json!("proc/self/ns/net"),
            &["/linux/namespaces/4/path", "absolute"],
        ),
        (
            "gone",
            |_, c| c["linux"]["namespaces"][4]["path"] = json!("/proc/4194305/ns/net"),
            &["/linux/namespaces/4/path: /proc/4194305/ns/net: no such file or directory"],
        ),
        (
            "of another type",
            |_, c| c["linux"]["namespaces"][4]["path"] = json!("/proc/self/ns/uts"),
            &["/linux/namespaces/4/path: /proc/self/ns/uts is a uts namespace, and no network namespace"],
        ),
        (
            "a file",
            |_, c| c["linux"]["namespaces"][4]["path"] = json!("/proc/self/status"),
            &["/linux/namespaces/4/path", "is no namespace"],
        ),
        (
            "a folder",
            |_, c| c["linux"]["namespaces"][4]["path"] = json!("/tmp"),
            &["/linux/namespaces/4/path", "is no namespace"],
        ),
        (
            "offsets without a time namespace",
            |_, c| c["linux"]["timeOffsets"] = json!({ "boottime": { "secs": 1, "nanosecs": 0 } }),
            &["/linux/timeOffsets: needs a new time namespace in /linux/namespaces"],
        ),
        (
            "an offset of another clock",
            |_, c| with_offset(c, "realtime", 0),
            &[
                "/linux/timeOffsets/realtime: the kernel has no offset for this clock, only for monotonic and boottime",
            ],
        ),
        (
            "a second of nanoseconds",
            |_, c| with_offset(c, "boottime", 1_000_000_000),
            &["/linux/timeOffsets/boottime/nanosecs: must be below 1000000000"],
        ),
        (
            "a hostname without uts",
            |_, c| drop(c["linux"]["namespaces"].as_array_mut().expect("a list").remove(2)),
            &["/hostname: needs a uts namespace"],
        ),
        (
            "a hostname with our own uts",
            |_, c| c["linux"]["namespaces"][2]["path"] = json!("/proc/self/ns/uts"),
            &["/hostname: needs a uts namespace"],
        ),
    ]);
}

pub(crate) fn each_wrong_mapping_is_named_by_its_pointer() {
    fn with(config: &mut Value, uids: Value) {
        let one = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        let list = config["linux"]["namespaces"].as_array_mut().expect("a list");
        list.retain(|namespace| namespace["type"] != "user");
        list.push(json!({ "type": "user" }));
        config["linux"]["uidMappings"] = uids;
        config["linux"]["gidMappings"] = one;
    }
    fn range(inside: u32, outside: u32, size: u32) -> Value {
        json!({ "containerID": inside, "hostID": outside, "size": size })
    }
    check(&[
        ("none", |_, c| with(c, Value::Null), &["/linux/uidMappings: is missing or empty"]),
        (
            "no root, and a process that is root",
            |_, c| with(c, json!([range(1, 1, 1)])),
            &["/process/user/uid: 0 is in no range of /linux/uidMappings"],
        ),
        (
            "an empty range",
            |_, c| with(c, json!([range(0, 0, 1), range(1, 1, 0)])),
            &["/linux/uidMappings/1: is empty"],
        ),
        ("too long", |_, c| with(c, json!([range(0, 1, u32::MAX)])), &["/linux/uidMappings/0: goes beyond"]),
        (
            "overlap inside",
            |_, c| with(c, json!([range(0, 0, 2), range(1, 5, 1)])),
            &["/linux/uidMappings/1: overlaps"],
        ),
        (
            "overlap outside",
            |_, c| with(c, json!([range(0, 0, 2), range(5, 1, 1)])),
            &["/linux/uidMappings/1: overlaps"],
        ),
        (
            "an unmapped user",
            |_, c| {
                with(c, json!([range(0, 0, 1)]));
                c["process"]["user"]["uid"] = json!(7);
            },
            &["/process/user/uid: 7 is in no range of /linux/uidMappings"],
        ),
        (
            "no user namespace",
            |_, c| {
                with(c, json!([range(0, 0, 1)]));
                c["linux"]["namespaces"].as_array_mut().expect("a list").pop();
            },
            &["/linux/uidMappings: needs a new user namespace"],
        ),
    ]);
}

pub(crate) fn each_wrong_device_path_and_group_is_named_by_its_pointer() {
    check(&[
        (
            "a kind",
            |_, c| c["linux"]["devices"] = json!([{ "path": "/dev/x", "type": "x" }]),
            &["/linux/devices/0/type"],
        ),
        (
            "all kinds",
            |_, c| c["linux"]["devices"] = json!([{ "path": "/dev/x", "type": "a" }]),
            &["/linux/devices/0/type"],
        ),
        (
            "a relative path",
            |_, c| c["linux"]["devices"] = json!([{ "path": "x", "type": "p" }]),
            &["/linux/devices/0/path", "absolute"],
        ),
        (
            "no numbers",
            |_, c| c["linux"]["devices"] = json!([{ "path": "/dev/x", "type": "c" }]),
            &["/linux/devices/0/major"],
        ),
        (
            "a negative number",
            |_, c| {
                c["linux"]["devices"] = json!([{ "path": "/dev/x", "type": "c", "major": 1, "minor": -1 }])
            },
            &["/linux/devices/0/minor: -1 must be from 0 to 1048575"],
        ),
        (
            "two of one path",
            |_, c| {
                c["linux"]["devices"] = json!([
                    { "path": "/dev/x", "type": "c", "major": 1, "minor": 3 },
                    { "path": "/dev//x", "type": "c", "major": 1, "minor": 5 },
                ]);
            },
            &["/linux/devices/1/path: /dev/x is another device already"],
        ),
        (
            "a masked path",
            |_, c| c["linux"]["maskedPaths"] = json!(["/proc/kcore", "x"]),
            &["/linux/maskedPaths/1", "absolute"],
        ),
        (
            "a read-only path",
            |_, c| c["linux"]["readonlyPaths"] = json!(["x"]),
            &["/linux/readonlyPaths/0", "absolute"],
        ),
        (
            "a group above",
            |_, c| c["linux"]["cgroupsPath"] = json!("/a/../../b"),
            &["/linux/cgroupsPath", ".."],
        ),
        ("the root group", |_, c| c["linux"]["cgroupsPath"] = json!("/"), &["/linux/cgroupsPath"]),
        (
            "systemd's form",
            |_, c| c["linux"]["cgroupsPath"] = json!("a.slice:b:c"),
            &["/linux/cgroupsPath", "systemd"],
        ),
    ]);
}
