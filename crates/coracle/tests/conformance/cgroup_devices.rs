//! config-linux.md, "Allowed Device list": the rules bite. Row O-24.

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, is_coracle, says};
use super::groups::did;
use super::running::refused;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o24_a_device_is_opened_if_the_rules_allow_it(root, cgroup),
    o24_the_devices_of_every_container_need_no_rule(root, cgroup),
    o24_an_exception_that_version_1_cannot_make_is_an_error(root, cgroup1),
};

/// The error of who opens the device 4:0, the console's first terminal, to read from it. The node is there, and the rules
/// decide; whether the device is, does not matter.
fn opened(rules: &Value) -> Option<String> {
    let (did, _) = did(&json!({ "devices": rules }), &["open", "/tmp/device"], |config| {
        config["linux"]["devices"] =
            json!([{ "path": "/tmp/device", "type": "c", "major": 4, "minor": 0, "fileMode": 0o666 }]);
    });
    did.unwrap_or_else(|| panic!("it does not run: {rules}")).errno
}

/// "The runtime MUST apply entries in the listed order"; "type", "major", "minor": what is missing is any.
fn o24_a_device_is_opened_if_the_rules_allow_it() {
    let all = |allow: bool| json!({ "allow": allow, "access": "rwm" });
    let some = |allow: bool, kind: &str, access: &str| json!({ "allow": allow, "type": kind, "major": 4, "minor": 0, "access": access });
    let other = |allow: bool| json!({ "allow": allow, "type": "c", "major": 4, "minor": 1, "access": "rwm" });
    let of_major = json!({ "allow": true, "type": "c", "major": 4, "access": "r" });
    for (rules, allowed) in [
        (json!([all(false)]), false),
        (json!([all(true)]), true),
        (json!([all(true), all(false)]), false),
        (json!([all(false), some(true, "c", "r")]), true),
        (json!([all(false), of_major]), true),
        (json!([all(false), some(true, "c", "w")]), false),
        (json!([all(false), some(true, "b", "rwm")]), false),
        (json!([all(false), other(true)]), false),
        (json!([all(true), some(false, "c", "r")]), false),
        (json!([all(true), other(false)]), true),
        (json!([all(true), some(false, "b", "rwm")]), true),
        (json!([all(true), some(false, "c", "rwm")]), false),
        (json!([all(true), some(false, "c", "rwm"), of_major]), true),
        (json!([all(false), some(true, "c", "rwm"), some(false, "c", "r")]), false),
        (json!([some(true, "c", "r"), all(false)]), false),
    ] {
        let errno = opened(&rules);
        assert_eq!(errno.as_deref() != Some("EPERM"), allowed, "{rules}: {errno:?}");
    }
}

/// "Default Devices": whatever the rules say.
fn o24_the_devices_of_every_container_need_no_rule() {
    let nothing = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    for name in ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"] {
        let (did, _) = did(&nothing, &["write", name, "x"], |_| {});
        let errno = did.expect("it runs").errno;
        assert_ne!(errno.as_deref(), Some("EPERM"), "{name}");
    }
}

/// Its list goes by equal numbers, and what is written there would not bite.
fn o24_an_exception_that_version_1_cannot_make_is_an_error() {
    if !is_coracle() {
        return;
    }
    let mut config = Bundle::config();
    config["linux"]["resources"] = json!({ "devices": [
        { "allow": false, "access": "rwm" },
        { "allow": true, "type": "c", "major": 4, "access": "r" },
        { "allow": false, "type": "c", "major": 4, "minor": 0, "access": "r" },
    ] });
    says(&refused(&config), "version 1 of control groups cannot make an exception");
}
