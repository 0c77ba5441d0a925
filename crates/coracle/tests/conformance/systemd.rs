//! config-linux.md, "Cgroups Path", where systemd makes the group: `--systemd-cgroup`. Row O-24.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use testkit::{Test, within};

use super::common::{Bundle, Finish, fresh_id, is_coracle, text};
use super::scopes::{
    SLICE, SOON, SYSTEMD, Slice, bundle, exists, folder, goes_to, group_of, properties, systemctl,
    try_create, waiting,
};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o24_systemd_the_container_is_a_scope_of_its_slice(systemd),
    o24_systemd_a_slice_with_dashes_is_part_of_another(systemd),
    o24_systemd_without_a_path_the_scope_has_the_containers_id(systemd),
    o24_systemd_a_scope_is_given_to_the_owner_of_its_user_namespace(systemd, root),
    o24_systemd_exec_goes_into_the_scope(systemd),
    o24_systemd_every_verb_finds_the_scope(systemd),
    o24_systemd_delete_takes_the_scope(systemd),
    o24_systemd_the_scope_ends_with_what_is_left_in_it(systemd, root),
    o24_systemd_a_run_leaves_no_scope(systemd),
    o24_systemd_a_create_that_fails_leaves_no_scope(systemd),
    o24_systemd_a_unit_that_failed_makes_room(systemd),
    o24_systemd_a_unit_of_somebody_else_is_refused_and_unharmed(systemd),
    o24_systemd_a_group_of_somebody_else_is_refused_and_unharmed(systemd, root),
    o24_systemd_a_path_is_slice_prefix_name(userns),
    o24_systemd_such_a_path_is_for_systemd_alone(userns),
    o24_systemd_who_makes_groups_is_said_once(userns),
    o24_systemd_a_machine_without_it_is_told_what_to_do(no_systemd),
};

fn o24_systemd_the_container_is_a_scope_of_its_slice() {
    let (bundle, unit) = waiting(|_| {});
    let found = properties(&unit);
    let group = group_of(&bundle.state_of(bundle.id())["pid"]);
    assert!(group.ends_with(&format!("/{SLICE}/{unit}")), "{group}");
    for (name, wanted) in [
        ("ControlGroup", group.as_str()),
        ("Slice", SLICE),
        ("ActiveState", "active"),
        ("Transient", "yes"),
        ("Delegate", "yes"),
        ("DefaultDependencies", "no"),
        ("CPUAccounting", "yes"),
        ("IOAccounting", "yes"),
        ("MemoryAccounting", "yes"),
        ("TasksAccounting", "yes"),
    ] {
        assert_eq!(found[name], wanted, "{name}");
    }
    if is_coracle() {
        assert_eq!(found["Description"], format!("container {}", bundle.id()));
        assert_eq!(found["CollectMode"], "inactive-or-failed", "nobody has to clear away one that failed");
    }
}

fn o24_systemd_a_slice_with_dashes_is_part_of_another() {
    let above = Slice::new();
    let slice = above.0.replace(".slice", "-one.slice");
    let (bundle, unit) = waiting(|c| goes_to(c, &slice));
    let group = group_of(&bundle.state_of(bundle.id())["pid"]);
    assert!(group.ends_with(&format!("/{}/{slice}/{unit}", above.0)), "{group}");
}

fn o24_systemd_without_a_path_the_scope_has_the_containers_id() {
    let (bundle, _) = waiting(|c| drop(c["linux"].as_object_mut().expect("linux").remove("cgroupsPath")));
    let group = group_of(&bundle.state_of(bundle.id())["pid"]);
    let slice = if geteuid().is_root() { "system.slice" } else { "user.slice" };
    let folder = Path::new(&group);
    assert_eq!(folder.parent().and_then(Path::file_name), Some(slice.as_ref()), "{group}");
    assert!(group.ends_with(&format!("-{}.scope", bundle.id())), "{group}");
}

/// It may divide its group, as its root in the user namespace is a user of this machine.
fn o24_systemd_a_scope_is_given_to_the_owner_of_its_user_namespace() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let (bundle, _) = bundle(|c| {
        let namespaces = c["linux"]["namespaces"].as_array_mut().expect("namespaces");
        namespaces.extend([json!({ "type": "user" }), json!({ "type": "cgroup" })]);
        let ids = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
        c["linux"]["uidMappings"] = ids.clone();
        c["linux"]["gidMappings"] = ids;
        c["mounts"].as_array_mut().expect("mounts").push(json!({
            "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]
        }));
    });
    let inside = bundle.path().join("rootfs");
    std::fs::create_dir_all(inside.join("sys/fs/cgroup")).expect("a folder");
    // Root of the container must get through to its root filesystem, and may make its devices there.
    std::fs::set_permissions(bundle.path(), PermissionsExt::from_mode(0o755)).expect("its mode");
    for path in ["", "dev", "proc", "sys/fs/cgroup"] {
        chown(inside.join(path), Some(100_000), Some(100_000)).expect("an owner");
    }
    assert_eq!(try_create(&[SYSTEMD], &bundle), Ok(()));
    let folder = folder(&bundle);
    let owner = |path: &Path| std::fs::metadata(path).expect("it is there").uid();
    for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        assert_eq!(owner(&folder.join(file)), 100_000, "{file}");
    }
    for file in ["memory.max", "pids.max", "cgroup.freeze"] {
        let path = folder.join(file);
        assert!(!path.exists() || owner(&path) == 0, "{file}");
    }
}

/// Starts one more process in the container, and leaves it there. Returns its number.
fn session(bundle: &Bundle) -> String {
    let pid_file = bundle.path().join("pid");
    let told = pid_file.display().to_string();
    let mut session = bundle.coracle(&[
        "exec",
        "--detach",
        "--pid-file",
        &told,
        bundle.id(),
        "/probe",
        "wait-signal",
        "TERM",
    ]);
    let status = session.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
    assert!(status.success());
    std::fs::read_to_string(pid_file).expect("a number")
}

fn o24_systemd_exec_goes_into_the_scope() {
    let (bundle, unit) = waiting(|_| {});
    let pid: i32 = session(&bundle).parse().expect("a number");
    let group = group_of(&json!(pid));
    assert!(group.ends_with(&format!("/{SLICE}/{unit}")), "{group}");
}

fn o24_systemd_every_verb_finds_the_scope() {
    let (bundle, unit) = waiting(|_| {});
    let id = bundle.id();
    let pid = bundle.state_of(id)["pid"].clone();
    bundle.must(&["pause", id]);
    assert_eq!(bundle.state_of(id)["status"], "paused");
    let frozen = std::fs::read_to_string(folder(&bundle).join("cgroup.freeze")).expect("the freezer");
    assert_eq!(frozen.trim_end(), "1");
    bundle.must(&["resume", id]);
    assert_eq!(bundle.state_of(id)["status"], "running");
    let listed: Value = serde_json::from_str(&bundle.must(&["ps", "--format", "json", id])).expect("JSON");
    assert_eq!(listed, json!([pid]));
    bundle.must(&["kill", "--all", id, "KILL"]);
    bundle.wait_for(id, "stopped");
    within(SOON, "systemd has taken it off its list", || !exists(&unit));
    bundle.must(&["delete", id]);
}

fn o24_systemd_delete_takes_the_scope() {
    for force in [true, false] {
        let (bundle, unit) = waiting(|_| {});
        let folder = folder(&bundle);
        assert!(exists(&unit) && folder.exists(), "it was there");
        if force {
            bundle.must(&["delete", "--force", bundle.id()]);
        } else {
            bundle.must(&["kill", bundle.id(), "KILL"]);
            bundle.wait_for(bundle.id(), "stopped");
            bundle.must(&["delete", bundle.id()]);
        }
        assert!(!exists(&unit), "{unit} is left: {:?}", properties(&unit));
        assert!(!folder.exists(), "{} is left", folder.display());
    }
}

/// Without a PID namespace of its own, a container's other processes do not end with the first.
fn o24_systemd_the_scope_ends_with_what_is_left_in_it() {
    let (bundle, unit) = waiting(|c| {
        let kinds = c["linux"]["namespaces"].as_array_mut().expect("a list");
        kinds.retain(|kind| kind["type"] != "pid");
    });
    let other = session(&bundle);
    // Not by the runtime, which would kill the other one as well.
    let init = bundle.state_of(bundle.id())["pid"].as_i64().expect("a number") as i32;
    nix::sys::signal::kill(Pid::from_raw(init), Signal::SIGKILL).expect("init is there");
    bundle.wait_for(bundle.id(), "stopped");
    assert!(exists(&unit) && Path::new("/proc").join(&other).exists(), "the other one still lives");
    bundle.must(&["delete", bundle.id()]);
    assert!(!exists(&unit), "{unit} is left");
    within(SOON, "the other one is dead", || {
        let stat = std::fs::read_to_string(format!("/proc/{other}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

fn o24_systemd_a_run_leaves_no_scope() {
    let (bundle, unit) = bundle(|c| {
        c["process"]["args"] = json!(["/probe"]);
        let kinds = c["linux"]["namespaces"].as_array_mut().expect("a list");
        kinds.push(json!({ "type": "cgroup" }));
    });
    let output = bundle.command(&[SYSTEMD], bundle.id()).finish();
    let report: probe::Report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no report: {error}: {}", text(&output.stderr)));
    assert_eq!(report.pid, 1);
    assert_eq!(output.status.code(), Some(0));
    assert!(!exists(&unit), "{unit} is left: {:?}", properties(&unit));
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

fn o24_systemd_a_create_that_fails_leaves_no_scope() {
    // Found out by init, when it is in the scope.
    let (bundle, unit) = bundle(|c| c["process"]["cwd"] = json!("/probe"));
    let said = try_create(&[SYSTEMD], &bundle).expect_err("that is no directory");
    assert!(said.contains("/probe"), "{said}");
    assert!(!exists(&unit), "{unit} is left: {:?}", properties(&unit));
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

/// It holds nobody, and is listed until somebody has looked at it.
fn o24_systemd_a_unit_that_failed_makes_room() {
    struct Reset(String);
    impl Drop for Reset {
        fn drop(&mut self) {
            systemctl(&["stop", &self.0]);
            systemctl(&["reset-failed", &self.0]);
        }
    }
    let (bundle, unit) = bundle(|_| {});
    let unit = Reset(unit);
    let mut run = Command::new("systemd-run");
    if !geteuid().is_root() {
        run.arg("--user");
    }
    // Its time is over at once, which a scope fails of.
    run.args(["--scope", "--quiet", "--property=RuntimeMaxSec=1ms", "--unit", &unit.0, "sleep", "60"]);
    run.output().expect("systemd-run starts");
    within(SOON, "it has failed", || properties(&unit.0)["ActiveState"] == "failed");
    assert_eq!(try_create(&[SYSTEMD], &bundle), Ok(()));
    assert_eq!(properties(&unit.0)["ActiveState"], "active");
    bundle.must(&["delete", "--force", bundle.id()]);
}

fn o24_systemd_a_unit_of_somebody_else_is_refused_and_unharmed() {
    let (one, unit) = waiting(|_| {});
    let (other, _) = bundle(|c| c["linux"]["cgroupsPath"] = json!(format!("{SLICE}:test:{}", one.id())));
    try_create(&[SYSTEMD], &other).expect_err("the name is taken");
    assert!(other.left().is_empty(), "{:?}", other.left());
    assert_eq!(one.state_of(one.id())["status"], "running");
    assert_eq!(properties(&unit)["ActiveState"], "active");

    // In another slice there is no such folder, and only systemd knows that the name is taken.
    let (other, _) = bundle(|c| c["linux"]["cgroupsPath"] = json!(format!("system.slice:test:{}", one.id())));
    let said = try_create(&[SYSTEMD], &other).expect_err("the name is taken");
    assert!(said.contains(&unit), "{said}");
    assert!(other.left().is_empty(), "{:?}", other.left());
    assert_eq!(one.state_of(one.id())["status"], "running");
    assert_eq!(properties(&unit)["ActiveState"], "active");
}

/// A folder that systemd knows nothing of: its processes would be the container's, and end with it.
fn o24_systemd_a_group_of_somebody_else_is_refused_and_unharmed() {
    struct Group(PathBuf, std::process::Child);
    impl Drop for Group {
        fn drop(&mut self) {
            let _ = self.1.kill().and_then(|()| self.1.wait());
            // The kernel lets go of it a moment after its last process has ended. Also where the test fails: a second panic
            // would be the end of all tests.
            let end = Instant::now() + testkit::patient(SOON);
            while std::fs::remove_dir(&self.0).is_err() && self.0.exists() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    let (bundle, unit) =
        bundle(|c| c["linux"]["cgroupsPath"] = json!(format!("system.slice:test:{}", fresh_id())));
    let config = std::fs::read_to_string(bundle.path().join("config.json")).expect("the config");
    let config: Value = serde_json::from_str(&config).expect("JSON");
    let name = config["linux"]["cgroupsPath"].as_str().expect("a path").rsplit(':').next().expect("a name");
    let unit = unit.replace(bundle.id(), name);
    let folder = Path::new("/sys/fs/cgroup/system.slice").join(&unit);
    std::fs::create_dir(&folder).expect("a group");
    let child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
    let mut group = Group(folder, child);
    std::fs::write(group.0.join("cgroup.procs"), group.1.id().to_string()).expect("sleep is in it");
    let said = try_create(&[SYSTEMD], &bundle).expect_err("the group is taken");
    assert!(said.contains(&unit), "{said}");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
    assert_eq!(group.1.try_wait().expect("a child"), None, "it still lives");
    assert!(!exists(&unit), "there is no unit of that name");
}

/// They are wrong whether there is a systemd or not.
fn o24_systemd_a_path_is_slice_prefix_name() {
    for path in [
        "/group/name",
        "group",
        "a.slice:b",
        "a.slice:b:c:d",
        "a.slice:b:",
        "a:b:c",
        "a/b.slice:b:c",
        "../a.slice:b:c",
        "a--b.slice:b:c",
        "-a.slice:b:c",
        "a.slice:b/../..:c",
        "a.slice:b:c d",
    ] {
        let (bundle, _) = bundle(|c| c["linux"]["cgroupsPath"] = json!(path));
        let said = try_create(&[SYSTEMD], &bundle).expect_err(path);
        assert!(said.contains("/linux/cgroupsPath"), "{path}: {said}");
        assert!(bundle.left().is_empty(), "{path}: {:?}", bundle.left());
    }
}

fn o24_systemd_such_a_path_is_for_systemd_alone() {
    let (bundle, _) = bundle(|_| {});
    let said = try_create(&[], &bundle).expect_err("a path of its own form");
    assert!(said.contains("--systemd-cgroup"), "{said}");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

fn o24_systemd_who_makes_groups_is_said_once() {
    let (bundle, _) = bundle(|_| {});
    let said = try_create(&[SYSTEMD, "--cgroup-manager", "cgroupfs"], &bundle).expect_err("a contradiction");
    assert!(said.contains("--systemd-cgroup and --cgroup-manager cgroupfs"), "{said}");
    let said = bundle.must_fail(&[SYSTEMD, "sandbox", "/bin/true"], 1);
    assert!(said.contains("--systemd-cgroup"), "{said}");
    for option in [SYSTEMD, "--cgroup-manager=systemd"] {
        let path = bundle.path().display().to_string();
        let call = [option, "restore", "--image-path", &path, "--bundle", &path, bundle.id()];
        let said = bundle.must_fail(&call, 1);
        assert!(said.contains("restore makes its control group itself"), "{option}: {said}");
    }
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

fn o24_systemd_a_machine_without_it_is_told_what_to_do() {
    for options in [&[SYSTEMD][..], &["--cgroup-manager", "systemd"]] {
        let (bundle, _) = bundle(|_| {});
        let output = bundle.command(options, bundle.id()).finish();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("systemd") && said.contains("leave --systemd-cgroup out"), "{said}");
        assert!(bundle.left().is_empty(), "{:?}", bundle.left());
    }
}
