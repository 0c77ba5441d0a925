//! Exec: one more process in a running container, and what it shares with those that are there.

mod common;
#[path = "exec/interrupted.rs"]
mod interrupted;
#[path = "exec/place.rs"]
mod place;
#[path = "exec/wish.rs"]
mod wish;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::prelude::*;

use common::{Bundle, text, traced};
use interrupted::*;
use place::*;
use wish::*;

testkit::suite! { "exec",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        a_session_is_in_all_namespaces_of_init(userns),
        a_session_is_what_the_command_line_says(userns),
        a_session_is_what_the_file_says(userns),
        the_status_of_the_program_is_passed_on(userns),
        what_cannot_be_executed_is_255(userns),
        only_a_running_container_can_be_entered(userns),
        one_that_was_paused_before_its_start_cannot_be_entered(root, cgroup),
        the_end_of_a_session_changes_nothing(userns),
        the_end_of_init_ends_the_session(userns),
        detach_ends_at_once_and_writes_the_pid_file(userns),
        no_descriptor_of_the_caller_gets_in(userns),
        a_working_directory_outside_is_refused(userns),
        a_user_is_one_or_two_numbers(userns),
        a_wrong_option_is_blamed_by_its_name(userns),
        what_a_session_may_is_not_handed_on(userns),
        // An ordinary user cannot look into a process that hides (PR_SET_DUMPABLE), and strace is one.
        a_session_is_born_where_it_belongs(root, strace),
        what_no_file_says_is_the_containers(userns),
        a_line_goes_to_a_login_shell(userns),
        a_session_is_in_the_containers_control_group(root, cgroup),
        twenty_sessions_at_once(userns),
        a_session_goes_to_a_group_below_the_containers(root, cgroup),
        a_session_goes_to_groups_by_their_controllers(root, cgroup),
        a_session_follows_init_where_the_containers_group_may_hold_no_process(root, cgroup),
        a_session_does_not_follow_an_init_that_was_moved_out(root, cgroup),
        a_terminal_that_nobody_would_hold_is_refused(userns),
        a_signal_to_exec_goes_to_the_session(userns),
        a_sessions_environment_is_the_last_that_was_said(userns),
        a_sessions_groups_are_those_asked_for(root),
        an_interrupted_exec_says_that_the_session_is_gone(root, cgroup, strace),
        a_middle_process_that_is_killed_leaves_no_session(root, cgroup, strace),
        exec_into_a_frozen_container_can_be_interrupted(root, cgroup),
        a_session_that_is_frozen_on_its_way_can_be_interrupted(root, cgroup, strace),
    ]
}

/// A bundle whose program, the container's init, waits until it is told to end; and that container, running.
fn running() -> Bundle {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle
}

/// The number of a session that goes on without its runtime, as the pid file has it.
fn detached(bundle: &Bundle) -> String {
    let file = bundle.path().join("pid");
    let name = file.display().to_string();
    let status = bundle
        .coracle(&["exec", "--detach", "--pid-file", &name, bundle.id(), "/probe", "wait-signal", "TERM"])
        .stdout(Stdio::null())
        .status()
        .expect("the runtime starts");
    assert!(status.success());
    std::fs::read_to_string(&file).expect("a pid file")
}

#[track_caller]
fn report(bundle: &Bundle, args: &[&str]) -> Value {
    let output = bundle.call(&[&["exec"], args].concat());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{args:?}");
    serde_json::from_slice(&output.stdout).expect("the probe's report")
}

/// Namespaces of a process, as the host sees them.
fn namespaces(pid: &Value) -> Value {
    let names = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
    let inode = |name: &str| {
        let link = std::fs::read_link(format!("/proc/{pid}/ns/{name}")).expect("a namespace");
        let text = link.to_string_lossy().into_owned();
        let number: u64 =
            text.split_once(":[").and_then(|(_, n)| n.strip_suffix(']')?.parse().ok()).expect("a number");
        (name.to_owned(), json!(number))
    };
    names.into_iter().map(inode).collect()
}

fn a_session_is_in_all_namespaces_of_init() {
    let bundle = running();
    let init = namespaces(&bundle.state_of(bundle.id())["pid"]);
    let session = report(&bundle, &[bundle.id(), "/probe"]);
    assert_eq!(session["ns"], init);
    assert_ne!(session["pid"], 1);
    assert_ne!(init["pid"], namespaces(&json!(std::process::id()))["pid"], "it is no namespace of its own");
    assert_eq!(session["hostname"], "boat");
}

fn the_status_of_the_program_is_passed_on() {
    let bundle = running();
    for (args, code) in [(vec!["exit", "0"], 0), (vec!["exit", "7"], 7), (vec!["die", "KILL"], 137)] {
        let output = bundle.call(&[vec!["exec", bundle.id(), "/probe"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    }
}

fn what_cannot_be_executed_is_255() {
    let bundle = running();
    for (program, words) in [
        ("/tmp", "permission denied"),
        ("/nowhere", "no such file or directory"),
        ("nowhere", "executable file not found in $PATH"),
    ] {
        let error = bundle.must_fail(&["exec", bundle.id(), program], 255);
        assert!(error.contains(words), "{program}: {error}");
    }
    let error = bundle.must_fail(&["exec", "--cwd", "/nowhere", bundle.id(), "/probe"], 255);
    assert!(error.contains("chdir /nowhere"), "{error}");
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}

fn only_a_running_container_can_be_entered() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]);
    let error = bundle.must_fail(&["exec", "nobody", "/probe"], 255);
    assert!(error.contains("does not exist"), "{error}");
    bundle.create(bundle.id());
    let error = bundle.must_fail(&["exec", bundle.id(), "/probe"], 255);
    assert!(error.contains("is created") && error.contains("start"), "{error}");
    assert_eq!(bundle.state_of(bundle.id())["status"], "created");
    bundle.must(&["start", bundle.id()]);
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    let error = bundle.must_fail(&["exec", bundle.id(), "/probe"], 255);
    assert!(error.contains("container not running"), "{error}");
}

/// It is paused, and its program has not begun: neither is `--ignore-paused` meant for it.
fn one_that_was_paused_before_its_start_cannot_be_entered() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]);
    bundle.create(bundle.id());
    bundle.must(&["pause", bundle.id()]);
    for options in [vec![], vec!["--ignore-paused"]] {
        let note = ["/probe", "write", "/tmp/note", "hello"];
        let error = bundle.must_fail(&[&["exec"], &options[..], &[bundle.id()], &note].concat(), 255);
        assert!(error.contains("is paused") && error.contains("start it first"), "{error}");
        assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
    }
    bundle.must(&["resume", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "created");
    assert!(!bundle.path().join("rootfs/tmp/note").exists(), "a session ran before the program");
}

fn the_end_of_a_session_changes_nothing() {
    let bundle = running();
    let before = bundle.state_of(bundle.id());
    for args in [vec!["exit", "0"], vec!["exit", "1"], vec!["die", "KILL"]] {
        bundle.call(&[vec!["exec", bundle.id(), "/probe"], args].concat());
        assert_eq!(bundle.state_of(bundle.id()), before);
    }
}

fn the_end_of_init_ends_the_session() {
    let bundle = running();
    let mut exec = bundle
        .coracle(&["exec", bundle.id(), "/probe", "wait-signal", "TERM"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the runtime starts");
    BufReader::new(exec.stdout.take().expect("a pipe")).lines().next().expect("a report").expect("a report");
    bundle.must(&["kill", bundle.id(), "KILL"]);
    assert_eq!(exec.wait().expect("it ends").code(), Some(137), "the kernel kills all in a PID namespace");
}

fn detach_ends_at_once_and_writes_the_pid_file() {
    let bundle = running();
    let pid = detached(&bundle);
    let pid: Value = pid.parse().expect("a number");
    assert_eq!(namespaces(&pid), namespaces(&bundle.state_of(bundle.id())["pid"]));
}

fn no_descriptor_of_the_caller_gets_in() {
    let bundle = running();
    let exec = bundle.coracle(&["--explain", "exec", bundle.id(), "/probe"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec \"$@\" 9</", "sh"]).arg(exec.get_program()).args(exec.get_args());
    let output = shell.output().expect("a shell starts");
    let session: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    let fds: Vec<_> = session["fds"].as_object().expect("descriptors").keys().collect();
    assert_eq!(fds, ["0", "1", "2"], "{}", session["fds"]);
}

/// CVE-2024-21626.
fn a_working_directory_outside_is_refused() {
    let bundle = running();
    for fd in 3..16 {
        let exec = bundle.coracle(&["exec", "--cwd", &format!("/proc/self/fd/{fd}"), bundle.id(), "/probe"]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "exec \"$@\" 9</", "sh"]).arg(exec.get_program()).args(exec.get_args());
        let output = shell.output().expect("a shell starts");
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(255), String::new()), "{fd}");
    }
}

/// A process that is seen inside before it has left the host's mounts shows them at its /proc/PID/root to whoever has
/// CAP_SYS_PTRACE there. So the one that becomes the program never joins anything itself.
fn a_session_is_born_where_it_belongs() {
    let bundle = running();
    let exec = bundle.coracle(&["exec", bundle.id(), "/probe"]);
    let trace = traced(&bundle, &["-e", "trace=setns,clone3,execve"], &exec);
    let became = trace.lines().find(|line| line.contains("execve(\"/probe\"")).expect("the program");
    let pid = became.split(' ').next().expect("a number");
    let joins = |line: &&str| line.contains(" setns(");
    assert!(trace.lines().any(|line| joins(&line)), "{trace}");
    assert!(!trace.lines().filter(joins).any(|line| line.starts_with(pid)), "{trace}");
}

fn a_session_is_in_the_containers_control_group() {
    let bundle = running();
    let groups = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("control groups");
    let pid = detached(&bundle);
    let session = groups(&pid);
    assert_eq!(session, groups(&bundle.state_of(bundle.id())["pid"].to_string()));
    assert_ne!(session, groups("self"), "it is the caller's");
}

fn twenty_sessions_at_once() {
    let bundle = running();
    let mut sessions: Vec<_> = (0..20)
        .map(|_| {
            let mut exec = bundle.coracle(&["exec", bundle.id(), "/probe", "hold"]);
            exec.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the runtime starts")
        })
        .collect();
    for session in &mut sessions {
        let stdout = session.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).lines().next().expect("a report").expect("a report");
    }
    for mut session in sessions.into_iter().rev() {
        session.stdin.take().expect("a pipe").flush().expect("nothing to write");
        assert_eq!(session.wait().expect("it ends").code(), Some(0));
    }
    within(Duration::from_secs(5), "it still runs", || bundle.state_of(bundle.id())["status"] == "running");
}
