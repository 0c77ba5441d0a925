//! runtime.md, "Lifecycle" and "Operations": create, start, state, kill, delete. Rows O-01 to O-04.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::{Value, json};
use testkit::{Test, within};

use super::common::{Bundle, Finish, Leaks, says, text};
use super::groups::{Disk, config, group, said};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o01_every_operation_needs_an_id(userns),
    o01_no_operation_knows_a_container_that_is_not_there(userns),
    o01_create_needs_a_bundle(userns),
    o01_an_id_that_is_taken_is_refused_and_the_container_is_unharmed(userns),
    o01_an_id_that_is_no_name_is_refused(userns),
    o01_only_a_created_container_can_be_started(userns),
    o01_one_that_was_paused_before_its_start_is_to_be_resumed_first(root, cgroup),
    o01_pause_returns_when_the_last_one_stands_still(root, cgroup2),
    o01_one_id_below_two_roots_is_two_containers_or_an_error(root, cgroup),
    o01_a_container_without_a_process_can_be_created_and_not_started(userns),
    o01_kill_sends_the_signal_to_the_process(userns),
    o01_kill_reaches_a_created_container(userns),
    o01_a_container_that_has_stopped_cannot_be_signalled(userns),
    o02_create_makes_everything_and_runs_nothing(root),
    o02_later_changes_of_the_config_have_no_effect(userns),
    o02_a_create_that_fails_leaves_nothing(userns),
    o02_start_runs_the_program_once(userns),
    o02_start_tells_of_an_init_that_is_gone(userns),
    o03_only_a_container_that_does_not_run_can_be_deleted(userns),
    o03_a_created_container_can_be_deleted(userns),
    o03_delete_takes_what_create_made_and_nothing_else(userns),
    o03_an_id_can_be_used_again(userns),
    o04_the_state_has_what_it_must_have(root),
    o04_the_status_is_created_then_running_then_stopped(userns),
    o04_annotations_may_be_absent(userns),
    o04_the_proc_of_other_processes_says_nothing_of_a_container(root),
};

const SOON: Duration = Duration::from_secs(5);

/// A bundle whose program runs `args`, for crun as well.
fn running(args: &[&str]) -> Bundle {
    let bundle = Bundle::new();
    let _ = std::fs::create_dir(bundle.path().join("rootfs/dev"));
    bundle.args(args);
    bundle
}

fn waiting() -> Bundle {
    running(&["/probe", "wait-signal", "TERM", "USR1"])
}

/// Ends the container's program and waits for that.
fn stop(bundle: &Bundle) {
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
}

/// What fails without an exit code that anybody promised.
#[track_caller]
fn fails(bundle: &Bundle, args: &[&str]) -> String {
    let output = bundle.call(args);
    assert!(!output.status.success(), "{args:?} says success: {}", text(&output.stdout));
    text(&output.stderr)
}

/// As [`fails`], of a create: a container that it must not make would keep a pipe open.
#[track_caller]
fn create_fails(bundle: &Bundle, id: &str) -> String {
    let path = bundle.path().display().to_string();
    let mut create = bundle.coracle(&["create", "--bundle", &path, id]);
    let errors = bundle.path().join("errors");
    let file = std::fs::File::create(&errors).expect("a file");
    let status = create.stdout(Stdio::null()).stderr(file).finish().status;
    assert!(!status.success(), "create {id:?} says success");
    std::fs::read_to_string(&errors).expect("what it said")
}

/// "This operation MUST generate an error if it is not provided the ID of a container."
fn o01_every_operation_needs_an_id() {
    let bundle = waiting();
    let path = bundle.path().display().to_string();
    let create =
        bundle.coracle(&["create", "--bundle", &path]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(!create.expect("the runtime starts").success(), "create says success");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
    // One that could be meant, for it is the only one.
    bundle.create(bundle.id());
    let before = bundle.state_of(bundle.id());
    for verb in ["state", "start", "kill", "delete"] {
        fails(&bundle, &[verb]);
        assert_eq!(bundle.state_of(bundle.id()), before, "{verb}");
    }
}

/// "Attempting to query (start, signal, delete) a container that does not exist MUST generate an error."
fn o01_no_operation_knows_a_container_that_is_not_there() {
    let bundle = waiting();
    for verb in ["state", "start", "kill", "delete"] {
        says(&fails(&bundle, &[verb, "nobody"]), "does not exist");
    }
}

/// "This operation MUST generate an error if it is not provided a path to the bundle": the folder where we are is one,
/// unless it is none.
fn o01_create_needs_a_bundle() {
    let bundle = waiting();
    let mut create = bundle.coracle(&["create", bundle.id()]);
    let leaks = Leaks::watch(&mut create, bundle.id());
    // A container that must not be made would keep a pipe open.
    let errors = bundle.path().join("errors");
    let file = std::fs::File::create(&errors).expect("a file");
    let status = create.current_dir("/proc/self").stdout(Stdio::null()).stderr(file).finish().status;
    assert!(!status.success(), "create says success");
    says(&std::fs::read_to_string(&errors).expect("what it said"), "config.json");
    leaks.assert_none(&bundle, "no bundle");
}

/// "If the ID provided is not unique ..., the implementation MUST generate an error and a new container MUST NOT be created."
fn o01_an_id_that_is_taken_is_refused_and_the_container_is_unharmed() {
    let bundle = waiting();
    bundle.create(bundle.id());
    let before = bundle.state_of(bundle.id());
    create_fails(&bundle, bundle.id());
    assert_eq!(bundle.state_of(bundle.id()), before);
    bundle.must(&["start", bundle.id()]);
    create_fails(&bundle, bundle.id());
    let now = bundle.state_of(bundle.id());
    assert_eq!((&now["status"], &now["pid"]), (&json!("running"), &before["pid"]));
    stop(&bundle);
    create_fails(&bundle, bundle.id());
    bundle.must(&["delete", bundle.id()]);
    bundle.create(bundle.id());
}

fn o01_an_id_that_is_no_name_is_refused() {
    let bundle = waiting();
    for id in ["", ".", "..", "../up", "a/b", "a b"] {
        // Not only what comes of it: by its rule.
        says(&create_fails(&bundle, id), "container id");
    }
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
    assert!(!bundle.path().join("up").exists());
}

/// "Attempting to start a container that is not created MUST have no effect on the container and MUST generate an error."
fn o01_only_a_created_container_can_be_started() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let before = bundle.state_of(bundle.id());
    fails(&bundle, &["start", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id()), before, "a running one");
    stop(&bundle);
    let before = bundle.state_of(bundle.id());
    fails(&bundle, &["start", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id()), before, "a stopped one");
}

/// "process ... is REQUIRED when start is called"; start "MUST generate an error if process was not set".
fn o01_a_container_without_a_process_can_be_created_and_not_started() {
    let bundle = waiting();
    let mut config = Bundle::config();
    config.as_object_mut().expect("an object").remove("process");
    bundle.write(&config).create(bundle.id());
    assert_eq!(bundle.state_of(bundle.id())["status"], "created");
    says(&fails(&bundle, &["start", bundle.id()]), "/process");
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
    let output = bundle.run();
    assert!(!output.status.success(), "run says success");
    says(&text(&output.stderr), "/process");
    assert!(bundle.left().is_empty());
}

/// "This operation MUST send the specified signal to the container process."
fn o01_kill_sends_the_signal_to_the_process() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    bundle.must(&["kill", bundle.id(), "USR1"]);
    bundle.wait_for(bundle.id(), "stopped");
    let said = std::fs::read_to_string(bundle.output(bundle.id())).expect("its output");
    assert!(said.contains("{\"got\":\"SIGUSR1\"}"), "{said}");
}

/// "Attempting to send a signal to a container that is neither created nor running" is what is an error.
fn o01_kill_reaches_a_created_container() {
    let bundle = waiting();
    bundle.create(bundle.id());
    stop(&bundle);
    fails(&bundle, &["start", bundle.id()]);
    bundle.must(&["delete", bundle.id()]);
}

/// It "MUST have no effect on the container and MUST generate an error".
fn o01_a_container_that_has_stopped_cannot_be_signalled() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    stop(&bundle);
    let before = bundle.state_of(bundle.id());
    says(&fails(&bundle, &["kill", bundle.id(), "KILL"]), "container not running");
    assert_eq!(bundle.state_of(bundle.id()), before);
}

/// "While the resources requested in the config.json MUST be created, the user-specified program MUST NOT be run at this
/// time."
// Nobody else may look at an init that has not become the program (CVE-2016-9962).
fn o02_create_makes_everything_and_runs_nothing() {
    let bundle = running(&["/probe", "write", "/tmp/ran", "yes"]);
    bundle.create(bundle.id());
    let pid = bundle.state_of(bundle.id())["pid"].to_string();
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("its mounts");
    assert!(mounts.lines().any(|line| line.contains(" /proc ") && line.contains(" - proc ")), "{mounts}");
    for name in ["pid", "mnt", "uts", "ipc", "net"] {
        let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/{name}")).expect("a namespace");
        assert_ne!(of(&pid), of("self"), "{name}");
    }
    let ran = bundle.path().join("rootfs/tmp/ran");
    assert!(!ran.exists(), "the program ran before start");
    bundle.must(&["start", bundle.id()]);
    within(SOON, "the program has run", || ran.exists());
}

/// "Any updates to config.json after this step MUST NOT affect the container."
fn o02_later_changes_of_the_config_have_no_effect() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.write_text("{ no config");
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    // It takes from the config what it is not told: who it is, and where.
    bundle.must(&["exec", bundle.id(), "/probe", "write", "/tmp/second", "yes"]);
    assert!(bundle.path().join("rootfs/tmp/second").exists());
    stop(&bundle);
    std::fs::remove_file(bundle.path().join("config.json")).expect("it is there");
    assert_eq!(bundle.state_of(bundle.id())["status"], "stopped");
    bundle.must(&["delete", bundle.id()]);
}

/// "Unless otherwise stated, generating an error MUST leave the state of the environment as if the operation were never
/// attempted."
fn o02_a_create_that_fails_leaves_nothing() {
    type Row<'a> = (&'a str, &'a [&'a str], fn(&mut Value));
    let rows: [Row<'_>; 5] = [
        ("a value", &[], |config| config["process"]["cwd"] = json!("relative")),
        ("a mount", &[], |config| config["mounts"][0]["type"] = json!("nofs")),
        ("a program", &[], |config| config["process"]["args"] = json!(["nowhere"])),
        ("a namespace", &[], |config| config["linux"]["namespaces"][0]["path"] = json!("/nowhere")),
        // The last step: the container is there by then.
        ("a pid file", &["--pid-file", "/nowhere/pid"], |_| {}),
    ];
    for (row, words, change) in rows {
        let bundle = waiting();
        let mut config = Bundle::config();
        change(&mut config);
        let path = bundle.write(&config).path().display().to_string();
        let mut create = bundle.coracle(&[&["create", "--bundle", &path], words, &[bundle.id()]].concat());
        let leaks = Leaks::watch(&mut create, bundle.id());
        let status = create.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(!status.expect("the runtime starts").success(), "{row}");
        leaks.assert_none(&bundle, row);
    }
}

/// "This operation MUST run the user-specified program as specified by process."
fn o02_start_runs_the_program_once() {
    let bundle = running(&["/probe", "note", "/tmp/notes", "program"]);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.wait_for(bundle.id(), "stopped");
    fails(&bundle, &["start", bundle.id()]);
    let notes = std::fs::read_to_string(bundle.path().join("rootfs/tmp/notes")).expect("a note");
    assert_eq!(notes.lines().count(), 1);
}

/// One that is killed while it waits closes its end as well as one whose program runs.
fn o02_start_tells_of_an_init_that_is_gone() {
    let bundle = waiting();
    bundle.create(bundle.id());
    let pid = bundle.state_of(bundle.id())["pid"].as_i64().expect("a number") as i32;
    // Stopped, it takes the word to start and does nothing; then it is killed, as somebody may be at any moment.
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGSTOP).expect("it is there");
    let mut start = bundle.coracle(&["start", bundle.id()]);
    let mut start = start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the runtime starts");
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", start.id())).unwrap_or_default();
    within(SOON, "start waits for init", || {
        // Asleep, and no page is on its way: for this short a program that is its waiting.
        let is_asleep = || stat().rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'));
        (0..50).all(|_| is_asleep())
    });
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is there");
    let status = start.wait().expect("it is our child");
    assert!(!status.success(), "start says success, and nothing ran");
    assert!(!std::fs::read_to_string(bundle.output(bundle.id())).unwrap_or_default().contains("pid"));
}

/// "Attempting to delete a container that is not stopped MUST have no effect on the container and MUST generate an error."
fn o03_only_a_container_that_does_not_run_can_be_deleted() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    let before = bundle.state_of(bundle.id());
    fails(&bundle, &["delete", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id()), before);
    stop(&bundle);
    bundle.must(&["delete", bundle.id()]);
}

/// The specification would have it refused; every engine counts on it, and every runtime does it.
fn o03_a_created_container_can_be_deleted() {
    let bundle = waiting();
    bundle.create(bundle.id());
    let pid = bundle.state_of(bundle.id())["pid"].to_string();
    bundle.must(&["delete", bundle.id()]);
    within(SOON, "its init is gone", || !Path::new("/proc").join(&pid).exists());
    fails(&bundle, &["state", bundle.id()]);
}

/// "Deleting a container MUST delete the resources that were created during the create step. Note that resources associated
/// with the container, but not created by this container, MUST NOT be deleted."
fn o03_delete_takes_what_create_made_and_nothing_else() {
    let bundle = running(&["/probe", "write", "/tmp/made", "yes"]);
    std::fs::write(bundle.path().join("rootfs/tmp/kept"), "").expect("a file");
    let files = || files_below(&bundle.path().join("rootfs"));
    let path = bundle.path().display().to_string();
    let mut create = bundle.coracle(&["create", "--bundle", &path, bundle.id()]);
    let leaks = Leaks::watch(&mut create, bundle.id());
    assert!(create.stdout(Stdio::null()).stderr(Stdio::null()).finish().status.success());
    bundle.must(&["start", bundle.id()]);
    bundle.wait_for(bundle.id(), "stopped");
    let before = files();
    assert!(before.contains(Path::new("tmp/kept")) && before.contains(Path::new("tmp/made")), "{before:?}");
    bundle.must(&["delete", bundle.id()]);
    leaks.assert_none(&bundle, "delete");
    assert_eq!(files(), before, "the rootfs is not the runtime's");
    fails(&bundle, &["delete", bundle.id()]);
}

/// All that is below `root`, by the paths from there.
fn files_below(root: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
            found.insert(entry.path().strip_prefix(root).expect("it is below").to_owned());
        }
    }
    found
}

/// "Once a container is deleted its ID MAY be used by a subsequent container."
fn o03_an_id_can_be_used_again() {
    let bundle = running(&["/probe", "exit", "0"]);
    for _ in 0..2 {
        bundle.create(bundle.id());
        bundle.must(&["start", bundle.id()]);
        bundle.wait_for(bundle.id(), "stopped");
        bundle.must(&["delete", bundle.id()]);
    }
}

/// "The state of a container includes the following properties."
fn o04_the_state_has_what_it_must_have() {
    let bundle = waiting();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["annotations"] = json!({ "org.example.boat": "round", "org.example.empty": "" });
    bundle.write(&config).create(bundle.id());
    let check = |status: &str| {
        let state = bundle.state_of(bundle.id());
        assert_eq!((&state["id"], &state["status"]), (&json!(bundle.id()), &json!(status)));
        assert_eq!(state["bundle"], json!(bundle.path().canonicalize().expect("the bundle")));
        assert_eq!(state["annotations"], config["annotations"], "{status}");
        let version = state["ociVersion"].as_str().unwrap_or_default();
        let numbers: Vec<_> = version.split(['.', '-']).take(3).map(str::parse::<u32>).collect();
        assert!(numbers.len() == 3 && numbers.iter().all(Result::is_ok), "{version:?} is SemVer");
        state["pid"].as_i64()
    };
    let pid = check("created").expect("a number");
    // As seen by the host: the namespaces of that process are the container's.
    let hostname = std::fs::read_link(format!("/proc/{pid}/ns/uts")).expect("it is there");
    assert_ne!(hostname, std::fs::read_link("/proc/self/ns/uts").expect("ours"));
    bundle.must(&["start", bundle.id()]);
    assert_eq!(check("running"), Some(pid));
    stop(&bundle);
    // "REQUIRED when status is created or running": after that the number is anybody's. runc says 0, which is nobody's.
    assert!(matches!(check("stopped"), None | Some(0)), "no process has it");
}

fn o04_the_status_is_created_then_running_then_stopped() {
    let bundle = waiting();
    bundle.create(bundle.id());
    assert_eq!(bundle.state_of(bundle.id())["status"], "created");
    bundle.must(&["start", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "running", "as soon as start has ended");
    bundle.ready();
    bundle.must(&["kill", bundle.id(), "TERM"]);
    bundle.wait_for(bundle.id(), "stopped");
}

/// "If no annotations were provided then this property MAY either be absent or an empty map."
fn o04_annotations_may_be_absent() {
    let bundle = waiting();
    bundle.create(bundle.id());
    let state = bundle.state_of(bundle.id());
    assert!(state["annotations"].is_null() || state["annotations"] == json!({}), "{state}");
}

/// It is a created one all the same, and the error says what to do.
fn o01_one_that_was_paused_before_its_start_is_to_be_resumed_first() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["pause", bundle.id()]);
    let error = fails(&bundle, &["start", bundle.id()]);
    assert!(error.contains("is paused") && error.contains("resume"), "{error}");
    bundle.must(&["resume", bundle.id()]);
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    bundle.must(&["pause", bundle.id()]);
    let error = fails(&bundle, &["start", bundle.id()]);
    assert!(error.contains("is paused") && !error.contains("resume"), "{error}");
    let error = fails(&bundle, &["pause", bundle.id()]);
    assert!(error.contains("only a running container"), "{error}");
}

/// Who waits for a disk does nothing else meanwhile, not even stand still.
fn o01_pause_returns_when_the_last_one_stands_still() {
    let disk = Disk::new();
    let bundle = Bundle::new();
    // Its one page takes eight seconds.
    let rate = json!([{ "major": disk.major, "minor": disk.minor, "rate": 512 }]);
    let limits = json!({ "blockIO": { "throttleReadBpsDevice": rate } });
    let mut config = config(&bundle, &limits, &["wait-signal", "TERM"]);
    disk.goes_into(&mut config);
    bundle.write(&config).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    disk.forget();
    let file = bundle.path().join("pid");
    let name = file.display().to_string();
    let words = ["exec", "--detach", "--pid-file", &name, bundle.id(), "/probe", "open", "/tmp/disk"];
    // It outlives the call, and would hold a pipe open.
    let status = bundle.coracle(&words).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("it starts").success());
    let pid = std::fs::read_to_string(file).expect("a number");
    within(Duration::from_secs(7), "it waits for the disk", || {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there").contains(") D ")
    });
    bundle.must(&["pause", bundle.id()]);
    let events = said(&group(&bundle), "cgroup.events");
    assert!(events.lines().any(|line| line == "frozen 1"), "{events}");
    bundle.must(&["resume", bundle.id()]);
}

/// "This MUST be unique across all containers on this host": where nothing else is said, the control group is named by it, and
/// that of another container is not shared.
fn o01_one_id_below_two_roots_is_two_containers_or_an_error() {
    let first = waiting();
    first.create(first.id());
    first.must(&["start", first.id()]);
    first.ready();
    let before = first.state_of(first.id());
    let second = waiting();
    let path = second.path().display().to_string();
    let mut create = second.coracle(&["create", "--bundle", &path, first.id()]);
    let file = second.path().join("errors");
    create.stdout(Stdio::null()).stderr(std::fs::File::create(&file).expect("a file"));
    let status = create.finish().status;
    let error = std::fs::read_to_string(&file).expect("what it said");
    assert!(!status.success(), "two containers in one control group");
    assert!(error.contains(first.id()) && error.contains("cgroupsPath"), "the group and the cure: {error}");
    assert!(second.left().is_empty(), "{:?}", second.left());
    second.must(&["delete", "--force", first.id()]);
    assert_eq!(first.state_of(first.id()), before, "the first one runs on");
    first.must(&["kill", first.id(), "TERM"]);
    first.wait_for(first.id(), "stopped");
}

/// Calls the runtime where /proc is that of another PID namespace, in which somebody has the number NUMBER; who it is, that one
/// says through the fifo THERE.
const NAMESAKE: &str = r#"
unshare --pid --fork --kill-child sh -c '
    mount -t proc proc /proc && echo $((NUMBER - 1)) >/proc/sys/kernel/ns_last_pid
    sleep 600 & echo $! >"$THERE"; wait' &
read -r namesake <"$THERE"
if [ "$namesake" = "$NUMBER" ]; then "$0" "$@"; else echo "nobody has the number" >&2; false; fi
code=$?
kill -KILL $!
exit $code"#;

/// There, init's number is somebody else, or nobody: who concludes anything from that takes a container for stopped that
/// runs, and deletes it.
fn o04_the_proc_of_other_processes_says_nothing_of_a_container() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    let before = bundle.state_of(bundle.id());
    let number = before["pid"].as_i64().expect("a number");
    // In the first world /proc is that of processes among which we are not, in the second one we are not those that it knows,
    // and in the third one, as in the first, but somebody there has init's number.
    let worlds: [&[&str]; 3] = [
        &["--mount", "sh", "-c", "unshare --pid --fork mount -t proc proc /proc && exec \"$0\" \"$@\""],
        &["--pid", "--fork", "--kill-child", "sh", "-c", "\"$0\" \"$@\"; exit $?"],
        &["--mount", "sh", "-c", NAMESAKE],
    ];
    nix::unistd::mkfifo(&bundle.path().join("there"), nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let verbs: [&[&str]; 5] = [&["state"], &["exec"], &["delete"], &["delete", "--force"], &["kill"]];
    for (which, world) in worlds.iter().enumerate() {
        for verb in verbs {
            let after: &[&str] = if verb[0] == "exec" { &["/probe"] } else { &[] };
            let words = [verb, &[bundle.id()], after].concat();
            let call = bundle.coracle(&words);
            let mut unshare = std::process::Command::new("unshare");
            unshare.args(*world).arg(call.get_program()).args(call.get_args()).stdin(Stdio::null());
            unshare.env("NUMBER", number.to_string()).env("THERE", bundle.path().join("there"));
            let output = unshare.finish();
            let said = text(&output.stderr);
            if output.status.success() {
                let state: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
                assert_eq!((verb, &state), (&["state"][..], &before), "{which}: only the truth is said");
            } else {
                let known = said.contains("another PID namespace") || said.contains("is running");
                assert!(known, "{which}: {words:?}: {said}");
            }
            assert_eq!(bundle.state_of(bundle.id()), before, "{which}: {words:?}");
        }
    }
}
