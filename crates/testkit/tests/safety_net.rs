//! The net under the learner's runtime: what falls into it does no harm outside, and what gets out is noticed.
//!
//! The "runtimes" here do on purpose what a half-done one does by mistake. Each test sees that the harm was really
//! done inside; that the host is as before, [`Session::finish`] looks after every run.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use testkit::prelude::*;
use testkit::{Class, Kind, Plan, Test, in_net, judge};

/// Which tests this process runs: with this variable, those that are there to fail.
const TO_FAIL: &str = "CORACLE_TESTS_TO_FAIL";

fn main() -> ExitCode {
    let test = |name, needs, body| Test { name, kind: Kind::plain, needs, body };
    let tests = if std::env::var_os(TO_FAIL).is_some() {
        vec![
            test("fails_by_an_assertion", &[], || assert_eq!(1, 2, "one is not two")),
            test("fails_without_evidence", &["userns"], || drop(in_net(&["/bin/true"]).finish().report())),
            test("fails_by_a_panic_of_the_runtime", &["userns"], || {
                shell("echo \"thread 'main' panicked at src/x.rs:1:1:\" >&2").finish();
            }),
            test("needs_what_is_missing", &["strace"], || ()),
        ]
    } else {
        vec![
            test("a_mount_over_the_root_stays_inside", &["userns"], a_mount_over_the_root_stays_inside),
            test("a_pivot_without_a_mount_namespace_stays_inside", &["userns"], a_pivot_stays_inside),
            test("a_hostname_stays_inside", &["userns"], a_hostname_stays_inside),
            test("forks_without_end_are_bounded", &["userns"], forks_are_bounded),
            test("a_fork_bomb_ends_with_the_net", &["userns"], a_fork_bomb_ends_with_the_net),
            test("what_never_returns_is_ended", &["userns"], what_never_returns_is_ended),
            test("files_of_the_host_cannot_be_written", &["userns"], files_of_the_host_cannot_be_written),
            test("a_kill_of_everybody_reaches_nobody_outside", &["userns"], a_kill_of_everybody),
            test("a_process_that_gets_out_is_a_leak", &["userns"], a_process_that_gets_out_is_a_leak),
            test("each_failure_has_its_class", &["userns"], each_failure_has_its_class),
            test("what_is_missing_is_shown_or_fails", &[], what_is_missing_is_shown_or_fails),
        ]
    };
    testkit::main(&Plan { suite: "safety-net", lesson: None, runtime: "/bin/sh", probe: None, tests })
}

fn shell(script: &str) -> Session {
    in_net(&["/bin/sh", "-c", script])
}

fn a_mount_over_the_root_stays_inside() {
    let run = shell("mount -t tmpfs over-the-root /").finish();
    let inside = run.outside.mounts_after.iter().any(|mount| mount.source == "over-the-root");
    assert!(inside, "nothing was mounted: {}", run.stderr);
}

/// The root of whoever called moves with it: here, that of the net.
fn a_pivot_stays_inside() {
    let script = "mount --make-rprivate / && mkdir -p root/old && mount --bind root root && cd root && \
                  pivot_root . old && echo pivoted";
    let run = shell(script).finish();
    assert!(run.stdout.contains("pivoted"), "the root was not moved: {}", run.stderr);
}

fn a_hostname_stays_inside() {
    let run = shell("hostname somebody-else || echo somebody-else > /proc/sys/kernel/hostname").finish();
    assert_eq!(run.outside.hostname_after, "somebody-else", "{}", run.stderr);
}

fn forks_are_bounded() {
    let probe = testkit::probe();
    let report = in_net(&[&probe.to_string_lossy(), "fork", "2000"]).finish().report();
    let did = report.did.expect("the probe tells what it did");
    assert!(did.value.is_some_and(|alive| alive < 300), "nothing bounds the number of processes: {did:?}");
    assert_eq!(did.errno.as_deref(), Some("EAGAIN"));
}

fn a_fork_bomb_ends_with_the_net() {
    let bomb = shell("bomb() { bomb | bomb & }; bomb; while :; do sleep 1; done");
    ends_by_the_deadline(bomb);
}

fn what_never_returns_is_ended() {
    ends_by_the_deadline(shell("exec sleep 1000"));
}

fn ends_by_the_deadline(session: Session) {
    let session = session.deadline(Duration::from_millis(500));
    let (class, message) = judge(|| drop(session.finish())).expect_err("the deadline is over");
    assert_eq!(class, Class::Deadline, "{message}");
}

fn files_of_the_host_cannot_be_written() {
    let name = format!("coracle-was-here-{}", std::process::id());
    for folder in ["/", "/etc", "/var/tmp", "/sys/fs/cgroup", env!("CARGO_MANIFEST_DIR")] {
        let path = Path::new(folder).join(&name);
        let run = shell(&format!("echo x > {}", path.display())).finish();
        let there = path.exists();
        let _ = std::fs::remove_file(&path);
        assert!(!there, "{} was written", path.display());
        assert_ne!(run.code, Some(0), "it counts as written: {}", path.display());
    }
}

fn a_kill_of_everybody() {
    let run = shell("sleep 1000 & kill -9 -1 && wait; echo alone").finish();
    assert!(run.stdout.contains("alone"), "the sleep was not killed: {}", run.stderr);
}

fn a_process_that_gets_out_is_a_leak() {
    let session = shell("true");
    let (name, value) = session.mark();
    let mut escaped = Command::new("sleep").arg("1000").env(name, value).spawn().expect("sleep starts");
    let verdict = judge(|| drop(session.finish()));
    escaped.kill().expect("it runs");
    escaped.wait().expect("it is our child");
    let (class, message) = verdict.expect_err("the process is still there");
    assert_eq!(class, Class::Harness);
    assert!(message.contains(&format!("{:?}", [escaped.id().to_string()])), "{message}");
}

/// This target again, with the tests that are there to fail.
fn tests_to_fail() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("our own path"));
    command.env(TO_FAIL, "1").env_remove("CORACLE_STRICT").env_remove("CORACLE_VERDICTS");
    command
}

fn each_failure_has_its_class() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("verdicts");
    let status = tests_to_fail().env("CORACLE_VERDICTS", &file).output().expect("the tests start").status;
    assert!(!status.success(), "tests that fail make the target fail");
    let verdicts = std::fs::read_to_string(file).expect("verdicts");
    for (test, class) in [
        ("fails_by_an_assertion", "assertion"),
        ("fails_without_evidence", "no-evidence"),
        ("fails_by_a_panic_of_the_runtime", "runtime-panic"),
    ] {
        let line = verdicts.lines().find(|line| line.contains(test)).unwrap_or_default();
        assert!(line.contains(&format!("\"class\":\"{class}\"")), "{test}: {line}");
    }
}

fn what_is_missing_is_shown_or_fails() {
    let run = |strict| {
        let mut command = tests_to_fail();
        command.env("PATH", "/nowhere").env("CORACLE_STRICT", strict).arg("needs_what_is_missing");
        let output = command.output().expect("the tests start");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (passed, text) = run("0");
    assert!(passed && text.contains("ignored: needs strace") && text.contains("1 ignored"), "{text}");
    let (passed, text) = run("1");
    assert!(!passed && text.contains("FAILED"), "{text}");
}
