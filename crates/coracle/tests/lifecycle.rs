//! The verbs that make, steer and remove a container, and what each leaves behind.

mod common;
#[path = "lifecycle/log.rs"]
mod log;
#[path = "lifecycle/names.rs"]
mod names;
#[path = "lifecycle/paused.rs"]
mod paused;
#[path = "lifecycle/signals.rs"]
mod signals;

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::prelude::*;

use common::{Bundle, text};
use log::*;
use names::*;
use paused::*;
use signals::*;

testkit::suite! { "lifecycle",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        a_container_goes_through_its_states(userns),
        the_program_does_not_run_before_start(userns),
        later_changes_of_the_config_change_no_container(userns),
        start_tells_that_execve_failed(userns),
        only_what_fits_the_state_is_done(userns),
        the_state_is_the_specifications(userns),
        a_list_has_every_container(userns),
        the_pid_file_has_the_number_and_nothing_else(userns),
        a_run_that_fails_writes_no_pid_file(userns),
        run_removes_and_keep_keeps(userns),
        detach_leaves_a_running_container(userns),
        a_signal_has_a_name_or_a_number(userns),
        a_signal_to_run_reaches_the_program(userns),
        delete_takes_a_created_container_and_force_a_running_one(userns),
        a_pid_that_is_somebody_elses_is_not_the_containers(userns),
        an_error_is_one_json_object_in_the_log(userns),
        a_warning_goes_to_the_log_and_not_to_stderr(userns),
        a_create_that_is_told_to_end_leaves_nothing(userns),
        a_long_state_path_does(userns),
        descriptors_are_preserved_when_asked(userns),
        every_process_stands_still_while_paused(root, cgroup),
        a_created_container_can_be_paused_and_goes_on(root, cgroup),
        one_that_somebody_else_froze_dies_all_the_same(root, cgroup1),
        a_deleted_container_takes_no_other_with_it(root, cgroup),
        what_a_killed_create_had_only_noted_harms_no_other_of_its_name(root, cgroup),
        a_run_that_was_deleted_leaves_the_next_of_its_name_alone(userns),
        ps_knows_the_processes(root, cgroup),
        ps_of_one_without_a_group_in_anothers_pid_namespace_is_its_own(userns),
        kill_all_reaches_every_process(root, cgroup),
        without_a_pid_namespace_kill_takes_all(root, cgroup),
    ]
}
/// A bundle whose program waits until it is told to end.
fn waiting() -> Bundle {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]);
    bundle
}

fn a_container_goes_through_its_states() {
    let bundle = waiting();
    bundle.create(bundle.id());
    assert_eq!(bundle.state_of(bundle.id())["status"], "created");
    bundle.must(&["start", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
    let error = bundle.must_fail(&["state", bundle.id()], 1);
    assert!(error.contains("does not exist"), "{error}");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

fn the_program_does_not_run_before_start() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "write", "/tmp/ran", "yes"]);
    bundle.create(bundle.id());
    let ran = bundle.path().join("rootfs/tmp/ran");
    assert!(!ran.exists(), "the program ran before start");
    bundle.must(&["start", bundle.id()]);
    within(Duration::from_secs(5), "the program has run", || ran.exists());
}

fn later_changes_of_the_config_change_no_container() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "write", "/tmp/first", "yes"]);
    bundle.create(bundle.id());
    bundle.args(&["/probe", "write", "/tmp/second", "yes"]);
    bundle.must(&["start", bundle.id()]);
    let written = |name: &str| bundle.path().join("rootfs/tmp").join(name).exists();
    within(Duration::from_secs(5), "the program has run", || written("first"));
    assert!(!written("second"));
}

/// A text file without `#!` passes every check before execve.
fn start_tells_that_execve_failed() {
    let bundle = Bundle::new();
    let program = bundle.path().join("rootfs/tmp/text");
    std::fs::write(&program, "no program").expect("a file");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    bundle.args(&["/tmp/text"]);
    bundle.create(bundle.id());
    let error = bundle.must_fail(&["start", bundle.id()], 1);
    assert!(error.contains("execve /tmp/text") && error.contains("ENOEXEC"), "{error}");
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
}

fn only_what_fits_the_state_is_done() {
    let bundle = waiting();
    let missing = ["start", "state", "kill", "delete", "pause", "resume", "ps"];
    for verb in missing {
        let error = bundle.must_fail(&[verb, "nobody"], 1);
        assert!(error.contains("container \"nobody\" does not exist"), "{verb}: {error}");
    }
    bundle.create(bundle.id());
    let error = bundle.must_fail(&["resume", bundle.id()], 1);
    assert!(error.contains("is created"), "{error}");
    bundle.must(&["start", bundle.id()]);
    let error = bundle.must_fail(&["start", bundle.id()], 1);
    assert!(error.contains("is running"), "{error}");
    let error = bundle.must_fail(&["delete", bundle.id()], 1);
    assert!(error.contains("is running") && error.contains("--force") && error.contains("kill"), "{error}");
    let path = bundle.path().display().to_string();
    let error = bundle.must_fail(&["create", "--bundle", &path, bundle.id()], 1);
    assert!(error.contains("already exists"), "{error}");
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    for verb in ["start", "pause", "resume"] {
        let error = bundle.must_fail(&[verb, bundle.id()], 1);
        assert!(error.contains("is stopped"), "{verb}: {error}");
    }
    for verb in ["kill", "ps"] {
        let error = bundle.must_fail(&[verb, bundle.id()], 1);
        assert!(error.contains("container not running"), "{verb}: {error}");
    }
}

fn the_state_is_the_specifications() {
    let bundle = waiting();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["annotations"] = json!({ "org.example.key": "value" });
    bundle.write(&config);
    bundle.create(bundle.id());
    let state = bundle.state_of(bundle.id());
    assert_eq!((&state["id"], &state["status"]), (&json!(bundle.id()), &json!("created")));
    assert_eq!(state["annotations"]["org.example.key"], "value");
    let folder = bundle.path().canonicalize().expect("the bundle");
    assert_eq!(state["bundle"], json!(folder));
    assert_eq!(state["rootfs"], json!(folder.join("rootfs")));
    assert!(state["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")), "{state}");
    let created = state["created"].as_str().unwrap_or_default();
    assert!(created.len() == "2026-01-01T00:00:00.000000000Z".len() && created.ends_with('Z'), "{created}");
    let pid = state["pid"].as_i64().expect("a number");
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    assert_eq!(bundle.state_of(bundle.id())["pid"], 0);
}

fn a_list_has_every_container() {
    let bundle = waiting();
    assert_eq!(bundle.must(&["list", "--quiet"]), "");
    let (one, two) = (bundle.id(), format!("{}-two", bundle.id()));
    bundle.create(bundle.id());
    bundle.create(&two);
    bundle.must(&["start", &two]);
    assert_eq!(bundle.must(&["list", "-q"]), format!("{one}\n{two}\n"));
    let list: Value = serde_json::from_str(&bundle.must(&["list", "--format=json"])).expect("JSON");
    let states: Vec<_> =
        list.as_array().expect("a list").iter().map(|one| (&one["id"], &one["status"])).collect();
    assert_eq!(states, [(&json!(one), &json!("created")), (&json!(two), &json!("running"))]);
    let table = bundle.must(&["list"]);
    let words = |n: usize| table.lines().nth(n).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
    assert_eq!(words(0), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert_eq!((words(1)[0], words(1)[2]), (one, "created"), "{table}");
}

fn the_pid_file_has_the_number_and_nothing_else() {
    let bundle = waiting();
    let (file, path) = (bundle.path().join("pid"), bundle.path().display().to_string());
    let status = bundle
        .coracle(&["create", "--bundle", &path, "--pid-file", &file.display().to_string(), bundle.id()])
        .stdout(Stdio::null())
        .status()
        .expect("the runtime starts");
    assert!(status.success());
    assert_eq!(
        std::fs::read_to_string(&file).expect("a pid file"),
        bundle.state_of(bundle.id())["pid"].to_string()
    );
}

/// Who sees the file takes it that the program runs.
fn a_run_that_fails_writes_no_pid_file() {
    let bundle = Bundle::new();
    let program = bundle.path().join("rootfs/tmp/text");
    std::fs::write(&program, "no program").expect("a file");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    let path = bundle.args(&["/tmp/text"]).path().display().to_string();
    let file = bundle.path().join("pid");
    let name = file.display().to_string();
    bundle.must_fail(&["run", "--bundle", &path, "--pid-file", &name, bundle.id()], 1);
    assert!(!file.exists(), "the program never ran");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

fn run_removes_and_keep_keeps() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "exit", "3"]);
    let path = bundle.path().display().to_string();
    assert_eq!(bundle.call(&["run", "--bundle", &path, bundle.id()]).status.code(), Some(3));
    assert_eq!(bundle.must(&["list", "-q"]), "");
    assert_eq!(bundle.call(&["run", "--keep", "--bundle", &path, bundle.id()]).status.code(), Some(3));
    assert_eq!(bundle.state_of(bundle.id())["status"], "stopped");
    bundle.must(&["delete", bundle.id()]);
}

fn detach_leaves_a_running_container() {
    let bundle = waiting();
    let path = bundle.path().display().to_string();
    let status = bundle
        .coracle(&["run", "--detach", "--bundle", &path, bundle.id()])
        .stdout(Stdio::null())
        .status()
        .expect("the runtime starts");
    assert!(status.success());
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}

fn delete_takes_a_created_container_and_force_a_running_one() {
    let bundle = waiting();
    for (start, delete) in [(false, vec!["delete"]), (true, vec!["delete", "--force"])] {
        bundle.create(bundle.id());
        if start {
            bundle.must(&["start", bundle.id()]);
        }
        let pid = bundle.state_of(bundle.id())["pid"].to_string();
        bundle.must(&[delete, vec![bundle.id()]].concat());
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        assert!(gone(), "its init lives");
        assert!(bundle.left().is_empty());
    }
    // Options may stand behind the id as well.
    bundle.create(bundle.id());
    bundle.must(&["delete", bundle.id(), "--force"]);
    bundle.must(&["delete", "--force", "nobody"]);
}

/// A socket's address may be 107 bytes long; Docker's state paths are longer.
fn a_long_state_path_does() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "exit", "4"]);
    let root = bundle.path().join("x".repeat(120)).join("y".repeat(120));
    let output = std::process::Command::new(testkit::runtime())
        .arg("--root")
        .arg(&root)
        .args(["run", "--bundle"])
        .arg(bundle.path())
        .arg(bundle.id())
        .output()
        .expect("the runtime starts");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
}

fn descriptors_are_preserved_when_asked() {
    let bundle = Bundle::new();
    bundle.args(&["/probe"]);
    let path = bundle.path().display().to_string();
    let run = |count: &str, redirections: &str| {
        let run = bundle.coracle(&["run", "--preserve-fds", count, "--bundle", &path, bundle.id()]);
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", &format!("exec \"$@\" {redirections}"), "sh"])
            .arg(run.get_program())
            .args(run.get_args());
        shell.output().expect("a shell starts")
    };
    let output = run("2", "3</dev/null 4</dev/zero 5</dev/null");
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    let fds: Vec<_> = report["fds"].as_object().expect("descriptors").keys().collect();
    assert_eq!(fds, ["0", "1", "2", "3", "4"], "{}", report["fds"]);
    let output = run("2", "3</dev/null 4<&-");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("descriptor 4 is not open"), "{}", text(&output.stderr));
}
