//! What the suites of the runtime share: a bundle with the probe in it, and what may not be left of its container.
#![allow(dead_code, reason = "no suite needs all of it")]

pub(crate) mod delegated;
pub(crate) mod harbour;
pub(crate) mod running;
pub(crate) mod user;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::within;

/// A bundle with the probe in it, a state directory and an id of its own: control groups are named after ids, and the
/// machine has one tree of them.
pub(crate) struct Bundle(TempDir, String);

/// What a test left running goes.
impl Drop for Bundle {
    fn drop(&mut self) {
        for left in self.left() {
            let id = left.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let _ = self.call(&["delete", "--force", &id]);
        }
    }
}

impl Bundle {
    pub(crate) fn new() -> Bundle {
        let bundle = Bundle(tempfile::tempdir().expect("a temporary directory"), fresh_id());
        // crun makes no /dev of its own.
        for directory in ["rootfs/dev", "rootfs/proc", "rootfs/tmp"] {
            std::fs::create_dir_all(bundle.path().join(directory)).expect("a directory in the rootfs");
        }
        // By another process: a file that is open for writing here while another test's thread forks cannot be executed
        // until that child has let go of it (ETXTBSY).
        let copied =
            Command::new("cp").arg(testkit::probe()).arg(bundle.path().join("rootfs/probe")).status();
        assert!(copied.expect("cp starts").success(), "a copy of the probe");
        bundle
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// An id for its container. Those of two containers at the same time differ, as their control groups must.
    pub(crate) fn id(&self) -> &str {
        &self.1
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// A config that runs the probe, for whoever we are.
    pub(crate) fn config() -> Value {
        let mut config = json!({
            "ociVersion": "1.0.2",
            "root": { "path": "rootfs" },
            "hostname": "boat",
            "process": { "args": ["/probe"], "cwd": "/", "env": ["PATH=/"], "user": { "uid": 0, "gid": 0 } },
            "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
            "linux": { "namespaces": [
                { "type": "pid" }, { "type": "mount" }, { "type": "uts" }, { "type": "ipc" }, { "type": "network" },
            ] },
        });
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        if uid != 0 {
            let linux = &mut config["linux"];
            linux["namespaces"].as_array_mut().expect("a list").push(json!({ "type": "user" }));
            linux["uidMappings"] = json!([{ "containerID": 0, "hostID": uid, "size": 1 }]);
            linux["gidMappings"] = json!([{ "containerID": 0, "hostID": gid, "size": 1 }]);
        }
        config
    }

    pub(crate) fn write(&self, config: &Value) -> &Bundle {
        self.write_text(config.to_string())
    }

    pub(crate) fn write_text(&self, config: impl AsRef<[u8]>) -> &Bundle {
        std::fs::write(self.path().join("config.json"), config).expect("a config");
        self
    }

    /// With other arguments for the program.
    pub(crate) fn args(&self, args: &[&str]) -> &Bundle {
        let mut config = Bundle::config();
        config["process"]["args"] = json!(args);
        self.write(&config)
    }

    /// `coracle --root STATE OPTIONS run --bundle HERE ID`, to be run.
    pub(crate) fn command(&self, options: &[&str], id: &str) -> Command {
        let mut command = Command::new(testkit::runtime());
        command
            .arg("--root")
            .arg(self.state())
            .args(options)
            .arg("run")
            .arg("--bundle")
            .arg(self.path())
            .arg(id);
        command.stdin(Stdio::null());
        command
    }

    /// `coracle --root STATE ARGS`, to be run.
    pub(crate) fn coracle(&self, args: &[&str]) -> Command {
        let mut command = Command::new(testkit::runtime());
        command.arg("--root").arg(self.state()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs `coracle --root STATE ARGS` to its end.
    pub(crate) fn call(&self, args: &[&str]) -> Output {
        self.coracle(args).finish()
    }

    /// As [`Bundle::call`], and it must succeed without a word on standard error. Returns what it says.
    #[track_caller]
    pub(crate) fn must(&self, args: &[&str]) -> String {
        let output = self.call(args);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{args:?}");
        text(&output.stdout)
    }

    /// As [`Bundle::call`], and it must fail; ours with this exit code. Returns the error.
    #[track_caller]
    pub(crate) fn must_fail(&self, args: &[&str], code: i32) -> String {
        let output = self.call(args);
        let stderr = text(&output.stderr);
        assert!(!output.status.success(), "{args:?} says success");
        if is_coracle() {
            assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        }
        says(&stderr, "error");
        stderr
    }

    /// Where the output of the container `id` goes that [`Bundle::create`] makes.
    pub(crate) fn output(&self, id: &str) -> PathBuf {
        self.path().join(format!("output-of-{id}"))
    }

    /// Creates the container `id`. Its output goes to a file: it outlives the call.
    #[track_caller]
    pub(crate) fn create(&self, id: &str) {
        let bundle = self.path().display().to_string();
        let mut create = self.coracle(&["create", "--bundle", &bundle, id]);
        let errors = self.path().join("errors");
        let file = |path: &Path| std::fs::File::create(path).expect("a file");
        create.stdout(file(&self.output(id))).stderr(file(&errors));
        let status = create.finish().status;
        let said = std::fs::read_to_string(&errors).unwrap_or_default();
        assert!(status.success(), "create: {status}: {said}");
    }

    /// Waits until the program of the bundle's container waits for its signal, which it says first ([`Bundle::output`]):
    /// one that comes before is lost on a PID 1.
    #[track_caller]
    pub(crate) fn ready(&self) {
        within(Duration::from_secs(5), "the program waits", || {
            std::fs::read_to_string(self.output(self.id())).is_ok_and(|said| said.contains("\"pid\""))
        });
    }

    /// The container's state, as `coracle state` tells it.
    #[track_caller]
    pub(crate) fn state_of(&self, id: &str) -> Value {
        serde_json::from_str(&self.must(&["state", id])).expect("JSON")
    }

    /// Waits until the container is in that state.
    #[track_caller]
    pub(crate) fn wait_for(&self, id: &str, status: &str) {
        within(Duration::from_secs(5), &format!("{id} is {status}"), || {
            self.state_of(id)["status"] == status
        });
    }

    pub(crate) fn run(&self) -> Output {
        self.command(&[], self.id()).finish()
    }

    /// Runs it, and it must succeed. Returns the probe's report.
    #[track_caller]
    pub(crate) fn report(&self) -> probe::Report {
        let output = self.run();
        assert!(output.status.success(), "run: {}: {}", output.status, text(&output.stderr));
        let said = text(&output.stdout);
        serde_json::from_str(said.lines().next().unwrap_or_default())
            .unwrap_or_else(|error| panic!("no report: {error}: {said:?}"))
    }

    /// What is in the state directory.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.state())
            .map_or_else(|_| Vec::new(), |all| all.flatten().map(|e| e.path()).collect())
    }
}

/// Whether the runtime under test is ours.
pub(crate) fn is_coracle() -> bool {
    testkit::runtime().file_name().is_some_and(|name| name == "coracle")
}

/// The error must have these words, where it is ours. What others say in their own is not for us to judge.
#[track_caller]
pub(crate) fn says(error: &str, words: &str) {
    assert!(!is_coracle() || error.contains(words), "{words:?} is not in: {error}");
}

/// A call of the runtime, to its end.
pub(crate) trait Finish {
    /// As [`Command::output`], and the call must return: one that waits for something that never comes (another runtime may)
    /// is ended, with all that it started, and the test fails.
    fn finish(&mut self) -> Output;
}

impl Finish for Command {
    #[track_caller]
    fn finish(&mut self) -> Output {
        const VARIABLE: &str = "CORACLE_TEST_CALL";
        let mark = fresh_id();
        self.env(VARIABLE, &mark);
        let (over, end) = std::sync::mpsc::channel::<()>();
        let deadline = testkit::patient(Duration::from_secs(60));
        let watch = std::thread::spawn(move || {
            let late = end.recv_timeout(deadline) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
            if late {
                kill_tree(&format!("{VARIABLE}={mark}\0"));
            }
            late
        });
        let output = self.output().expect("the runtime starts");
        drop(over);
        let late = watch.join().expect("the watch");
        assert!(!late, "the runtime does not return within {deadline:?}: {}", text(&output.stderr));
        output
    }
}

/// Kills the processes with `mark` in their environment, and all that descend from them.
fn kill_tree(mark: &str) {
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let all: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let marked = |pid: u32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.windows(mark.len()).any(|part| part == mark.as_bytes())
    };
    let ours = |pid: u32| std::iter::successors(Some(pid), |pid| parent(*pid)).any(marked);
    for pid in all.into_iter().filter(|pid| ours(*pid)) {
        // Gone by itself in the meantime: just as well.
        let _ =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL);
    }
}

/// A seccomp profile as engines give it to a container without capabilities: what ordinary programs call is allowed, some of it
/// by its arguments; all else fails.
pub(crate) fn profile() -> Value {
    let names: Vec<&str> = include_str!("profile.txt").split_whitespace().collect();
    let by_argument = |name: &str, index: u32, op: &str, value: u64| {
        let args = json!([{ "index": index, "value": value, "valueTwo": 0, "op": format!("SCMP_CMP_{op}") }]);
        json!({ "names": [name], "action": "SCMP_ACT_ALLOW", "args": args })
    };
    let mut rules = vec![json!({ "names": names, "action": "SCMP_ACT_ALLOW" })];
    // All families of sockets but that of the host's own hypervisor, and of encryption in the kernel.
    rules.push(by_argument("socket", 0, "LT", libc::AF_ALG as u64));
    rules.extend([39, 41, 42, 43, 44, 45].map(|family| by_argument("socket", 0, "EQ", family)));
    rules.extend(
        [0, 8, 0x20000, 0x20008, 0xffff_ffff].map(|value| by_argument("personality", 0, "EQ", value)),
    );
    // No new namespaces. The flags of clone3 are in memory: libraries fall back to clone.
    rules.push(by_argument("clone", 0, "MASKED_EQ", 0x7e02_0000));
    rules.push(json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS }));
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": libc::EPERM,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        "syscalls": rules,
    })
}

/// Runs `command` under strace with these options, and it must succeed. Returns the trace.
#[track_caller]
pub(crate) fn traced(bundle: &Bundle, options: &[&str], command: &Command) -> String {
    let log = bundle.path().join("trace");
    let output = Command::new("strace")
        .arg("-f")
        .args(options)
        .arg("-o")
        .arg(&log)
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .expect("strace starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    std::fs::read_to_string(&log).expect("the trace")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").expect("our mounts")
}

/// Without those by which crun seals itself, and which it takes away at once: another test's may be there just now.
fn lasting_mounts() -> String {
    // CRIU mounts version 2 by itself, and the kernel takes that for a change of its options, which are all the machine's.
    let without_options = |line: &str| match line.split_once(" - cgroup2 ") {
        Some((head, _)) => format!("{head} - cgroup2\n"),
        None => line.to_owned(),
    };
    let lasting = |line: &&str| !line.contains(" /tmp/crun.");
    mounts().split_inclusive('\n').filter(lasting).map(without_options).collect()
}

/// An id that no other container of these tests has, and that is not the beginning of another one: what is left of a
/// container is looked for by it.
pub(crate) fn fresh_id() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{:06}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// What our caller ignores is ignored by all that we start, but for SIGPIPE, which is a matter of our own.
pub(crate) fn ignored_by_us() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").expect("our status");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a line");
    let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask");
    let ignored = Signal::iterator().filter(|signal| mask & 1 << (*signal as u64 - 1) != 0);
    ignored.filter(|signal| *signal != Signal::SIGPIPE).map(|signal| signal.as_str().to_owned()).collect()
}

/// What a run that fails may not change or leave, but for its bundle's state directory.
pub(crate) struct Leaks {
    mark: String,
    mounts: String,
}

impl Leaks {
    pub(crate) const VARIABLE: &str = "CORACLE_TEST_OF";

    /// To be called before the run of a container `id`; marks the processes of `command`.
    pub(crate) fn watch(command: &mut Command, id: &str) -> Leaks {
        command.env(Leaks::VARIABLE, id);
        Leaks { mark: id.to_owned(), mounts: lasting_mounts() }
    }

    /// Fails where `bundle` has a container's directory, or the host has another mount, a control group named after
    /// the container, or a process of the run.
    #[track_caller]
    pub(crate) fn assert_none(&self, bundle: &Bundle, row: &str) {
        assert_eq!(bundle.left(), Vec::<PathBuf>::new(), "{row}: a container's directory is left");
        assert_eq!(lasting_mounts(), self.mounts, "{row}: the mounts changed");
        assert_eq!(self.cgroups(bundle), Vec::<PathBuf>::new(), "{row}: a control group is left");
        within(Duration::from_secs(4), &format!("{row}: no process is left"), || self.processes().is_empty());
    }

    /// Control groups of the container, at most two levels below a hierarchy's root. A folder among the hierarchies is none.
    fn cgroups(&self, bundle: &Bundle) -> Vec<PathBuf> {
        let folders = |path: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect()
        };
        let first = folders(Path::new("/sys/fs/cgroup"));
        let second: Vec<_> = first.iter().flat_map(|path| folders(path)).collect();
        // Not what is no file: one of the rows has a link to a device that never ends.
        let file = bundle.path().join("config.json");
        let is_file = std::fs::symlink_metadata(&file).is_ok_and(|found| found.is_file());
        let config = if is_file { std::fs::read(&file).unwrap_or_default() } else { Vec::new() };
        let config: Value = serde_json::from_slice(&config).unwrap_or_default();
        let asked =
            config["linux"]["cgroupsPath"].as_str().map(|path| path.trim_start_matches('/').to_owned());
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.contains(&self.mark) || asked.as_ref() == Some(&name)
        };
        let is_group = |path: &PathBuf| {
            let kind = nix::sys::statfs::statfs(path).map(|found| found.filesystem_type());
            kind.is_ok_and(|kind| [CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC].contains(&kind))
        };
        first.into_iter().chain(second).filter(is_ours).filter(is_group).collect()
    }

    fn processes(&self) -> Vec<PathBuf> {
        let mark = format!("{}={}\0", Leaks::VARIABLE, self.mark).into_bytes();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
        let is_ours = |path: &PathBuf| {
            let environ = std::fs::read(path.join("environ")).unwrap_or_default();
            environ.windows(mark.len()).any(|part| part == mark)
        };
        entries.filter(is_ours).collect()
    }
}
