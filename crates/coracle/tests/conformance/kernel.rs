//! config-linux.md, "IntelRdt", "Sysctl", "Memory policy" and "Personality". Row O-25.

use nix::libc;
use serde_json::{Value, json};
use testkit::Test;

use super::common::Bundle;
use super::running::{each_is_refused, exec, exec_file, waiting};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o25_a_setting_of_the_network_is_the_containers(userns),
    o25_a_setting_of_ipc_and_uts_is_the_containers(userns),
    o25_slashes_and_dots_mean_the_same(userns),
    o25_the_hosts_settings_stay_as_they_are(userns),
    o25_a_setting_of_the_whole_machine_is_refused(userns),
    o25_a_setting_of_the_hosts_namespace_is_refused(userns),
    o25_the_hostname_is_no_setting(userns),
    o25_a_name_that_leads_elsewhere_is_refused(userns),
    o25_a_setting_that_the_kernel_has_not_leaves_nothing(userns),
    o25_a_value_that_the_kernel_does_not_take_leaves_nothing(userns),
    o25_a_file_in_the_place_of_a_setting_is_not_written(userns),
    o25_settings_need_no_proc_inside(userns),
    o25_settings_are_written_below_a_read_only_proc_sys(userns),
    o25_the_personality_is_the_programs(userns),
    o25_the_personality_of_exec_is_the_containers(userns),
    o25_a_personality_that_is_none_is_refused(userns),
    o25_the_memory_policy_is_the_programs(userns, numa),
    o25_the_memory_policy_of_exec_is_the_containers(userns, numa),
    o25_a_memory_policy_that_is_none_is_refused(userns),
    o25_nodes_that_are_not_there_leave_nothing(userns, numa),
    o25_without_resctrl_a_share_of_the_cache_is_an_error(no_resctrl),
    o25_a_share_of_the_cache_that_is_none_is_refused(root, resctrl),
    o25_a_share_of_the_cache_is_the_containers(root, resctrl),
    o25_the_default_share_of_the_cache_is_everybodys(root, resctrl),
};

/// What the program reads at `path`, with these settings.
#[track_caller]
fn read(settings: Value, path: &str) -> String {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["linux"]["sysctl"] = settings;
    config["process"]["args"] = json!(["/probe", "open", path]);
    let did = bundle.write(&config).report().did.expect("it read");
    did.detail.unwrap_or_default().trim().to_owned()
}

/// "sysctl allows kernel parameters to be modified at runtime for the container."
fn o25_a_setting_of_the_network_is_the_containers() {
    assert_eq!(read(json!({ "net.ipv4.ip_forward": "1" }), "/proc/sys/net/ipv4/ip_forward"), "1");
}

fn o25_a_setting_of_ipc_and_uts_is_the_containers() {
    assert_eq!(read(json!({ "kernel.msgmax": "9001" }), "/proc/sys/kernel/msgmax"), "9001");
    assert_eq!(read(json!({ "kernel.shmmni": "77" }), "/proc/sys/kernel/shmmni"), "77");
    assert_eq!(read(json!({ "fs.mqueue.msg_max": "11" }), "/proc/sys/fs/mqueue/msg_max"), "11");
    assert_eq!(read(json!({ "kernel.domainname": "harbour" }), "/proc/sys/kernel/domainname"), "harbour");
}

/// sysctl(8): the first of the two that comes is the separator.
fn o25_slashes_and_dots_mean_the_same() {
    let path = "/proc/sys/net/ipv4/conf/lo/forwarding";
    for name in ["net.ipv4.conf.lo.forwarding", "net/ipv4/conf/lo/forwarding"] {
        assert_eq!(read(json!({ name: "1" }), path), "1", "{name}");
    }
}

fn o25_the_hosts_settings_stay_as_they_are() {
    let ours = || {
        ["kernel/shmmni", "net/ipv4/ip_forward"]
            .map(|name| std::fs::read_to_string(format!("/proc/sys/{name}")).ok())
    };
    let before = ours();
    read(json!({ "kernel.shmmni": "78", "net.ipv4.ip_forward": "1" }), "/proc/sys/kernel/shmmni");
    assert_eq!(ours(), before);
}

fn o25_a_setting_of_the_whole_machine_is_refused() {
    each_is_refused(&[
        (|c| c["linux"]["sysctl"] = json!({ "vm.swappiness": "1" }), "is not in a separate kernel namespace"),
        (
            |c| c["linux"]["sysctl"] = json!({ "kernel.core_pattern": "|/x" }),
            "is not in a separate kernel namespace",
        ),
        (
            |c| c["linux"]["sysctl"] = json!({ "kernel/core_pattern": "|/x" }),
            "is not in a separate kernel namespace",
        ),
        (|c| c["linux"]["sysctl"] = json!({ "fs.file-max": "1" }), "is not in a separate kernel namespace"),
    ]);
}

fn without(config: &mut Value, kind: &str) {
    config["linux"]["namespaces"].as_array_mut().expect("a list").retain(|one| one["type"] != kind);
}

fn o25_a_setting_of_the_hosts_namespace_is_refused() {
    each_is_refused(&[
        (
            |c| {
                without(c, "network");
                c["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
            },
            "not allowed in host network namespace",
        ),
        (
            |c| {
                c["linux"]["namespaces"][4]["path"] = json!("/proc/self/ns/net");
                c["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
            },
            "not allowed in host network namespace",
        ),
        (
            |c| {
                without(c, "ipc");
                c["linux"]["sysctl"] = json!({ "kernel.msgmax": "9001" });
            },
            "is not allowed in the hosts ipc namespace",
        ),
        (
            |c| {
                without(c, "uts");
                c["hostname"] = Value::Null;
                c["linux"]["sysctl"] = json!({ "kernel.domainname": "harbour" });
            },
            "is not in a separate kernel namespace",
        ),
    ]);
}

fn o25_the_hostname_is_no_setting() {
    each_is_refused(&[(
        |c| c["linux"]["sysctl"] = json!({ "kernel.hostname": "x" }),
        "is not allowed as it conflicts with",
    )]);
}

fn o25_a_name_that_leads_elsewhere_is_refused() {
    each_is_refused(&[
        (|c| c["linux"]["sysctl"] = json!({ "net/../kernel/core_pattern": "|/x" }), "sysctl"),
        (|c| c["linux"]["sysctl"] = json!({ "": "1" }), "sysctl"),
        (|c| c["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": 1 }), "sysctl"),
    ]);
}

fn o25_a_setting_that_the_kernel_has_not_leaves_nothing() {
    each_is_refused(&[(
        |c| c["linux"]["sysctl"] = json!({ "net.ipv4.luck": "1" }),
        "no such file or directory",
    )]);
}

fn o25_a_value_that_the_kernel_does_not_take_leaves_nothing() {
    each_is_refused(&[(
        |c| c["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "luck" }),
        "invalid argument",
    )]);
}

/// CVE-2019-19921, CVE-2025-52881: what is at the container's /proc must not take the write, nor make of it another one.
fn o25_a_file_in_the_place_of_a_setting_is_not_written() {
    let setting = json!({ "net.ipv4.ip_forward": "1" });
    // A root filesystem that brings a /proc of its own; the true one is elsewhere.
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    let folder = bundle.path().join("rootfs/proc/sys/net/ipv4");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("ip_forward"), "untouched").expect("a file");
    config["mounts"][0]["destination"] = json!("/tmp");
    config["linux"]["sysctl"] = setting.clone();
    config["process"]["args"] = json!(["/probe", "open", "/tmp/sys/net/ipv4/ip_forward"]);
    let did = bundle.write(&config).report().did.expect("it read");
    assert_eq!(std::fs::read_to_string(folder.join("ip_forward")).expect("it is there"), "untouched");
    assert_eq!(did.detail.as_deref(), Some("1\n"));
    // A mount; to refuse it is right as well.
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    let canary = bundle.path().join("canary");
    std::fs::write(&canary, "untouched").expect("a file");
    config["mounts"].as_array_mut().expect("a list").push(json!({
        "destination": "/proc/sys/net/ipv4/ip_forward", "type": "bind", "source": canary, "options": ["bind"],
    }));
    config["linux"]["sysctl"] = setting;
    bundle.write(&config).run();
    assert_eq!(std::fs::read_to_string(&canary).expect("it is there"), "untouched");
}

fn o25_settings_need_no_proc_inside() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["mounts"][0]["destination"] = json!("/tmp");
    config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    config["process"]["args"] = json!(["/probe", "open", "/tmp/sys/net/ipv4/ip_forward"]);
    let did = bundle.write(&config).report().did.expect("it read");
    assert_eq!(did.detail.as_deref(), Some("1\n"));
}

fn o25_settings_are_written_below_a_read_only_proc_sys() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
    config["linux"]["maskedPaths"] = json!(["/proc/keys"]);
    config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    config["process"]["args"] = json!(["/probe", "open", "/proc/sys/net/ipv4/ip_forward"]);
    let did = bundle.write(&config).report().did.expect("it read");
    assert_eq!(did.detail.as_deref(), Some("1\n"));
}

/// "domain: the execution domain; LINUX: default; LINUX32: uname(2) tells of a 32 bit machine."
fn o25_the_personality_is_the_programs() {
    let machine = |asked: Value| {
        let bundle = Bundle::new();
        let mut config = Bundle::config();
        config["linux"]["personality"] = asked;
        bundle.write(&config).report().kernel.machine
    };
    let ours = nix::sys::utsname::uname().expect("uname").machine().to_string_lossy().into_owned();
    assert_eq!(machine(json!({ "domain": "LINUX", "flags": [] })), ours);
    assert_ne!(machine(json!({ "domain": "LINUX32" })), ours);
}

fn o25_the_personality_of_exec_is_the_containers() {
    let bundle = waiting(|c| c["linux"]["personality"] = json!({ "domain": "LINUX32" }));
    let ours = nix::sys::utsname::uname().expect("uname").machine().to_string_lossy().into_owned();
    assert_ne!(exec(&bundle, &[]).kernel.machine, ours);
    assert_ne!(exec_file(&bundle, |_| {}).kernel.machine, ours);
}

/// "flags: currently no flag values are supported."
fn o25_a_personality_that_is_none_is_refused() {
    each_is_refused(&[
        (|c| c["linux"]["personality"] = json!({ "domain": "LUCK" }), "/linux/personality/domain"),
        (|c| c["linux"]["personality"] = json!({}), "/linux/personality/domain"),
        (
            |c| c["linux"]["personality"] = json!({ "domain": "LINUX", "flags": ["LUCK"] }),
            "/linux/personality/flags/0",
        ),
    ]);
}

/// set_mempolicy(2), by the names of the specification.
fn o25_the_memory_policy_is_the_programs() {
    let policy = |asked: Value| {
        let bundle = Bundle::new();
        let mut config = Bundle::config();
        config["linux"]["memoryPolicy"] = asked;
        let found = bundle.write(&config).report().kernel.memory_policy.expect("its policy");
        (found.mode, found.nodes)
    };
    assert_eq!(policy(json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0" })), (libc::MPOL_INTERLEAVE, vec![0]));
    let asked = json!({ "mode": "MPOL_BIND", "nodes": "0-0", "flags": ["MPOL_F_STATIC_NODES"] });
    assert_eq!(policy(asked), (libc::MPOL_BIND | libc::MPOL_F_STATIC_NODES, vec![0]));
    let asked = json!({ "mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"] });
    assert_eq!(policy(asked).0, libc::MPOL_PREFERRED | libc::MPOL_F_RELATIVE_NODES);
    assert_eq!(policy(json!({ "mode": "MPOL_LOCAL" })).0, libc::MPOL_LOCAL);
    assert_eq!(policy(json!({ "mode": "MPOL_DEFAULT", "nodes": "" })).0, libc::MPOL_DEFAULT);
    assert_eq!(policy(json!({ "mode": "MPOL_PREFERRED_MANY", "nodes": "0" })).1, [0]);
    // As runc has it: an empty object asks for nothing.
    assert_eq!(policy(json!({})).0, libc::MPOL_DEFAULT);
    assert_eq!(policy(json!({ "mode": "", "nodes": "", "flags": [] })).0, libc::MPOL_DEFAULT);
}

fn o25_the_memory_policy_of_exec_is_the_containers() {
    let bundle = waiting(|c| c["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0" }));
    let mode = |report: probe::Report| report.kernel.memory_policy.expect("its policy").mode;
    assert_eq!(mode(exec(&bundle, &[])), libc::MPOL_INTERLEAVE);
    assert_eq!(mode(exec_file(&bundle, |_| {})), libc::MPOL_INTERLEAVE);
}

fn o25_a_memory_policy_that_is_none_is_refused() {
    each_is_refused(&[
        (|c| c["linux"]["memoryPolicy"] = json!({ "nodes": "0-7" }), "invalid memory policy mode"),
        (
            |c| c["linux"]["memoryPolicy"] = json!({ "flags": ["MPOL_F_STATIC_NODES"] }),
            "invalid memory policy mode",
        ),
        (
            |c| c["linux"]["memoryPolicy"] = json!({ "mode": "INTERLEAVE", "nodes": "0" }),
            "invalid memory policy mode",
        ),
        (
            |c| {
                c["linux"]["memoryPolicy"] =
                    json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["badflag"] })
            },
            "invalid memory policy flag",
        ),
        (
            |c| c["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND", "nodes": "0-9876543210" }),
            "invalid memory policy node",
        ),
        (
            |c| c["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_DEFAULT", "nodes": "0-7" }),
            "mode requires 0 nodes but got 8",
        ),
        (|c| c["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND" }), "mode requires at least 1 node"),
    ]);
}

fn o25_nodes_that_are_not_there_leave_nothing() {
    let absent: fn(&mut Value) =
        |c| c["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND", "nodes": "1000", "flags": [] });
    each_is_refused(&[(absent, "set_mempolicy")]);
}

/// "If no mounted resctrl pseudo-filesystem is available in the runtime mount namespace, the runtime MUST generate an
/// error."
fn o25_without_resctrl_a_share_of_the_cache_is_an_error() {
    each_is_refused(&[
        (|c| c["linux"]["intelRdt"] = json!({}), "/linux/intelRdt"),
        (|c| c["linux"]["intelRdt"] = json!({ "closID": "x", "memBwSchema": "MB:0=20" }), "/linux/intelRdt"),
        (|c| c["linux"]["intelRdt"] = json!({ "enableMonitoring": true }), "/linux/intelRdt"),
    ]);
}

/// "closID", "memBwSchema: the value MUST start with MB: and MUST NOT contain newlines"; a class without schemata must be
/// there already.
fn o25_a_share_of_the_cache_that_is_none_is_refused() {
    each_is_refused(&[
        (|c| c["linux"]["intelRdt"] = json!({ "closID": ".." }), "intelRdt.ClosID"),
        (|c| c["linux"]["intelRdt"] = json!({ "closID": "a/b" }), "intelRdt.ClosID"),
        (|c| c["linux"]["intelRdt"] = json!({ "memBwSchema": "L3:0=f" }), "/linux/intelRdt/memBwSchema"),
        (
            |c| c["linux"]["intelRdt"] = json!({ "memBwSchema": "MB:0=20\nL3:0=f" }),
            "/linux/intelRdt/memBwSchema",
        ),
        (|c| c["linux"]["intelRdt"] = json!({ "closID": "nobody-made-this" }), "nobody-made-this"),
    ]);
}

/// "If closID is not set, runtimes MUST use the container ID and create the <container-id> directory"; "the runtime MUST
/// write the container process ID to the tasks file".
fn o25_a_share_of_the_cache_is_the_containers() {
    let bundle = waiting(|c| c["linux"]["intelRdt"] = json!({}));
    let folder = std::path::Path::new("/sys/fs/resctrl").join(bundle.id());
    let pid = bundle.state_of(bundle.id())["pid"].to_string();
    let tasks = std::fs::read_to_string(folder.join("tasks")).expect("a group of its own");
    assert!(tasks.lines().any(|line| line == pid), "{tasks}");
    bundle.must(&["delete", "--force", bundle.id()]);
    assert!(!folder.exists(), "the group is left");
}

/// "closID: as a special case, value / means that the container should be assigned to the default CLOS."
fn o25_the_default_share_of_the_cache_is_everybodys() {
    let bundle = waiting(|c| c["linux"]["intelRdt"] = json!({ "closID": "/" }));
    let root = std::path::Path::new("/sys/fs/resctrl");
    let pid = bundle.state_of(bundle.id())["pid"].to_string();
    let tasks = std::fs::read_to_string(root.join("tasks")).expect("the default group");
    assert!(tasks.lines().any(|line| line == pid), "{tasks}");
    assert!(!root.join(bundle.id()).exists(), "no class is made");
    bundle.must(&["delete", "--force", bundle.id()]);
}
