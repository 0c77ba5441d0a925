//! create, start, run, delete and state, one by one (document 003).

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::within;

use super::boat::{Boat, OBEDIENT};

pub(crate) fn s15_create_starts_no_process() {
    let boat = Boat::new(&["sleep", "1000"]);
    let mut create = boat.command(&["create", &format!("--bundle={}", boat.bundle()), &boat.id]);
    let said = boat.ended(create.env("NS_TEST_OF", &boat.id));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out, format!("  Bundle: {}\n  Root: rootfs\n  Status: created\n", boat.bundle()));
    let mark = format!("NS_TEST_OF={}\0", boat.id).into_bytes();
    let marked = |path: std::path::PathBuf| {
        let environ = fs::read(path.join("environ")).unwrap_or_default();
        environ.windows(mark.len()).any(|part| part == mark)
    };
    let ours = fs::read_dir("/proc").expect("/proc").flatten().filter(|entry| marked(entry.path())).count();
    assert_eq!(ours, 0, "create left a process");
    assert_eq!(boat.groups(), Vec::<String>::new(), "create made a control group");
    let record = boat.record();
    assert_eq!(
        (&record["status"], &record["pid"], &record["bundle"]),
        (&json!("created"), &json!(0), &json!(boat.bundle()))
    );
}

/// What start runs is what create was given: a later change of the bundle's config changes no container.
pub(crate) fn s15_create_keeps_the_config() {
    let boat = Boat::sh("exit 7");
    boat.create();
    boat.program(&["sh", "-c", "exit 8"]);
    assert_eq!(boat.call(&["start", "--attach", &boat.id]).code, Some(7));
}

pub(crate) fn s15_each_error_of_create_has_its_words_and_leaves_nothing() {
    let boat = Boat::new(&["true"]);
    let bundle = format!("--bundle={}", boat.bundle());
    let create = ["create", &bundle, &boat.id];
    boat.fails(&["create", "--bundle=/nowhere", &boat.id], &["/nowhere", "no such file or directory"]);
    boat.change(|config| config["process"]["cwd"] = json!("not/absolute"));
    boat.fails(&create, &["/process/cwd"]);
    boat.change(|config| config["process"] = json!({ "args": ["true"], "cwd": 7 }));
    boat.fails(&create, &["/process/cwd"]);
    boat.change(|config| config["process"] = json!({ "cwd": "/" }));
    boat.fails(&create, &["/process/", "is missing"]);
    fs::write(boat.file("bundle/config.json"), "{ this is no JSON").expect("a config");
    boat.fails(&create, &["config.json", "JSON"]);
    fs::remove_file(boat.file("bundle/config.json")).expect("its removal");
    boat.fails(&create, &["config.json", "no such file or directory"]);
    boat.fails(&["create", &bundle, "no/name"], &["no/name"]);
    boat.assert_gone();
}

pub(crate) fn s15_an_id_is_taken_once() {
    let boat = Boat::new(&["true"]);
    boat.create();
    let words = ["already exists", &format!("ns-runtime delete {}", boat.id)];
    boat.fails(&["create", &format!("--bundle={}", boat.bundle()), &boat.id], &words);
    assert_eq!(boat.state(), "created");
}

/// On a file system that takes no writes.
pub(crate) fn s15_a_state_directory_that_is_not_writable_is_named() {
    const SCRIPT: &str =
        "mount -t tmpfs -o ro tmpfs \"$2\" && exec \"$1\" --root \"$2/state\" create --bundle=\"$3\" boat";
    let boat = Boat::new(&["true"]);
    let folder = boat.file("read-only");
    fs::create_dir(&folder).expect("a folder");
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(testkit::runtime())
        .arg(&folder)
        .arg(boat.bundle());
    boat.ended(&mut unshare).is_error(&[&folder.join("state").display().to_string(), "EROFS", "--root"]);
}

pub(crate) fn s16_start_is_detached_by_default() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.create();
    let said = boat.must(&["start", &boat.id]);
    assert!(said.err.contains(&format!("Container started with PID {}", boat.pid())), "{}", said.err);
    assert_eq!(boat.state(), "running");
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", boat.pid())).expect("it runs"), "sleep\n");
}

pub(crate) fn s16_attached_the_exit_status_is_the_programs_and_is_kept() {
    let boat = Boat::sh("echo said inside; exit 7");
    boat.create();
    let said = boat.call(&["start", "--attach", &boat.id]);
    assert_eq!((said.code, said.out.as_str()), (Some(7), "said inside\n"), "{}", said.err);
    let record = boat.record();
    assert_eq!(
        (&record["status"], &record["exitStatus"], &record["pid"]),
        (&json!("stopped"), &json!(7), &json!(0))
    );
    // One that a signal ended: 128 and its number, as everywhere.
    let boat = Boat::new(&["sleep", "1000"]);
    boat.create();
    let mut start = boat.command(&["--quiet", "start", "--attach", &boat.id]).spawn().expect("it starts");
    within(Duration::from_secs(5), "it runs", || boat.state() == "running");
    boat.kill_init();
    assert_eq!(start.wait().expect("our child").code(), Some(137));
    assert_eq!(boat.record()["exitStatus"], 137);
}

pub(crate) fn s16_what_stops_the_child_reaches_the_caller_and_it_stays_created() {
    let boat = Boat::new(&["/bin/later"]);
    boat.create();
    boat.fails(&["start", &boat.id], &["/bin/later", "no such file or directory"]);
    assert_eq!((boat.state().as_str(), &boat.record()["status"]), ("created", &json!("created")));
    assert_eq!(boat.groups(), Vec::<String>::new(), "a control group is left");
    // So it can be mended, and started.
    fs::write(boat.file("bundle/rootfs/bin/later"), "#!/bin/sh\nexit 9\n").expect("a script");
    Command::new("chmod").arg("+x").arg(boat.file("bundle/rootfs/bin/later")).status().expect("chmod starts");
    assert_eq!(boat.call(&["start", "--attach", &boat.id]).code, Some(9));
}

/// A terminal needs somebody at its other end.
pub(crate) fn s16_a_terminal_is_for_those_who_look_on() {
    let boat = Boat::new(&["sh"]);
    boat.change(|config| config["process"]["terminal"] = json!(true));
    boat.create();
    boat.fails(&["start", &boat.id], &["/process/terminal", "--attach"]);
    assert_eq!(boat.state(), "created");
}

pub(crate) fn s17_run_is_attached_by_default() {
    let boat = Boat::sh("echo said inside; exit 5");
    let said = boat.call(&["run", &format!("--bundle={}", boat.bundle()), &boat.id]);
    assert_eq!((said.code, said.out.as_str()), (Some(5), "said inside\n"), "{}", said.err);
    // It is listed until somebody deletes it.
    assert_eq!((boat.state().as_str(), &boat.record()["exitStatus"]), ("stopped", &json!(5)));
    boat.must(&["delete", &boat.id]);
    boat.assert_gone();
}

pub(crate) fn s17_run_rm_removes_it_at_its_end() {
    let boat = Boat::sh("exit 5");
    let bundle = format!("--bundle={}", boat.bundle());
    assert_eq!(boat.call(&["run", "--rm", &bundle, &boat.id]).code, Some(5));
    boat.assert_gone();
    // Detached, there is nobody who would.
    let said = boat.call(&["run", "--rm", "--detach", &bundle, &boat.id]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("--detach"), "{}", said.err);
    boat.assert_gone();
}

pub(crate) fn s17_run_detached_returns_while_it_runs() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.must(&["run", "--detach", &format!("--bundle={}", boat.bundle()), &boat.id]);
    assert_eq!(boat.state(), "running");
}

pub(crate) fn s17_a_failed_start_leaves_nothing() {
    let boat = Boat::new(&["/no/such/program"]);
    for mode in ["--attach", "--detach"] {
        boat.fails(&["run", mode, &format!("--bundle={}", boat.bundle()), &boat.id], &["/no/such/program"]);
        boat.assert_gone();
    }
}

/// How long `delete` takes, which must leave nothing.
fn deletion(boat: &Boat) -> Duration {
    let begin = Instant::now();
    let said = boat.must(&["delete", &boat.id]);
    let took = begin.elapsed();
    assert_eq!(said.out, "  Status: deleted\n");
    boat.assert_gone();
    took
}

/// The kernel gives a PID 1 no signal that it has no handler for.
pub(crate) fn s18_one_that_ignores_sigterm_is_killed_after_five_seconds() {
    let boat = Boat::new(&["sleep", "1000"]);
    boat.start();
    let pid = boat.pid();
    let took = deletion(&boat);
    assert!((5.0..6.0).contains(&took.as_secs_f64()), "{took:?}");
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(line.is_empty() || line.contains(") Z "), "it lives: {line}");
}

/// The quickest of three: a busy machine is nobody's fault.
pub(crate) fn s18_one_that_obeys_is_gone_at_once() {
    let boat = Boat::sh(OBEDIENT);
    let one = || {
        let mut run = boat.command(&["run", "--detach", &format!("--bundle={}", boat.bundle()), &boat.id]);
        let said = boat.file("said");
        run.stdout(fs::File::create(&said).expect("a file")).stderr(std::process::Stdio::null());
        assert!(run.status().expect("it starts").success());
        let ready = || fs::read_to_string(&said).is_ok_and(|words| words == "ready\n");
        within(Duration::from_secs(5), "the program waits for its signal", ready);
        deletion(&boat)
    };
    let took = (0..3).map(|_| one()).min().expect("three");
    assert!(took < Duration::from_millis(100), "{took:?}");
}

pub(crate) fn s18_what_does_not_exist_is_deleted() {
    let boat = Boat::new(&["true"]);
    assert_eq!(boat.must(&["delete", &boat.id]).out, "");
    // A creation that was killed at once leaves a folder, and a hand in the wrong place may leave anything.
    boat.create();
    fs::write(boat.file("state").join(&boat.id).join("state.json"), "{").expect("a file");
    assert_eq!(boat.call(&["state", &boat.id]).out, "unknown\n");
    boat.must(&["delete", &boat.id]);
    boat.assert_gone();
}

pub(crate) fn s19_state_is_one_word() {
    let boat = Boat::sh(OBEDIENT);
    let answers = |code, word: &str| {
        let said = boat.call(&["state", &boat.id]);
        assert_eq!((said.code, said.out, said.err), (Some(code), format!("{word}\n"), String::new()));
    };
    answers(1, "unknown");
    boat.create();
    answers(0, "created");
    boat.must(&["start", &boat.id]);
    answers(0, "running");
    boat.kill_init();
    answers(0, "stopped");
    boat.must(&["delete", &boat.id]);
    answers(1, "unknown");
}
