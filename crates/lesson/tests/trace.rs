//! `cargo lesson trace` on the real course: the runtime of this repository beside runc, on this kernel.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

testkit::suite! { "trace",
    runtime = "",
    tests = [
        lesson_00_has_nothing_to_trace,
        lesson_01_one_clone_beside_a_helper_and_two_stages(userns, strace, runc),
        lesson_02_the_signal_goes_on_in_both(userns, strace, runc),
        lesson_03_both_pivot_and_only_runc_goes_back(userns, strace, runc),
        lesson_04_places_are_found_by_openat2_and_by_paths(userns, strace, runc),
        lesson_05_the_same_limits_are_written_by_both(cgroup, strace, runc),
        lesson_05_needs_a_control_group(userns, strace),
        lesson_06_only_runc_hands_the_plan_on(userns, strace, runc),
        lesson_07_a_socket_beside_a_fifo(userns, strace, runc),
        lesson_08_our_two_clones_and_one_setns(userns, strace, runc),
        crun_runs_on_a_hybrid_machine_too(userns, strace, crun),
        alone_there_is_one_column_and_no_mark(userns, strace),
        a_wide_page_has_two_columns_and_a_narrow_one_has_signs(userns, strace, runc),
        a_difference_without_a_sentence_is_seen(userns, strace),
        a_runtime_that_fails_is_quoted(userns, strace),
        a_runtime_that_is_not_there_is_named(strace),
        a_machine_without_strace_is_told_what_to_install,
    ]
}

/// One call of `cargo lesson trace`, with a folder of its own for what is temporary.
struct Trace {
    folder: TempDir,
    command: Command,
}

/// What it said.
struct Said {
    ok: bool,
    out: String,
    err: String,
}

impl Trace {
    fn new(arguments: &[&str]) -> Trace {
        let folder = tempfile::Builder::new().prefix("coracle-tracing-").tempdir().expect("a folder");
        fs::create_dir(folder.path().join("tmp")).expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lesson"));
        command.arg("trace").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.env("TMPDIR", folder.path().join("tmp"));
        // What cargo has built already need not be built again.
        let beside = Path::new(env!("CARGO_BIN_EXE_lesson")).with_file_name("coracle");
        if beside.is_file() {
            command.env("CORACLE_RUNTIME", beside).env("CORACLE_PROBE", testkit::probe());
        }
        Trace { folder, command }
    }

    /// A runtime of our own making: a shell script.
    fn against_script(mut self, script: &str) -> Trace {
        let path = self.folder.path().join("lugger");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        self.command.arg("--against").arg(path);
        self
    }

    /// Runs it; nothing may be left of the run, whatever came of it.
    fn run(mut self) -> Said {
        let mounts = mounts();
        let process =
            self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cargo lesson starts");
        let pid = process.id();
        let output = process.wait_with_output().expect("cargo lesson ends");
        let left: Vec<_> = fs::read_dir(self.folder.path().join("tmp")).expect("a folder").collect();
        assert!(left.is_empty(), "it left files: {left:?}");
        assert_eq!(cgroups(pid), Vec::<PathBuf>::new(), "it left control groups");
        assert_eq!(self::mounts(), mounts, "it left mounts");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Said { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn does(self) -> String {
        let said = self.run();
        assert!(said.ok, "{}", said.err);
        said.out
    }

    fn refuses(self) -> String {
        let said = self.run();
        assert!(!said.ok, "{}", said.out);
        said.err
    }
}

/// The control groups of a run: they are named after its process.
fn cgroups(pid: u32) -> Vec<PathBuf> {
    let prefix = format!("coracle-trace-{pid}-");
    let root = Path::new("/sys/fs/cgroup");
    let inside =
        |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let hierarchies = inside(root.to_owned()).chain([root.to_owned()]);
    let ours =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
    hierarchies.flat_map(inside).filter(ours).collect()
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("our mounts")
}

/// A lesson beside runc. No difference may be without a sentence.
fn beside_runc(lesson: &str) -> Report {
    let report = Report(
        serde_json::from_str(&Trace::new(&[lesson, "--against", "runc", "--json"]).does()).expect("JSON"),
    );
    let differences = || report.steps().filter(|step| !["same", "alone"].contains(&text(&step["mark"])));
    let silent: Vec<_> = differences().filter(|step| step["sentence"].is_null()).collect();
    assert!(silent.is_empty(), "a difference without a sentence: {silent:#?}");
    assert_eq!(report.0["unexplained"], 0, "calls that no step knows: {:#}", report.0["unknown"]);
    assert!(differences().count() > 0, "there is no difference at all");
    let number = |side: &str, what: &str| report.0[side][what].as_u64().expect("a number");
    assert_eq!(number("ours", "threads"), 0, "the runtime has threads");
    for side in ["ours", "theirs"] {
        let (here, all) = (number(side, "calls"), number(side, "calls_in_all"));
        assert!(0 < here && here < all, "{side} made {here} calls in the phase, and {all} in all");
    }
    report
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

struct Report(Value);

impl Report {
    fn steps(&self) -> impl Iterator<Item = &Value> {
        self.0["steps"].as_array().expect("steps").iter()
    }

    /// The step whose title begins so.
    #[track_caller]
    fn step(&self, title: &str) -> &Value {
        let found = self.steps().find(|step| text(&step["title"]).starts_with(title));
        found.unwrap_or_else(|| panic!("no step {title:?} is made: {:#}", self.0["steps"]))
    }

    #[track_caller]
    fn assert_mark(&self, title: &str, mark: &str) {
        assert_eq!(text(&self.step(title)["mark"]), mark, "{:#}", self.step(title));
    }

    /// The calls of one side in a step.
    fn calls(&self, title: &str, side: &str) -> Vec<String> {
        let lines = self.step(title)[side].as_array().expect("calls");
        let repeated =
            |line: &Value| vec![text(&line["call"]).to_owned(); line["times"].as_u64().unwrap_or(0) as usize];
        lines.iter().flat_map(repeated).collect()
    }

    /// How many calls of one side in a step hold these words.
    fn count(&self, title: &str, side: &str, words: &str) -> usize {
        self.calls(title, side).iter().filter(|call| call.contains(words)).count()
    }
}

fn lesson_00_has_nothing_to_trace() {
    assert!(Trace::new(&["0"]).does().contains("nothing to trace"));
}

fn lesson_01_one_clone_beside_a_helper_and_two_stages() {
    let report = beside_runc("1");
    let title = "A process in namespaces";
    let clones = report.calls(title, "ours");
    assert!(clones.len() == 1 && clones[0].contains("CLONE_NEWUTS"), "not one clone3 makes all: {clones:?}");
    assert_eq!(report.count(title, "theirs", "CLONE_PARENT"), 2, "runc has two stages");
    assert_eq!(report.count(title, "theirs", "unshare("), 1);
    report.assert_mark("Threads", "theirs");
    report.assert_mark("Begin once more", "theirs");
    report.assert_mark("Its hostname", "same");
    report.assert_mark("It becomes the program", "same");
}

fn lesson_02_the_signal_goes_on_in_both() {
    let report = beside_runc("2");
    let title = "Pass the signal on";
    assert_eq!(report.count(title, "ours", "pidfd_send_signal"), 1);
    assert_eq!(report.count(title, "ours", "SIGTERM"), 1, "SIGTERM does not reach the program");
    assert_eq!(report.count(title, "theirs", "SIGTERM"), 1);
    assert_eq!(report.count("Hold the signals back", "ours", "signalfd4"), 1);
}

fn lesson_03_both_pivot_and_only_runc_goes_back() {
    let report = beside_runc("3");
    report.assert_mark("Swap the roots", "same");
    for side in ["ours", "theirs"] {
        assert_eq!(report.calls("Swap the roots", side), ["pivot_root(\".\", \".\")"]);
        assert_eq!(report.calls("Take the old root off", side), ["umount2(\".\", MNT_DETACH)"]);
    }
    report.assert_mark("Stop mounts", "same");
    report.assert_mark("Go back into the old root", "theirs");
    let bind = "Make the root filesystem a mount";
    assert_eq!((report.count(bind, "ours", "open_tree"), report.count(bind, "theirs", "MS_BIND")), (1, 1));
}

fn lesson_04_places_are_found_by_openat2_and_by_paths() {
    let report = beside_runc("4");
    let title = "Find the place";
    assert!(report.count(title, "ours", "RESOLVE_") == report.calls(title, "ours").len());
    assert_eq!(report.count(title, "theirs", "RESOLVE_"), 0);
    report.assert_mark("Attach it", "ours");
    assert_eq!(report.count("Show a directory", "theirs", "MS_REMOUNT"), 1);
}

fn lesson_05_the_same_limits_are_written_by_both() {
    let report = beside_runc("5");
    for side in ["ours", "theirs"] {
        let limits = report.calls("The limits", side);
        for value in ["\"32\"", "\"67108864\""] {
            assert!(limits.iter().any(|call| call.contains(value)), "{side} writes no {value}: {limits:?}");
        }
    }
    report.assert_mark("A cgroup namespace", "same");
}

fn lesson_05_needs_a_control_group() {
    if testkit::tier::cgroup().is_ok() {
        assert!(Trace::new(&["5"]).does().contains("CGROUP/pids.max>, \"32\""));
    } else if !nix::unistd::geteuid().is_root() {
        let said = Trace::new(&["5"]).refuses();
        assert!(said.contains("control groups") && said.contains("run as root"), "{said}");
    }
}

fn lesson_06_only_runc_hands_the_plan_on() {
    let report = beside_runc("6");
    report.assert_mark("Hand the plan on", "theirs");
    assert_eq!(report.count("Read config.json", "ours", "O_NONBLOCK"), 1);
    assert_eq!(report.count("Find the bundle", "theirs", "chdir"), 1);
}

fn lesson_07_a_socket_beside_a_fifo() {
    let report = beside_runc("7");
    let title = "A door";
    assert_eq!(
        (report.count(title, "ours", "listen"), report.count(title, "theirs", "exec.fifo\", S_IFIFO")),
        (1, 1)
    );
    assert_eq!(report.count("Knock", "ours", "connect"), 1);
    assert_eq!(report.count("Send the signal", "ours", "pidfd_send_signal"), 1);
    assert_eq!(report.count("Send the signal", "theirs", "kill("), 1);
    assert_eq!(report.count("Remove", "ours", "rmdir(\"STATE/one\")"), 1);
    assert_eq!(report.0["ours"]["commands"].as_array().map(Vec::len), Some(4));
}

fn lesson_08_our_two_clones_and_one_setns() {
    let report = beside_runc("8");
    let births = report.calls("Two births", "ours");
    assert_eq!(births.len(), 2, "{births:?}");
    assert!(births[1].contains("CLONE_PARENT"), "the second is no sibling: {births:?}");
    assert_eq!(report.calls("Into its namespaces", "ours").len(), 1);
    assert_eq!(report.calls("Into its namespaces", "theirs").len(), 5);
    assert_eq!(report.0["ours"]["processes"], 3);
}

fn crun_runs_on_a_hybrid_machine_too() {
    let report = Report(
        serde_json::from_str(&Trace::new(&["3", "--against", "crun", "--json"]).does()).expect("JSON"),
    );
    assert_eq!(report.0["theirs"]["runtime"], "crun");
    report.assert_mark("Swap the roots", "same");
}

fn alone_there_is_one_column_and_no_mark() {
    let page = Trace::new(&["3"]).does();
    assert!(
        page.contains("\nSwap the roots: the old one is on top now\n  pivot_root(\".\", \".\")\n"),
        "{page}"
    );
    assert!(!page.contains("sentence") && !page.contains("same") && !page.contains('\x1b'), "{page}");
}

fn a_wide_page_has_two_columns_and_a_narrow_one_has_signs() {
    let wide = Trace::new(&["3", "--against", "runc", "--width", "120"]).does();
    let line = wide.lines().find(|line| line.contains("pivot_root(")).expect("a line");
    assert_eq!(line.matches("pivot_root(\".\", \".\")").count(), 2, "{wide}");
    assert!(wide.lines().all(|line| line.chars().count() <= 120), "{wide}");
    // Where there is no terminal the page is as wide as one of a book.
    let narrow = Trace::new(&["3", "--against", "runc"]).does();
    assert!(narrow.contains("  < pivot_root(\".\", \".\")\n  > pivot_root(\".\", \".\")\n"), "{narrow}");
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    let numbers = narrow.lines().find(|line| line.starts_with("processes")).expect("a last line");
    assert!(numbers.split_whitespace().nth(1) == Some("2"), "{numbers}");
}

fn a_difference_without_a_sentence_is_seen() {
    // Ours by another name, which the guides don't know, and which begins with an execve of its own.
    let script =
        "[ \"$1\" != --version ] || { echo lugger version 1.2; exit; }; exec \"$CORACLE_RUNTIME\" \"$@\"";
    let page = Trace::new(&["1"]).against_script(script).does();
    assert!(page.contains("beside lugger 1.2") && page.contains("no sentence for this yet"), "{page}");
    let page = Trace::new(&["1", "--json"]).against_script(script).does();
    let report: Value = serde_json::from_str(&page).expect("JSON");
    assert!(report["unexplained"].as_u64() > Some(0), "{report:#}");
}

fn a_runtime_that_fails_is_quoted() {
    let script = "[ \"$1\" != --version ] || { echo lugger version 1; exit; }; echo becalmed >&2; exit 3";
    let said = Trace::new(&["1"]).against_script(script).refuses();
    assert!(said.contains("`lugger run` failed (exit status 3)") && said.contains("becalmed"), "{said}");
    assert!(said.contains("cargo lesson doctor"), "{said}");
}

fn a_runtime_that_is_not_there_is_named() {
    let said = Trace::new(&["1", "--against", "lugger"]).refuses();
    assert!(said.contains("no lugger in PATH"), "{said}");
}

fn a_machine_without_strace_is_told_what_to_install() {
    let mut trace = Trace::new(&["1"]);
    trace.command.env("PATH", "/nowhere");
    let said = trace.refuses();
    assert!(said.contains("install the package strace"), "{said}");
}
