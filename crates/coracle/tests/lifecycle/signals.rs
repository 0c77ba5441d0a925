//! Signals, and the ends they bring.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::prelude::*;

use crate::common::Bundle;
use crate::waiting;

pub(crate) fn a_signal_has_a_name_or_a_number() {
    for name in ["TERM", "SIGTERM", "sigterm", "15"] {
        let bundle = waiting();
        bundle.create(bundle.id());
        bundle.must(&["start", bundle.id()]);
        bundle.ready();
        bundle.must(&["kill", bundle.id(), name]);
        bundle.wait_for(bundle.id(), "stopped");
    }
    let bundle = waiting();
    bundle.create(bundle.id());
    for name in ["", "NOPE", "65", "-9", "SIGRTMAX+1"] {
        let error = bundle.must_fail(&["kill", bundle.id(), name], 1);
        assert!(error.contains("unknown signal"), "{name}: {error}");
    }
    assert_eq!(bundle.state_of(bundle.id())["status"], "created");
}

pub(crate) fn a_signal_to_run_reaches_the_program() {
    let bundle = waiting();
    let mut run =
        bundle.command(&[], bundle.id()).stdout(Stdio::piped()).spawn().expect("the runtime starts");
    let mut lines = BufReader::new(run.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a report").expect("a report");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(run.id() as i32), Signal::SIGTERM).expect("kill");
    let got = lines.next().expect("a second line").expect("a second line");
    assert!(got.contains("TERM"), "{got}");
    assert_eq!(run.wait().expect("it ends").code(), Some(0));
}

/// The signal comes as soon as there is something to take back, at ten moments that the scheduler chooses.
pub(crate) fn a_create_that_is_told_to_end_leaves_nothing() {
    let bundle = waiting();
    let path = bundle.path().display().to_string();
    for _ in 0..10 {
        let mut create = bundle.coracle(&["create", "--bundle", &path, bundle.id()]);
        let mut create = create.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let pid = nix::unistd::Pid::from_raw(create.id() as i32);
        within(Duration::from_secs(5), "its directory is there", || {
            bundle.state().join(bundle.id()).exists()
        });
        let _ = nix::sys::signal::kill(pid, Signal::SIGTERM);
        let ended = create.wait().expect("it ends");
        match ended.success() {
            // It was quicker than we.
            true => drop(bundle.must(&["delete", "--force", bundle.id()])),
            false if ended.code() == Some(1) => {}
            // Before it held signals back, it had made no more than the directory.
            false => drop(bundle.must(&["delete", "--force", bundle.id()])),
        }
        assert!(bundle.left().is_empty(), "{:?}", bundle.left());
    }
}

pub(crate) fn ps_knows_the_processes() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let pid = bundle.state_of(bundle.id())["pid"].clone();
    let list: Value =
        serde_json::from_str(&bundle.must(&["ps", "--format", "json", bundle.id()])).expect("JSON");
    assert_eq!(list, json!([pid]));
    let table = bundle.must(&["ps", bundle.id(), "-o", "pid,args"]);
    assert!(
        table.lines().count() == 2 && table.contains(&pid.to_string()) && table.contains("wait-signal"),
        "{table}"
    );
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    let error = bundle.must_fail(&["ps", bundle.id()], 1);
    assert!(error.contains("not running"), "{error}");
}

/// A second process, that a signal to init alone would not reach: it waits for USR1.
fn second_process(bundle: &Bundle) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut exec = bundle
        .coracle(&["exec", bundle.id(), "/probe", "wait-signal", "USR1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the runtime starts");
    let mut lines = BufReader::new(exec.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a report").expect("a report");
    (exec, lines)
}

/// The others there are none of its processes, and nothing else tells which are.
pub(crate) fn ps_of_one_without_a_group_in_anothers_pid_namespace_is_its_own() {
    const WITHOUT: &str = "--cgroup-manager=disabled";
    let created = |change: &dyn Fn(&mut Value)| {
        let (bundle, mut config) = (Bundle::new(), Bundle::config());
        config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
        change(&mut config);
        let path = bundle.write(&config).path().display().to_string();
        let output = std::fs::File::create(bundle.output(bundle.id())).expect("a file");
        let mut create = bundle.coracle(&[WITHOUT, "create", "--bundle", &path, bundle.id()]);
        assert!(create.stdout(output).stderr(Stdio::null()).status().expect("it starts").success());
        bundle.must(&["start", bundle.id()]);
        bundle
    };
    let ps = |bundle: &Bundle| -> Value {
        serde_json::from_str(&bundle.must(&["ps", "--format", "json", bundle.id()])).expect("JSON")
    };
    let pid = |bundle: &Bundle| bundle.state_of(bundle.id())["pid"].clone();
    let one = created(&|_| {});
    let init = pid(&one);
    let other = created(&|config| {
        let linux = &mut config["linux"];
        let namespaces = linux["namespaces"].as_array_mut().expect("a list");
        // An ordinary user's own are those of their user namespace.
        let user = namespaces.iter().any(|one| one["type"] == "user");
        for joined in
            namespaces.iter_mut().filter(|one| one["type"] == "pid" || (user && one["type"] == "user"))
        {
            let name = joined["type"].as_str().expect("a type").to_owned();
            joined["path"] = json!(format!("/proc/{init}/ns/{name}"));
        }
        if user {
            linux["uidMappings"] = json!([]);
            linux["gidMappings"] = json!([]);
        }
        // A new /proc shows the PID namespace that it is mounted in, which is another user's to mount.
        config["mounts"] = json!([]);
    });
    assert_eq!(ps(&other), json!([pid(&other)]));
    assert_eq!(ps(&one).as_array().map(Vec::len), Some(2), "its namespace is its own: {}", ps(&one));
}

pub(crate) fn kill_all_reaches_every_process() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let (mut exec, mut lines) = second_process(&bundle);
    bundle.must(&["kill", "--all", bundle.id(), "USR1"]);
    let got = lines.next().expect("a second line").expect("a second line");
    assert!(got.contains("USR1"), "{got}");
    exec.wait().expect("it ends");
}

pub(crate) fn without_a_pid_namespace_kill_takes_all() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["linux"]["namespaces"].as_array_mut().expect("a list").retain(|one| one["type"] != "pid");
    // A new /proc shows the PID namespace that it is mounted in, and here that is the host's.
    config["mounts"] = json!([]);
    bundle.write(&config);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let (mut exec, _lines) = second_process(&bundle);
    bundle.must(&["kill", bundle.id(), "KILL"]);
    assert_eq!(exec.wait().expect("it ends").code(), Some(137));
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
}
