//! Every limit that is set bites: on the control groups of this machine, and on version 2 in another.

mod common;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::prelude::*;

use common::{Bundle, Finish, Leaks, fresh_id, text};

testkit::suite! { "limits",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        a_fork_bomb_stops_at_the_limit(root, cgroup),
        a_memory_hog_is_killed(root, cgroup),
        too_little_memory_for_init_is_named(root, cgroup),
        a_spinner_is_throttled(root, cgroup),
        processors_are_those_of_the_set(root, cgroup),
        a_device_that_is_not_allowed_cannot_be_opened(root, cgroup),
        the_control_group_is_gone_afterwards(root, cgroup),
        the_flags_of_sandbox_bite(root, cgroup),
        the_same_holds_on_version_2(root, vm),
    ]
}

/// A bundle with these resources, in a control group of its own name, and what it is called.
fn limited(resources: Value, args: &[&str]) -> (Bundle, String) {
    let (bundle, mut config, id) = (Bundle::new(), Bundle::config(), fresh_id());
    config["process"]["args"] = json!([&["/probe"], args].concat());
    config["linux"]["resources"] = resources;
    config["linux"]["cgroupsPath"] = json!(format!("/coracle-{id}"));
    bundle.write(&config);
    (bundle, id)
}

/// The control group's files of these names, in all hierarchies.
fn files(id: &str, names: &[&str]) -> Vec<PathBuf> {
    let hierarchies =
        std::fs::read_dir("/sys/fs/cgroup").expect("control groups").flatten().map(|e| e.path());
    let folders =
        hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).map(|h| h.join(format!("coracle-{id}")));
    let all = folders.flat_map(|folder| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>());
    all.filter(|path| path.exists()).collect()
}

/// The number behind `key` in a file of the control group that is called one of `names`.
fn counted(id: &str, names: &[&str], key: &str) -> u64 {
    let number = |path: PathBuf| {
        let text = std::fs::read_to_string(path).expect("a file of the control group");
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
    };
    // In a hybrid layout the empty hierarchy of version 2 has some of these files as well, with less in them.
    let found = files(id, names).into_iter().find_map(number);
    found.unwrap_or_else(|| panic!("no {key} in {names:?} of the control group of {id}"))
}

fn start(bundle: &Bundle, id: &str) {
    bundle.create(id);
    bundle.must(&["start", id]);
}

fn a_fork_bomb_stops_at_the_limit() {
    let (bundle, id) = limited(json!({ "pids": { "limit": 7 } }), &["fork", "50"]);
    let output = bundle.command(&[], &id).output().expect("the runtime starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    assert_eq!(report["did"]["value"], 6, "init and six children are seven: {}", report["did"]);
    let (bundle, id) = limited(json!({}), &["fork", "50"]);
    let output = bundle.command(&[], &id).output().expect("the runtime starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    assert_eq!(report["did"]["value"], 50, "without a limit: {}", report["did"]);
}

fn too_little_memory_for_init_is_named() {
    let (bundle, id) = limited(json!({ "memory": { "limit": 1024 } }), &["exit", "0"]);
    let mut run = bundle.command(&[], &id);
    let leaks = Leaks::watch(&mut run, &id);
    let output = run.finish();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("memory is too little") && error.contains("/linux/resources/memory/limit"),
        "{error}"
    );
    leaks.assert_none(&bundle, &error);
}

fn a_memory_hog_is_killed() {
    let (bundle, id) = limited(json!({ "memory": { "limit": 32 << 20 } }), &["alloc", "200"]);
    let path = bundle.path().display().to_string();
    let output = bundle.call(&["run", "--keep", "--bundle", &path, &id]);
    assert_eq!(output.status.code(), Some(137), "{}", text(&output.stderr));
    let kills = counted(&id, &["memory.events", "memory.oom_control"], "oom_kill ");
    assert!(kills >= 1, "nobody was killed for memory");
    bundle.must(&["delete", &id]);
    let (bundle, id) = limited(json!({ "memory": { "limit": 400 << 20 } }), &["alloc", "64"]);
    let output = bundle.command(&[], &id).output().expect("the runtime starts");
    assert_eq!(output.status.code(), Some(0), "what fits is let be: {}", text(&output.stderr));
}

fn a_spinner_is_throttled() {
    let (bundle, id) = limited(json!({ "cpu": { "quota": 10_000, "period": 100_000 } }), &["spin", "100000"]);
    start(&bundle, &id);
    within(Duration::from_secs(60), "it was throttled five times", || {
        counted(&id, &["cpu.stat"], "nr_throttled ") >= 5
    });
}

fn processors_are_those_of_the_set() {
    let (bundle, id) = limited(json!({ "cpu": { "cpus": "0" } }), &["wait-signal", "TERM"]);
    start(&bundle, &id);
    let pid = bundle.state_of(&id)["pid"].clone();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    assert!(status.lines().any(|line| line.split_whitespace().eq(["Cpus_allowed_list:", "0"])), "{status}");
}

/// 4:0 is the console's first terminal. The node is there, and the rules decide; whether the device is, does not matter.
fn a_device_that_is_not_allowed_cannot_be_opened() {
    for allowed in [false, true] {
        let (bundle, id) = limited(json!({}), &["open", "/tmp/device"]);
        let mut config: Value =
            serde_json::from_slice(&std::fs::read(bundle.path().join("config.json")).expect("a config"))
                .expect("JSON");
        config["linux"]["resources"]["devices"] = json!([
            { "allow": false, "access": "rwm" },
            { "allow": allowed, "type": "c", "major": 4, "minor": 0, "access": "r" },
        ]);
        config["linux"]["devices"] =
            json!([{ "path": "/tmp/device", "type": "c", "major": 4, "minor": 0, "fileMode": 0o666 }]);
        bundle.write(&config);
        let output = bundle.command(&[], &id).output().expect("the runtime starts");
        let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
        assert_eq!(report["did"]["errno"] != "EPERM", allowed, "{}", report["did"]);
    }
}

fn the_control_group_is_gone_afterwards() {
    let (bundle, id) = limited(json!({ "pids": { "limit": 7 } }), &["wait-signal", "TERM"]);
    start(&bundle, &id);
    assert!(!files(&id, &["pids.max"]).is_empty(), "there is none");
    bundle.must(&["delete", "--force", &id]);
    assert_eq!(files(&id, &["cgroup.procs"]), Vec::<PathBuf>::new(), "it is left");
}

fn the_flags_of_sandbox_bite() {
    let sandbox = |flags: &[&str], args: &[&str]| {
        let mut command = Command::new(testkit::runtime());
        command.arg("sandbox").args(flags).arg("--").arg(testkit::probe()).args(args);
        command.stdin(Stdio::null()).output().expect("the runtime starts")
    };
    let output = sandbox(&["--pids", "5"], &["fork", "50"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    assert_eq!(report["did"]["value"], 4, "{}", report["did"]);
    assert_eq!(sandbox(&["--memory", "32M"], &["alloc", "200"]).status.code(), Some(137));
    let output = sandbox(&["--memory", "much"], &["exit", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("64M"), "{}", text(&output.stderr));
}

/// This suite once more, in a machine where it meets version 2 alone.
fn the_same_holds_on_version_2() {
    let prefix = std::env::var("CORACLE_VM").expect("the tier asked for it");
    let mut words = prefix.split_whitespace();
    let own = std::env::current_exe().expect("our own path");
    let output = Command::new(words.next().expect("a command"))
        .args(words)
        .args(["env", "-u", "CORACLE_VM"])
        .arg(own)
        .stdin(Stdio::null())
        .output()
        .expect("the machine starts");
    let said = text(&output.stdout);
    let ran = said.lines().filter(|line| line.starts_with("test ") && line.ends_with("... ok")).count();
    assert!(output.status.success() && ran == 8, "{said}\n{}", text(&output.stderr));
}
