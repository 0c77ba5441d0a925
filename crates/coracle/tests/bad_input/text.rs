//! The config's text: readable, JSON, and of the specification's shape.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use super::common::{Bundle, fresh_id};
use super::{check, refused};

fn remove(config: &mut Value, object: &str, name: &str) {
    let object = config.pointer_mut(object).and_then(Value::as_object_mut).expect("an object");
    object.remove(name).expect("it is there");
}

pub(crate) fn a_config_that_cannot_be_read_is_told_from_a_missing_one() {
    type Make = fn(&Bundle);
    let rows: [(&str, Make, &[&str]); 6] = [
        ("none", |_| {}, &["config.json: no such file or directory", "--bundle"]),
        (
            "a folder",
            |b| fs::create_dir(b.path().join("config.json")).expect("a folder"),
            &["config.json: is not a regular file"],
        ),
        (
            "a device",
            |b| symlink("/dev/zero", b.path().join("config.json")).expect("a symlink"),
            &["config.json: is not a regular file"],
        ),
        (
            "bytes",
            |b| {
                b.write_text(b"{ \"ociVersion\": \"\xff\" }");
            },
            &["config.json: is not UTF-8", "byte 18"],
        ),
        (
            "empty",
            |b| {
                b.write_text("");
            },
            &["config.json: is no valid JSON", "line 1 column 0"],
        ),
        (
            "huge",
            |b| {
                fs::File::create(b.path().join("config.json"))
                    .and_then(|f| f.set_len(65 << 20))
                    .expect("a file")
            },
            &["config.json: is longer than 64 MiB"],
        ),
    ];
    for (row, make, words) in rows {
        let bundle = Bundle::new();
        make(&bundle);
        refused(row, &bundle, &fresh_id(), words);
    }
    if nix::unistd::geteuid().is_root() {
        return;
    }
    let bundle = Bundle::new();
    bundle.write(&Bundle::config());
    let no_rights = fs::Permissions::from_mode(0o0);
    fs::set_permissions(bundle.path().join("config.json"), no_rights).expect("it is ours");
    refused("unreadable", &bundle, &fresh_id(), &["config.json", "permission denied", "make it readable"]);
}

pub(crate) fn what_is_no_json_is_told_by_line_and_column() {
    let rows: [(&str, &str, &[&str]); 5] = [
        ("a value is missing", "{\n  \"root\": }", &["line 2 column 11"]),
        ("a comma too many", "{\n  \"root\": {},\n}", &["trailing comma at line 3 column 1"]),
        ("an end too early", "{ \"root\": {", &["line 1 column 11"]),
        ("two texts", "{}\n{}", &["line 2 column 1"]),
        ("a comment", "{ // a boat\n}", &["line 1 column 3"]),
    ];
    for (row, config, words) in rows {
        let bundle = Bundle::new();
        bundle.write_text(config);
        refused(row, &bundle, &fresh_id(), words);
        refused(row, &bundle, &fresh_id(), &["config.json: is no valid JSON"]);
    }
}

pub(crate) fn each_required_property_is_missed_by_name() {
    check(&[
        ("ociVersion", |_, c| remove(c, "", "ociVersion"), &["/ociVersion: is missing"]),
        ("process", |_, c| remove(c, "", "process"), &["/process: is missing"]),
        ("no process", |_, c| c["process"] = Value::Null, &["/process: is missing"]),
        ("root", |_, c| remove(c, "", "root"), &["/root: is missing"]),
        ("root.path", |_, c| remove(c, "/root", "path"), &["/root/path: is missing"]),
        ("process.args", |_, c| remove(c, "/process", "args"), &["/process/args: is missing"]),
        ("process.cwd", |_, c| remove(c, "/process", "cwd"), &["/process/cwd: is missing"]),
        ("process.user", |_, c| remove(c, "/process", "user"), &["/process/user: is missing"]),
        ("process.user.uid", |_, c| remove(c, "/process/user", "uid"), &["/process/user/uid: is missing"]),
        ("process.user.gid", |_, c| remove(c, "/process/user", "gid"), &["/process/user/gid: is missing"]),
        (
            "mounts[].destination",
            |_, c| remove(c, "/mounts/0", "destination"),
            &["/mounts/0/destination: is missing"],
        ),
        (
            "namespaces[].type",
            |_, c| remove(c, "/linux/namespaces/1", "type"),
            &["/linux/namespaces/1/type: is missing"],
        ),
        (
            "rlimits[].hard",
            |_, c| c["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 1 }]),
            &["/process/rlimits/0/hard: is missing"],
        ),
        (
            "devices[].path",
            |_, c| c["linux"]["devices"] = json!([{ "type": "p" }]),
            &["/linux/devices/0/path: is missing"],
        ),
        (
            "uidMappings[].size",
            |_, c| c["linux"]["uidMappings"] = json!([{ "containerID": 0, "hostID": 0 }]),
            &["/linux/uidMappings/0/size: is missing"],
        ),
    ]);
}

pub(crate) fn each_wrong_type_is_named_by_its_pointer() {
    check(&[
        (
            "a list for a word",
            |_, c| c["linux"]["namespaces"][1]["type"] = json!(["mount"]),
            &["/linux/namespaces/1/type: is a list, but must be a text"],
        ),
        ("a version", |_, c| c["ociVersion"] = json!(1), &["/ociVersion: is number `1`, but must be a text"]),
        (
            "args",
            |_, c| c["process"]["args"] = json!(7),
            &["/process/args: is number `7`, but must be a list"],
        ),
        (
            "an argument",
            |_, c| c["process"]["args"] = json!(["/probe", 7]),
            &["/process/args/1: is number `7`"],
        ),
        ("a list of objects", |_, c| c["mounts"] = json!({}), &["/mounts: is an object, but must be a list"]),
        ("an object in a list", |_, c| c["mounts"] = json!(["/proc"]), &["/mounts/0: is text \"/proc\""]),
        ("an object", |_, c| c["process"] = json!("/probe"), &["/process: is text", "must be an object"]),
        (
            "a list for an object",
            |_, c| c["linux"] = json!([]),
            &["/linux: is a list, but must be an object"],
        ),
        ("a list for a user", |_, c| c["process"]["user"] = json!([0, 0]), &["/process/user: is a list"]),
        (
            "a boolean",
            |_, c| c["process"]["terminal"] = json!("no"),
            &["/process/terminal: is text", "true or false"],
        ),
        (
            "a text for a number",
            |_, c| c["process"]["user"]["uid"] = json!("0"),
            &["/process/user/uid: is text \"0\""],
        ),
        (
            "a fraction",
            |_, c| c["process"]["user"]["gid"] = json!(0.5),
            &["/process/user/gid: is number `0.5`"],
        ),
        (
            "a slash in a name",
            |_, c| c["annotations"] = json!({ "a/b~": 1 }),
            &["/annotations/a~1b~0: is number `1`"],
        ),
        ("an empty list", |_, c| *c = json!([]), &["config.json: all of it: must be an object"]),
        ("no object at all", |_, c| *c = json!([1, 2]), &["config.json: all of it: must be an object"]),
        (
            "a flat list of capabilities",
            |_, c| c["process"]["capabilities"] = json!(["CAP_KILL"]),
            &["/process/capabilities: is a list, as before version 1.0"],
        ),
    ]);
}

pub(crate) fn each_wrong_version_is_refused() {
    for version in [
        "2.0.0",
        "10.0.0",
        "1",
        "1.0",
        "1.0.2.3",
        "v1.0.0",
        "01.0.0",
        "1.0.0-",
        "1.0.0-a..b",
        "1.0.0-01",
        "1.0.0+",
        "one",
        "",
    ] {
        let (bundle, mut config) = (Bundle::new(), Bundle::config());
        config["ociVersion"] = json!(version);
        refused(version, bundle.write(&config), &fresh_id(), &["config.json: /ociVersion"]);
    }
}

pub(crate) fn what_this_machine_cannot_do_is_refused_by_name() {
    check(&[(
        "the class of its packets",
        |_, c| c["linux"]["resources"] = json!({ "network": { "classID": 1 } }),
        &["/linux/resources/network/classID: needs the controller \"net_cls\""],
    )]);
}

pub(crate) fn a_property_that_is_there_twice_is_no_choice_of_ours() {
    let bundle = Bundle::new();
    let config = Bundle::config().to_string();
    bundle.write_text(config.replacen("\"cwd\"", "\"cwd\": \"/tmp\", \"cwd\"", 1));
    refused("twice", &bundle, &fresh_id(), &["config.json: /process/cwd: is there twice"]);
}
