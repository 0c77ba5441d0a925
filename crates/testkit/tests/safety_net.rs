//! The net under the learner's runtime: what falls into it does no harm outside, and what gets out is noticed.
//!
//! The "runtimes" here do on purpose what a half-done one does by mistake. Each test sees that the harm was really
//! done inside; that the host is as before, [`Session::finish`] looks after every run.

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
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
            test("fails_by_the_deadline", &["userns"], || {
                shell("exec sleep 1000").deadline(Duration::from_millis(200)).finish();
            }),
            test("fails_by_a_leak", &["userns"], leave_a_process),
            test("waits_to_be_killed", &["userns"], wait_to_be_killed),
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
            test("a_cgroup_that_stays_is_a_leak", &["userns", "cgroup"], a_cgroup_that_stays_is_a_leak),
            test("a_killed_test_takes_its_net_down", &["userns"], a_killed_test_takes_its_net_down),
            test("mounts_of_every_kind_are_sealed", &["userns"], mounts_of_every_kind_are_sealed),
            test("each_failure_has_its_class", &["userns"], each_failure_has_its_class),
            test("what_is_missing_is_shown_or_fails", &[], what_is_missing_is_shown_or_fails),
        ]
    };
    testkit::main(&Plan { suite: "safety-net", lesson: None, runtime: "/bin/sh", probe: None, tests })
}

fn shell(script: &str) -> Session {
    // An ordinary user of Debian has no sbin in PATH, and pivot_root(8) is there.
    in_net(&["/bin/sh", "-c", &format!("PATH=$PATH:/usr/sbin:/sbin; {script}")])
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
    let bomb = shell("bomb() { bomb | bomb & }; (bomb) 2> bound & exec sleep 1000");
    let bound = bomb.mark().1.join("bound");
    let complaint = || std::fs::read_to_string(&bound).unwrap_or_default();
    within(Duration::from_secs(5), "the bomb is at its bound", || {
        complaint().to_lowercase().contains("fork")
    });
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
    let (class, message) = judge(leave_a_process).expect_err("the process is still there");
    assert_eq!(class, Class::Harness, "{message}");
    assert!(message.contains("processes of the run still live"), "{message}");
}

/// A run that leaves a process outside of its net.
fn leave_a_process() {
    let session = shell("true");
    let (name, value) = session.mark();
    let _escaped = Sleep::start(Command::new("sleep").env(name, value));
    session.finish();
}

/// A process of the host, until it is dropped.
struct Sleep(Child);

impl Sleep {
    fn start(command: &mut Command) -> Sleep {
        Sleep(command.arg("1000").spawn().expect("sleep starts"))
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_cgroup_that_stays_is_a_leak() {
    let session = shell("true");
    let group = session.cgroups().first().expect("root has cgroups").clone();
    let inhabitant = Sleep::start(&mut Command::new("sleep"));
    std::fs::write(group.join("cgroup.procs"), inhabitant.0.id().to_string()).expect("it may be joined");
    let verdict = judge(|| drop(session.finish()));
    drop(inhabitant);
    within(Duration::from_secs(2), "the cgroup can be removed", || std::fs::remove_dir(&group).is_ok());
    let (class, message) = verdict.expect_err("the cgroup is still there");
    assert_eq!(class, Class::Harness, "{message}");
    assert!(message.contains(&format!("{} cannot be removed", group.display())), "{message}");
}

/// Where a test that is to be killed tells which process it has started, and which cgroups.
const TOLD: &str = "CORACLE_TEST_TOLD";

fn wait_to_be_killed() {
    let file = std::env::var_os(TOLD).expect("a file to tell it in");
    let mut session = shell("sleep 1000 & echo up; wait").deadline(Duration::from_secs(60));
    session.line_within(Duration::from_secs(5)).expect("it is up");
    let groups = session.cgroups().iter().map(|path| path.display().to_string());
    let told: Vec<_> = std::iter::once(format!("/proc/{}", session.program().pid)).chain(groups).collect();
    std::fs::write(Path::new(&file).with_extension("new"), told.join("\n")).expect("it can be told");
    std::fs::rename(Path::new(&file).with_extension("new"), file).expect("it can be told");
    session.finish();
}

fn a_killed_test_takes_its_net_down() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("told");
    let mut command = tests_to_fail();
    command.env("TMPDIR", folder.path()).env(TOLD, &file);
    let mut test = command.arg("waits_to_be_killed").stdout(Stdio::null()).spawn().expect("the tests start");
    within(Duration::from_secs(5), "the test has a container", || file.exists());
    let told = std::fs::read_to_string(file).expect("it was told");
    let left = || told.lines().filter(|path| Path::new(path).exists()).collect::<Vec<_>>();
    assert_eq!(left(), told.lines().collect::<Vec<_>>(), "its process and cgroups are there");
    test.kill().expect("it runs");
    test.wait().expect("it is our child");
    let process = Path::new(told.lines().next().expect("a process"));
    within(Duration::from_secs(5), "the net's processes are gone", || !process.exists());
    // Nobody was left to remove the cgroups: the next test that wants some does.
    let status = tests_to_fail().arg("fails_without_evidence").output().expect("the tests start").status;
    assert!(!status.success());
    assert_eq!(left(), Vec::<&str>::new());
}

/// What a host may have, and what a user namespace is touchy about: a mount on another one, as systemd's automount
/// has, and one that keeps access times in its own way. The outer net is the host of an inner one here.
fn mounts_of_every_kind_are_sealed() {
    let script = format!(
        "export TMPDIR=$PWD; mkdir stacked odd && mount -t tmpfs below stacked && \
         mount -t tmpfs -o nosuid,nodev,noexec above stacked && \
         mount -t tmpfs -o strictatime,nodiratime odd odd && \
         unshare --user --map-root-user {} a_hostname_stays_inside",
        std::env::current_exe().expect("our own path").display()
    );
    let run = shell(&script).finish();
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("1 passed"), "{}", run.stdout);
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
        ("fails_by_the_deadline", "deadline"),
        ("fails_by_a_leak", "harness"),
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
