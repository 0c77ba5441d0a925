//! A session that somebody stops while it is being made: exec ends, says what has become of it, and nobody is left.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::Pid;
use testkit::prelude::*;

use crate::common::{Bundle, text};
use crate::running;

/// An exec under strace(1), which does to its processes what the rule `inject` says.
fn injected(bundle: &Bundle, inject: &str) -> Child {
    let exec = bundle.coracle(&["exec", bundle.id(), "/probe", "wait-signal", "TERM"]);
    let call = inject.split(':').next().expect("a call");
    let mut strace = Command::new("strace");
    strace.arg("-f").arg("-o").arg(bundle.path().join("trace"));
    strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={inject}")]);
    strace.arg(exec.get_program()).args(exec.get_args()).stdin(Stdio::null()).stdout(Stdio::null());
    strace.stderr(Stdio::piped()).spawn().expect("strace starts")
}

/// The processes of the container beside its init.
fn company(bundle: &Bundle) -> Vec<i32> {
    let init = bundle.state_of(bundle.id())["pid"].as_i64().expect("a number");
    let all: Vec<i32> =
        serde_json::from_str(&bundle.must(&["ps", "--format", "json", bundle.id()])).expect("JSON");
    all.into_iter().filter(|pid| i64::from(*pid) != init).collect()
}

fn interrupt(pid: i32) {
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGTERM).expect("kill");
}

/// The only child of a process.
fn child_of(pid: u32) -> i32 {
    let path = format!("/proc/{pid}/task/{pid}/children");
    std::fs::read_to_string(path).expect("children").trim().parse().expect("one child")
}

/// Waits for the end of an exec, which must fail for a reason of its own. Returns the error.
#[track_caller]
fn failed(mut exec: Child, time: Duration) -> String {
    within(time, "exec has ended", || exec.try_wait().expect("our child").is_some());
    let output = exec.wait_with_output().expect("our child");
    assert_eq!(output.status.code(), Some(255), "{}", text(&output.stderr));
    text(&output.stderr)
}

/// Waits until nobody of the container is there but its init, which lives.
#[track_caller]
fn nobody_is_left(bundle: &Bundle) {
    within(Duration::from_secs(5), "the session is gone", || company(bundle).is_empty());
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}

/// What has become of the container is another question: it lives.
pub(crate) fn an_interrupted_exec_says_that_the_session_is_gone() {
    let bundle = running();
    let exec = injected(&bundle, "setsid:signal=SIGSTOP");
    within(Duration::from_secs(10), "the session is stopped on its way", || {
        let trace = std::fs::read_to_string(bundle.path().join("trace")).unwrap_or_default();
        !company(&bundle).is_empty() && trace.contains("SIGSTOP")
    });
    interrupt(child_of(exec.id()));
    let error = failed(exec, Duration::from_secs(5));
    assert!(error.contains("interrupted by signal 15"), "{error}");
    assert!(error.contains("of the session is gone") && !error.contains("of the container"), "{error}");
    nobody_is_left(&bundle);
}
