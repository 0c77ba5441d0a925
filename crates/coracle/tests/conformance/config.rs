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
    o07_annotations_that_nobody_knows_are_kept(userns),
    o07_an_invalid_value_is_an_error_that_says_where(userns),
    o07_an_invalid_value_of_what_is_optional_is_an_error_as_well(userns),
    o07_null_is_as_if_it_were_not_there(userns),
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
        for object in ["", "/root", "/process", "/process/user", "/linux", "/mounts/0", "/linux/namespaces/0"]
        {
            let object = config.pointer_mut(object).expect("it is there");
            object["org.example.unknown"] = json!({ "anything": [1, "two", null] });
        }
        config["hooks"] = json!({ "afterwards": [{ "path": "relative" }] });
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
        for name in ["hooks", "annotations", "domainname"] {
            config[name] = Value::Null;
        }
        for name in ["rlimits", "capabilities", "noNewPrivileges", "terminal", "oomScoreAdj"] {
            config["process"][name] = Value::Null;
        }
        for name in
            ["resources", "devices", "seccomp", "maskedPaths", "readonlyPaths", "sysctl", "cgroupsPath"]
        {
            config["linux"][name] = Value::Null;
        }
    });
    taken("null in an object", |config| {
        config["hooks"] = json!({ "prestart": null, "poststop": [{ "path": "/bin/true", "args": null, "env": null, "timeout": null }] });
    });
}
