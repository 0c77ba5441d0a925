//! runtime.md, "Lifecycle": what a hook's failure does, and the runtime's own end while one runs. Rows O-05 and O-06.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::{Value, json};
use testkit::{Test, within};

use super::common::{Finish, Leaks, text};
use super::hook_notes::{ALL, Noted, SOON, marked, one_each};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o05_a_hook_that_runs_past_its_timeout_is_ended_and_has_failed(userns),
    o05_a_failed_hook_of_create_ends_it_all(userns),
    o05_a_failed_hook_of_run_ends_it_all(userns),
    o05_a_hook_fails_by_a_signal_and_by_not_being_there(userns),
    o05_a_create_that_fails_later_runs_the_poststop_hooks(userns),
    o05_a_failed_poststop_hook_is_a_warning(userns),
    o05_told_to_end_during_a_hook_the_runtime_undoes_everything(userns),
    o05_a_runtime_that_is_killed_during_a_hook_takes_it_along(userns),
    o06_start_tells_of_a_failed_start_container_hook(userns),
    o06_a_failed_poststart_hook_ends_the_container(userns),
    o06_no_poststart_hook_runs_where_the_program_does_not(userns),
};

/// "timeout is the number of seconds before aborting the hook."
fn o05_a_hook_that_runs_past_its_timeout_is_ended_and_has_failed() {
    for moment in &ALL[..5] {
        let noted = Noted::new();
        let [_, mut slow] = noted.slow(moment);
        slow["timeout"] = json!(1);
        let mut in_time = noted.noting(moment, "in time");
        in_time["timeout"] = json!(60);
        let noted = noted.hooks(moment, [in_time, slow]);
        let mut run = noted.write().command(&[], noted.id());
        let leaks = Leaks::watch(&mut run, noted.id());
        let begin = Instant::now();
        let output = run.finish();
        let said = text(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{moment}: {said}");
        assert!(said.contains("timeout"), "{moment}: {said}");
        assert!(begin.elapsed() >= Duration::from_secs(1), "{moment}: it had its time");
        assert!(noted.names().contains(&"in time".to_owned()), "{moment}");
        leaks.assert_none(&noted.bundle, moment);
    }
}

/// "If any createRuntime hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at
/// step 12": it is destroyed, and the poststop hooks run.
fn o05_a_failed_hook_of_create_ends_it_all() {
    for moment in &ALL[..3] {
        let noted = one_each();
        let hooks = [noted.noting(moment, "before"), noted.failing(moment), noted.noting(moment, "after")];
        let noted = noted.hooks(moment, hooks);
        let mut create = noted.create(&[]);
        let leaks = Leaks::watch(&mut create, noted.id());
        let (code, said) = noted.outcome(create);
        assert_ne!(code, Some(0), "{moment}: {said}");
        // As engines know it from runc.
        for word in [&format!("error running {moment} hook #1:"), "exit status 7", "the wind", "and the sea"]
        {
            assert!(said.contains(word), "{moment}: no {word:?} in {said}");
        }
        leaks.assert_none(&noted.bundle, moment);
        let names = noted.names();
        assert!(names.contains(&"before".to_owned()) && !names.contains(&"after".to_owned()), "{names:?}");
        assert_eq!(names.iter().filter(|name| *name == "poststop").count(), 1, "{moment}: {names:?}");
        assert!(names.ends_with(&["poststop".to_owned()]), "{moment}: {names:?}");
        let state: Value = serde_json::from_str(&noted.note("poststop").input).expect("JSON");
        assert_eq!(state["status"], "stopped");
    }
}

/// The same by `run`, whose error is the hook's and not the program's status.
fn o05_a_failed_hook_of_run_ends_it_all() {
    for moment in &ALL[..5] {
        let noted = one_each();
        let hooks = [noted.noting(moment, moment), noted.failing(moment)];
        let noted = noted.hooks(moment, hooks);
        let mut run = noted.write().command(&[], noted.id());
        let leaks = Leaks::watch(&mut run, noted.id());
        let output = run.finish();
        let said = text(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{moment}: {said}");
        assert!(said.contains(&format!("error running {moment} hook #1:")), "{moment}: {said}");
        leaks.assert_none(&noted.bundle, moment);
        let names = noted.names();
        assert_eq!(names.iter().filter(|name| *name == "poststop").count(), 1, "{moment}: {names:?}");
        assert!(*moment == "poststart" || !names.contains(&"program".to_owned()), "{moment}: {names:?}");
    }
}

fn o05_a_hook_fails_by_a_signal_and_by_not_being_there() {
    type Row<'a> = (&'a str, fn(&Noted) -> Value, &'a [&'a str]);
    let rows: [Row<'_>; 3] = [
        ("killed", |noted| noted.script("kill -KILL $$"), &["hook #0:", "signal"]),
        (
            "missing",
            |_| json!({ "path": "/no/such/hook" }),
            &["hook #0:", "/no/such/hook", "no such file or directory"],
        ),
        (
            "no program",
            |_| json!({ "path": "/etc/passwd" }),
            &["hook #0:", "/etc/passwd", "permission denied"],
        ),
    ];
    for (row, hook, words) in rows {
        let noted = Noted::new();
        let hook = hook(&noted);
        let noted = noted.hooks("createRuntime", [hook]);
        let mut create = noted.create(&[]);
        let leaks = Leaks::watch(&mut create, noted.id());
        let (code, said) = noted.outcome(create);
        assert_ne!(code, Some(0), "{row}: {said}");
        for word in words {
            assert!(said.contains(word), "{row}: no {word:?} in {said}");
        }
        leaks.assert_none(&noted.bundle, row);
    }
}

/// What the hooks before it have made must go, whatever it is that fails.
fn o05_a_create_that_fails_later_runs_the_poststop_hooks() {
    let mut noted = one_each();
    noted.config["process"]["args"] = json!(["nowhere"]);
    let mut create = noted.create(&[]);
    let leaks = Leaks::watch(&mut create, noted.id());
    let (code, said) = noted.outcome(create);
    assert_ne!(code, Some(0), "{said}");
    leaks.assert_none(&noted.bundle, "a program that is not there");
    assert_eq!(noted.names(), ["prestart", "createRuntime", "createContainer", "poststop"]);
}

/// "If any poststop hook fails, the runtime MUST log a warning, but the remaining hooks and lifecycle continue as if the hook
/// had succeeded."
fn o05_a_failed_poststop_hook_is_a_warning() {
    let noted = Noted::new();
    let hooks = [noted.failing("poststop"), noted.noting("poststop", "after")];
    let noted = noted.hooks("poststop", hooks);
    noted.write().create(noted.id());
    let log = noted.bundle.path().join("log");
    let log_path = log.display().to_string();
    noted.bundle.must(&["--log", &log_path, "--log-format", "json", "delete", noted.id()]);
    assert_eq!(noted.names(), ["after"]);
    let said = std::fs::read_to_string(&log).expect("the log");
    assert!(said.contains("warning") && said.contains("poststop hook #0"), "{said}");
    assert!(noted.bundle.left().is_empty());
}

fn o05_told_to_end_during_a_hook_the_runtime_undoes_everything() {
    for moment in &ALL[..5] {
        let noted = slow_hook(moment);
        let mut runtime = that_runs(moment, &noted);
        let leaks = Leaks::watch(&mut runtime, noted.id());
        let runtime = runtime.stderr(Stdio::piped()).spawn().expect("the runtime starts");
        let output = signal_during_a_hook(&noted, runtime, Signal::SIGTERM);
        let said = text(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{moment}: {said}");
        assert!(said.contains("interrupted by signal 15"), "{moment}: {said}");
        leaks.assert_none(&noted.bundle, moment);
        assert_eq!(noted.names().iter().filter(|name| *name == "poststop").count(), 1, "{moment}");
    }
}

/// What it leaves, `delete --force` clears; but nothing runs on.
fn o05_a_runtime_that_is_killed_during_a_hook_takes_it_along() {
    for moment in &ALL[..5] {
        let noted = slow_hook(moment);
        let mut runtime = that_runs(moment, &noted);
        let leaks = Leaks::watch(&mut runtime, noted.id());
        // Of its own group, for nobody but it is killed.
        let runtime = runtime.process_group(0).stderr(Stdio::piped()).spawn().expect("the runtime starts");
        signal_during_a_hook(&noted, runtime, Signal::SIGKILL);
        within(SOON, &format!("{moment}: the hook is gone"), || marked(noted.id()).is_empty());
        noted.bundle.must(&["delete", "--force", noted.id()]);
        leaks.assert_none(&noted.bundle, moment);
        assert_eq!(noted.names().iter().filter(|name| *name == "poststop").count(), 1, "{moment}");
    }
}

fn o06_start_tells_of_a_failed_start_container_hook() {
    let noted = one_each();
    let hooks = [noted.noting("startContainer", "before"), noted.failing("startContainer")];
    let noted = noted.hooks("startContainer", hooks);
    let mut create = noted.create(&[]);
    let leaks = Leaks::watch(&mut create, noted.id());
    assert!(create.stderr(std::process::Stdio::null()).finish().status.success());
    let error = noted.bundle.must_fail(&["start", noted.id()], 1);
    assert!(error.contains("error running startContainer hook #1:"), "{error}");
    assert!(error.contains("exit status 7"), "{error}");
    leaks.assert_none(&noted.bundle, "startContainer");
    let names = noted.names();
    assert_eq!(names[3..], ["before", "poststop"], "{names:?}");
}

/// "If any poststart hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step
/// 12" (version 1.3; before that it was a warning).
fn o06_a_failed_poststart_hook_ends_the_container() {
    let mut noted = Noted::new();
    noted.config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    let hooks = [noted.failing("poststart"), noted.noting("poststart", "after")];
    let poststop = noted.noting("poststop", "poststop");
    let noted = noted.hooks("poststart", hooks).hooks("poststop", [poststop]);
    let mut create = noted.create(&[]);
    let leaks = Leaks::watch(&mut create, noted.id());
    assert!(create.stderr(std::process::Stdio::null()).finish().status.success());
    let error = noted.bundle.must_fail(&["start", noted.id()], 1);
    assert!(error.contains("error running poststart hook #0:"), "{error}");
    leaks.assert_none(&noted.bundle, "poststart");
    assert_eq!(noted.names(), ["poststop"]);
}

/// A text file without `#!` passes every check before execve(2).
fn o06_no_poststart_hook_runs_where_the_program_does_not() {
    let mut noted = one_each();
    let program = noted.bundle.path().join("rootfs/tmp/text");
    std::fs::write(&program, "no program").expect("a file");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    noted.config["process"]["args"] = json!(["/tmp/text"]);
    noted.write().create(noted.id());
    let error = noted.bundle.must_fail(&["start", noted.id()], 1);
    assert!(error.contains("execve") || error.contains("exec"), "{error}");
    assert!(!noted.names().contains(&"poststart".to_owned()), "{:?}", noted.names());
    noted.bundle.wait_for(noted.id(), "stopped");
    noted.bundle.must(&["delete", noted.id()]);
}

/// Waits until the slow hook is there, and then signals `runtime`.
fn signal_during_a_hook(noted: &Noted, mut runtime: Child, signal: Signal) -> Output {
    let is_slow = |pid: &Pid| {
        let said = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        text(&said).split('\0').collect::<Vec<_>>().windows(2).any(|words| words == ["sleep", "100"])
    };
    within(SOON, "the hook runs", || marked(noted.id()).iter().any(is_slow));
    nix::sys::signal::kill(Pid::from_raw(runtime.id() as i32), signal).expect("the runtime lives");
    let end = Instant::now() + SOON;
    while runtime.try_wait().expect("it is our child").is_none() {
        // One that waits for the hook is not held up for its hundred seconds.
        if Instant::now() > end {
            for pid in marked(noted.id()) {
                let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
            }
            panic!("it does not end, but waits for its hook");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    runtime.wait_with_output().expect("it is our child")
}

/// The runtime's command that runs the hooks of `moment`.
fn that_runs(moment: &str, noted: &Noted) -> Command {
    match moment {
        "startContainer" | "poststart" => {
            noted.write().create(noted.id());
            noted.bundle.coracle(&["start", noted.id()])
        }
        _ => noted.create(&[]),
    }
}

fn slow_hook(moment: &str) -> Noted {
    let noted = one_each();
    let hooks = noted.slow(moment);
    noted.hooks(moment, hooks)
}
