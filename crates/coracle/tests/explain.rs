//! `--explain` tells each step that was taken and none that was not: held against what strace(1) saw.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};

use common::{Bundle, text, traced};

testkit::suite! { "explain",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        // An ordinary user cannot look into a process that hides (PR_SET_DUMPABLE), and strace is one.
        a_plain_run_is_told_as_it_was(root, strace),
        a_full_config_is_told_as_it_was(root, strace),
        clocks_and_a_root_that_is_moved_are_told_as_they_were(root, strace),
        a_step_that_is_not_taken_is_not_told(userns),
        each_process_of_an_exec_tells_by_its_name(userns),
    ]
}

/// System calls that change something and are made for nothing but a step: where one of these is made, a step that
/// names it must have been told.
const TELLING: [&str; 29] = [
    "accept4",
    "capset",
    "chdir",
    "clone3",
    "execve",
    "execveat",
    "fchdir",
    "fsmount",
    "fsopen",
    "mkdir",
    "mkdirat",
    "mknodat",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "pivot_root",
    "rename",
    "rmdir",
    "setdomainname",
    "setgroups",
    "sethostname",
    "setns",
    "setresgid",
    "setresuid",
    "setsid",
    "symlinkat",
    "umount2",
    "unshare",
];

/// A step as it was told: its name, the calls it names, and those of them that are in parentheses.
struct Told {
    name: String,
    always: BTreeSet<String>,
    sometimes: BTreeSet<String>,
}

/// `write(2, "[init 3] NAME (12 us)\n    why: ...\n    calls: a, b (c, d)\n    runc: ...")`, as strace shows it.
fn told(line: &str) -> Option<Told> {
    let (_, said) = line.split_once(", \"[").filter(|(call, _)| call.starts_with("write("))?;
    let (_, said) = said.split_once("] ")?;
    let name = said.split(" (").next()?.to_owned();
    let calls = said.split_once("calls: ")?.1.split("\\n").next()?;
    let (always, sometimes) = calls.split_once(" (").unwrap_or((calls, ""));
    let set = |text: &str| -> BTreeSet<String> {
        let names = text.trim_end_matches(')').split(", ").filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    Some(Told { name, always: set(always), sometimes: set(sometimes) })
}

/// The name of the call that a line of the trace begins with. One that the kernel refused has changed nothing.
fn call(line: &str) -> Option<&str> {
    if line.contains(") = -1 ") {
        return None;
    }
    let name = line.split_once('(')?.0;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        .then_some(name)
}

/// Runs the bundle under strace and holds each process's calls against what it told. Returns the names of all steps.
fn compare(config: &Value) -> Vec<String> {
    let bundle = Bundle::new();
    let run = bundle.write(config).command(&["--explain"], bundle.id());
    told_by(&bundle, &run)
}

fn told_by(bundle: &Bundle, run: &Command) -> Vec<String> {
    let trace = traced(bundle, &["-s", "600"], run);
    let mut of_process: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in trace.lines() {
        let (pid, rest) = line.split_once(' ').expect("a process's number");
        of_process.entry(pid).or_default().push(rest.trim_start());
    }
    let mut names = Vec::new();
    for lines in of_process.values() {
        names.extend(hold_against(lines));
    }
    names
}

/// One process: the calls since the last step that was told are that step's.
fn hold_against(lines: &[&str]) -> Vec<String> {
    let (mut made, mut next) = (BTreeSet::<String>::new(), BTreeSet::<String>::new());
    let mut names = Vec::new();
    for line in lines {
        if let Some(step) = told(line) {
            // What replaces the process is told before it is done.
            let replaces = |name: &String| name.starts_with("execve") || name == "seccomp";
            let missing: Vec<&String> =
                step.always.iter().filter(|name| !replaces(name) && !made.contains(*name)).collect();
            assert!(missing.is_empty(), "{:?} was told, and {missing:?} not made, but {made:?}", step.name);
            let named: BTreeSet<String> = step.always.union(&step.sometimes).cloned().collect();
            let silent: Vec<&String> = made
                .iter()
                .filter(|name| TELLING.contains(&name.as_str()) && !named.contains(*name))
                .collect();
            assert!(silent.is_empty(), "before {:?} was told, {silent:?} were made in silence", step.name);
            next = named.into_iter().filter(replaces).collect();
            names.push(step.name);
            made.clear();
            continue;
        }
        let Some(name) = call(line) else { continue };
        if name.starts_with("execve") {
            // The first line of the trace is strace's own doing.
            assert!(names.is_empty() || next.contains(name), "{name} was made in silence");
            if name == "execve" && !names.is_empty() {
                // From here on it is the program.
                return names;
            }
            made.clear();
            continue;
        }
        made.insert(name.to_owned());
    }
    // A process on the way to another ends with its birth, which is the step of whoever waits for it.
    if names == ["set the clocks apart"] {
        made.remove("clone3");
    }
    let silent: Vec<&String> = made.iter().filter(|name| TELLING.contains(&name.as_str())).collect();
    assert!(silent.is_empty(), "after the last step, {silent:?} were made in silence");
    names
}

fn a_plain_run_is_told_as_it_was() {
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "exit", "0"]);
    let names = compare(&config);
    for name in ["give birth to init", "make the root filesystem the root", "become the program"] {
        assert_eq!(names.iter().filter(|told| *told == name).count(), 1, "{name}: {names:?}");
    }
}

/// All that a config can ask for of this version.
fn clocks_and_a_root_that_is_moved_are_told_as_they_were() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "time" }));
    config["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 7 } });
    let mut run = bundle.write(&config).command(&["--explain"], bundle.id());
    run.arg("--no-pivot");
    let names = told_by(&bundle, &run);
    for name in
        ["set the clocks apart", "bring up the loopback device", "move the root filesystem onto the root"]
    {
        assert!(names.iter().any(|told| told == name), "{name}: {names:?}");
    }
}

fn a_full_config_is_told_as_it_was() {
    let mut config = Bundle::config();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let spec = Command::new(testkit::runtime()).args(["spec", "--bundle"]).arg(directory.path()).status();
    assert!(spec.expect("the runtime starts").success());
    let default = std::fs::read(directory.path().join("config.json")).expect("a config");
    let default: Value = serde_json::from_slice(&default).expect("JSON");
    config["process"] = default["process"].clone();
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["/probe", "exit", "0"]);
    config["process"]["oomScoreAdj"] = json!(100);
    config["process"]["user"] = json!({ "uid": 7, "gid": 7, "additionalGids": [8], "umask": 63 });
    config["root"]["readonly"] = json!(true);
    config["mounts"] = default["mounts"].clone();
    config["domainname"] = json!("harbour");
    config["linux"]["maskedPaths"] = default["linux"]["maskedPaths"].clone();
    config["linux"]["readonlyPaths"] = default["linux"]["readonlyPaths"].clone();
    config["linux"]["rootfsPropagation"] = json!("rprivate");
    config["linux"]["resources"] = json!({ "pids": { "limit": 20 } });
    config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW" });
    config["linux"]["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "cgroup" }));
    for moment in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        config["hooks"][moment] = json!([{ "path": "/bin/true" }]);
    }
    config["hooks"]["startContainer"] = json!([{ "path": "/probe", "args": ["probe", "exit", "0"] }]);
    let rootfs = "make the root filesystem read-only";
    let names = compare(&config);
    for name in [
        "set the domain name",
        "mask paths",
        "cut the bounding set",
        "enter the other namespaces",
        "load the seccomp filter",
        rootfs,
    ] {
        assert!(names.iter().any(|told| told == name), "{name}: {names:?}");
    }
    assert_eq!(names.iter().filter(|told| told.ends_with(" hooks")).count(), 6, "{names:?}");
}

fn a_step_that_is_not_taken_is_not_told() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "exit", "0"]);
    config["hostname"] = Value::Null;
    config["mounts"] = json!([]);
    let output =
        bundle.write(&config).command(&["--explain"], bundle.id()).output().expect("the runtime starts");
    let said = text(&output.stderr);
    assert!(said.contains("give birth to init"), "{said}");
    assert!(!said.contains("set the hostname") && !said.contains("file systems"), "{said}");
}

fn each_process_of_an_exec_tells_by_its_name() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let output = bundle.call(&["--explain", "exec", bundle.id(), "/probe", "exit", "0"]);
    let said = text(&output.stderr);
    for begin in ["[middle 1] ", "[session 1] "] {
        assert!(said.contains(begin), "{begin}: {said}");
    }
    let who = |name: &str| {
        let line = said.lines().find(|line| line.contains(name)).unwrap_or_default();
        line.trim_start_matches('[').split(' ').next().unwrap_or_default().to_owned()
    };
    let told = ["give birth to the session", "enter the container", "become the program"].map(who);
    assert_eq!(told, ["main", "middle", "session"], "{said}");
    assert!(!said.contains("[init"), "no init is made: {said}");
}
