//! A session that somebody stops while it is being made: exec ends, says what has become of it, and nobody is left.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::Pid;
use testkit::prelude::*;

use crate::common::Bundle;
use crate::running;

/// An exec that is to be stopped. What it says goes to a file: a frozen process holds a pipe open.
struct Exec<'a> {
    bundle: &'a Bundle,
    /// It, or strace(1), which ends when the last of its processes has ended.
    child: Child,
    runtime: i32,
}

impl<'a> Exec<'a> {
    fn new(bundle: &'a Bundle, mut command: Command, runtime: fn(u32) -> i32) -> Exec<'a> {
        let errors = std::fs::File::create(bundle.path().join("errors-of-exec")).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn();
        let child = child.expect("it starts");
        let runtime = runtime(child.id());
        Exec { bundle, child, runtime }
    }

    /// One under strace(1), which does to its processes what the rule `inject` says.
    fn injected(bundle: &'a Bundle, inject: &str) -> Exec<'a> {
        let exec = bundle.coracle(&["exec", bundle.id(), "/probe", "wait-signal", "TERM"]);
        let call = inject.split(':').next().expect("a call");
        let mut strace = Command::new("strace");
        strace.arg("-f").arg("-o").arg(bundle.path().join("trace"));
        strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={inject}")]);
        strace.arg(exec.get_program()).args(exec.get_args());
        Exec::new(bundle, strace, runtime_under)
    }

    /// One whose session is stopped by a signal on its way to its program, with the caller's session still its own.
    fn stopped(bundle: &'a Bundle) -> Exec<'a> {
        let exec = Exec::injected(bundle, "setsid:signal=SIGSTOP");
        within(Duration::from_secs(10), "the session is stopped on its way", || {
            exec.trace().contains("SIGSTOP")
        });
        exec
    }

    fn trace(&self) -> String {
        std::fs::read_to_string(self.bundle.path().join("trace")).unwrap_or_default()
    }

    fn interrupt(&self) {
        nix::sys::signal::kill(Pid::from_raw(self.runtime), Signal::SIGTERM).expect("kill");
    }

    /// Waits until the runtime has ended. Returns what it has said.
    #[track_caller]
    fn ended(&self, time: Duration) -> String {
        within(time, "exec has ended", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.runtime)).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
        std::fs::read_to_string(self.bundle.path().join("errors-of-exec")).expect("a file")
    }

    /// Once the container goes on: it has failed for a reason of its own, nobody of the container is there but its init, and
    /// that lives.
    #[track_caller]
    fn leaves_nobody(mut self) {
        assert_eq!(self.child.wait().expect("our child").code(), Some(255));
        within(Duration::from_secs(5), "the session is gone", || company(self.bundle).is_empty());
        assert_eq!(self.bundle.state_of(self.bundle.id())["status"], "running");
    }
}

/// The runtime that strace(1) has started, as soon as it has. At first it tries itself out on other children.
fn runtime_under(strace: u32) -> i32 {
    let path = format!("/proc/{strace}/task/{strace}/children");
    let is_runtime = |pid: &i32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with(&testkit::runtime().display().to_string())
    };
    let find = || {
        let children = std::fs::read_to_string(&path).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_runtime)
    };
    let mut found = None;
    within(Duration::from_secs(10), "strace has started the runtime", || {
        found = find();
        found.is_some()
    });
    found.expect("it is there")
}

/// The processes of the container beside its init.
fn company(bundle: &Bundle) -> Vec<i32> {
    let init = bundle.state_of(bundle.id())["pid"].as_i64().expect("a number");
    let all: Vec<i32> =
        serde_json::from_str(&bundle.must(&["ps", "--format", "json", bundle.id()])).expect("JSON");
    all.into_iter().filter(|pid| i64::from(*pid) != init).collect()
}

/// What has become of the container is another question: it lives.
pub(crate) fn an_interrupted_exec_says_that_the_session_is_gone() {
    let bundle = running();
    let exec = Exec::stopped(&bundle);
    exec.interrupt();
    let error = exec.ended(Duration::from_secs(5));
    assert!(error.contains("interrupted by signal 15"), "{error}");
    assert!(error.contains("of the session is gone") && !error.contains("of the container"), "{error}");
    exec.leaves_nobody();
}

/// It is killed when the session is born, and before it has said so. The session waits for a word from outside, and holds
/// the other end of the conversation.
pub(crate) fn a_middle_process_that_is_killed_leaves_no_session() {
    let bundle = running();
    let exec = Exec::injected(&bundle, "sendmsg:signal=SIGKILL:when=1");
    let error = exec.ended(Duration::from_secs(5));
    assert!(error.contains("the session ended"), "{error}");
    exec.leaves_nobody();
    let trace = std::fs::read_to_string(bundle.path().join("trace")).expect("the trace");
    assert!(trace.contains("killed by SIGKILL"), "{trace}");
    assert!(trace.contains("exited with 1"), "there was no session: {trace}");
}

/// The line of a process's control group in the hierarchy that `mark` is in.
fn group(pid: i64, mark: &str) -> Option<String> {
    let all = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    all.lines().find(|line| line.contains(mark)).map(str::to_owned)
}

const FREEZER: &str = ":freezer:";

/// A way to freeze a container.
type Freeze<'a> = Box<dyn Fn() + 'a>;

/// The ways to freeze the container: that of the verb, and that of version 1 by hand where there is one (the verb takes version
/// 2 where there are both). Each with the mark of the hierarchy in which it works.
fn freezers(bundle: &Bundle) -> Vec<(&'static str, Freeze<'_>)> {
    let init = bundle.state_of(bundle.id())["pid"].as_i64().expect("a number");
    let is_frozen_by = if group(init, "0::/").is_some_and(|line| line != "0::/") { "0::" } else { FREEZER };
    let verb = || drop(bundle.must(&["pause", bundle.id()]));
    let mut all: Vec<(_, Freeze<'_>)> = vec![(is_frozen_by, Box::new(verb))];
    if let Some(line) = group(init, FREEZER) {
        let (_, path) = line.split_once(FREEZER).expect("it is in it");
        let state = format!("/sys/fs/cgroup/freezer{path}/freezer.state");
        all.push((FREEZER, Box::new(move || std::fs::write(&state, "FROZEN").expect("a freezer"))));
    }
    all
}

/// Version 1's freezer holds even who is killed, that of version 2 lets them die. Either is told.
#[track_caller]
fn is_told_what_is_left(error: &str, bundle: &Bundle) {
    let stands_still = error.contains("stands still") && error.contains("coracle resume");
    let gone = error.contains("of the session is gone");
    let left = !company(bundle).is_empty();
    assert!(error.contains("interrupted by signal 15"), "{error}");
    assert_eq!((stands_still, gone), (left, !left), "{error}");
}

pub(crate) fn exec_into_a_frozen_container_can_be_interrupted() {
    let bundle = running();
    let init = bundle.state_of(bundle.id())["pid"].as_i64().expect("a number");
    let note = ["exec", "--ignore-paused", bundle.id(), "/probe", "write", "/tmp/note", "hello"];
    for (hierarchy, freeze) in freezers(&bundle) {
        freeze();
        let exec = Exec::new(&bundle, bundle.coracle(&note), |pid| pid as i32);
        within(Duration::from_secs(5), "the middle process stands still with the container", || {
            company(&bundle).iter().any(|pid| group(i64::from(*pid), hierarchy) == group(init, hierarchy))
        });
        exec.interrupt();
        is_told_what_is_left(&exec.ended(Duration::from_secs(1)), &bundle);
        bundle.must(&["resume", bundle.id()]);
        exec.leaves_nobody();
        assert!(!bundle.path().join("rootfs/tmp/note").exists(), "the program of an ended exec ran");
    }
}

/// The container freezes when the middle process has ended, and before the session is its program.
pub(crate) fn a_session_that_is_frozen_on_its_way_can_be_interrupted() {
    let bundle = running();
    for (_, freeze) in freezers(&bundle) {
        let exec = Exec::stopped(&bundle);
        freeze();
        exec.interrupt();
        is_told_what_is_left(&exec.ended(Duration::from_secs(1)), &bundle);
        bundle.must(&["resume", bundle.id()]);
        exec.leaves_nobody();
    }
}
