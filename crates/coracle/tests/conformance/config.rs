//! config.md, "Specification version" and "Extensibility": what is read, ignored and refused. Row O-07.

use std::process::Stdio;

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, Finish, Leaks};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o07_every_version_of_the_specification_is_taken(userns),
    o07_what_is_no_semantic_version_is_refused(userns),
    o07_a_version_that_nobody_knows_is_refused(userns),
    o07_unknown_properties_are_ignored(userns),
    o07_unknown_properties_of_what_is_optional_are_ignored(root, cgroup),
    o07_annotations_that_nobody_knows_are_kept(userns),
    o07_an_invalid_value_is_an_error_that_says_where(userns),
    o07_an_invalid_value_of_what_is_optional_is_an_error_as_well(userns),
    o07_null_is_as_if_it_were_not_there(userns),
    o07_null_in_place_of_the_mounts_is_none_of_them(userns),
};

/// A bundle with a program that ends at once.
fn bundle(change: impl FnOnce(&mut Value)) -> Bundle {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    let _ = std::fs::create_dir(bundle.path().join("rootfs/dev"));
    config["process"]["args"] = json!(["/probe", "exit", "0"]);
    change(&mut config);
    bundle.write(&config);
    bundle
}

#[track_caller]
fn taken(row: &str, change: impl FnOnce(&mut Value)) {
    let output = bundle(change).run();
    assert!(output.status.success(), "{row}: {}", super::common::text(&output.stderr));
}

/// Creates it, which must fail, and leave nothing. Returns the error.
#[track_caller]
fn refused(row: &str, change: impl FnOnce(&mut Value)) -> String {
    let bundle = bundle(change);
    let path = bundle.path().display().to_string();
    let mut create = bundle.coracle(&["create", "--bundle", &path, bundle.id()]);
    let leaks = Leaks::watch(&mut create, bundle.id());
    // A file: a container that must not be there would keep a pipe open.
    let errors = bundle.path().join("errors");
    let file = std::fs::File::create(&errors).expect("a file");
    let status = create.stdout(Stdio::null()).stderr(file).finish().status;
    let said = std::fs::read_to_string(&errors).expect("what it said");
    assert!(!status.success(), "{row}: it is taken");
    leaks.assert_none(&bundle, row);
    said
}

/// "ociVersion ... MUST be in SemVer v2.0.0 format and specifies the version of the specification with which the bundle
/// complies. The specification follows semantic versioning and retains forward and backward compatibility within major
/// versions."
fn o07_every_version_of_the_specification_is_taken() {
    for version in ["1.0.0", "1.0.2", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0", "1.99.0", "1.0.0-rc1"] {
        taken(version, |config| config["ociVersion"] = json!(version));
    }
}

fn o07_what_is_no_semantic_version_is_refused() {
    for version in [json!("1.0"), json!("v1.0.0"), json!("one"), json!(""), json!(1), Value::Null] {
        let said = refused(&version.to_string(), |config| config["ociVersion"] = version.clone());
        assert!(said.contains("/ociVersion"), "{version}: {said}");
    }
}

fn o07_a_version_that_nobody_knows_is_refused() {
    let said = refused("2.0.0", |config| config["ociVersion"] = json!("2.0.0"));
    assert!(said.contains("/ociVersion"), "{said}");
}

/// "Implementations that are reading or processing this configuration file MUST NOT generate an error if they encounter an
/// unknown property. Instead, they MUST ignore unknown properties."
fn o07_unknown_properties_are_ignored() {
    taken("at every depth", |config| {
        config["hooks"] =
            json!({ "afterwards": [{ "path": "relative" }], "poststop": [{ "path": "/bin/true" }] });
        add_unknown(config);
    });
}

/// Adds a property that nobody knows to each object in `value`.
fn add_unknown(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(add_unknown),
        Value::Object(object) => {
            object.values_mut().for_each(add_unknown);
            object.insert("org.example.unknown".into(), json!({ "anything": [1, "two", null] }));
        }
        _ => {}
    }
}

fn o07_unknown_properties_of_what_is_optional_are_ignored() {
    let process = json!({
        "consoleSize": { "height": 24, "width": 80 },
        "capabilities": { "bounding": ["CAP_KILL"] },
        "rlimits": [{ "type": "RLIMIT_CORE", "hard": 0, "soft": 0 }],
        "scheduler": { "policy": "SCHED_OTHER" },
        "ioPriority": { "class": "IOPRIO_CLASS_BE", "priority": 4 },
        "execCPUAffinity": { "initial": "0" },
    });
    let linux = json!({
        "devices": [{ "path": "/dev/boat", "type": "c", "major": 1, "minor": 3 }],
        "personality": { "domain": "LINUX" },
        "seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{
                "names": ["personality"],
                "action": "SCMP_ACT_ERRNO",
                "args": [{ "index": 0, "value": 7, "op": "SCMP_CMP_EQ" }],
            }],
        },
        "resources": {
            "devices": [{ "allow": true, "access": "rwm" }],
            "memory": { "limit": 1 << 30 },
            "cpu": { "shares": 512 },
            "pids": { "limit": 100 },
            "blockIO": {},
            "network": {},
        },
    });
    taken("what is optional", |config| {
        for (name, mut more) in [("process", process), ("linux", linux)] {
            add_unknown(&mut more);
            let object = config[name].as_object_mut().expect("an object");
            object.append(more.as_object_mut().expect("an object"));
        }
    });
    taken("a user namespace", |config| {
        let linux = &mut config["linux"];
        linux["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
        for name in ["uidMappings", "gidMappings"] {
            linux[name] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
            add_unknown(&mut linux[name]);
        }
    });
}

/// "Implementations that are reading/processing this configuration file MUST NOT generate an error if they encounter an
/// unknown annotation key."
fn o07_annotations_that_nobody_knows_are_kept() {
    let bundle = bundle(|config| config["annotations"] = json!({ "org.example.boat": "round" }));
    bundle.create(bundle.id());
    assert_eq!(bundle.state_of(bundle.id())["annotations"]["org.example.boat"], "round");
}

/// "MUST generate an error when invalid or unsupported values are encountered."
fn o07_an_invalid_value_is_an_error_that_says_where() {
    let rows: [(&str, Value); 9] = [
        ("/root/path", json!(7)),
        ("/root/readonly", json!("yes")),
        ("/process/args", json!("/probe")),
        ("/process/cwd", json!("relative")),
        ("/process/user/uid", json!(-1)),
        ("/hostname", json!(["boat"])),
        ("/linux/namespaces/0/type", json!("time machine")),
        ("/mounts/0/destination", json!(null)),
        ("/annotations", json!({ "org.example.number": 7 })),
    ];
    for (pointer, value) in rows {
        let said = refused(pointer, |config| match config.pointer_mut(pointer) {
            Some(found) => *found = value,
            None => {
                let (object, name) = pointer.rsplit_once('/').expect("a pointer");
                config.pointer_mut(object).expect("an object")[name] = value;
            }
        });
        assert!(said.contains(pointer), "{pointer}: {said}");
    }
}

/// "Unless support for a valid value is REQUIRED, runtimes MAY choose which subset of the valid values it will support": what
/// is not done is not silently left out.
fn o07_an_invalid_value_of_what_is_optional_is_an_error_as_well() {
    type Row<'a> = (&'a str, fn(&mut Value));
    let rows: [Row<'_>; 3] = [
        ("/process/oomScoreAdj", |config| config["process"]["oomScoreAdj"] = json!(1001)),
        ("/process/rlimits/0/type", |config| {
            config["process"]["rlimits"] = json!([{ "type": "RLIMIT_BOATS", "soft": 1, "hard": 1 }]);
        }),
        ("/linux/rootfsPropagation", |config| config["linux"]["rootfsPropagation"] = json!("everywhere")),
    ];
    for (pointer, change) in rows {
        let said = refused(pointer, change);
        assert!(said.contains(pointer), "{pointer}: {said}");
    }
}

/// Engines write it in a list's or an object's place.
fn o07_null_is_as_if_it_were_not_there() {
    taken("null", |config| {
        set_null(config, &["hooks", "annotations", "hostname", "domainname"]);
        set_null(&mut config["root"], &["readonly"]);
        set_null(&mut config["mounts"][0], &["options", "uidMappings", "gidMappings"]);
        let process = &mut config["process"];
        set_null(process, &["env", "rlimits", "capabilities", "noNewPrivileges", "terminal", "consoleSize"]);
        set_null(process, &["apparmorProfile", "selinuxLabel", "oomScoreAdj", "scheduler", "ioPriority"]);
        set_null(process, &["execCPUAffinity"]);
        set_null(&mut process["user"], &["umask", "additionalGids"]);
        let linux = &mut config["linux"];
        set_null(linux, &["sysctl", "resources", "cgroupsPath", "devices", "netDevices", "seccomp"]);
        set_null(linux, &["rootfsPropagation", "maskedPaths", "readonlyPaths", "mountLabel", "intelRdt"]);
        set_null(linux, &["memoryPolicy", "personality", "timeOffsets"]);
        set_null(&mut linux["namespaces"][0], &["path"]);
    });
    taken("null in an object", |config| {
        config["hooks"] =
            json!({ "poststop": [{ "path": "/bin/true", "args": null, "env": null, "timeout": null }] });
        set_null(&mut config["hooks"], &["prestart", "createRuntime", "createContainer", "startContainer"]);
        set_null(&mut config["hooks"], &["poststart"]);
        let capabilities = &mut config["process"]["capabilities"];
        set_null(capabilities, &["bounding", "effective", "inheritable", "permitted", "ambient"]);
        let linux = &mut config["linux"];
        linux["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW" });
        set_null(&mut linux["seccomp"], &["architectures", "flags", "syscalls"]);
        let resources = &mut linux["resources"];
        set_null(resources, &["devices", "memory", "cpu", "pids", "blockIO", "hugepageLimits", "network"]);
        set_null(resources, &["rdma", "unified"]);
    });
}

fn o07_null_in_place_of_the_mounts_is_none_of_them() {
    taken("no mounts", |config| set_null(config, &["mounts"]));
}

fn set_null(object: &mut Value, names: &[&str]) {
    for name in names {
        object[*name] = Value::Null;
    }
}
