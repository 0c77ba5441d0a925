//! config.md, "POSIX-platform Hooks": what a hook is given, what of it is refused, and what it leaves. Row O-05.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use testkit::Test;

use super::common::{Finish, Leaks, ignored_by_us, text};
use super::hook_notes::{ALL, Noted, marked, one_each};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o05_the_state_is_on_their_standard_input(userns),
    o05_they_have_the_args_and_the_environment_of_the_config(userns),
    o05_they_have_no_descriptor_of_the_runtime_or_its_caller(userns),
    o05_they_begin_as_any_program_does(userns),
    o05_what_runs_is_what_the_config_said_at_create(userns),
    o05_a_path_must_be_absolute(userns),
    o05_a_timeout_must_be_more_than_0(userns),
    o05_a_large_state_is_read_or_left(userns),
    o05_much_that_a_hook_says_holds_nobody_up(userns),
    o05_what_a_hook_leaves_behind_holds_nobody_up(userns),
};

/// "The state of the container MUST be passed to hooks over stdin"; its pid is that "as seen by the runtime", or "as seen by
/// the container".
fn o05_the_state_is_on_their_standard_input() {
    let noted = one_each();
    noted.write().create(noted.id());
    let pid = noted.bundle.state_of(noted.id())["pid"].clone();
    noted.bundle.must(&["start", noted.id()]);
    noted.bundle.wait_for(noted.id(), "stopped");
    noted.bundle.must(&["delete", noted.id()]);
    let folder = noted.bundle.path().canonicalize().expect("the bundle");
    let expected = [
        ("prestart", "created", pid.clone()),
        ("createRuntime", "creating", pid.clone()),
        ("createContainer", "creating", json!(1)),
        ("startContainer", "created", json!(1)),
        ("poststart", "running", pid),
        ("poststop", "stopped", Value::Null),
    ];
    for (moment, status, pid) in expected {
        let state: Value = serde_json::from_str(&noted.note(moment).input).expect("JSON");
        assert_eq!(state["id"], noted.id(), "{moment}: {state}");
        assert_eq!((&state["status"], &state["pid"]), (&json!(status), &pid), "{moment}");
        assert_eq!(state["bundle"], json!(folder), "{moment}");
        assert_eq!(state["annotations"], json!({ "org.example.boat": "round" }), "{moment}");
        assert!(state["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")), "{moment}");
    }
}

/// "args ... with the same semantics as execv's argv", "env ... with the same semantics as environ".
fn o05_they_have_the_args_and_the_environment_of_the_config() {
    let noted = one_each();
    noted.whole_life();
    let env = BTreeMap::from([(Leaks::VARIABLE.to_owned(), noted.id().to_owned())]);
    for moment in ALL {
        let report = noted.note(moment).report;
        assert_eq!((report.args[0].as_str(), report.args[3].as_str()), ("hook", moment));
        assert_eq!(report.env, env, "{moment}");
    }
    let bare = Noted::new();
    let script = bare.bundle.path().join("script");
    let text = format!("#!/bin/sh\necho \"$0\" > {}\n", bare.file().display());
    std::fs::write(&script, text).expect("a script");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    let bare = bare.hooks("createRuntime", [json!({ "path": script, "args": null, "env": [] })]);
    bare.write().create(bare.id());
    let said = std::fs::read_to_string(bare.file()).expect("what it wrote");
    assert_eq!(said.trim(), script.to_string_lossy(), "without args, its path is its name");
}

/// Neither what the runtime opened, nor what its caller left open, nor what the program is to keep.
fn o05_they_have_no_descriptor_of_the_runtime_or_its_caller() {
    let noted = one_each();
    let bundle = noted.write().path().display().to_string();
    let runtime = testkit::runtime().display().to_string();
    let state = noted.bundle.state().display().to_string();
    let calls = [
        format!(
            "exec 3</dev/null 4</dev/zero 9</bin; exec '{runtime}' --root '{state}' create --preserve-fds 2 --bundle '{bundle}' {0}",
            noted.id()
        ),
        format!("exec 9</bin; exec '{runtime}' --root '{state}' start {}", noted.id()),
        format!("exec 9</bin; exec '{runtime}' --root '{state}' delete --force {}", noted.id()),
    ];
    for call in calls {
        let status =
            Command::new("sh").args(["-c", &call]).stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(status.expect("a shell").success(), "{call}");
    }
    for moment in ALL {
        let fds: Vec<_> = noted.note(moment).report.fds.into_keys().collect();
        assert_eq!(fds, [0, 1, 2], "{moment}");
    }
}

/// execve(2) hands down what is blocked and ignored, and the umask: none of the runtime's own may be in it.
fn o05_they_begin_as_any_program_does() {
    let noted = one_each();
    noted.whole_life();
    let (blocked, ignored) = (Vec::<String>::new(), ignored_by_us());
    for moment in ALL {
        let report = noted.note(moment).report;
        assert_eq!(
            (report.signals_blocked, report.signals_ignored),
            (blocked.clone(), ignored.clone()),
            "{moment}"
        );
        assert_eq!(report.umask, 0o022, "{moment}");
    }
}

/// "Any updates to config.json after this step MUST NOT affect the container."
fn o05_what_runs_is_what_the_config_said_at_create() {
    let noted = one_each();
    noted.write().create(noted.id());
    let mut config = noted.config.clone();
    config["hooks"] = json!({ "poststop": [noted.noting("poststop", "another")] });
    noted.bundle.write(&config);
    noted.bundle.must(&["start", noted.id()]);
    noted.bundle.wait_for(noted.id(), "stopped");
    noted.bundle.must(&["delete", noted.id()]);
    let names = noted.names();
    assert!(
        names.contains(&"poststart".to_owned()) && names.ends_with(&["poststop".to_owned()]),
        "{names:?}"
    );
}

fn o05_a_path_must_be_absolute() {
    for moment in ALL {
        let noted = Noted::new().hooks(moment, [json!({ "path": "bin/true" })]);
        let mut create = noted.create(&[]);
        let leaks = Leaks::watch(&mut create, noted.id());
        let (code, said) = noted.outcome(create);
        assert_ne!(code, Some(0), "{moment}: {said}");
        assert!(said.contains(&format!("/hooks/{moment}/0/path")), "{moment}: {said}");
        leaks.assert_none(&noted.bundle, moment);
    }
}

/// "If set, timeout MUST be greater than zero."
fn o05_a_timeout_must_be_more_than_0() {
    for timeout in [0, -1] {
        let noted = Noted::new().hooks("poststop", [json!({ "path": "/bin/true", "timeout": timeout })]);
        let (code, said) = noted.outcome(noted.create(&[]));
        assert_ne!(code, Some(0), "{timeout}: {said}");
        assert!(said.contains("/hooks/poststop/0/timeout"), "{timeout}: {said}");
    }
}

/// More than a pipe holds: who reads it has all of it, and who does not is not waited for.
fn o05_a_large_state_is_read_or_left() {
    let mut noted = Noted::new();
    let large = "x".repeat(300_000);
    noted.config["annotations"]["org.example.large"] = json!(large);
    let hooks = [
        json!({ "path": "/bin/true" }),
        noted.noting("createRuntime", "reader"),
        json!({ "path": "/bin/true" }),
    ];
    let noted = noted.hooks("createRuntime", hooks);
    noted.write().create(noted.id());
    let state: Value = serde_json::from_str(&noted.note("reader").input).expect("JSON");
    assert_eq!(state["annotations"]["org.example.large"], json!(large));
    noted.bundle.must(&["delete", noted.id()]);
    // One that neither reads nor ends: its timeout is heard all the same.
    let mut slow = noted.script("exec sleep 100");
    slow["timeout"] = json!(1);
    let noted = noted.hooks("createRuntime", [slow]);
    let begin = Instant::now();
    let (code, said) = noted.outcome(noted.create(&[]));
    assert_ne!(code, Some(0), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(50), "it waits at the pipe");
}

/// As with runc, it is not shown.
fn o05_much_that_a_hook_says_holds_nobody_up() {
    let noted = Noted::new();
    let loud = noted.script("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2");
    let noted = noted.hooks("createRuntime", [loud.clone()]).hooks("poststop", [loud]);
    let output = noted.write().command(&[], noted.id()).finish();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout).lines().count(), 1, "the program's own words");
}

/// A process in the background that keeps the hook's output open, as daemons do.
fn o05_what_a_hook_leaves_behind_holds_nobody_up() {
    let noted = Noted::new();
    let leaving = noted.script("sleep 20 & true");
    let noted = noted.hooks("createRuntime", [leaving]);
    let begin = Instant::now();
    noted.write().create(noted.id());
    let took = begin.elapsed();
    let left = marked(noted.id());
    assert!(!left.is_empty(), "what a hook leaves lives on");
    for pid in left {
        let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
    }
    assert!(took < Duration::from_secs(15), "it was waited for");
}
