//! The process: what can be seen in the config, and what only its container can tell.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::check;
use super::common::Bundle;

pub(crate) fn each_wrong_process_is_named_by_its_pointer() {
    check(&[
        ("no arguments", |_, c| c["process"]["args"] = json!([]), &["/process/args: is missing or empty"]),
        ("an empty name", |_, c| c["process"]["args"] = json!([""]), &["/process/args/0: is empty"]),
        (
            "a NUL",
            |_, c| c["process"]["args"] = json!(["/probe", "a\0b"]),
            &["/process/args/1: has a NUL byte"],
        ),
        ("a relative cwd", |_, c| c["process"]["cwd"] = json!("tmp"), &["/process/cwd", "absolute path"]),
        ("an empty cwd", |_, c| c["process"]["cwd"] = json!(""), &["/process/cwd", "absolute path"]),
        ("no =", |_, c| c["process"]["env"] = json!(["PATH=/", "HOME"]), &["/process/env/1", "NAME=value"]),
        ("no name", |_, c| c["process"]["env"] = json!(["=x"]), &["/process/env/0", "NAME=value"]),
        (
            "a NUL in a value",
            |_, c| c["process"]["env"] = json!(["A=\0"]),
            &["/process/env/0: has a NUL byte"],
        ),
        (
            "uid -1",
            |_, c| c["process"]["user"]["uid"] = json!(-1),
            &["/process/user/uid: is number `-1`", "4294967295"],
        ),
        (
            "no uid",
            |_, c| c["process"]["user"]["uid"] = json!(u32::MAX),
            &["/process/user/uid: 4294967295 is no id"],
        ),
        (
            "no gid",
            |_, c| c["process"]["user"]["gid"] = json!(u32::MAX),
            &["/process/user/gid: 4294967295 is no id"],
        ),
        (
            "a uid too large",
            |_, c| c["process"]["user"]["uid"] = json!(1u64 << 32),
            &["/process/user/uid: is number"],
        ),
        (
            "a group",
            |_, c| c["process"]["user"]["additionalGids"] = json!([0, -1]),
            &["/process/user/additionalGids/1"],
        ),
        ("a umask", |_, c| c["process"]["user"]["umask"] = json!(0o1000), &["/process/user/umask", "0o777"]),
        (
            "an unknown rlimit",
            |_, c| c["process"]["rlimits"] = json!([{ "type": "RLIMIT_LUCK", "soft": 1, "hard": 1 }]),
            &["/process/rlimits/0/type: unknown value `RLIMIT_LUCK`"],
        ),
        (
            "a negative rlimit",
            |_, c| c["process"]["rlimits"] = json!([{ "type": "RLIMIT_CPU", "soft": -1, "hard": 1 }]),
            &["/process/rlimits/0/soft: is number `-1`"],
        ),
        (
            "a duplicate rlimit",
            |_, c| {
                let one = json!({ "type": "RLIMIT_NOFILE", "soft": 9, "hard": 9 });
                c["process"]["rlimits"] = json!([one, one]);
            },
            &["/process/rlimits/1/type: RLIMIT_NOFILE is in the list twice"],
        ),
        (
            "soft above hard",
            |_, c| c["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 2, "hard": 1 }]),
            &["/process/rlimits/0/soft: RLIMIT_NOFILE: 2 is more than the hard limit, 1"],
        ),
        (
            "oomScoreAdj",
            |_, c| c["process"]["oomScoreAdj"] = json!(1001),
            &["/process/oomScoreAdj", "-1000 to 1000"],
        ),
        (
            "consoleSize",
            |_, c| {
                c["process"]["terminal"] = json!(true);
                c["process"]["consoleSize"] = json!({ "height": 70000, "width": 80 });
            },
            &["/process/consoleSize/height: 70000 is more than 65535"],
        ),
        ("a long hostname", |_, c| c["hostname"] = json!("x".repeat(65)), &["/hostname", "64 bytes"]),
        ("a long domainname", |_, c| c["domainname"] = json!("x".repeat(65)), &["/domainname", "64 bytes"]),
        (
            "an annotation without a key",
            |_, c| c["annotations"] = json!({ "": "x" }),
            &["/annotations: has an empty key"],
        ),
    ]);
}

/// These are found when the container is half made: all of it must go again.
pub(crate) fn what_only_the_container_can_tell_leaves_nothing() {
    fn program(bundle: &Bundle, config: &mut Value, bytes: &[u8], mode: u32) {
        let path = bundle.path().join("rootfs/program");
        fs::write(&path, bytes).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        config["process"]["args"] = json!(["/program"]);
    }
    check(&[
        (
            "no source of a mount",
            |_, c| {
                let bind =
                    json!({ "destination": "/x", "type": "bind", "source": "/nowhere", "options": ["bind"] });
                c["mounts"].as_array_mut().expect("a list").push(bind);
            },
            &["/x", "/nowhere: no such file or directory", "/mounts"],
        ),
        (
            "an unknown file system",
            |_, c| c["mounts"] = json!([{ "destination": "/x", "type": "nofs", "source": "nofs" }]),
            &["/x", "nofs", "no such device"],
        ),
        (
            "no program in PATH",
            |_, c| c["process"]["args"] = json!(["nowhere"]),
            &["executable file not found in $PATH"],
        ),
        (
            "no program",
            |_, c| c["process"]["args"] = json!(["/nowhere"]),
            &["/nowhere: no such file or directory"],
        ),
        ("a folder", |_, c| c["process"]["args"] = json!(["/tmp"]), &["/tmp: permission denied"]),
        ("not executable", |b, c| program(b, c, b"#!/probe\n", 0o644), &["/program: permission denied"]),
        (
            "a program of another machine",
            |b, c| {
                let mut bytes = fs::read(testkit::probe()).expect("the probe");
                // e_machine: a SPARC of 64 bits.
                bytes[18..20].copy_from_slice(&43u16.to_ne_bytes());
                program(b, c, &bytes, 0o755);
            },
            &["/program", "no program for this machine"],
        ),
        (
            "no program at all",
            |b, c| program(b, c, b"hello\n", 0o755),
            &["/program", "no program for this machine"],
        ),
        (
            "no interpreter",
            |b, c| program(b, c, b"#!/nowhere\n", 0o755),
            &["/program: no such file or directory"],
        ),
        (
            "no room for a cwd",
            |_, c| c["process"]["cwd"] = json!("/proc/nowhere"),
            &["/proc/nowhere", "no such file or directory"],
        ),
        ("a file as cwd", |_, c| c["process"]["cwd"] = json!("/probe"), &["/probe: not a directory"]),
    ]);
}

/// The control group is made when the container's directory is there already.
pub(crate) fn a_limit_that_this_machine_does_not_have_leaves_nothing() {
    check(&[(
        "no such controller",
        |_, c| c["linux"]["resources"] = json!({ "unified": { "nowhere.max": "1" } }),
        &["/linux/resources/unified/nowhere.max", "\"nowhere\"", "missing"],
    )]);
}
