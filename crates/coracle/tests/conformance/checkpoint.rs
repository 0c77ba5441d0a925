//! `checkpoint` and `restore`, which the specification does not know and engines call: a running container becomes files, and a
//! container again. CRIU does it. Row O-30.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Terminal, Test, within};

use super::common::{Bundle, Finish, Leaks, text};
use super::running::exec;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o30_checkpoint_a_program_goes_on_where_it_was(root, cgroup, criu),
    o30_checkpoint_leaves_nothing_but_the_files(root, cgroup, criu),
    o30_checkpoint_lets_it_run_where_that_is_asked(root, cgroup, criu),
    o30_checkpoint_a_restored_container_is_one_like_any_other(root, cgroup, criu),
    o30_checkpoint_mounts_from_outside_come_from_outside(root, cgroup, criu),
    o30_checkpoint_a_restore_in_the_foreground_ends_as_its_program(root, cgroup, criu),
    o30_checkpoint_a_terminal_has_its_other_end_again(root, cgroup, criu),
    o30_checkpoint_hooks_are_told_of_the_restore(root, cgroup, criu),
    o30_checkpoint_a_restore_that_fails_says_why_and_leaves_nothing(root, cgroup, criu),
    o30_checkpoint_an_id_that_is_taken_is_not_restored(userns),
    o30_checkpoint_of_what_does_not_run_is_an_error(userns),
    o30_checkpoint_without_criu_says_what_to_install(root, cgroup),
    o30_checkpoint_and_restore_have_the_options_of_engines(),
};

const SOON: Duration = Duration::from_secs(10);

/// A running container that counts.
fn counting(change: impl FnOnce(&mut Value)) -> Bundle {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "count", "/tmp/count"]);
    change(&mut config);
    start(bundle.write(&config), Stdio::null);
    reaches(&bundle, 3);
    bundle
}

/// Creates and starts it, with that as its standard output and error.
#[track_caller]
fn start(bundle: &Bundle, output: impl Fn() -> Stdio) {
    let path = bundle.path().display().to_string();
    let mut create = bundle.coracle(&["create", "--bundle", &path, bundle.id()]);
    assert!(create.stdout(output()).stderr(output()).finish().status.success(), "create");
    bundle.must(&["start", bundle.id()]);
}

/// How far it has counted.
fn count(bundle: &Bundle) -> u64 {
    let text = std::fs::read_to_string(bundle.path().join("rootfs/tmp/count")).unwrap_or_default();
    text.parse().unwrap_or(0)
}

#[track_caller]
fn reaches(bundle: &Bundle, number: u64) {
    within(SOON, &format!("it counts to {number}"), || count(bundle) >= number);
}

fn images(bundle: &Bundle) -> PathBuf {
    bundle.path().join("images")
}

#[track_caller]
fn checkpoint(bundle: &Bundle, options: &[&str]) {
    let images = images(bundle).display().to_string();
    bundle.must(&[&["checkpoint", "--image-path", &images], options, &[bundle.id()]].concat());
}

/// Restores it, detached.
#[track_caller]
fn restore(bundle: &Bundle, options: &[&str]) {
    let (images, path) = (images(bundle).display().to_string(), bundle.path().display().to_string());
    let call = ["restore", "--detach", "--image-path", &images, "--bundle", &path];
    let mut restore = bundle.coracle(&[&call[..], options, &[bundle.id()]].concat());
    // It outlives the call, and would hold a pipe open.
    let errors = bundle.path().join("errors");
    restore.stdout(Stdio::null()).stderr(std::fs::File::create(&errors).expect("a file"));
    let status = restore.finish().status;
    let said = std::fs::read_to_string(&errors).unwrap_or_default();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""), "restore");
}

fn pid(bundle: &Bundle) -> i64 {
    bundle.state_of(bundle.id())["pid"].as_i64().expect("a number")
}

fn o30_checkpoint_a_program_goes_on_where_it_was() {
    let bundle = counting(|_| {});
    checkpoint(&bundle, &[]);
    let before = count(&bundle);
    std::fs::write(bundle.path().join("rootfs/tmp/count"), "0").expect("its file");
    restore(&bundle, &[]);
    within(SOON, "it counts again", || count(&bundle) > 0);
    let after = count(&bundle);
    assert!(after > before, "what it had in memory is lost: {before}, then {after}");
    reaches(&bundle, after + 3);
}

/// As after delete: no directory, no process, no control group, and the id is free.
fn o30_checkpoint_leaves_nothing_but_the_files() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "count", "/tmp/count"]);
    let path = bundle.path().display().to_string();
    let mut create = bundle.coracle(&["create", "--bundle", &path, bundle.id()]);
    let leaks = Leaks::watch(&mut create, bundle.id());
    assert!(create.stdout(Stdio::null()).stderr(Stdio::null()).finish().status.success());
    bundle.must(&["start", bundle.id()]);
    reaches(&bundle, 1);
    let work = bundle.path().join("work").display().to_string();
    checkpoint(&bundle, &["--work-path", &work]);
    leaks.assert_none(&bundle, "checkpoint");
    bundle.must_fail(&["state", bundle.id()], 1);
    assert!(images(&bundle).join("inventory.img").exists(), "the files are there");
    assert!(bundle.path().join("work/dump.log").exists(), "CRIU's log is where it was asked for");
}

fn o30_checkpoint_lets_it_run_where_that_is_asked() {
    let bundle = counting(|_| {});
    let pid_before = pid(&bundle);
    checkpoint(&bundle, &["--leave-running"]);
    let before = count(&bundle);
    assert_eq!(
        (pid(&bundle), bundle.state_of(bundle.id())["status"].clone()),
        (pid_before, json!("running"))
    );
    reaches(&bundle, before + 3);
}

fn o30_checkpoint_a_restored_container_is_one_like_any_other() {
    let bundle = counting(|config| {
        config["linux"]["resources"] = json!({ "pids": { "limit": 17 } });
        config["annotations"] = json!({ "org.example.boat": "round" });
    });
    checkpoint(&bundle, &[]);
    let file = bundle.path().join("pid");
    restore(&bundle, &["--pid-file", &file.display().to_string()]);
    let state = bundle.state_of(bundle.id());
    assert_eq!(
        (&state["status"], &state["annotations"]["org.example.boat"]),
        (&json!("running"), &json!("round"))
    );
    assert_eq!(std::fs::read_to_string(&file).expect("the pid file"), state["pid"].to_string());
    assert_eq!(exec(&bundle, &[]).hostname, "boat", "exec is in its namespaces");
    let inside: Value =
        serde_json::from_str(&bundle.must(&["ps", "--format", "json", bundle.id()])).expect("JSON");
    assert_eq!(inside, json!([state["pid"]]), "it is in the container's control group");
    let limited = || {
        let group = std::fs::read_to_string(format!("/proc/{}/cgroup", state["pid"])).expect("its groups");
        let of_pids = |line: &str| {
            let (names, path) = line.split_once(':')?.1.split_once(':')?;
            let folder = if names.is_empty() { "" } else { names };
            std::fs::read_to_string(format!("/sys/fs/cgroup/{folder}{path}/pids.max")).ok()
        };
        group.lines().find_map(of_pids)
    };
    assert_eq!(limited().as_deref(), Some("17\n"), "its limits are those of the config");
    bundle.must(&["pause", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
    let stands = count(&bundle);
    bundle.must(&["resume", bundle.id()]);
    reaches(&bundle, stands + 2);
    bundle.must_fail(&["start", bundle.id()], 1);
    bundle.must_fail(&["delete", bundle.id()], 1);
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
}

/// What is bound into it is not in the files; where it is now, the config says.
fn o30_checkpoint_mounts_from_outside_come_from_outside() {
    let bundle = Bundle::new();
    for (folder, words) in [("before", "of before"), ("after", "of after")] {
        std::fs::create_dir(bundle.path().join(folder)).expect("a folder");
        std::fs::write(bundle.path().join(folder).join("file"), words).expect("a file");
    }
    let config = |source: &str| {
        let mut config = Bundle::config();
        config["process"]["args"] = json!(["/probe", "count", "/tmp/count"]);
        let bind = json!({
            "destination": "/data", "type": "bind", "source": bundle.path().join(source), "options": ["bind"],
        });
        config["mounts"].as_array_mut().expect("a list").push(bind);
        config["linux"]["maskedPaths"] = json!(["/proc/keys", "/proc/scsi"]);
        config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
        config
    };
    start(bundle.write(&config("before")), Stdio::null);
    reaches(&bundle, 1);
    let told = |path: &str| bundle.must(&["exec", bundle.id(), "/probe", "open", path]);
    assert!(told("/data/file").contains("of before"));
    checkpoint(&bundle, &[]);
    bundle.write(&config("after"));
    restore(&bundle, &[]);
    assert!(told("/data/file").contains("of after"), "{}", told("/data/file"));
    assert!(
        told("/proc/keys").contains("\"detail\":\"\""),
        "what was masked is still: {}",
        told("/proc/keys")
    );
}

fn o30_checkpoint_a_restore_in_the_foreground_ends_as_its_program() {
    let bundle = Bundle::new();
    // CRIU asks for the same file, as long as it was; it goes on behind its end.
    let output = || {
        let mut file = std::fs::File::options();
        file.append(true).create(true).open(bundle.output(bundle.id())).expect("a file").into()
    };
    start(bundle.args(&["/probe", "wait-signal", "TERM"]), output);
    bundle.ready();
    checkpoint(&bundle, &[]);
    let (images, path) = (images(&bundle).display().to_string(), bundle.path().display().to_string());
    let mut restore = bundle.coracle(&["restore", "--image-path", &images, "--bundle", &path, bundle.id()]);
    let mut restore = restore.stdout(output()).stderr(output()).spawn().expect("it starts");
    let status = || {
        let said = bundle.call(&["state", bundle.id()]).stdout;
        serde_json::from_slice::<Value>(&said).map_or(Value::Null, |state| state["status"].clone())
    };
    within(SOON, "it runs again", || status() == "running");
    // Handed on to the program.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(restore.id() as i32), nix::sys::signal::SIGTERM)
        .expect("ours");
    within(SOON, "restore has ended", || restore.try_wait().expect("our child").is_some());
    assert_eq!(restore.wait().expect("our child").code(), Some(0), "the program's status");
    let said = std::fs::read_to_string(bundle.output(bundle.id())).expect("its output");
    assert!(said.contains("{\"got\":\"SIGTERM\"}"), "it speaks where restore does: {said}");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

fn o30_checkpoint_a_terminal_has_its_other_end_again() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    let mounts = config["mounts"].as_array_mut().expect("a list");
    mounts.push(json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs" }));
    mounts.push(json!({
        "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"],
    }));
    config["process"]["terminal"] = json!(true);
    config["process"]["args"] = json!(["/probe", "wait-signal", "USR1"]);
    let mut before = Terminal::start(&mut bundle.write(&config).command(&[], bundle.id()));
    before.wait_for("\"pid\"");
    checkpoint(&bundle, &[]);
    let (images, path) = (images(&bundle).display().to_string(), bundle.path().display().to_string());
    let mut restore = bundle.coracle(&["restore", "--image-path", &images, "--bundle", &path, bundle.id()]);
    let mut after = Terminal::start(&mut restore);
    let status = || {
        let said = bundle.call(&["state", bundle.id()]).stdout;
        serde_json::from_slice::<Value>(&said).map_or(Value::Null, |state| state["status"].clone())
    };
    within(SOON, "it runs again", || status() == "running");
    bundle.must(&["kill", bundle.id(), "USR1"]);
    after.wait_for("{\"got\":\"SIGUSR1\"}");
}

/// As at a create, for they are what connects its namespaces.
fn o30_checkpoint_hooks_are_told_of_the_restore() {
    let bundle = Bundle::new();
    let notes = bundle.path().join("notes");
    let probe = testkit::probe().display().to_string();
    let hook = |name: &str| json!([{ "path": probe, "args": ["probe", "note", notes, name] }]);
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "count", "/tmp/count"]);
    config["hooks"] = json!({ "prestart": hook("prestart"), "createRuntime": hook("createRuntime"), "poststop": hook("poststop") });
    start(bundle.write(&config), Stdio::null);
    reaches(&bundle, 1);
    checkpoint(&bundle, &[]);
    let _ = std::fs::remove_file(&notes);
    restore(&bundle, &[]);
    let noted: Vec<Value> = std::fs::read_to_string(&notes)
        .expect("their notes")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let names: Vec<_> = noted.iter().map(|note| note["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["prestart", "createRuntime"]);
    let state: Value =
        serde_json::from_str(noted[1]["input"].as_str().expect("its input")).expect("the state");
    assert_eq!((&state["id"], &state["pid"]), (&json!(bundle.id()), &json!(pid(&bundle))));
}

fn o30_checkpoint_a_restore_that_fails_says_why_and_leaves_nothing() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "count", "/tmp/count"]);
    let empty = images(&bundle);
    std::fs::create_dir(&empty).expect("a folder");
    let path = bundle.path().display().to_string();
    let images = empty.display().to_string();
    let mut restore =
        bundle.coracle(&["restore", "--detach", "--image-path", &images, "--bundle", &path, bundle.id()]);
    let leaks = Leaks::watch(&mut restore, bundle.id());
    let output = restore.finish();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let log = empty.join("restore.log");
    assert!(said.contains(&log.display().to_string()), "where CRIU's log is: {said}");
    let log = std::fs::read_to_string(log).expect("CRIU's log");
    let error = log.lines().rfind(|line| line.contains("Error (")).expect("an error in it");
    let words = error.split_once("): ").expect("a place and what is wrong there").1;
    assert!(said.contains(words), "CRIU's own words, {words:?}: {said}");
    leaks.assert_none(&bundle, "restore");
}

fn o30_checkpoint_an_id_that_is_taken_is_not_restored() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]).create(bundle.id());
    let before = bundle.state_of(bundle.id());
    let (path, images) = (bundle.path().display().to_string(), images(&bundle).display().to_string());
    std::fs::create_dir(&images).expect("a folder");
    bundle.must_fail(&["restore", "--detach", "--image-path", &images, "--bundle", &path, bundle.id()], 1);
    assert_eq!(bundle.state_of(bundle.id()), before);
}

fn o30_checkpoint_of_what_does_not_run_is_an_error() {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "exit", "0"]).create(bundle.id());
    let images = images(&bundle).display().to_string();
    let refused = |status: &str| {
        let error = bundle.must_fail(&["checkpoint", "--image-path", &images, bundle.id()], 1);
        assert!(error.contains(status), "{error}");
        assert!(!Path::new(&images).exists(), "a folder for nothing");
        assert_eq!(bundle.state_of(bundle.id())["status"], status);
    };
    refused("created");
    bundle.must(&["start", bundle.id()]);
    bundle.wait_for(bundle.id(), "stopped");
    refused("stopped");
    let error = bundle.must_fail(&["checkpoint", "--image-path", &images, "nobody"], 1);
    assert!(error.contains("does not exist"), "{error}");
}

fn o30_checkpoint_without_criu_says_what_to_install() {
    let bundle = counting(|_| {});
    let (path, images) = (bundle.path().display().to_string(), images(&bundle).display().to_string());
    let checkpoint = ["checkpoint", "--image-path", &images, bundle.id()];
    let restore = ["restore", "--detach", "--image-path", &images, "--bundle", &path, "another"];
    for call in [&checkpoint[..], &restore] {
        let output = bundle.coracle(call).env("PATH", bundle.path()).finish();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("criu") && said.contains("install"), "{said}");
    }
    let before = count(&bundle);
    reaches(&bundle, before + 2);
    assert_eq!(bundle.left().len(), 1, "nothing is left of the restore: {:?}", bundle.left());
}

/// As podman and containerd call them.
fn o30_checkpoint_and_restore_have_the_options_of_engines() {
    let bundle = Bundle::new();
    let help = bundle.must(&["checkpoint", "--help"]);
    for option in
        ["--image-path", "--work-path", "--leave-running", "--tcp-established", "--pre-dump", "--parent-path"]
    {
        assert!(help.contains(option), "{option}: {help}");
    }
    let asked = bundle.call(&["restore", "--lsm-mount-context"]);
    let words = text(&asked.stderr) + &text(&asked.stdout);
    let known = ["flag needs an argument", "requires an argument"].iter().any(|known| words.contains(known));
    assert!(known, "podman asks so whether restore can do it: {words}");
    // What is read so far that the folder is missed has options that are understood.
    let rows = [
        "restore --detach --image-path IMAGES --work-path WORK --bundle BUNDLE --pid-file PID ID",
        "restore --bundle BUNDLE --image-path IMAGES --no-pivot -no-subreaper --detach --tcp-established --ext-unix-sk \
         --shell-job --file-locks --lazy-pages --manage-cgroups-mode soft --empty-ns network --auto-dedup \
         --lsm-profile apparmor:none --lsm-mount-context system_u:object_r:container_file_t ID",
        "checkpoint --image-path IMAGES --work-path WORK --parent-path ../before --leave-running --tcp-established \
         --ext-unix-sk --shell-job --lazy-pages --status-fd 2 --page-server 127.0.0.1:99 --file-locks --pre-dump \
         --manage-cgroups-mode ignore --empty-ns network --auto-dedup ID",
    ];
    for row in rows {
        let words: Vec<&str> =
            row.split_whitespace().map(|word| if word == "ID" { "nobody" } else { word }).collect();
        let error = bundle.must_fail(&words, 1);
        assert!(["BUNDLE", "does not exist"].iter().any(|known| error.contains(known)), "{row}: {error}");
    }
    for wrong in ["--manage-cgroups-mode=some", "--page-server=here", "--empty-ns=uts"] {
        let error = bundle.must_fail(&["checkpoint", wrong, "nobody"], 1);
        let option = wrong.split('=').next().unwrap_or_default();
        assert!(error.contains(option), "{wrong}: {error}");
    }
}
