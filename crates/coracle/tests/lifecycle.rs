//! The verbs that make, steer and remove a container, and what each leaves behind.

mod common;

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::prelude::*;

use common::{Bundle, text};

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

fn a_signal_has_a_name_or_a_number() {
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

fn a_signal_to_run_reaches_the_program() {
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

/// What a process is, only its number and its start time together say.
fn a_pid_that_is_somebody_elses_is_not_the_containers() {
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

fn an_error_is_one_json_object_in_the_log() {
    let bundle = Bundle::new();
    let log = bundle.path().join("log.json");
    let name = log.display().to_string();
    let stderr = bundle.must_fail(&["--log", &name, "--log-format", "json", "start", "nobody"], 1);
    let lines: Vec<_> = std::fs::read_to_string(&log).expect("a log").lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let said: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!(said["level"], "error");
    assert!(stderr.contains(said["msg"].as_str().expect("a text")), "{stderr}");
    assert!(said["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{said}");
}

fn a_warning_goes_to_the_log_and_not_to_stderr() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe"]);
    config["process"]["capabilities"] = json!({ "bounding": ["CAP_MADE_UP"] });
    bundle.write(&config);
    let log = bundle.path().join("log");
    let output =
        bundle.command(&["--log", &log.display().to_string()], bundle.id()).output().expect("it starts");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(log.contains("level=warning") && log.contains("CAP_MADE_UP"), "{log}");
}

/// The signal comes as soon as there is something to take back, at ten moments that the scheduler chooses.
fn a_create_that_is_told_to_end_leaves_nothing() {
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

fn every_process_stands_still_while_paused() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    bundle.must(&["pause", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
    let error = bundle.must_fail(&["exec", bundle.id(), "/probe"], 255);
    assert!(error.contains("is paused"), "{error}");
    bundle.must(&["kill", bundle.id(), "TERM"]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "paused", "a frozen process does not act on a signal");
    bundle.must(&["resume", bundle.id()]);
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
    // Even a frozen one dies.
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.must(&["pause", bundle.id()]);
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.must(&["pause", bundle.id()]);
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// A file of the freezer of version 1 that the container is in.
fn freezer(bundle: &Bundle, file: &str) -> PathBuf {
    let init = bundle.state_of(bundle.id())["pid"].to_string();
    let groups = std::fs::read_to_string(format!("/proc/{init}/cgroup")).expect("its groups");
    let path = groups.lines().find_map(|line| Some(line.split_once(":freezer:")?.1)).expect("a freezer");
    Path::new("/sys/fs/cgroup/freezer").join(path.trim_start_matches('/')).join(file)
}

/// By the freezer of version 1, where pause takes that of version 2: who is killed must get to run all the same.
fn one_that_somebody_else_froze_dies_all_the_same() {
    for end in [&["kill", "ID", "KILL"][..], &["kill", "--all", "ID", "KILL"], &["delete", "--force", "ID"]] {
        let bundle = waiting();
        bundle.create(bundle.id());
        bundle.must(&["start", bundle.id()]);
        let state = freezer(&bundle, "freezer.state");
        std::fs::write(&state, "FROZEN").expect("it is frozen");
        assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
        let end: Vec<&str> = end.iter().map(|word| if *word == "ID" { bundle.id() } else { word }).collect();
        bundle.must(&end);
        if end[0] == "kill" {
            bundle.wait_for(bundle.id(), "stopped");
            bundle.must(&["delete", bundle.id()]);
        }
        assert!(!state.exists(), "{} is left", state.display());
    }
}

fn a_created_container_can_be_paused_and_goes_on() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["pause", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
    let error = bundle.must_fail(&["start", bundle.id()], 1);
    assert!(error.contains("is paused"), "{error}");
    bundle.must(&["resume", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "created");
    bundle.must(&["start", bundle.id()]);
}

/// A control group is noted before it is made; and without a PID namespace, what is in it is killed at the end. It may be
/// that of another container, below another root.
fn what_a_killed_create_had_only_noted_harms_no_other_of_its_name() {
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
fn a_deleted_container_takes_no_other_with_it() {
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

fn a_run_that_was_deleted_leaves_the_next_of_its_name_alone() {
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

fn ps_knows_the_processes() {
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
fn ps_of_one_without_a_group_in_anothers_pid_namespace_is_its_own() {
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

fn kill_all_reaches_every_process() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let (mut exec, mut lines) = second_process(&bundle);
    bundle.must(&["kill", "--all", bundle.id(), "USR1"]);
    let got = lines.next().expect("a second line").expect("a second line");
    assert!(got.contains("USR1"), "{got}");
    exec.wait().expect("it ends");
}

fn without_a_pid_namespace_kill_takes_all() {
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
