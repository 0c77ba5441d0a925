//! Document 000: more processes inside of an existing container, by its namespaces' and its control group's paths.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Terminal, within};

use super::common::{Bundle, fresh_id, text};
use super::tool::{MyBundle, oci_tool, tool};

/// A kind's name in a config, and in /proc/PID/ns.
const KINDS: [(&str, &str); 8] = [
    ("user", "user"),
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("mount", "mnt"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The namespaces of a process, by their names in /proc/PID/ns.
fn namespaces(pid: &Value) -> BTreeMap<String, PathBuf> {
    let read = |(_, file)| {
        let link = fs::read_link(format!("/proc/{pid}/ns/{file}")).expect("a namespace");
        (String::from(file), link)
    };
    KINDS.into_iter().map(read).collect()
}

/// A config of new namespaces of all kinds.
fn with_all(args: &[&str]) -> Value {
    let mut config = Bundle::config();
    config["process"]["args"] = json!(args);
    let id = |own: u32| json!([{ "containerID": 0, "hostID": own, "size": 1 }]);
    let linux = &mut config["linux"];
    linux["namespaces"] = KINDS.iter().map(|(kind, _)| json!({ "type": kind })).collect();
    linux["uidMappings"] = id(nix::unistd::geteuid().as_raw());
    linux["gidMappings"] = id(nix::unistd::getegid().as_raw());
    config
}

/// The existing container: the probe, in namespaces of its own of every kind. Returns its pid.
fn existing(bundle: &Bundle) -> Value {
    bundle.write(&with_all(&["/probe", "wait-signal", "TERM"]));
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.state_of(bundle.id())["pid"].clone()
}

/// Changes `config` so that it joins the namespaces `kinds` of `pid`.
fn join(config: &mut Value, pid: &Value, kinds: &[&str]) {
    for namespace in config["linux"]["namespaces"].as_array_mut().expect("a list") {
        let found = KINDS.iter().find(|(kind, _)| namespace["type"] == *kind && kinds.contains(kind));
        if let Some((_, file)) = found {
            namespace["path"] = json!(format!("/proc/{pid}/ns/{file}"));
        }
    }
    if kinds.contains(&"user") {
        for mappings in ["uidMappings", "gidMappings"] {
            config["linux"].as_object_mut().expect("an object").remove(mappings);
        }
    }
    // What is in a joined namespace is the other's.
    if kinds.contains(&"uts") {
        config.as_object_mut().expect("an object").remove("hostname");
    }
    if is_root() {
        config["linux"]["cgroupsPath"] = json!(format!("/coracle-{}", fresh_id()));
    }
}

/// A second container that joins `kinds` of the first, which is process `pid`: exactly these are the same.
#[track_caller]
fn joins_exactly(bundle: &Bundle, pid: &Value, kinds: &[&str]) {
    let (ours, first) = (namespaces(&json!(std::process::id())), namespaces(pid));
    let mut config = with_all(&["/probe", "wait-signal", "TERM"]);
    join(&mut config, pid, kinds);
    bundle.write(&config);
    let id = fresh_id();
    bundle.create(&id);
    bundle.must(&["start", &id]);
    let state = bundle.state_of(&id);
    assert_eq!(state["status"], "running", "{kinds:?}");
    let second = namespaces(&state["pid"]);
    for (kind, file) in KINDS {
        assert_eq!(first[file] == second[file], kinds.contains(&kind), "{kinds:?}: {kind}");
        assert_ne!(ours[file], second[file], "{kinds:?}: {kind} is the host's");
    }
    bundle.must(&["delete", "--force", &id]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "running", "{kinds:?}");
}

/// A namespace belongs to a user namespace, whose root alone may enter it: with a new user namespace, nothing of
/// another container can be joined. So root shares the user namespace in none of these rows but its own, and leaves
/// the first container without one there; anybody else joins it in every row.
pub(crate) fn s01_a_namespace_of_each_kind_is_joined() {
    let bundle = Bundle::new();
    let pid = existing(&bundle);
    joins_exactly(&bundle, &pid, &["user"]);
    for (kind, _) in KINDS {
        joins_exactly(&bundle, &pid, &["user", kind]);
    }
    bundle.must(&["delete", "--force", bundle.id()]);
    if is_root() {
        // Another root filesystem: in a user namespace, /dev/null is a file with the host's device on it.
        without_a_user_namespace(&Bundle::new());
    }
}

fn without_a_user_namespace(bundle: &Bundle) {
    let plain = |args: &[&str]| {
        let mut config = with_all(args);
        config["linux"]["namespaces"].as_array_mut().expect("a list").remove(0);
        for mappings in ["uidMappings", "gidMappings"] {
            config["linux"].as_object_mut().expect("an object").remove(mappings);
        }
        config
    };
    bundle.write(&plain(&["/probe", "wait-signal", "TERM"]));
    bundle.create(bundle.id());
    let pid = bundle.state_of(bundle.id())["pid"].clone();
    let first = namespaces(&pid);
    for (kind, _) in KINDS.into_iter().skip(1) {
        let mut config = plain(&["/probe", "wait-signal", "TERM"]);
        join(&mut config, &pid, &[kind]);
        bundle.write(&config);
        let id = fresh_id();
        bundle.create(&id);
        bundle.must(&["start", &id]);
        let second = namespaces(&bundle.state_of(&id)["pid"]);
        for (other, file) in KINDS.into_iter().skip(1) {
            assert_eq!(first[file] == second[file], other == kind, "{kind}: {other}");
        }
        bundle.must(&["delete", "--force", &id]);
    }
}

/// As the document lists them: the process has no isolation of its own from the container. What it sees is told by
/// itself.
pub(crate) fn s01_all_namespaces_at_once_are_joined() {
    let bundle = Bundle::new();
    let pid = existing(&bundle);
    let kinds: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
    joins_exactly(&bundle, &pid, &kinds);
    let mut config = with_all(&["/probe"]);
    join(&mut config, &pid, &kinds);
    let output = bundle.write(&config).command(&[], &fresh_id()).output().expect("the runtime starts");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    assert_eq!(report["hostname"], "boat");
    assert_ne!(report["pid"], 1, "PID 1 is the first container's program");
}

pub(crate) fn s01_a_path_of_another_kind_is_named() {
    let bundle = Bundle::new();
    let pid = existing(&bundle);
    for (n, (kind, _)) in KINDS.into_iter().enumerate() {
        let (other, file) = KINDS[(n + 1) % KINDS.len()];
        let mut config = with_all(&["/probe"]);
        let path = format!("/proc/{pid}/ns/{file}");
        config["linux"]["namespaces"][n]["path"] = json!(path);
        let output = bundle.write(&config).command(&[], &fresh_id()).output().expect("the runtime starts");
        let said = text(&output.stderr);
        let wanted =
            format!("/linux/namespaces/{n}/path: {path} is a {other} namespace, and no {kind} namespace");
        assert!(said.contains(&wanted), "{kind}: {said}");
        assert_eq!(output.status.code(), Some(1), "{kind}");
    }
}

/// A pod: its containers share users, network, IPC and names, and each has processes and files of its own.
pub(crate) fn s01_a_new_pid_namespace_in_a_joined_user_namespace() {
    let bundle = Bundle::new();
    let pid = existing(&bundle);
    let mut config = with_all(&["/probe"]);
    join(&mut config, &pid, &["user", "network", "ipc", "uts"]);
    let output = bundle.write(&config).command(&[], &fresh_id()).output().expect("the runtime starts");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    assert_eq!((&report["pid"], &report["hostname"]), (&json!(1), &json!("boat")));
    let first = namespaces(&pid);
    for file in ["user", "net"] {
        let seen = format!("{file}:[{}]", report["ns"][file]);
        assert_eq!(first[file], PathBuf::from(seen), "{file}");
    }
}

/// A first container in a control group with a limit, and a config that joins it all, the group too. Returns that
/// group's name.
fn in_one_group(bundle: &Bundle) -> (String, Value) {
    let group = format!("coracle-{}", fresh_id());
    let mut config = with_all(&["/probe", "wait-signal", "TERM"]);
    config["linux"]["cgroupsPath"] = json!(format!("/{group}"));
    config["linux"]["resources"] = json!({ "pids": { "limit": 20 } });
    bundle.write(&config);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let pid = bundle.state_of(bundle.id())["pid"].clone();
    let mut joining = with_all(&["/probe", "wait-signal", "TERM"]);
    join(&mut joining, &pid, &KINDS.map(|(kind, _)| kind));
    joining["linux"]["cgroupsPath"] = json!(format!("/{group}"));
    (group, joining)
}

fn groups(pid: &Value) -> String {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its control groups")
}

fn limit(group: &str) -> String {
    let files = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].map(|root| format!("{root}/{group}/pids.max"));
    files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default().trim().to_owned()
}

pub(crate) fn s02_a_process_lands_in_the_other_containers_control_group() {
    let bundle = Bundle::new();
    let (_, joining) = in_one_group(&bundle);
    bundle.write(&joining);
    let second = fresh_id();
    bundle.create(&second);
    bundle.must(&["start", &second]);
    let pids = [bundle.id(), &second].map(|id| bundle.state_of(id)["pid"].clone());
    assert_eq!(groups(&pids[1]), groups(&pids[0]));
    assert_ne!(groups(&pids[1]), groups(&json!(std::process::id())), "it is the host's");
}

pub(crate) fn s02_the_end_of_the_second_takes_nothing_from_the_first() {
    let bundle = Bundle::new();
    let (group, mut joining) = in_one_group(&bundle);
    let second = fresh_id();
    let lives = |moment: &str| {
        assert_eq!(bundle.state_of(bundle.id())["status"], "running", "{moment}");
        assert_eq!(limit(&group), "20", "{moment}: the limit of the first");
    };
    // A limit of the second's would be one of the first's.
    joining["linux"]["resources"] = json!({ "pids": { "limit": 5 } });
    let output = bundle.write(&joining).command(&[], &second).output().expect("the runtime starts");
    assert!(text(&output.stderr).contains("holds processes already"), "{}", text(&output.stderr));
    lives("a limit was refused");
    joining["linux"]["resources"] = Value::Null;
    // By itself.
    joining["process"]["args"] = json!(["/probe", "exit", "3"]);
    let output = bundle.write(&joining).command(&[], &second).output().expect("the runtime starts");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), String::new()));
    lives("its program has ended");
    // By others.
    joining["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    bundle.write(&joining);
    bundle.create(&second);
    bundle.must(&["start", &second]);
    lives("it runs");
    bundle.must(&["kill", &second, "SIGKILL"]);
    bundle.wait_for(&second, "stopped");
    lives("it was killed");
    bundle.must(&["delete", &second]);
    lives("it was deleted");
    bundle.create(&second);
    bundle.must(&["start", &second]);
    bundle.must(&["delete", "--force", &second]);
    lives("it was deleted by force");
    // The first takes its group along.
    bundle.must(&["delete", "--force", bundle.id()]);
    assert_eq!(limit(&group), "", "the group is left");
}

pub(crate) fn s03_root_path_is_ignored_without_a_new_mount_namespace() {
    let bundle = Bundle::new();
    let pid = existing(&bundle);
    let kinds: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
    for root in ["rootfs", "/nowhere/at/all", "config.json"] {
        let mut config = with_all(&["/probe", "exit", "3"]);
        join(&mut config, &pid, &kinds);
        config["root"] = json!({ "path": root, "readonly": true });
        let output = bundle.write(&config).command(&[], &fresh_id()).output().expect("the runtime starts");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), String::new()), "{root}");
    }
    // Neither joined nor new: the tree that the runtime has.
    let mut config = Bundle::config();
    config["process"]["args"] = json!([testkit::probe(), "exit", "3"]);
    config["root"]["path"] = json!("nowhere");
    config["linux"]["namespaces"].as_array_mut().expect("a list").retain(|kind| kind["type"] != "mount");
    let output = bundle.write(&config).command(&[], &fresh_id()).output().expect("the runtime starts");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), String::new()));
}

/// The document's existing container: BusyBox, with a user namespace, for the document joins one.
fn documents_container() -> MyBundle {
    let bundle = MyBundle::new(&["--no-terminal", "--hostname", "existing", "--args", "sleep 1000"]);
    bundle.change(|config| {
        let linux = &mut config["linux"];
        linux["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
        linux["uidMappings"] = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
        linux["gidMappings"] = linux["uidMappings"].clone();
    });
    bundle.start();
    bundle
}

/// The document's example. What is made up there is real here: the process numbers, and by them its control group.
fn documents_example(bundle: &MyBundle) -> Value {
    let pid = &bundle.state(&bundle.id)["pid"];
    // Step 4: "Pick whichever path makes the most sense to you."
    let path = groups(pid).lines().find_map(|line| line.rsplit(':').next().map(str::to_owned));
    let namespace =
        |kind: &str, file: &str| json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") });
    json!({
        "ociVersion": "0.5.0",
        "platform": { "os": "linux", "arch": "amd64" },
        "process": {
            "terminal": true,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": ["CAP_AUDIT_WRITE", "CAP_KILL"],
        },
        "root": { "path": "rootfs" },
        "linux": {
            "cgroupsPath": path,
            "namespaces": [
                namespace("user", "user"), namespace("pid", "pid"), namespace("network", "net"),
                namespace("ipc", "ipc"), namespace("uts", "uts"), namespace("mount", "mnt"),
            ],
        },
    })
}

/// CAP_AUDIT_WRITE is number 29, CAP_KILL number 5.
const TWO: &str = "0000000020000020";

#[track_caller]
fn has_two_capabilities(status: &str) {
    for (set, value) in [("Inh", TWO), ("Prm", TWO), ("Eff", TWO), ("Bnd", TWO), ("Amb", "0000000000000000")]
    {
        assert!(status.contains(&format!("Cap{set}:\t{value}")), "{set}: {status}");
    }
}

/// Without its terminal: a shell that reads its lines from a pipe.
pub(crate) fn s04_the_documents_own_example_runs() {
    const READ_AS: &str = "/process/capabilities: one list, as before version 1.0: \
                           read as bounding, effective, inheritable and permitted";
    let bundle = documents_container();
    let mut config = documents_example(&bundle);
    config["process"]["terminal"] = json!(false);
    let (joining, log) = (bundle.beside(&config).display().to_string(), bundle.file("log"));
    let script = bundle.file("script");
    fs::write(&script, "hostname; cat /proc/1/comm; grep Cap /proc/self/status; exit 4\n").expect("a script");
    let id = fresh_id();
    let words = ["--log", &log.to_string_lossy(), "--explain", "run", "--bundle", &joining, &id];
    let mut run = bundle.coracle(&words);
    run.stdin(fs::File::open(&script).expect("the script"));
    let output = run.output().expect("the runtime starts");
    let (out, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(out.starts_with("existing\nsleep\n"), "{out}");
    has_two_capabilities(&out);
    let log = fs::read_to_string(log).expect("a log");
    for (place, words) in [("the narration", &told), ("the log", &log)] {
        assert!(words.contains(READ_AS), "{place}: {words}");
    }
    assert!(log.contains("/platform") && log.contains("/root"), "what is ignored is said: {log}");
    assert_eq!(bundle.state(&bundle.id)["status"], "running", "the end of the second is not the first's");
}

/// As written, with a person at a terminal.
pub(crate) fn s04_the_documents_own_example_runs_at_a_terminal() {
    let bundle = documents_container();
    let joining = bundle.beside(&documents_example(&bundle)).display().to_string();
    let mut terminal = Terminal::start(&mut bundle.coracle(&["run", "--bundle", &joining, &fresh_id()]));
    assert_eq!(terminal.ask("hostname"), "existing\n");
    has_two_capabilities(&terminal.ask("grep Cap /proc/self/status"));
    assert_eq!(terminal.ask("cat /proc/1/comm"), "sleep\n");
    assert_eq!(terminal.ask("echo $TERM; test -t 0 && echo at a terminal"), "xterm\nat a terminal\n");
    terminal.wait_for("# ");
    terminal.say("exit 4");
    let (status, _) = terminal.finish();
    assert_eq!(status.and_then(|status| status.code()), Some(4));
    assert_eq!(bundle.state(&bundle.id)["status"], "running");
}

/// The four steps, done by a program: state, pid, /proc/PID, config.
pub(crate) fn s05_oci_tool_makes_the_documents_config() {
    let bundle = documents_container();
    let (runtime, state) =
        (testkit::runtime().display().to_string(), bundle.file("state").display().to_string());
    let joining = bundle.file("joining").display().to_string();
    let command = ["sh", "-c", "hostname; cat /proc/1/comm; exit 5"];
    let words = ["join", "--runtime", &runtime, "--root", &state, "--bundle", &joining, &bundle.id, "--"];
    tool(&[&words[..], &command].concat());
    let config = fs::read(PathBuf::from(&joining).join("config.json")).expect("a config");
    let config: Value = serde_json::from_slice(&config).expect("JSON");
    let pid = bundle.state(&bundle.id)["pid"].clone();
    let (ours, its) = (namespaces(&json!(std::process::id())), namespaces(&pid));
    for (kind, file) in KINDS.iter().filter(|(_, file)| ours[*file] != its[*file]) {
        let namespace = json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") });
        assert!(config["linux"]["namespaces"].as_array().expect("a list").contains(&namespace), "{config}");
    }
    assert_eq!(config["linux"]["cgroupsPath"], format!("/coracle-{}", bundle.id));
    let id = fresh_id();
    let mut run = Command::new(oci_tool());
    run.args(["run", "--runtime", &runtime, "--root", &state, &joining, &id]);
    let output = run.stdin(std::process::Stdio::null()).output().expect("it starts");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(5), String::new()));
    assert_eq!(text(&output.stdout), "existing\nsleep\n");
    within(Duration::from_secs(1), "the first runs on", || bundle.state(&bundle.id)["status"] == "running");
}
