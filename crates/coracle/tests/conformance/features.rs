//! features.md and features-linux.md. Row O-29.

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, Finish, Leaks, text};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o29_the_versions_are_in_order,
    o29_each_version_is_accepted(userns),
    o29_no_property_is_unknown_to_the_specification,
    o29_each_hook_is_taken(userns),
    o29_each_mount_option_is_recognized(userns),
    o29_each_namespace_is_recognized(userns),
    o29_each_capability_is_recognized(userns),
    o29_each_action_of_seccomp_is_recognized(userns),
    o29_each_operator_of_seccomp_is_recognized(userns),
    o29_each_architecture_of_seccomp_is_recognized(userns),
    o29_each_flag_of_seccomp_is_recognized(userns),
    o29_what_is_not_enabled_is_not_ignored(userns),
    o29_what_is_enabled_is_recognized(userns),
};

/// The document.
#[track_caller]
fn features() -> Value {
    serde_json::from_str(&Bundle::new().must(&["features"])).expect("JSON")
}

/// A list of texts in it; where it is not there, nothing is promised. What is enabled has something in its lists.
fn list(pointer: &str) -> Vec<String> {
    let features = features();
    let listed = features.pointer(pointer).cloned().unwrap_or_default();
    let list: Vec<String> =
        serde_json::from_value::<Option<_>>(listed).expect("a list of texts").unwrap_or_default();
    let section = pointer.rsplit_once('/').map_or("", |(section, _)| section);
    let is_empty = list.is_empty() && is_enabled(&features, section) == Some(true);
    assert!(!is_empty, "{section} is enabled, and {pointer} is empty");
    list
}

/// What the runtime says to a config that `change` changed: nothing where it runs.
fn said(change: impl FnOnce(&mut Value)) -> String {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    change(&mut config);
    let mut run = bundle.write(&config).command(&[], bundle.id());
    let leaks = Leaks::watch(&mut run, bundle.id());
    let output = run.finish();
    leaks.assert_none(&bundle, "it has ended");
    if output.status.success() { String::new() } else { text(&output.stderr) }
}

/// The runtime may fail at what this machine cannot do, but not by the name: an unknown one is refused by `unknown` words
/// that a known one is not.
#[track_caller]
fn is_known(name: &str, change: impl Fn(&mut Value, &str)) {
    // runc says what time it is.
    let timeless =
        |said: String| said.split_once(" level=").map_or(said.clone(), |(_, rest)| rest.to_owned());
    let with = |name: &str| timeless(said(|config| change(config, name)));
    let invented = "INVENTED";
    let (unknown, known) = (with(invented), with(name));
    assert_ne!(unknown, "", "even {invented} is taken");
    assert_ne!(unknown.replace(invented, name), known, "{name} is as unknown");
}

/// "The value MUST NOT be less than the value of the ociVersionMin property."
fn o29_the_versions_are_in_order() {
    let features = features();
    let version = |name: &str| -> Vec<u32> {
        let text = features[name].as_str().expect("a version");
        let numbers = text.split('-').next().unwrap_or_default().split('.');
        numbers.map(|number| number.parse().expect("a number")).collect()
    };
    assert!(version("ociVersionMin") <= version("ociVersionMax"), "{features}");
    assert_eq!(version("ociVersionMin").len(), 3);
}

/// "The runtime MUST accept this value as the ociVersion property of config.json": both.
fn o29_each_version_is_accepted() {
    let features = features();
    for name in ["ociVersionMin", "ociVersionMax"] {
        assert_eq!(said(|config| config["ociVersion"] = features[name].clone()), "", "{name}");
    }
}

/// "The feature document MUST NOT contain properties that are not defined in this version".
fn o29_no_property_is_unknown_to_the_specification() {
    let of = |value: &Value| -> Vec<String> {
        value.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
    };
    let features = features();
    for (pointer, known) in [
        (
            "",
            &[
                "annotations",
                "hooks",
                "linux",
                "mountOptions",
                "ociVersionMax",
                "ociVersionMin",
                "potentiallyUnsafeConfigAnnotations",
            ][..],
        ),
        (
            "/linux",
            &[
                "apparmor",
                "capabilities",
                "cgroup",
                "intelRdt",
                "memoryPolicy",
                "mountExtensions",
                "namespaces",
                "netDevices",
                "seccomp",
                "selinux",
            ],
        ),
        ("/linux/cgroup", &["rdma", "systemd", "systemdUser", "v1", "v2"]),
        ("/linux/seccomp", &["actions", "archs", "enabled", "knownFlags", "operators", "supportedFlags"]),
        ("/linux/intelRdt", &["enabled", "monitoring", "schemata"]),
        ("/linux/mountExtensions", &["idmap"]),
        ("/linux/memoryPolicy", &["flags", "modes"]),
    ] {
        let found = features.pointer(pointer).map(of).unwrap_or_default();
        let unknown: Vec<_> = found.iter().filter(|name| !known.contains(&name.as_str())).collect();
        assert!(unknown.is_empty(), "{pointer}: {unknown:?}");
    }
    let annotations = features["annotations"].as_object().cloned().unwrap_or_default();
    assert!(annotations.iter().all(|(key, value)| !key.is_empty() && value.is_string()), "{annotations:?}");
}

/// "The runtime MUST support the elements in this array as the hooks property of config.json."
fn o29_each_hook_is_taken() {
    for name in list("/hooks") {
        // This one is a program of the container's.
        let path = if name == "startContainer" { "/probe" } else { "/bin/true" };
        assert_eq!(said(|config| config["hooks"] = json!({ &name: [{ "path": path }] })), "", "{name}");
    }
}

/// "The runtime MUST recognize the elements in this array as the options of mounts": a file system that is given one that
/// it does not know refuses it, so one that is ours never arrives there.
fn o29_each_mount_option_is_recognized() {
    // Those need more beside them: a mount that is there, another directory, mappings.
    let more = ["remount", "bind", "rbind", "idmap", "ridmap", "tmpcopyup"];
    for option in list("/mountOptions").into_iter().filter(|option| !more.contains(&option.as_str())) {
        is_known(&option, |config, option| {
            let mount =
                json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": [option] });
            config["mounts"].as_array_mut().expect("a list").push(mount);
        });
    }
}

/// "The runtime MUST recognize the elements in this array as the type of linux.namespaces objects".
fn o29_each_namespace_is_recognized() {
    for kind in list("/linux/namespaces") {
        is_known(&kind, |config, kind| {
            let list = config["linux"]["namespaces"].as_array_mut().expect("a list");
            list.retain(|one| one["type"] != kind);
            list.push(json!({ "type": kind }));
        });
    }
}

/// "The runtime MUST recognize the elements in this array in the process.capabilities object": none is warned of as unknown.
fn o29_each_capability_is_recognized() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    let all = list("/linux/capabilities");
    config["process"]["capabilities"] = json!({ "bounding": all, "permitted": all, "effective": all });
    let told = bundle.write(&config).report().caps;
    // All that there is to have. Those that this machine's root lacks, nobody gets.
    let status = std::fs::read_to_string("/proc/self/status").expect("our status");
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).expect("a set").trim();
    let ours = u64::from_str_radix(bounding, 16).expect("a number").count_ones();
    if nix::unistd::geteuid().is_root() {
        assert_eq!(told.effective.len(), ours as usize, "{told:?}");
    } else {
        assert!(!told.effective.is_empty());
    }
}

/// "The runtime MUST recognize the elements in this array in the syscalls[].action property".
fn o29_each_action_of_seccomp_is_recognized() {
    for action in list("/linux/seccomp/actions") {
        // A listener would have to be there for this one.
        if action == "SCMP_ACT_NOTIFY" {
            continue;
        }
        is_known(&action, |config, action| {
            let rule = json!({ "names": ["swapoff"], "action": action });
            config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
        });
    }
}

/// "in the syscalls[].args[].op property".
fn o29_each_operator_of_seccomp_is_recognized() {
    for operator in list("/linux/seccomp/operators") {
        is_known(&operator, |config, operator| {
            let args = json!([{ "index": 0, "value": 7, "valueTwo": 7, "op": operator }]);
            let rule = json!({ "names": ["swapoff"], "action": "SCMP_ACT_ERRNO", "args": args });
            config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
        });
    }
}

/// "in the architectures property".
fn o29_each_architecture_of_seccomp_is_recognized() {
    for architecture in list("/linux/seccomp/archs") {
        is_known(&architecture, |config, architecture| {
            config["linux"]["seccomp"] =
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": [architecture] });
        });
    }
}

/// "in the flags property".
fn o29_each_flag_of_seccomp_is_recognized() {
    for flag in list("/linux/seccomp/knownFlags") {
        is_known(&flag, |config, flag| {
            config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": [flag] });
        });
    }
}

/// What asks for each of the sections.
fn asks(pointer: &str, config: &mut Value) {
    match pointer {
        "/linux/seccomp" => config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW" }),
        "/linux/apparmor" => config["process"]["apparmorProfile"] = json!("no-such-profile"),
        "/linux/selinux" => config["process"]["selinuxLabel"] = json!("a:b:c:s0"),
        "/linux/intelRdt" => config["linux"]["intelRdt"] = json!({ "closID": "boat" }),
        "/linux/netDevices" => config["linux"]["netDevices"] = json!({ "no-such-device": {} }),
        _ => {
            let one = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
            let mount = json!({
                "destination": "/tmp", "type": "none", "source": "/", "options": ["bind"],
                "uidMappings": one, "gidMappings": one,
            });
            config["mounts"].as_array_mut().expect("a list").push(mount);
        }
    }
}

const SECTIONS: [&str; 6] = [
    "/linux/seccomp",
    "/linux/apparmor",
    "/linux/selinux",
    "/linux/intelRdt",
    "/linux/netDevices",
    "/linux/mountExtensions/idmap",
];

fn is_enabled(features: &Value, pointer: &str) -> Option<bool> {
    features.pointer(pointer)?["enabled"].as_bool()
}

/// A runtime that says that it cannot do something does not run a container without it.
fn o29_what_is_not_enabled_is_not_ignored() {
    let features = features();
    for pointer in SECTIONS.into_iter().filter(|pointer| is_enabled(&features, pointer) == Some(false)) {
        assert_ne!(said(|config| asks(pointer, config)), "", "{pointer} is ignored");
    }
}

/// "enabled represents whether the runtime supports" it: what is asked for is done, or the machine does not let it; to say
/// that the version does not do it would be a lie of one of the two.
fn o29_what_is_enabled_is_recognized() {
    let features = features();
    for pointer in SECTIONS.into_iter().filter(|pointer| is_enabled(&features, pointer) == Some(true)) {
        let said = said(|config| asks(pointer, config));
        assert!(!said.contains("this version does not"), "{pointer}: {said}");
    }
}
