//! Lesson 07: a container's life in five commands, each a process of its own.

use std::path::Path;
use std::time::Duration;

use testkit::prelude::*;

testkit::lesson! { 7,
    red after_create_the_program_has_not_run,
    red state_tells_what_the_specification_asks_for,
    red it_is_created_then_running_then_stopped,
    red an_init_that_nobody_has_buried_has_stopped,
    red a_container_is_started_once,
    red of_two_starts_at_once_one_starts_it,
    red start_tells_why_the_program_cannot_be_executed,
    red a_second_create_of_the_same_id_hurts_nothing,
    red a_signal_reaches_the_program_while_there_is_one,
    red a_running_container_is_not_deleted,
    red delete_leaves_nothing_of_a_stopped_one,
    red delete_ends_one_that_waits_for_start,
    red(root) its_control_group_goes_with_it,
    red delete_waits_for_whoever_changes_the_container,
    red what_a_killed_create_leaves_can_be_cleared,
    red a_stranger_with_the_number_of_init_is_not_the_container,
    guard a_stranger_with_the_number_of_init_lives_on,
}

const SOON: Duration = Duration::from_secs(5);

/// A bundle whose program waits for SIGTERM, and says so.
fn waiting(harbour: &Harbour) -> Bundle {
    harbour.bundle(&["wait-signal", "TERM"])
}

/// Its container, whose program runs, however that came about.
#[track_caller]
fn running(harbour: &Harbour, bundle: &Bundle) -> Program {
    harbour.create(bundle, "boat");
    let start = told_to_start(harbour);
    within(SOON, &format!("the program runs; start said: {}", start.stderr), || !bundle.output().is_empty());
    harbour.init(bundle)
}

/// What start says. It must not take as long as the program lives.
#[track_caller]
fn told_to_start(harbour: &Harbour) -> Done {
    let mut start = harbour.start(&["start", "boat"]);
    within(SOON, "start comes back: execve has closed init's end of their connection", || start.has_ended());
    start.finish()
}

/// Starts the container, which was created and no more.
#[track_caller]
fn start(harbour: &Harbour) {
    let start = told_to_start(harbour);
    assert_eq!(
        start.code,
        Some(0),
        "nobody has started the container yet, and start refuses: {}",
        start.stderr
    );
}

/// Ends init from outside, as the OOM killer would.
fn end(init: &Program) {
    init.signal(Signal::SIGKILL);
    within(SOON, "init has ended", || !init.lives());
}

fn after_create_the_program_has_not_run() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let init = harbour.init(&bundle);
    within(SOON, "init waits for something", || init.sleeps());
    assert_ne!(init.name(), "probe", "init has become the program, and nobody has said start");
    assert_eq!(bundle.output(), "", "the program has run, and nobody has said start");
    harbour.finish();
}

/// The specification's fields, and those of runc that engines read.
fn state_tells_what_the_specification_asks_for() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    bundle.edit(|config| config["annotations"] = json!({ "org.example.port": "7" }));
    harbour.create(&bundle, "boat");
    let (state, number) = (harbour.state("boat"), harbour.init(&bundle).nspid()[1]);
    let path = bundle.path().canonicalize().expect("the bundle is there");
    let said = |field: &str| state[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(said("id"), "boat", "the id is another one: {state}");
    assert!(said("ociVersion").starts_with("1."), "it names no version of the specification: {state}");
    assert!(["created", "running"].contains(&&*said("status")), "it does not tell how it fares: {state}");
    assert_eq!(state["pid"], number, "it does not tell init's number: {state}");
    assert_eq!(Path::new(&said("bundle")), path, "it does not tell where the bundle is: {state}");
    assert_eq!(state["annotations"]["org.example.port"], "7", "it has lost an annotation: {state}");
    assert!(said("created").contains('T'), "it does not tell when it was created: {state}");
    assert!(said("rootfs").starts_with('/'), "it does not tell where its root filesystem is: {state}");
    assert!(state["owner"].is_string(), "it does not tell whose it is: {state}");
    harbour.finish();
}

fn it_is_created_then_running_then_stopped() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let status = || harbour.state("boat")["status"].clone();
    assert_eq!(status(), "created", "create has ended, and nobody has said start");
    start(&harbour);
    bundle.report();
    assert_eq!(status(), "running", "its program was started, and waits for a signal");
    end(&harbour.init(&bundle));
    let state = harbour.state("boat");
    assert_eq!(state["status"], "stopped", "its init has ended");
    assert_eq!(state["pid"], 0, "init has ended, and any process may get its number");
    harbour.finish();
}

/// A zombie has a number and a line in /proc. How long it is one is up to its parent, and here that is busy.
fn an_init_that_nobody_has_buried_has_stopped() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let init = harbour.init(&bundle);
    harbour.while_nobody_is_buried(|| {
        end(&init);
        assert_ne!(init.name(), "", "somebody has buried it, and there is no zombie");
        let state = harbour.state("boat");
        assert_eq!(state["status"], "stopped", "init is a zombie, and the container counts as alive");
    });
    harbour.finish();
}

fn a_container_is_started_once() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    start(&harbour);
    let again = harbour.run(&["start", "boat"]);
    assert_ne!(again.code, Some(0), "a running container was started once more");
    assert!(again.stderr.contains("running"), "the error does not say that it runs: {}", again.stderr);
    end(&harbour.init(&bundle));
    let again = harbour.run(&["start", "boat"]);
    assert_ne!(again.code, Some(0), "a stopped container was started once more");
    assert!(again.stderr.contains("stopped"), "the error does not say that it has stopped: {}", again.stderr);
    harbour.finish();
}

fn of_two_starts_at_once_one_starts_it() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let mut both = [harbour.start(&["start", "boat"]), harbour.start(&["start", "boat"])];
    within(SOON, "both callers get an answer", || both.iter_mut().all(Running::has_ended));
    let codes = both.map(|start| start.finish().code);
    let won = codes.iter().filter(|code| **code == Some(0)).count();
    assert_eq!(won, 1, "two callers say start, and this many are told that they did it: {codes:?}");
    bundle.report();
    harbour.finish();
}

/// A text without `#!` passes every check before execve.
fn start_tells_why_the_program_cannot_be_executed() {
    let harbour = Harbour::new();
    let bundle = harbour.bundle(&[]);
    bundle.edit(|config| config["process"]["args"] = json!(["/text"]));
    bundle.rootfs().write("text", "no program");
    let text = bundle.rootfs().path().join("text");
    std::fs::set_permissions(text, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    harbour.create(&bundle, "boat");
    let start = harbour.run(&["start", "boat"]);
    assert_ne!(start.code, Some(0), "execve has failed, and start says that the program runs");
    assert!(
        start.stderr.contains("/text") && start.stderr.contains("ENOEXEC"),
        "execve has failed, and the error of start does not say why: {}",
        start.stderr
    );
    harbour.wait_for("boat", "stopped");
    harbour.finish();
}

fn a_second_create_of_the_same_id_hurts_nothing() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let other = waiting(&harbour);
    let second = harbour.run(&["create", "--bundle", &other.text(), "boat"]);
    assert_ne!(second.code, Some(0), "two containers have one id");
    assert!(
        second.stderr.contains("exist"),
        "the error does not say that the id is taken: {}",
        second.stderr
    );
    let state = harbour.state("boat");
    assert_eq!(state["status"], "created", "the first container does not wait for its start: {state}");
    start(&harbour);
    bundle.report();
    harbour.finish();
}

fn a_signal_reaches_the_program_while_there_is_one() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    let init = running(&harbour, &bundle);
    let kill = || harbour.run(&["kill", "boat", "TERM"]);
    let first = kill();
    assert_eq!(first.code, Some(0), "its program runs, and kill says: {}", first.stderr);
    within(SOON, "the program gets the SIGTERM that was sent to its container", || {
        bundle.output().lines().nth(1).is_some_and(|line| line.contains("SIGTERM"))
    });
    within(SOON, "the program ends by itself after that", || !init.lives());
    let second = kill();
    assert_ne!(second.code, Some(0), "a signal was sent to a container that has ended");
    assert!(second.stderr.contains("not running"), "engines look for other words: {}", second.stderr);
    harbour.finish();
}

fn a_running_container_is_not_deleted() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    let init = running(&harbour, &bundle);
    let delete = harbour.run(&["delete", "boat"]);
    assert_ne!(delete.code, Some(0), "its program runs, and delete says that the container is gone");
    assert!(
        init.lives() && harbour.state_dir("boat").is_dir(),
        "delete has refused, and done it all the same"
    );
    harbour.must(&["delete", "--force", "boat"]);
    assert!(!init.lives(), "it was deleted by force, and its program lives");
    assert!(!harbour.state_dir("boat").exists(), "it was deleted by force, and its directory is left");
    harbour.finish();
}

fn delete_leaves_nothing_of_a_stopped_one() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    end(&running(&harbour, &bundle));
    let folder = harbour.state_dir("boat");
    assert!(folder.is_dir(), "it has no directory: nothing could be removed");
    harbour.must(&["delete", "boat"]);
    assert!(!folder.exists(), "its directory is left");
    assert_ne!(harbour.run(&["state", "boat"]).code, Some(0), "it was deleted, and still has a state");
    harbour.create(&waiting(&harbour), "boat");
    harbour.finish();
}

fn delete_ends_one_that_waits_for_start() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let init = harbour.init(&bundle);
    assert!(init.lives(), "its init has ended before the delete");
    harbour.must(&["delete", "boat"]);
    assert!(!init.lives(), "it was deleted, and its init still waits for somebody to say start");
    harbour.finish();
}

fn its_control_group_goes_with_it() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    let folders = || harbour.cgroups().iter().map(|folder| folder.join("c")).filter(|folder| folder.is_dir());
    harbour.create(&bundle, "boat");
    assert_ne!(folders().count(), 0, "it has no control group: nothing could be removed");
    harbour.must(&["delete", "boat"]);
    let left: Vec<_> = folders().collect();
    assert!(left.is_empty(), "the container was deleted, and its control group is left: {left:?}");
    harbour.finish();
}

/// Two that change one container take turns, by a lock on its directory (flock(2)). Here we are the other one.
fn delete_waits_for_whoever_changes_the_container() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    end(&running(&harbour, &bundle));
    let lock = Lock::of(&harbour.state_dir("boat"));
    let mut delete = harbour.start(&["delete", "boat"]);
    within(SOON, "delete waits for the lock on the container's directory, or has ended", || {
        lock.is_awaited() || delete.has_ended()
    });
    assert!(lock.is_awaited(), "delete did not wait for whoever holds the lock on the container's directory");
    assert!(harbour.state_dir("boat").is_dir(), "delete waits for the lock after its work, not before");
    drop(lock);
    assert_eq!(delete.finish().code, Some(0), "delete fails when it gets the lock");
    assert!(!harbour.state_dir("boat").exists(), "its directory is left");
    harbour.finish();
}

/// SIGKILL leaves a process no time to tidy up. The moments are told by how much is in the container's directory.
fn what_a_killed_create_leaves_can_be_cleared() {
    let harbour = Harbour::new();
    // Its control group is named after it, and the machine has one tree of them: so nobody else's may have its name.
    let id = format!("boat-{}", std::process::id());
    let folder = harbour.state_dir(&id);
    let entries = || std::fs::read_dir(&folder).map_or(0, |entries| 1 + entries.count());
    let before = harbour.processes().len();
    for moment in 1..=5 {
        let bundle = waiting(&harbour);
        harbour.start(&["create", "--bundle", &bundle.text(), &id]).kill_at(|| entries() >= moment);
        assert!(folder.is_dir(), "create has made no directory: nothing could be left");
        harbour.must(&["delete", "--force", &id]);
        assert!(
            !folder.exists(),
            "create was killed, and delete --force leaves the directory that it had made"
        );
        within(SOON, "no process is left of a container whose create was killed", || {
            harbour.processes().len() == before
        });
    }
    harbour.create(&waiting(&harbour), &id);
    harbour.finish();
}

/// The lab of this lesson: init has ended, and the kernel gives its number to somebody else.
fn a_stranger_with_the_number_of_init_is_not_the_container() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let stranger = harbour.replace(&harbour.init(&bundle));
    let state = harbour.state("boat");
    assert_eq!(
        state["status"], "stopped",
        "init has ended, and a stranger that got its number is taken for it: {state}"
    );
    assert!(stranger.lives(), "the stranger has ended");
    harbour.finish();
}

/// As above. Wherever a signal goes to a number, this is who gets it.
fn a_stranger_with_the_number_of_init_lives_on() {
    let harbour = Harbour::new();
    let bundle = waiting(&harbour);
    harbour.create(&bundle, "boat");
    let stranger = harbour.replace(&harbour.init(&bundle));
    harbour.run(&["kill", "boat", "KILL"]);
    assert!(
        stranger.lives(),
        "kill has killed a stranger, which has only the number of the container's init"
    );
    harbour.must(&["delete", "boat"]);
    assert!(
        stranger.lives(),
        "delete has killed a stranger, which has only the number of the container's init"
    );
    harbour.finish();
}
