//! A container while it lives, and what is left of it afterwards.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use probe::{Mount, Report};
use tempfile::TempDir;

use crate::cgroup::Cgroups;
use crate::failure::{Class, OrHarness, fail, saw_stderr};
use crate::leak::{Host, Trace};
use crate::lines::Lines;
use crate::net::{self, Order, Outside};
use crate::rootfs::{Rootfs, temporary};
use crate::vm::patient;
use crate::{harness, within};

/// A run that is not over by then is ended from outside. No test should come near it.
const OUTER_DEADLINE: Duration = Duration::from_secs(10);

/// How long a test waits for what takes milliseconds.
pub(crate) const SOON: Duration = Duration::from_secs(5);

const MARK: &str = "CORACLE_TEST_RUN";

/// Runs any command in the net, in the place of a runtime.
pub fn in_net(words: &[&str]) -> Session {
    let command = words.iter().map(|word| (*word).to_owned()).collect();
    Session::start(temporary(), command, Cgroups::new(net::PROCESSES), None)
}

/// A container in its net, alive.
#[derive(Debug)]
pub struct Session {
    net: Child,
    stdin: Option<ChildStdin>,
    lines: Lines,
    stderr: Option<JoinHandle<String>>,
    end: Instant,
    mark: String,
    host: Host,
    cgroups: Cgroups,
    dir: TempDir,
    /// Kept as long as the container lives.
    _rootfs: Option<Rootfs>,
}

impl Session {
    pub(crate) fn start(
        dir: TempDir,
        command: Vec<String>,
        cgroups: Cgroups,
        rootfs: Option<Rootfs>,
    ) -> Session {
        let host = Host::now();
        let mark = format!("{MARK}={}", dir.path().display());
        let env = [(MARK, dir.path().display().to_string()), ("PATH", path()), ("TERM", "dumb".into())];
        let order = Order {
            writable: harness::directory(),
            command,
            env: env.map(|(name, value)| (name.to_owned(), value)).into(),
            open: cgroups.folders.clone(),
            join: cgroups.join.clone(),
        };
        let bytes = serde_json::to_vec(&order).or_harness("write the order");
        std::fs::write(dir.path().join(net::ORDER), bytes).or_harness("write the order");
        let mut net = net::command(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env(MARK, dir.path())
            .spawn()
            .or_harness("start the net");
        let (stdin, stdout, stderr) = (net.stdin.take(), net.stdout.take(), net.stderr.take());
        let lines = Lines::of(stdout);
        let err = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        let end = outer_deadline();
        Session { net, stdin, lines, stderr: Some(err), end, mark, host, cgroups, dir, _rootfs: rootfs }
    }

    /// With another outer deadline, from now on.
    #[must_use]
    pub fn deadline(mut self, time: Duration) -> Session {
        self.end = Instant::now() + time;
        self
    }

    /// The variable that every process of this run has in its environment, and that leaks are found by.
    pub fn mark(&self) -> (&'static str, &Path) {
        (MARK, self.dir.path())
    }

    /// The run's own cgroups, one in each hierarchy; none for an ordinary user.
    pub fn cgroups(&self) -> &[PathBuf] {
        &self.cgroups.folders
    }

    /// The next line that the program prints, if it comes within `time`.
    pub fn line_within(&mut self, time: Duration) -> Option<String> {
        self.lines.within(patient(time))
    }

    /// The probe's report: the next line.
    pub fn report(&mut self) -> Report {
        let Some(line) = self.line_within(SOON) else {
            self.close();
            let stderr = self.collect();
            saw_stderr(&stderr);
            fail(Class::NoEvidence, format!("the container gave no report; stderr: {stderr}"))
        };
        parse(&line)
    }

    /// Sends a signal to the runtime.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.runtime()), signal).or_harness("signal the runtime");
    }

    /// Runs a command in the world in which the runtime was started, with all rights there; for what a host does
    /// while a container lives.
    pub fn on_the_host(&self, words: &[&str]) {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &self.runtime().to_string(), "--mount"]);
        if !nix::unistd::geteuid().is_root() {
            enter.args(["--user", "--preserve-credentials"]);
        }
        let output = enter.arg("--").args(words).output().or_harness("start nsenter");
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            fail(Class::Harness, format!("on the host, {words:?}: {stderr}"));
        }
    }

    /// The container's first process, seen from the host.
    pub fn program(&self) -> Program {
        Program { pid: first_child(self.runtime()) }
    }

    /// The world in which the runtime was started; `mounts_after` and `hostname_after` are empty as yet.
    pub fn outside(&self) -> Outside {
        read(self.dir.path(), net::BEFORE).unwrap_or_default()
    }

    /// Closes the program's standard input: the probe's `hold` then ends.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Closes standard input, waits for the end of all, and looks whether the host is as before.
    pub fn finish(mut self) -> Output {
        self.close_stdin();
        if !self.lines.read_to_end(self.end) {
            self.close();
            self.host.assert_unchanged(&self.trace());
            self.cgroups.remove();
            fail(Class::Deadline, "the outer deadline is over: the runtime does not return");
        }
        self.net.wait().or_harness("wait for the net");
        let stderr = self.collect();
        saw_stderr(&stderr);
        self.host.assert_unchanged(&self.trace());
        let left = self.control_group();
        self.cgroups.remove();
        let Some(outside) = read(self.dir.path(), net::AFTER) else {
            let why = std::fs::read_to_string(self.dir.path().join(net::ERROR)).unwrap_or_default();
            fail(Class::Harness, format!("the net failed: {why} {stderr}").trim_end())
        };
        let stdout = self.lines.take();
        Output { code: outside.code, signal: outside.signal, stdout, stderr, outside, control_group: left }
    }

    fn trace(&self) -> Trace {
        Trace { mark: self.mark.clone(), namespace: self.outside().ns.get("pid").copied() }
    }

    /// Ends all of it, now.
    fn close(&mut self) {
        self.stdin = None;
        let _ = self.net.kill();
        let _ = self.net.wait();
    }

    /// All of standard error, once it is at its end.
    fn collect(&mut self) -> String {
        self.stderr.take().and_then(|reader| reader.join().ok()).unwrap_or_default()
    }

    /// The number of the net's PID 1 on the host.
    pub(crate) fn net_init(&self) -> i32 {
        first_child(self.net.id() as i32)
    }

    /// The folder of this run, and whatever belongs to it.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The name of the run's cgroups below each hierarchy's root; empty where there are none.
    pub(crate) fn cgroup_name(&self) -> &str {
        &self.cgroups.name
    }

    /// The runtime's number here: the first child of stage 2, which is the child of stage 1.
    fn runtime(&self) -> i32 {
        first_child(self.net_init())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// A container's process, seen from the host.
#[derive(Debug)]
pub struct Program {
    /// Its number on the host.
    pub pid: i32,
}

impl Program {
    /// The inode of one of its namespaces, by its name in /proc/PID/ns.
    pub fn ns(&self, kind: &str) -> u64 {
        let all: BTreeMap<String, u64> = net::namespaces(&self.proc("ns"));
        *all.get(kind)
            .unwrap_or_else(|| fail(Class::Harness, format!("no {kind} namespace of {self:?} in sight")))
    }

    /// Its mounts.
    pub fn mounts(&self) -> Vec<Mount> {
        Mount::parse_all(&std::fs::read_to_string(self.proc("mountinfo")).or_harness("read its mountinfo"))
    }

    /// Its numbers in all PID namespaces that it is in, the host's first.
    pub fn nspid(&self) -> Vec<i32> {
        let numbers = self.nspid_now();
        if numbers.is_empty() {
            fail(Class::Harness, format!("{self:?} has ended"));
        }
        numbers
    }

    /// As [`Program::nspid`]; none where it has ended.
    pub(crate) fn nspid_now(&self) -> Vec<i32> {
        let status = std::fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        line.split_whitespace().filter_map(|number| number.parse().ok()).collect()
    }

    /// Sends it a signal from the host.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).or_harness("signal the program");
    }

    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(name)
    }
}

/// What is left of a run.
#[derive(Debug)]
pub struct Output {
    /// The runtime's exit status, where it exited.
    pub code: Option<i32>,
    /// The signal that killed the runtime, where one did.
    pub signal: Option<i32>,
    /// What the program, and the runtime, printed.
    pub stdout: String,
    /// What they said on standard error.
    pub stderr: String,
    /// The world in which the runtime was started.
    pub outside: Outside,
    /// The folders of the container's control group that are still there.
    pub control_group: Vec<PathBuf>,
}

impl Output {
    /// The probe's report.
    pub fn report(&self) -> Report {
        report(&self.stdout, &self.stderr)
    }
}

/// When a run that begins now has gone on for too long.
pub(crate) fn outer_deadline() -> Instant {
    Instant::now() + patient(OUTER_DEADLINE)
}

/// The probe's report, in the first line of what was said.
pub(crate) fn report(stdout: &str, stderr: &str) -> Report {
    match stdout.lines().next() {
        Some(line) => parse(line),
        None => fail(Class::NoEvidence, format!("the container gave no report; stderr: {stderr}")),
    }
}

pub(crate) fn parse(line: &str) -> Report {
    serde_json::from_str(line)
        .unwrap_or_else(|error| fail(Class::NoEvidence, format!("this is no report: {error}: {line}")))
}

fn read(dir: &Path, file: &str) -> Option<Outside> {
    serde_json::from_slice(&std::fs::read(dir.join(file)).ok()?).ok()
}

fn path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".into())
}

/// The first child of a process, whichever of its threads it came from.
pub(crate) fn first_child(pid: i32) -> i32 {
    let mut found = None;
    within(SOON, "the process has a child", || {
        found = first_child_now(pid);
        found.is_some()
    });
    found.unwrap_or_default()
}

/// As [`first_child`], where it has one now.
pub(crate) fn first_child_now(pid: i32) -> Option<i32> {
    children(pid).iter().filter_map(|of_thread| of_thread.first().copied()).min()
}

/// The children of each thread of a process, the dead ones that it has not buried among them.
pub(crate) fn children(pid: i32) -> Vec<Vec<i32>> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let texts = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |text: String| text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    texts.map(numbers).collect()
}
