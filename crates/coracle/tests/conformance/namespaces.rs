//! config-linux.md, "Namespaces" and "Offset for Time Namespace". Row O-19.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::{getegid, geteuid};
use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, Finish, text};
use super::running::refused;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o19_a_kind_without_a_path_is_new(userns),
    o19_a_time_namespace_can_be_new(userns),
    o19_a_kind_that_is_not_listed_is_the_runtimes(userns),
    o19_the_container_is_in_the_namespace_of_the_path(userns),
    o19_a_user_namespace_is_joined_without_mappings(userns),
    o19_a_namespace_of_somebody_else_than_the_joined_user_namespace_is_joined(root),
    o19_a_path_of_another_type_is_refused(userns),
    o19_a_path_that_is_no_namespace_is_refused(userns),
    o19_a_relative_path_is_refused(userns),
    o19_two_of_a_kind_are_refused(userns),
    o19_an_unknown_type_is_refused(userns),
    o19_the_clocks_are_ahead_by_their_offsets(userns),
    o19_a_clock_can_be_behind(userns),
    o19_an_offset_that_is_not_given_is_none(userns),
    o19_exec_lives_by_the_same_clocks(userns),
    o19_offsets_of_a_joined_pid_namespaces_neighbour(root),
    o19_offsets_need_a_new_time_namespace(userns),
    o19_offsets_of_a_joined_time_namespace_are_refused(userns),
    o19_a_clock_that_has_no_offset_is_refused(userns),
    o19_a_second_of_nanoseconds_is_refused(userns),
    o19_a_clock_before_its_beginning_is_refused(userns),
};

/// The kinds by their names in config.json and in /proc/PID/ns.
const KINDS: [(&str, &str); 8] = [
    ("user", "user"),
    ("pid", "pid"),
    ("mount", "mnt"),
    ("uts", "uts"),
    ("ipc", "ipc"),
    ("network", "net"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

pub(super) fn inode(pid: &str, file: &str) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/{file}")).expect("a namespace").ino()
}

pub(super) fn list(config: &mut Value) -> &mut Vec<Value> {
    config["linux"]["namespaces"].as_array_mut().expect("a list")
}

/// Adds a new namespace of this kind, where there is none yet.
pub(super) fn add(config: &mut Value, kind: &str) {
    if !list(config).iter().any(|one| one["type"] == kind) {
        list(config).push(json!({ "type": kind }));
    }
}

fn remove(config: &mut Value, kind: &str) {
    list(config).retain(|one| one["type"] != kind);
}

/// A user namespace in which `inside` is who we are.
pub(super) fn map(config: &mut Value, inside: u32) {
    add(config, "user");
    let one = |outside: u32| json!([{ "containerID": inside, "hostID": outside, "size": 1 }]);
    config["linux"]["uidMappings"] = one(geteuid().as_raw());
    config["linux"]["gidMappings"] = one(getegid().as_raw());
}

/// "If path is not specified, the runtime MUST create a new container namespace of type type."
fn o19_a_kind_without_a_path_is_new() {
    let mut config = Bundle::config();
    map(&mut config, 0);
    KINDS.iter().filter(|(kind, _)| *kind != "time").for_each(|(kind, _)| add(&mut config, kind));
    let bundle = Bundle::new();
    let inside = bundle.write(&config).report().ns;
    for (kind, file) in KINDS.into_iter().filter(|(kind, _)| *kind != "time") {
        assert_ne!(inside[file], inode("self", file), "{kind}");
    }
}

/// The same of the eighth, which not every kernel and runtime has.
fn o19_a_time_namespace_can_be_new() {
    let mut config = Bundle::config();
    add(&mut config, "time");
    let bundle = Bundle::new();
    assert_ne!(bundle.write(&config).report().ns["time"], inode("self", "time"));
}

/// "If a namespace type is not specified in the namespaces array, the container MUST inherit the runtime namespace of that
/// type."
fn o19_a_kind_that_is_not_listed_is_the_runtimes() {
    let mut config = Bundle::config();
    config.as_object_mut().expect("an object").remove("hostname");
    ["uts", "ipc", "network"].iter().for_each(|kind| remove(&mut config, kind));
    let bundle = Bundle::new();
    let inside = bundle.write(&config).report().ns;
    for file in ["uts", "ipc", "net", "cgroup", "time"] {
        assert_eq!(inside[file], inode("self", file), "{file}");
    }
}

/// A container that waits, with a new namespace of every kind but users and clocks. Returns its first process.
fn waiting(bundle: &Bundle) -> String {
    let mut config = Bundle::config();
    KINDS
        .iter()
        .filter(|(kind, _)| !["user", "time"].contains(kind))
        .for_each(|(kind, _)| add(&mut config, kind));
    started(bundle, config)
}

/// Starts a container with this config and a program that waits. Until then its first process may be looked into by nobody but
/// root, and an ordinary user finds no namespaces there.
pub(super) fn started(bundle: &Bundle, mut config: Value) -> String {
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    bundle.write(&config).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    bundle.state_of(bundle.id())["pid"].to_string()
}

/// "The runtime MUST place the container process in the namespace associated with that path."
fn o19_the_container_is_in_the_namespace_of_the_path() {
    for (kind, file) in KINDS.into_iter().filter(|(kind, _)| !["user", "mount", "time"].contains(kind)) {
        let first = Bundle::new();
        let pid = waiting(&first);
        let mut config = Bundle::config();
        config.as_object_mut().expect("an object").remove("hostname");
        remove(&mut config, kind);
        list(&mut config).push(json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") }));
        if !geteuid().is_root() {
            // It is the user namespace's, and its root alone may join it.
            remove(&mut config, "user");
            list(&mut config).push(json!({ "type": "user", "path": format!("/proc/{pid}/ns/user") }));
            ["uidMappings", "gidMappings"].iter().for_each(|name| config["linux"][*name] = Value::Null);
        }
        let bundle = Bundle::new();
        let second = started(&bundle, config);
        assert_eq!(inode(&second, file), inode(&pid, file), "{kind}");
        assert_ne!(inode(&second, file), inode("self", file), "{kind}");
    }
}

/// The same of a user namespace: who its ids are, it knows.
fn o19_a_user_namespace_is_joined_without_mappings() {
    let first = Bundle::new();
    let mut config = Bundle::config();
    map(&mut config, 0);
    let pid = started(&first, config.clone());
    remove(&mut config, "user");
    list(&mut config).push(json!({ "type": "user", "path": format!("/proc/{pid}/ns/user") }));
    ["uidMappings", "gidMappings"].iter().for_each(|name| config["linux"][*name] = Value::Null);
    let bundle = Bundle::new();
    let inside = bundle.write(&config).report();
    assert_eq!(inside.ns["user"], inode(&pid, "user"));
    assert_ne!(inside.ns["mnt"], inode(&pid, "mnt"));
    assert_eq!((inside.uid, inside.gid), (0, 0));
}

/// The same of two that belong to different owners: root of the user namespace has no say in the other.
fn o19_a_namespace_of_somebody_else_than_the_joined_user_namespace_is_joined() {
    let (users, networks) = (Bundle::new(), Bundle::new());
    let mut config = Bundle::config();
    map(&mut config, 0);
    let user = started(&users, config.clone());
    let network = waiting(&networks);
    for (kind, file, pid) in [("user", "user", &user), ("network", "net", &network)] {
        remove(&mut config, kind);
        list(&mut config).push(json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") }));
    }
    ["uidMappings", "gidMappings"].iter().for_each(|name| config["linux"][*name] = Value::Null);
    let bundle = Bundle::new();
    let inside = bundle.write(&config).report();
    assert_eq!(inside.ns["user"], inode(&user, "user"));
    assert_eq!(inside.ns["net"], inode(&network, "net"));
}

/// "The runtime MUST generate an error if path is not associated with a namespace of type type."
fn o19_a_path_of_another_type_is_refused() {
    let mut config = Bundle::config();
    remove(&mut config, "network");
    list(&mut config).push(json!({ "type": "network", "path": "/proc/self/ns/uts" }));
    refused(&config);
}

/// The same of a path that is associated with none.
fn o19_a_path_that_is_no_namespace_is_refused() {
    let mut config = Bundle::config();
    remove(&mut config, "ipc");
    list(&mut config).push(json!({ "type": "ipc", "path": "/proc/self/status" }));
    refused(&config);
}

/// "This value MUST be an absolute path in the runtime mount namespace."
fn o19_a_relative_path_is_refused() {
    let mut config = Bundle::config();
    remove(&mut config, "network");
    list(&mut config).push(json!({ "type": "network", "path": "proc/1/ns/net" }));
    // Where it would lead to one.
    let bundle = Bundle::new();
    let mut run = bundle.write(&config).command(&[], bundle.id());
    let output = run.current_dir("/").finish();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
}

/// "If a namespaces field contains duplicated namespaces with same type, the runtime MUST generate an error."
fn o19_two_of_a_kind_are_refused() {
    let mut config = Bundle::config();
    list(&mut config).push(json!({ "type": "ipc" }));
    refused(&config);
}

/// config.md, "Valid values": what is no value of the specification's is an error, and nothing is made.
fn o19_an_unknown_type_is_refused() {
    let mut config = Bundle::config();
    list(&mut config).push(json!({ "type": "place" }));
    refused(&config);
}

fn with_offsets(offsets: &Value) -> Value {
    let mut config = Bundle::config();
    add(&mut config, "time");
    config["linux"]["timeOffsets"] = offsets.clone();
    config
}

/// How far the clocks of `report` are ahead of ours, in whole seconds.
fn ahead(report: &probe::Report) -> [i64; 2] {
    let now = |id| nix::time::clock_gettime(id).expect("a clock").tv_sec();
    let ours = [now(nix::time::ClockId::CLOCK_MONOTONIC), now(nix::time::ClockId::CLOCK_BOOTTIME)];
    let theirs = [report.clocks["monotonic"], report.clocks["boottime"]];
    // The report is a little older than we are: a minute is more than any machine takes.
    [0, 1].map(|n| (theirs[n] / 1000 - ours[n] + 60).div_euclid(100) * 100)
}

/// "timeOffsets sets the offset for Time Namespace."
fn o19_the_clocks_are_ahead_by_their_offsets() {
    let bundle = Bundle::new();
    let offsets =
        json!({ "monotonic": { "secs": 70_000, "nanosecs": 500 }, "boottime": { "secs": 1_000_000 } });
    let mut config = with_offsets(&offsets);
    assert_eq!(ahead(&bundle.write(&config).report()), [70_000, 1_000_000]);
    // The same of one that belongs to a user namespace.
    map(&mut config, 0);
    assert_eq!(ahead(&bundle.write(&config).report()), [70_000, 1_000_000]);
}

/// "secs (int64)": of either sign.
fn o19_a_clock_can_be_behind() {
    let bundle = Bundle::new();
    let offsets = json!({ "monotonic": { "secs": 5000 }, "boottime": { "secs": -1, "nanosecs": 1 } });
    let mut config = with_offsets(&offsets);
    config["process"]["args"] = json!(["/probe", "open", "/proc/self/timens_offsets"]);
    let report = bundle.write(&config).report();
    let told = report.did.and_then(|did| did.detail).unwrap_or_default();
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [vec!["monotonic", "5000", "0"], vec!["boottime", "-1", "1"]]);
}

/// "secs (int64, OPTIONAL)", "nanosecs (uint32, OPTIONAL)": and every clock.
fn o19_an_offset_that_is_not_given_is_none() {
    let bundle = Bundle::new();
    let offsets = json!({ "boottime": { "nanosecs": 7 } });
    assert_eq!(ahead(&bundle.write(&with_offsets(&offsets)).report()), [0, 0]);
    let bundle = Bundle::new();
    assert_eq!(ahead(&bundle.write(&with_offsets(&Value::Null)).report()), [0, 0]);
}

/// A later process of the container is in its namespaces.
fn o19_exec_lives_by_the_same_clocks() {
    let bundle = Bundle::new();
    let config = with_offsets(&json!({ "monotonic": { "secs": 70_000 } }));
    started(&bundle, config);
    let said = bundle.must(&["exec", bundle.id(), "/probe"]);
    let report: probe::Report = serde_json::from_str(&said).expect("a report");
    assert_eq!(ahead(&report), [70_000, 0]);
}

/// Processes of another container, and clocks of its own: the one is joined and the other made before the birth.
fn o19_offsets_of_a_joined_pid_namespaces_neighbour() {
    let first = Bundle::new();
    let pid = waiting(&first);
    let mut config = with_offsets(&json!({ "monotonic": { "secs": 70_000 } }));
    remove(&mut config, "pid");
    list(&mut config).push(json!({ "type": "pid", "path": format!("/proc/{pid}/ns/pid") }));
    let bundle = Bundle::new();
    let report = bundle.write(&config).report();
    assert_eq!(ahead(&report), [70_000, 0]);
    assert_eq!(report.ns["pid"], inode(&pid, "pid"));
}

/// There would be nothing to set: the clocks are the host's.
fn o19_offsets_need_a_new_time_namespace() {
    let mut config = with_offsets(&json!({ "monotonic": { "secs": 1 } }));
    remove(&mut config, "time");
    refused(&config);
}

/// Whoever lives in it counts on its clocks.
fn o19_offsets_of_a_joined_time_namespace_are_refused() {
    let mut config = with_offsets(&json!({ "monotonic": { "secs": 1 } }));
    remove(&mut config, "time");
    list(&mut config).push(json!({ "type": "time", "path": "/proc/self/ns/time" }));
    refused(&config);
}

/// "The name of the clock is the entry key."
fn o19_a_clock_that_has_no_offset_is_refused() {
    refused(&with_offsets(&json!({ "realtime": { "secs": 1 } })));
}

/// time_namespaces(7): nanoseconds are below 1,000,000,000.
fn o19_a_second_of_nanoseconds_is_refused() {
    refused(&with_offsets(&json!({ "boottime": { "secs": 1, "nanosecs": 1_000_000_000 } })));
}

/// The same page: no clock can be negative. Only the kernel knows what time it is.
fn o19_a_clock_before_its_beginning_is_refused() {
    refused(&with_offsets(&json!({ "monotonic": { "secs": -1_000_000_000 } })));
}
