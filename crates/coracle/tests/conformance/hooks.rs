//! config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle": when they run, where, and what their failure does. Rows O-05 and O-06.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use probe::{Note, Seccomp};
use serde_json::{Value, json};
use testkit::Test;

use super::common::{self, Bundle, Finish, Leaks, text};
use super::seccomp::{Supervisor, rule, rules};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o05_hooks_run_in_the_listed_order_at_their_moments(userns),
    o05_the_runtimes_hooks_run_in_its_namespaces(userns),
    o05_create_container_hooks_run_in_the_container_before_its_root_is(userns),
    o05_start_container_hooks_run_in_the_container(userns),
    o05_start_container_hooks_are_under_the_filter_and_no_others(userns),
    o05_the_filter_need_not_allow_what_it_takes_to_run_a_hook(userns),
    o05_a_supervisor_hears_of_a_start_container_hook(userns),
    o05_the_state_is_on_their_standard_input(userns),
    o05_they_have_the_args_and_the_environment_of_the_config(userns),
    o05_they_have_no_descriptor_of_the_runtime_or_its_caller(userns),
    o05_they_begin_as_any_program_does(userns),
    o05_what_runs_is_what_the_config_said_at_create(userns),
    o05_a_path_must_be_absolute(userns),
    o05_a_timeout_must_be_more_than_0(userns),
    o05_poststop_hooks_run_once_when_the_container_is_gone(userns),
    o05_a_large_state_is_read_or_left(userns),
    o05_much_that_a_hook_says_holds_nobody_up(userns),
    o05_what_a_hook_leaves_behind_holds_nobody_up(userns),
    o06_poststart_hooks_run_before_start_returns(userns),
};

pub(crate) const ALL: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A bundle whose hooks and whose program note what they see, in a file that both sides reach.
pub(crate) struct Noted {
    pub(crate) bundle: Bundle,
    pub(crate) config: Value,
}

impl Noted {
    pub(crate) fn new() -> Noted {
        let (bundle, mut config) = (Bundle::new(), Bundle::config());
        config["process"]["args"] = json!(["/probe", "note", "/tmp/notes", "program"]);
        config["annotations"] = json!({ "org.example.boat": "round" });
        Noted { bundle, config }
    }

    pub(crate) fn id(&self) -> &str {
        self.bundle.id()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.bundle.path().join("rootfs/tmp/notes")
    }

    /// A hook of `moment` that notes what it sees as `name`.
    pub(crate) fn noting(&self, moment: &str, name: &str) -> Value {
        let (probe, file) = match moment {
            "startContainer" => (PathBuf::from("/probe"), PathBuf::from("/tmp/notes")),
            _ => (testkit::probe(), self.file()),
        };
        json!({ "path": probe, "args": ["hook", "note", file, name], "env": [self.mark()] })
    }

    /// By this a hook is known that outlives its runtime.
    pub(crate) fn mark(&self) -> String {
        format!("{}={}", Leaks::VARIABLE, self.id())
    }

    /// A hook of the host's: a shell's script.
    pub(crate) fn script(&self, script: &str) -> Value {
        json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin", self.mark()] })
    }

    /// A hook of `moment` that ends with status 7.
    pub(crate) fn failing(&self, moment: &str) -> Value {
        match moment {
            "startContainer" => json!({ "path": "/probe", "args": ["probe", "exit", "7"] }),
            _ => self.script("echo the wind; echo and the sea >&2; exit 7"),
        }
    }

    /// A hook of `moment` that notes what it sees, and then takes its time.
    pub(crate) fn slow(&self, moment: &str) -> [Value; 2] {
        let slow = match moment {
            "startContainer" => {
                json!({ "path": "/probe", "args": ["probe", "sleep", "100"], "env": [self.mark()] })
            }
            _ => self.script("exec sleep 100"),
        };
        [self.noting(moment, "slow"), slow]
    }

    pub(crate) fn hooks(mut self, moment: &str, hooks: impl IntoIterator<Item = Value>) -> Noted {
        self.config["hooks"][moment] = hooks.into_iter().collect();
        self
    }

    pub(crate) fn write(&self) -> &Bundle {
        self.bundle.write(&self.config)
    }

    /// `create`, to be run.
    pub(crate) fn create(&self, options: &[&str]) -> Command {
        let bundle = self.write().path().display().to_string();
        let mut create = self.bundle.coracle(options);
        create.args(["create", "--bundle", &bundle, self.id()]).stdout(Stdio::null());
        create
    }

    /// Runs a create to its end: its exit code, and its standard error, which goes to a file, for a container that is made
    /// against all expectations keeps it open.
    pub(crate) fn outcome(&self, mut create: Command) -> (Option<i32>, String) {
        let path = self.bundle.path().join("errors");
        create.stderr(std::fs::File::create(&path).expect("a file"));
        let status = create.finish().status;
        (status.code(), std::fs::read_to_string(&path).expect("what it said"))
    }

    pub(crate) fn notes(&self) -> Vec<Note> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a note")).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.notes().into_iter().map(|note| note.name).collect()
    }

    pub(crate) fn note(&self, name: &str) -> Note {
        let note = self.notes().into_iter().find(|note| note.name == name);
        note.unwrap_or_else(|| panic!("no note of {name:?}, but of {:?}", self.names()))
    }

    /// From create to delete, with a program that ends by itself.
    pub(crate) fn whole_life(&self) {
        self.write().create(self.id());
        self.bundle.must(&["start", self.id()]);
        self.bundle.wait_for(self.id(), "stopped");
        self.bundle.must(&["delete", self.id()]);
    }
}

/// With one hook at each moment, called after it.
pub(crate) fn one_each() -> Noted {
    ALL.iter().fold(Noted::new(), |noted, moment| {
        let hook = noted.noting(moment, moment);
        noted.hooks(moment, [hook])
    })
}

fn namespaces_of(pid: &str) -> BTreeMap<String, String> {
    let folder = Path::new("/proc").join(pid).join("ns");
    let names = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    let link = |name: &&str| {
        let link = std::fs::read_link(folder.join(name)).expect("a namespace");
        ((*name).to_owned(), link.to_string_lossy().into_owned())
    };
    names.iter().map(link).collect()
}

/// As [`namespaces_of`], of a process that noted them.
fn namespaces(note: &Note) -> BTreeMap<String, String> {
    let of_ours = |name: &str| ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"].contains(&name);
    let all = note.report.ns.iter().filter(|(name, _)| of_ours(name));
    all.map(|(name, inode)| (name.clone(), format!("{name}:[{inode}]"))).collect()
}

/// "Hooks MUST be called in the listed order."
fn o05_hooks_run_in_the_listed_order_at_their_moments() {
    let noted = ALL.iter().fold(Noted::new(), |noted, moment| {
        let hooks = [1, 2].map(|n| noted.noting(moment, &format!("{moment} {n}")));
        noted.hooks(moment, hooks)
    });
    let expected = |moments: &[&str]| -> Vec<String> {
        moments.iter().flat_map(|moment| [1, 2].map(|n| format!("{moment} {n}"))).collect()
    };
    noted.write().create(noted.id());
    assert_eq!(noted.names(), expected(&ALL[..3]), "after create");
    noted.bundle.must(&["start", noted.id()]);
    noted.bundle.wait_for(noted.id(), "stopped");
    let names = noted.names();
    assert_eq!(names[6..8], expected(&ALL[3..4]), "before the program: {names:?}");
    assert!(names[8..].contains(&"program".to_owned()), "{names:?}");
    let hooks: Vec<_> = names.into_iter().filter(|name| name != "program").collect();
    assert_eq!(hooks, expected(&ALL[..5]), "after start");
    noted.bundle.must(&["delete", noted.id()]);
    assert_eq!(noted.names()[11..], expected(&ALL[5..]), "after delete");
}

/// "The prestart, createRuntime, poststart and poststop hooks MUST be executed in the runtime namespace."
fn o05_the_runtimes_hooks_run_in_its_namespaces() {
    let noted = one_each();
    noted.whole_life();
    let ours = namespaces_of("self");
    for moment in ["prestart", "createRuntime", "poststart", "poststop"] {
        assert_eq!(namespaces(&noted.note(moment)), ours, "{moment}");
    }
}

/// "The createContainer hooks' path MUST resolve in the runtime namespace", and they "MUST be executed in the container
/// namespace", "before the pivot_root operation", when the mount namespace was set up.
fn o05_create_container_hooks_run_in_the_container_before_its_root_is() {
    let noted = one_each();
    noted.whole_life();
    let (hook, program) = (noted.note("createContainer"), noted.note("program"));
    let expected = namespaces(&program);
    assert_eq!(namespaces(&hook), expected);
    assert!(hook.report.root_entries.contains(&"usr".to_owned()), "{:?}", hook.report.root_entries);
    let proc = noted.bundle.path().canonicalize().expect("the bundle").join("rootfs/proc");
    let mounted = hook.report.mount_at(&proc.to_string_lossy());
    assert_eq!(mounted.map(|mount| mount.fstype.as_str()), Some("proc"), "the mounts are there");
}

/// "The startContainer hooks' path MUST resolve in the container namespace. The startContainer hooks MUST be executed in the
/// container namespace."
fn o05_start_container_hooks_run_in_the_container() {
    let noted = one_each();
    noted.whole_life();
    let (hook, program) = (noted.note("startContainer").report, noted.note("program").report);
    assert_eq!((&hook.ns, &hook.root_entries), (&program.ns, &program.root_entries));
    assert_eq!(hook.mounts, program.mounts);
    assert_eq!(hook.ppid, 1, "init waits for it");
}

/// They are found in the container, and may be anybody's: without the filter, they would be a way around it.
fn o05_start_container_hooks_are_under_the_filter_and_no_others() {
    for no_new_privileges in [false, true] {
        let mut noted = one_each();
        noted.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        noted.config["linux"]["seccomp"] = common::profile();
        noted.whole_life();
        for moment in ALL {
            let expected = if moment == "startContainer" { Seccomp::Filter } else { Seccomp::Disabled };
            let found = noted.note(moment).report.seccomp;
            assert_eq!(found, Some(expected), "{moment}, noNewPrivileges: {no_new_privileges}");
        }
        assert_eq!(noted.note("program").report.seccomp, Some(Seccomp::Filter));
    }
}

/// Only the hook's own calls are the filter's business, as with the program. What the probe calls is not among these.
fn o05_the_filter_need_not_allow_what_it_takes_to_run_a_hook() {
    let mut noted = one_each();
    let calls = ["clone", "clone3", "fork", "vfork", "waitid", "setpgid", "fchdir", "dup2", "dup3"];
    noted.config["linux"]["seccomp"] = rules(&[rule(&calls, "KILL_PROCESS")]);
    noted.whole_life();
    assert_eq!(noted.note("startContainer").report.seccomp, Some(Seccomp::Filter));
}

/// It is the hook's calls that the supervisor decides on; without one, the hook does not run.
fn o05_a_supervisor_hears_of_a_start_container_hook() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let socket = folder.path().join("supervisor").display().to_string();
    let mut noted = Noted::new();
    noted.config["linux"]["seccomp"] = rules(&[rule(&["kcmp"], "NOTIFY")]);
    noted.config["linux"]["seccomp"]["listenerPath"] = json!(socket);
    let number = libc::SYS_kcmp.to_string();
    let asking = json!({ "path": "/probe", "args": ["probe", "syscall", number, "99", "99", "0", "0", "0"] });
    let after = noted.noting("startContainer", "after");
    let noted = noted.hooks("startContainer", [asking, after]);
    let supervisor = Supervisor::at(&noted.bundle, &socket, &libc::ENOMEDIUM.to_string());
    noted.write().create(noted.id());
    noted.bundle.must(&["start", noted.id()]);
    assert_eq!(supervisor.calls(), [libc::SYS_kcmp]);
    noted.bundle.wait_for(noted.id(), "stopped");
    noted.bundle.must(&["delete", noted.id()]);
    assert_eq!(noted.names(), ["after", "program"]);
    let mut create = noted.create(&[]);
    let leaks = Leaks::watch(&mut create, noted.id());
    assert!(create.stderr(Stdio::null()).finish().status.success());
    drop(supervisor);
    noted.bundle.must_fail(&["start", noted.id()], 1);
    let _ = noted.bundle.call(&["delete", "--force", noted.id()]);
    leaks.assert_none(&noted.bundle, "no supervisor");
    assert_eq!(noted.names(), ["after", "program"], "nothing ran");
}

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

/// What our caller ignores is ignored by all that we start, but for SIGPIPE, which is a matter of our own.
fn ignored_by_us() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").expect("our status");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a line");
    let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask");
    let ignored = Signal::iterator().filter(|signal| mask & 1 << (*signal as u64 - 1) != 0);
    ignored.filter(|signal| *signal != Signal::SIGPIPE).map(|signal| signal.as_str().to_owned()).collect()
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

/// "The poststop hooks MUST be called after the container is deleted but before the delete operation returns."
fn o05_poststop_hooks_run_once_when_the_container_is_gone() {
    type End<'a> = (&'a str, fn(&Noted));
    let ends: [End<'_>; 5] = [
        ("delete of a created one", |noted| {
            noted.write().create(noted.id());
            noted.bundle.must(&["delete", noted.id()]);
        }),
        ("delete of a stopped one", Noted::whole_life),
        ("delete --force of a running one", |noted| {
            noted.write().create(noted.id());
            noted.bundle.must(&["start", noted.id()]);
            noted.bundle.must(&["delete", "--force", noted.id()]);
            // There is none: nothing is to be done.
            noted.bundle.must(&["delete", "--force", noted.id()]);
        }),
        ("the end of run", |noted| {
            let status = noted.write().command(&[], noted.id()).stdout(Stdio::null()).status();
            assert!(status.expect("the runtime starts").success());
        }),
        ("delete after run --keep", |noted| {
            let status = noted.write().command(&[], noted.id()).arg("--keep").stdout(Stdio::null()).status();
            assert!(status.expect("the runtime starts").success());
            assert!(noted.names().iter().all(|name| name == "program"), "it is kept: {:?}", noted.names());
            noted.bundle.must(&["delete", noted.id()]);
        }),
    ];
    for (row, end) in ends {
        let noted = Noted::new();
        let folder = noted.bundle.state().join(noted.id());
        let gone = noted.script(&format!("test ! -e {}", folder.display()));
        let seen = noted.bundle.path().join("rootfs/tmp/gone");
        let gone_and_told =
            noted.script(&format!("test ! -e {} && echo gone >> {}", folder.display(), seen.display()));
        let hooks = [noted.noting("poststop", "poststop"), gone, gone_and_told];
        let noted = noted.hooks("poststop", hooks);
        end(&noted);
        let names = noted.names();
        assert_eq!(names.iter().filter(|name| *name == "poststop").count(), 1, "{row}: {names:?}");
        assert_eq!(std::fs::read_to_string(&seen).unwrap_or_default(), "gone\n", "{row}");
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

/// The processes with the mark of a hook.
pub(crate) fn marked(id: &str) -> Vec<Pid> {
    let mark = format!("{}={id}\0", Leaks::VARIABLE).into_bytes();
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |pid: &i32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.windows(mark.len()).any(|part| part == mark)
    };
    pids.filter(is_ours).map(Pid::from_raw).collect()
}

/// "The poststart hooks MUST be called after the user-specified process is executed but before the start operation returns."
fn o06_poststart_hooks_run_before_start_returns() {
    let mut noted = Noted::new();
    noted.config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    let program = noted.script(&format!(
        "read -r state; echo \"$state\" > {0}/state; pid=${{state#*'\"pid\":'}}; pid=${{pid%%[!0-9]*}}; tr '\\0' ' ' < /proc/$pid/cmdline > {0}/cmdline",
        noted.bundle.path().join("rootfs/tmp").display()
    ));
    let hooks = [program, noted.noting("poststart", "poststart")];
    let noted = noted.hooks("poststart", hooks);
    noted.write().create(noted.id());
    assert!(noted.names().is_empty(), "not before start");
    noted.bundle.must(&["start", noted.id()]);
    assert_eq!(noted.names(), ["poststart"]);
    let state: Value = serde_json::from_str(&noted.note("poststart").input).expect("JSON");
    let now = noted.bundle.state_of(noted.id());
    assert_eq!((&state["status"], &state["pid"]), (&json!("running"), &now["pid"]));
    let cmdline =
        std::fs::read_to_string(noted.bundle.path().join("rootfs/tmp/cmdline")).expect("its arguments");
    assert_eq!(cmdline, "/probe wait-signal TERM ", "the program runs");
}
