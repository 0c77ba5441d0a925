//! Each system call of create and start fails in turn, and each is init's last in turn: on the real kernel, by strace(1)'s
//! injection. Whatever it is, the error says so, and nothing is left.
//!
//! Calls that cannot fail, or whose failure is the end of any program (memory), are not among them.

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde_json::{Value, json};
use testkit::{judge, within};

use common::{Bundle, Leaks};

testkit::suite! { "faults",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        // An ordinary user cannot look into a process that hides, and strace is one.
        every_call_of_create_fails_in_turn(root, strace),
        every_call_of_init_fails_in_turn(root, strace),
        init_is_killed_at_every_call(root, strace),
        create_is_killed_at_every_call(root, strace),
        every_call_of_start_fails_in_turn(root, strace),
        every_call_of_init_fails_in_turn_when_it_is_started(root, strace),
        init_is_killed_at_every_call_when_it_is_started(root, strace),
    ]
}

const SOON: Duration = Duration::from_secs(10);

/// Those that nobody can make fail, and those of memory.
const SPARED: [&str; 25] = [
    "arch_prctl",
    "brk",
    "close",
    "execve",
    "exit",
    "exit_group",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "gettid",
    "getuid",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "rseq",
    "rt_sigreturn",
    "set_tid_address",
    "sigaltstack",
    "umask",
];

/// A call: its name, and the how manieth of that name it is in its process.
#[derive(Debug, Clone)]
struct Call {
    name: String,
    number: usize,
}

impl Call {
    /// What strace is told.
    fn with(&self, fault: &str) -> String {
        format!("inject={}:{fault}:when={}", self.name, self.number)
    }
}

/// The default config, with the probe as its program, and hooks.
struct Boat {
    bundle: Bundle,
}

impl Boat {
    fn new() -> Boat {
        let bundle = Bundle::new();
        let spec = bundle.call(&["spec", "--bundle", &bundle.path().display().to_string()]);
        assert!(spec.status.success(), "spec: {spec:?}");
        let path = bundle.path().join("config.json");
        let mut config: Value =
            serde_json::from_slice(&std::fs::read(&path).expect("a config")).expect("JSON");
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
        config["process"]["env"] = json!(["PATH=/", format!("{}={}", Leaks::VARIABLE, bundle.id())]);
        for moment in ["createRuntime", "createContainer", "poststart"] {
            config["hooks"][moment] = json!([{ "path": "/bin/true" }]);
        }
        // It reads its input to the end: of one that does not, the scheduler decides whether anything is written to it.
        let note = json!({ "path": "/probe", "args": ["probe", "note", "/dev/shm/note"] });
        config["hooks"]["startContainer"] = json!([note]);
        for folder in ["dev", "sys"] {
            let _ = std::fs::create_dir(bundle.path().join("rootfs").join(folder));
        }
        bundle.write(&config);
        Boat { bundle }
    }

    fn id(&self) -> &str {
        self.bundle.id()
    }

    fn create(&self) -> Command {
        let path = self.bundle.path().display().to_string();
        self.bundle.coracle(&["create", "--bundle", &path, self.id()])
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.bundle.path().join(name)
    }

    /// `command` under strace, which traces it and none of its children.
    fn traced(&self, options: &[&str], command: &Command) -> Command {
        let mut strace = Command::new("strace");
        strace
            .args(options)
            .arg("-o")
            .arg(self.file("trace"))
            .arg(command.get_program())
            .args(command.get_args());
        strace.stdin(Stdio::null());
        strace
    }

    /// Standard output and error to files: a container keeps them open.
    fn quietly<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let file = |name| File::create(self.file(name)).expect("a file");
        command.stdout(file("stdout")).stderr(file("stderr"))
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.file("stderr")).unwrap_or_default()
    }

    /// The calls in the trace `name`, without those that are spared.
    fn calls(&self, name: &str) -> Vec<Call> {
        let text = std::fs::read_to_string(self.file(name)).expect("a trace");
        let mut counts = BTreeMap::<&str, usize>::new();
        let mut calls = Vec::new();
        for line in text.lines() {
            let Some((name, _)) = line.split_once('(') else { continue };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                continue;
            }
            let count = counts.entry(name).or_default();
            *count += 1;
            if !SPARED.contains(&name) {
                calls.push(Call { name: name.to_owned(), number: *count });
            }
        }
        calls
    }

    fn status(&self) -> String {
        self.bundle.state_of(self.id())["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Fails unless the runtime did its work, or said what went wrong, and left nothing.
    #[track_caller]
    fn assert_all_or_nothing(&self, status: ExitStatus, leaks: &Leaks, strace: Option<&mut Child>) {
        let said = self.said();
        // Calls are counted on: what did not come before the end of create, must not fail afterwards.
        if let Some(strace) = strace {
            let _ = kill(Pid::from_raw(strace.id() as i32), Signal::SIGTERM);
            strace.wait().expect("it is our child");
        }
        if status.success() {
            assert_eq!(said, "", "success is silent");
            assert_eq!(self.status(), "created");
            self.bundle.must(&["start", self.id()]);
            assert_eq!(self.status(), "running");
            self.bundle.must(&["delete", "--force", self.id()]);
        } else {
            assert_error(status, &said);
        }
        leaks.assert_none(&self.bundle, "afterwards");
    }
}

/// One line that names what has failed, and exit code 1.
#[track_caller]
fn assert_error(status: ExitStatus, said: &str) {
    assert_eq!(status.code(), Some(1), "{status}: {said}");
    let told = said.strip_prefix("coracle: error: ").unwrap_or_else(|| panic!("no error: {said:?}"));
    assert_eq!(told.lines().count(), 1, "{said}");
    // One that is killed says nothing, and nobody knows where it was.
    let is_named = told.contains(": ") || told.starts_with("the container's first process ended");
    assert!(is_named, "it names neither step nor call: {said}");
}

/// Judges each of `calls` by `test`, and fails with all that do not hold.
#[track_caller]
fn each(calls: &[Call], test: impl Fn(&Call)) {
    assert!(calls.len() > 3, "there is something to fail: {calls:?}");
    let fails = |call: &Call| {
        let judged = judge(|| test(call));
        judged.err().map(|(_, text)| format!("{} {}: {}", call.name, call.number, text.trim()))
    };
    let failed: Vec<_> = calls.iter().filter_map(fails).collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), calls.len(), failed.join("\n"));
}

/// The calls of a create that goes well.
fn calls_of_create() -> Vec<Call> {
    let boat = Boat::new();
    let status = boat.quietly(&mut boat.traced(&[], &boat.create())).status().expect("strace starts");
    assert!(status.success(), "{}", boat.said());
    boat.calls("trace")
}

fn every_call_of_create_fails_in_turn() {
    each(&calls_of_create(), |call| {
        let boat = Boat::new();
        let mut create = boat.traced(&["-e", &call.with("error=EIO")], &boat.create());
        let leaks = Leaks::watch(&mut create, boat.id());
        let status = boat.quietly(&mut create).status().expect("strace starts");
        boat.assert_all_or_nothing(status, &leaks, None);
    });
}

/// What it leaves, `delete --force` clears.
fn create_is_killed_at_every_call() {
    each(&calls_of_create(), |call| {
        let boat = Boat::new();
        let mut create = boat.traced(&["-e", &call.with("signal=KILL")], &boat.create());
        let leaks = Leaks::watch(&mut create, boat.id());
        let status = boat.quietly(&mut create).status().expect("strace starts");
        // It may not come to that call: how often it sleeps while a hook runs is up to the scheduler.
        assert!(!status.success() || boat.status() == "created", "it is killed, or has succeeded: {status}");
        boat.bundle.must(&["delete", "--force", boat.id()]);
        leaks.assert_none(&boat.bundle, "afterwards");
    });
}

/// A create that stops when init is born, before it lets init go on.
struct Held {
    create: Child,
    main: Pid,
    init: Pid,
}

/// Where a test has failed meanwhile: nobody else would let it go on.
impl Drop for Held {
    fn drop(&mut self) {
        if !matches!(self.create.try_wait(), Ok(Some(_))) {
            let _ = kill(self.main, Signal::SIGKILL);
            let _ = self.create.wait();
        }
    }
}

impl Held {
    /// `after`: the main process's first call after the birth.
    fn at_birth(boat: &Boat, after: &Call) -> (Held, Leaks) {
        let mut create = boat.traced(&["-e", &after.with("signal=STOP")], &boat.create());
        let leaks = Leaks::watch(&mut create, boat.id());
        let create = boat.quietly(&mut create).spawn().expect("strace starts");
        let children = |pid: i32| -> Vec<i32> {
            let path = format!("/proc/{pid}/task/{pid}/children");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
        };
        let first_child = |pid: i32| children(pid).first().copied();
        let mut family = None;
        within(SOON, "init is born", || {
            let main = first_child(create.id() as i32);
            family = main.and_then(|main| Some((main, first_child(main)?)));
            family.is_some()
        });
        let (main, init) = family.expect("it is born");
        (Held { create, main: Pid::from_raw(main), init: Pid::from_raw(init) }, leaks)
    }

    /// Lets it go on, and waits for its end.
    fn go_on(mut self) -> ExitStatus {
        let mut ended = None;
        within(SOON, "create goes on and ends", || {
            // It may not have come to its stop yet: said again, nothing is lost.
            let _ = kill(self.main, Signal::SIGCONT);
            ended = self.create.try_wait().expect("it is our child");
            ended.is_some()
        });
        ended.expect("it has ended")
    }
}

/// strace of the process `pid`, which was there before.
fn attached(boat: &Boat, pid: Pid, options: &[&str]) -> Child {
    let mut strace = Command::new("strace");
    strace.args(options).arg("-o").arg(boat.file("trace-of-init")).args(["-p", &pid.to_string()]);
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let strace = strace.spawn().expect("strace starts");
    within(SOON, "strace holds init", || {
        // Its first fault may have been its end already.
        let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
        let is_held = |line: &str| line.starts_with("TracerPid:") && !line.ends_with("\t0");
        status.lines().any(|line| is_held(line) || line.starts_with("State:\tZ"))
    });
    strace
}

/// The first call after the birth of those that the main process of a create makes.
fn after_birth() -> Call {
    let calls = calls_of_create();
    let birth = calls.iter().position(|call| call.name == "clone3").expect("a birth");
    calls[birth + 1].clone()
}

/// A create under whose init strace is told `options`. Returns how it ended.
fn create_with(boat: &Boat, after: &Call, options: &[&str]) -> (ExitStatus, Leaks, Child) {
    let (held, leaks) = Held::at_birth(boat, after);
    let strace = attached(boat, held.init, options);
    (held.go_on(), leaks, strace)
}

/// The calls that init makes until it waits for its start.
fn calls_of_init(after: &Call) -> Vec<Call> {
    let boat = Boat::new();
    let (status, _, mut strace) = create_with(&boat, after, &[]);
    assert!(status.success(), "{}", boat.said());
    boat.bundle.must(&["start", boat.id()]);
    boat.bundle.must(&["delete", "--force", boat.id()]);
    strace.wait().expect("it is our child");
    let calls = boat.calls("trace-of-init");
    let start = calls.iter().position(|call| call.name == "accept4").expect("it waits for its start");
    let (of_create, _) = calls.split_at(start);
    of_create.to_vec()
}

fn every_call_of_init_fails_in_turn() {
    let after = after_birth();
    each(&calls_of_init(&after), |call| {
        let boat = Boat::new();
        let (status, leaks, mut strace) = create_with(&boat, &after, &["-e", &call.with("error=EIO")]);
        boat.assert_all_or_nothing(status, &leaks, Some(&mut strace));
    });
}

fn init_is_killed_at_every_call() {
    let after = after_birth();
    each(&calls_of_init(&after), |call| {
        let boat = Boat::new();
        let (status, leaks, mut strace) = create_with(&boat, &after, &["-e", &call.with("signal=KILL")]);
        let said = boat.said();
        // It may have said its last word before; or this time it was ready before it came to that call, for how often it sleeps
        // while a hook runs is up to the scheduler.
        if status.success() {
            let now = boat.status();
            assert!(["stopped", "created"].contains(&now.as_str()), "{now}");
            boat.bundle.must(&["delete", boat.id()]);
        } else {
            assert_error(status, &said);
        }
        leaks.assert_none(&boat.bundle, "afterwards");
        strace.wait().expect("it is our child");
    });
}

/// A created container.
fn created() -> (Boat, Leaks) {
    // When create has gone, init is ours to bury, as it would be an engine's; until then it can be seen how far it came.
    set_child_subreaper(true).expect("prctl");
    let boat = Boat::new();
    let mut create = boat.create();
    let leaks = Leaks::watch(&mut create, boat.id());
    assert!(boat.quietly(&mut create).status().expect("the runtime starts").success(), "{}", boat.said());
    (boat, leaks)
}

/// Fails unless start has said the truth.
#[track_caller]
fn assert_started_or_said(boat: &Boat, status: ExitStatus, leaks: &Leaks) {
    let (said, now) = (boat.said(), boat.status());
    if status.success() {
        assert_eq!((said.as_str(), now.as_str()), ("", "running"));
    } else {
        assert_error(status, &said);
    }
    boat.bundle.must(&["delete", "--force", boat.id()]);
    leaks.assert_none(&boat.bundle, "afterwards");
}

fn every_call_of_start_fails_in_turn() {
    let calls = {
        let (boat, _) = created();
        let start = boat.bundle.coracle(&["start", boat.id()]);
        assert!(boat.quietly(&mut boat.traced(&[], &start)).status().expect("strace starts").success());
        boat.calls("trace")
    };
    each(&calls, |call| {
        let (boat, leaks) = created();
        let start = boat.bundle.coracle(&["start", boat.id()]);
        let mut start = boat.traced(&["-e", &call.with("error=EIO")], &start);
        let status = boat.quietly(&mut start).status().expect("strace starts");
        assert_started_or_said(&boat, status, &leaks);
    });
}

/// The calls that init makes from its start on, until it is the program.
fn calls_of_started_init() -> Vec<Call> {
    let (boat, _) = created();
    let pid = boat.bundle.state_of(boat.id())["pid"].as_i64().expect("a number") as i32;
    let mut strace = attached(&boat, Pid::from_raw(pid), &[]);
    boat.bundle.must(&["start", boat.id()]);
    boat.bundle.must(&["delete", "--force", boat.id()]);
    strace.wait().expect("it is our child");
    let text = std::fs::read_to_string(boat.file("trace-of-init")).expect("a trace");
    let whole = text.lines().position(|line| line.starts_with("execve(")).expect("it becomes the program");
    let until: Vec<_> = text.lines().take(whole).collect();
    std::fs::write(boat.file("until"), until.join("\n")).expect("a file");
    // How often it sleeps and reads while a hook runs is up to the scheduler, and the program sleeps and reads as well: the first
    // time is its own.
    let mut calls = boat.calls("until");
    calls.retain(|call| !["poll", "read"].contains(&call.name.as_str()) || call.number == 1);
    calls
}

fn start_with(call: &Call, fault: &str) {
    let (boat, leaks) = created();
    let pid = boat.bundle.state_of(boat.id())["pid"].as_i64().expect("a number") as i32;
    let mut strace = attached(&boat, Pid::from_raw(pid), &["-e", &call.with(fault)]);
    let status =
        boat.quietly(&mut boat.bundle.coracle(&["start", boat.id()])).status().expect("the runtime starts");
    assert_started_or_said(&boat, status, &leaks);
    strace.wait().expect("it is our child");
    let _ = waitpid(Pid::from_raw(pid), None);
}

fn every_call_of_init_fails_in_turn_when_it_is_started() {
    let mut calls = calls_of_started_init();
    calls.push(Call { name: "execve".to_owned(), number: 1 });
    each(&calls, |call| start_with(call, "error=EIO"));
}

/// Start may not say success then.
fn init_is_killed_at_every_call_when_it_is_started() {
    each(&calls_of_started_init(), |call| start_with(call, "signal=KILL"));
}
