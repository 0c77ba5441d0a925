//! The one thing the probe can be asked to do: each of them at least once, and how a refusal is told.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use common::{
    FIRST, MOUNTS, PROBE, UNMAPPED, USER, first, mounts, private_root, probe, report, unmapped, unshare,
    user, works,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use probe::{Did, Got, Heard, Note, Report, Survived};

fn i386() -> Result<(), String> {
    works("sh", &["-c", &format!("{PROBE} syscall32 20 | grep -q '\"ok\":true'")])
}

fn pivot_root() -> Result<(), String> {
    works("sh", &["-c", "command -v pivot_root"])
}

fn did(args: &[&str]) -> Did {
    report(probe(args).assert().success()).did.expect("an action tells what it did")
}

fn refused(did: &Did) -> (bool, &str) {
    (did.ok, did.errno.as_deref().expect("a refusal has an errno"))
}

/// A probe that is still running, and its first line.
fn start(args: &[&str]) -> (Child, BufReader<ChildStdout>, Report) {
    let mut child = Command::new(PROBE)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the probe starts");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    (child, stdout, common::parse(line.as_bytes()))
}

tests! {
    exit_reports_first,
    die_is_killed_by_that_signal_even_if_it_was_ignored,
    die_survives_as_the_first_process_and_says_so needs(first),
    hold_lives_until_stdin_ends,
    wait_signal_tells_which_one_came,
    orphan_is_reaped_by_an_init_and_not_by_a_probe_that_is_pid_1 needs(first),
    write_and_open_a_file,
    note_adds_a_line_with_its_input,
    mkdir_makes_one_and_refuses_the_second,
    list_and_stat_tell_what_is_there,
    bind_shows_in_the_report needs(mounts),
    mount_shows_in_the_report needs(mounts),
    mount_is_refused_without_the_capability needs(unmapped),
    fork_has_its_children_at_once_and_leaves_none,
    fork_tells_how_far_it_came needs(user),
    alloc_within_a_limit_and_beyond_it,
    hog_tells_what_became_of_its_child,
    syscall_tells_what_it_returned,
    syscall32_is_a_call_of_i386 needs(i386),
    supervise_tells_what_is_said_and_when_it_is_over,
    escape_succeeds_from_a_chroot needs(user),
    escape_fails_where_the_old_root_is_gone needs(mounts, pivot_root),
    sleep_sleeps,
    what_it_does_not_know_is_a_usage_error,
}

fn exit_reports_first() {
    let report = report(probe(&["exit", "42"]).assert().code(42));
    assert_eq!(report.did.unwrap().action, "exit");
}

fn die_is_killed_by_that_signal_even_if_it_was_ignored() {
    for (name, signal) in [("SIGTERM", 15), ("KILL", 9), ("6", 6)] {
        let output = common::shell(&format!("trap '' TERM; exec \"$0\" die {name}")).output().unwrap();
        assert_eq!(output.status.signal(), Some(signal), "{name}");
        assert!(common::parse(&output.stdout).did.unwrap().ok);
        assert!(!output.status.core_dumped());
    }
}

fn die_survives_as_the_first_process_and_says_so() {
    let mut command = unshare(FIRST);
    let assert = command.args([PROBE, "die", "SIGKILL"]).assert().code(99);
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    let survived: Survived = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert!(!survived.did.ok);
    assert!(survived.did.detail.unwrap().contains("PID 1"));
}

fn hold_lives_until_stdin_ends() {
    let (mut child, _, report) = start(&["hold"]);
    assert_eq!(report.pid, child.id() as i32);
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn wait_signal_tells_which_one_came() {
    let (mut child, mut stdout, report) = start(&["wait-signal", "SIGTERM", "HUP"]);
    assert_eq!(report.signals_blocked, Vec::<String>::new(), "the report is of the start");
    kill(Pid::from_raw(report.pid), Signal::SIGHUP).unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(serde_json::from_str::<Got>(&line).unwrap().got, "SIGHUP");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn orphan_is_reaped_by_an_init_and_not_by_a_probe_that_is_pid_1() {
    let mut command = unshare(FIRST);
    // A shell that waits for more than its own command: it reaps whatever becomes its child.
    let init = format!("{PROBE} orphan & wait; wait");
    let did = report(command.args(["sh", "-c", &init]).assert().success()).did.unwrap();
    assert_eq!((did.ok, did.reaped), (true, Some(true)));

    let mut command = unshare(FIRST);
    let did = report(command.args([PROBE, "orphan"]).assert().success()).did.unwrap();
    assert_eq!((did.ok, did.reaped), (true, Some(false)));
}

fn write_and_open_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let path = path.to_str().unwrap();
    assert!(did(&["write", path, "ahoy"]).ok);
    assert_eq!(fs::read_to_string(path).unwrap(), "ahoy");
    let read = did(&["open", path]);
    assert_eq!((read.ok, read.detail.as_deref()), (true, Some("ahoy")));

    assert_eq!(refused(&did(&["open", "/no/such/file"])), (false, "ENOENT"));
    assert_eq!(refused(&did(&["write", dir.path().to_str().unwrap(), "x"])), (false, "EISDIR"));
    assert!(did(&["open", dir.path().to_str().unwrap()]).ok);
}

fn note_adds_a_line_with_its_input() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes");
    for (name, input) in [("first", "ahoy\n"), ("second", "")] {
        let args = ["note", path.to_str().unwrap(), name];
        let told = report(probe(&args).write_stdin(input).assert().success()).did.unwrap();
        assert!(told.ok, "{told:?}");
    }
    let text = fs::read_to_string(&path).unwrap();
    let notes: Vec<Note> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<_> = notes.iter().map(|note| (note.name.as_str(), note.input.as_str())).collect();
    assert_eq!(said, [("first", "ahoy\n"), ("second", "")]);
    assert_eq!(notes[0].report.args[1..], ["note", path.to_str().unwrap(), "first"]);
    let refusal = did(&["note", "/no/such/folder/notes", "third"]);
    assert_eq!(refused(&refusal), (false, "ENOENT"));
}

fn mkdir_makes_one_and_refuses_the_second() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d");
    assert!(did(&["mkdir", path.to_str().unwrap()]).ok);
    assert!(path.is_dir());
    assert_eq!(refused(&did(&["mkdir", path.to_str().unwrap()])), (false, "EEXIST"));
}

fn list_and_stat_tell_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("b"), "").unwrap();
    std::os::unix::fs::symlink("b", path("a")).unwrap();
    assert_eq!(did(&["list", &path("")]).detail.as_deref(), Some("a\nb"));
    assert_eq!(refused(&did(&["list", &path("c")])), (false, "ENOENT"));
    let files = did(&["stat", &path("a"), &path("b"), &path("c")]).files;
    assert_eq!(files[&path("a")].target.as_deref(), Some("b"));
    assert_eq!((files[&path("b")].kind, files.len()), (probe::Kind::File, 2));
}

fn bind_shows_in_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().canonicalize().unwrap();
    let target = target.to_str().unwrap();
    let mut command = unshare(MOUNTS);
    let report = report(command.args([PROBE, "bind", "/proc", target]).assert().success());
    assert!(report.did.as_ref().unwrap().ok, "{:?}", report.did);
    assert_eq!(report.mount_at(target).expect("it is in mountinfo").fstype, "proc");
}

fn mount_shows_in_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().canonicalize().unwrap();
    let target = target.to_str().unwrap();
    let mut command = unshare(MOUNTS);
    let report = report(command.args([PROBE, "mount", "tmpfs", target]).assert().success());
    assert!(report.did.as_ref().unwrap().ok, "{:?}", report.did);
    let mount = report.mount_at(target).expect("it is in mountinfo");
    assert_eq!((mount.fstype.as_str(), mount.source.as_str()), ("tmpfs", "tmpfs"));
}

fn mount_is_refused_without_the_capability() {
    let mut command = unshare(UNMAPPED);
    let did = report(command.args([PROBE, "mount", "tmpfs", "/"]).assert().success()).did.unwrap();
    assert_eq!(refused(&did), (false, "EPERM"));
}

fn fork_has_its_children_at_once_and_leaves_none() {
    let did = did(&["fork", "20"]);
    assert_eq!((did.ok, did.value), (true, Some(20)));
}

fn fork_tells_how_far_it_came() {
    // The limit counts a user's processes in a user namespace, and in a fresh one there are only these. It does not
    // bind the machine's root, who becomes somebody else first.
    let root = private_root();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("unshare");
    if nix::unistd::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    // dash calls it -p, where bash means the size of a pipe.
    let script = "ulimit -u 5 2>/dev/null || ulimit -p 5; exec ./probe fork 20";
    let output = command.args(USER).args(["sh", "-c", script]).current_dir(root.path()).output().unwrap();
    let did = common::parse(&output.stdout).did.unwrap();
    assert_eq!(refused(&did), (false, "EAGAIN"));
    assert!(did.value < Some(20), "{did:?}");
}

fn alloc_within_a_limit_and_beyond_it() {
    let within = did(&["alloc", "8"]);
    assert_eq!((within.ok, within.value), (true, Some(8)));
    let script = "ulimit -v 40000; exec \"$0\" alloc 100";
    let beyond = report(common::shell(script).assert().success()).did.unwrap();
    assert_eq!(refused(&beyond), (false, "ENOMEM"));
}

fn hog_tells_what_became_of_its_child() {
    let within = did(&["hog", "8"]);
    assert_eq!((within.ok, within.value), (true, Some(8)));
    let script = "ulimit -v 40000; exec \"$0\" hog 100";
    let beyond = report(common::shell(script).assert().success()).did.unwrap();
    assert_eq!(refused(&beyond), (false, "ENOMEM"));
}

fn syscall_tells_what_it_returned() {
    let (child, _, report) = start(&["syscall", &nix::libc::SYS_getpid.to_string()]);
    assert_eq!(report.did.unwrap().value, Some(i64::from(child.id())));
    child.wait_with_output().unwrap();

    let close = nix::libc::SYS_close.to_string();
    assert_eq!(refused(&did(&["syscall", &close, "0x3e7"])), (false, "EBADF"));
    assert_eq!(refused(&did(&["syscall", "99999", "1", "2", "3", "4", "5", "-6"])), (false, "ENOSYS"));
}

fn syscall32_is_a_call_of_i386() {
    let (child, _, report) = start(&["syscall32", "20"]);
    assert_eq!(report.did.unwrap().value, Some(i64::from(child.id())), "its getpid");
    child.wait_with_output().unwrap();
    // Its close.
    assert_eq!(refused(&did(&["syscall32", "6", "999"])), (false, "EBADF"));
}

/// Calls that are decided on take a filter; who has one, are containers.
fn supervise_tells_what_is_said_and_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let mut command = Command::new(PROBE);
    command.arg("supervise").arg(&socket).arg("continue").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let end = Instant::now() + std::time::Duration::from_secs(5);
    let mut connection = loop {
        match std::os::unix::net::UnixStream::connect(&socket) {
            Ok(connection) => break connection,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
    };
    let mut next = || serde_json::from_str::<Heard>(&lines.next().unwrap().unwrap()).unwrap();
    std::io::Write::write_all(&mut connection, b"{\"a\":1}").unwrap();
    assert_eq!(next(), Heard::Message { message: serde_json::json!({ "a": 1 }), fds: 0 });
    drop(connection);
    assert_eq!(next(), Heard::Closed);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!socket.exists());
}

fn escape_succeeds_from_a_chroot() {
    let (root, outside) = (private_root(), tempfile::tempdir().unwrap());
    let canary = outside.path().canonicalize().unwrap().join("canary");
    fs::write(&canary, "sings").unwrap();
    let mut command = unshare(USER);
    let command = command.arg("--root").arg(root.path()).args(["/probe", "escape"]).arg(&canary);
    let did = report(command.assert().success()).did.unwrap();
    assert_eq!((did.ok, did.detail.as_deref()), (true, Some("sings")), "{did:?}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "it leaves nothing behind");
}

fn escape_fails_where_the_old_root_is_gone() {
    let (root, outside) = (private_root(), tempfile::tempdir().unwrap());
    let canary = outside.path().canonicalize().unwrap().join("canary");
    fs::write(&canary, "sings").unwrap();
    let mut command = unshare(MOUNTS);
    let script = "mount --bind \"$0\" \"$0\" && cd \"$0\" && mkdir old && pivot_root . old && cd / \
                  && exec /probe escape \"$1\"";
    // With the old root still mounted below /old the canary has another name; the name given is of the outside.
    let command = command.args(["sh", "-c", script]).arg(root.path()).arg(&canary);
    let did = report(command.assert().success()).did.unwrap();
    assert_eq!(refused(&did), (false, "ENOENT"));
}

fn sleep_sleeps() {
    let begin = Instant::now();
    assert!(did(&["sleep", "0.2"]).ok);
    assert!(begin.elapsed().as_millis() >= 200);
}

fn what_it_does_not_know_is_a_usage_error() {
    for args in [&["sail"][..], &["exit"], &["exit", "256"], &["die", "SIGNONE"], &["wait-signal", "KILL"]] {
        let assert = probe(args).assert().code(2).stdout("");
        assert!(String::from_utf8_lossy(&assert.get_output().stderr).starts_with("usage: probe"), "{args:?}");
    }
    let help = probe(&["--help"]).assert().success();
    assert!(String::from_utf8_lossy(&help.get_output().stdout).contains("escape CANARY"));
}
