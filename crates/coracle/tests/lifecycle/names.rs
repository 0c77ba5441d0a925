//! Whose container it is: numbers and names that come back.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::prelude::*;

use crate::common::Bundle;
use crate::waiting;

/// What a process is, only its number and its start time together say.
pub(crate) fn a_pid_that_is_somebody_elses_is_not_the_containers() {
    let bundle = waiting();
    bundle.create(bundle.id());
    let (file, init) =
        (bundle.state().join(bundle.id()).join("state.json"), bundle.state_of(bundle.id())["pid"].clone());
    let mut state: Value = serde_json::from_slice(&std::fs::read(&file).expect("a state")).expect("JSON");
    // The kernel counts the time of birth in hundredths of a second: so until one is born in another of them.
    let mut other = loop {
        let mut other = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep starts");
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", other.id())).expect("its line");
        let (_, fields) = stat.rsplit_once(") ").expect("a name before");
        if fields.split(' ').nth(19) != Some(&state["start_time"].to_string()) {
            break other;
        }
        other.kill().expect("our child");
        other.wait().expect("our child");
    };
    state["pid"] = json!(other.id());
    std::fs::write(&file, state.to_string()).expect("a state");
    assert_eq!(bundle.state_of(bundle.id())["status"], "stopped");
    let error = bundle.must_fail(&["kill", bundle.id(), "KILL"], 1);
    assert!(error.contains("not running"), "{error}");
    bundle.must(&["delete", "--force", bundle.id()]);
    assert!(other.try_wait().expect("our child").is_none(), "somebody else's process was killed");
    other.kill().expect("our child");
    other.wait().expect("our child");
    // The forgery left the true init behind, which only waits: its start socket is gone.
    let init = nix::unistd::Pid::from_raw(init.as_i64().expect("a number") as i32);
    nix::sys::signal::kill(init, Signal::SIGKILL).expect("it waits");
}

/// A control group is noted before it is made; and without a PID namespace, what is in it is killed at the end. It may be
/// that of another container, below another root.
pub(crate) fn what_a_killed_create_had_only_noted_harms_no_other_of_its_name() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["linux"]["namespaces"].as_array_mut().expect("a list").retain(|one| one["type"] != "pid");
    config["mounts"] = json!([]);
    bundle.write(&config).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    let noted =
        std::fs::read_to_string(bundle.state().join(bundle.id()).join("state.json")).expect("a state");
    let mut noted: Value = serde_json::from_str(&noted).expect("JSON");
    noted["pid"] = json!(0);
    let other = Bundle::new();
    let folder = other.state().join(bundle.id());
    std::fs::create_dir_all(&folder).expect("a directory");
    std::fs::write(folder.join("creating.json"), noted.to_string()).expect("a file");
    other.must(&["delete", "--force", bundle.id()]);
    assert!(other.left().is_empty());
    assert_eq!(bundle.state_of(bundle.id())["status"], "running", "the other one was killed");
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// Two containers may have one control group, one after the other.
pub(crate) fn a_deleted_container_takes_no_other_with_it() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    let (first, second) = (bundle.id(), format!("{}-second", bundle.id()));
    config["linux"]["cgroupsPath"] = json!(format!("/coracle-{first}-group"));
    config["process"]["args"] = json!(["/probe", "exit", "0"]);
    let path = bundle.write(&config).path().display().to_string();
    bundle.must(&["run", "--keep", "--bundle", &path, first]);
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    bundle.write(&config).create(&second);
    bundle.must(&["start", &second]);
    bundle.must(&["delete", first]);
    assert_eq!(bundle.state_of(&second)["status"], "running");
}

pub(crate) fn a_run_that_was_deleted_leaves_the_next_of_its_name_alone() {
    let bundle = waiting();
    let mut run = bundle.command(&[], bundle.id()).stdout(Stdio::piped()).spawn().expect("it starts");
    BufReader::new(run.stdout.take().expect("a pipe")).lines().next().expect("a report").expect("a report");
    let runtime = nix::unistd::Pid::from_raw(run.id() as i32);
    // A runtime that stands still while it changes the container would hold up everybody.
    within(Duration::from_secs(5), "the container may be changed by others", || {
        let folder = std::fs::File::open(bundle.state().join(bundle.id())).expect("its directory");
        folder.try_lock().is_ok()
    });
    nix::sys::signal::kill(runtime, Signal::SIGSTOP).expect("kill");
    bundle.must(&["delete", "--force", bundle.id()]);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    nix::sys::signal::kill(runtime, Signal::SIGCONT).expect("kill");
    run.wait().expect("it ends");
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}
