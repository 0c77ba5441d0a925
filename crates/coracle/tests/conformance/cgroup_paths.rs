//! config-linux.md, "Control groups", "Cgroups Path" and "Cgroup ownership". Row O-23.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, Finish, Leaks, is_coracle, text};
use super::groups::{Group, config, folders, group, is_v2, limited, roots, said, thawed_after};
use super::harbour::{alone, tmpfs_at};
use super::running::each_is_refused;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o23_an_absolute_path_is_below_the_root_of_every_hierarchy(root, cgroup),
    o23_hierarchies_that_are_mounted_upon_themselves_are_found(root, cgroup),
    o23_a_hierarchy_below_another_mount_is_none(root, cgroup1),
    o23_a_relative_path_ends_in_what_was_asked_for(root, cgroup),
    o23_the_controllers_are_enabled_along_the_path(root, cgroup),
    o23_the_controllers_are_enabled_without_a_limit(root, cgroup2),
    o23_a_group_with_processes_gives_no_controllers_to_those_below(root, cgroup2),
    o23_the_group_ends_with_its_container(root, cgroup),
    o23_an_empty_group_is_used(root, cgroup),
    o23_a_group_that_somebody_left_without_processors_is_filled(root, cgroup1),
    o23_a_group_with_processes_is_refused(root, cgroup),
    o23_who_joins_another_container_may_share_its_group(root, cgroup),
    o23_a_frozen_group_is_refused(root, cgroup),
    o23_a_group_below_a_frozen_one_is_refused(root, cgroup),
    o23_a_paused_containers_group_is_refused(root, cgroup),
    o23_a_group_that_is_frozen_meanwhile_holds_nobody_up(root, cgroup),
    o23_a_group_of_threads_is_refused(root, cgroup2),
    o23_a_path_that_leads_elsewhere_is_refused(root, cgroup),
    o23_who_has_its_files_to_write_to_is_their_owner(root, cgroup2),
    o23_who_has_not_is_not(root, cgroup),
};

/// The groups that a container's init is in, by what the host's /proc says.
fn groups_of(bundle: &Bundle) -> Vec<String> {
    let pid = bundle.state_of(bundle.id())["pid"].clone();
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its groups");
    // Another test has a hierarchy of networks for a while, where nobody else sees it mounted.
    let v2 = roots().iter().any(|root| root.join("cgroup.controllers").exists());
    let lines = text.lines().filter(|line| !line.contains(":net_") && (v2 || !line.starts_with("0::")));
    lines.map(|line| line.splitn(3, ':').nth(2).expect("a path").to_owned()).collect()
}

/// "In the case of an absolute path (starting with /), the runtime MUST take the path to be relative to the cgroups mount
/// point."
fn o23_an_absolute_path_is_below_the_root_of_every_hierarchy() {
    let bundle = limited(&json!({}));
    let own = groups_of(&bundle);
    assert!(!own.is_empty() && own.iter().all(|path| *path == group(&bundle)), "{own:?}");
    assert_eq!(folders(&group(&bundle)).len(), roots().len(), "it has a folder in each");
}

/// As engines have them that live in a container, or in namespaces of their own.
fn o23_hierarchies_that_are_mounted_upon_themselves_are_found() {
    alone(|| {
        for root in roots() {
            mount(Some(&root), &root, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("a bind mount");
        }
        let bundle = limited(&json!({ "pids": { "limit": 33 } }));
        assert_eq!(said(&group(&bundle), "pids.max"), "33");
    });
}

/// It is in the list of mounts, and no path leads there: at its place there is something else.
fn o23_a_hierarchy_below_another_mount_is_none() {
    alone(|| {
        let pids = Path::new("/sys/fs/cgroup/pids");
        tmpfs_at(pids, MsFlags::empty());
        let bundle = limited(&json!({}));
        let left = std::fs::read_dir(pids).expect("a tmpfs").count();
        assert_eq!(left, 0, "a group is made that is none");
        let own = groups_of(&bundle);
        assert!(own.contains(&group(&bundle)), "it has its groups in the others: {own:?}");
    });
}

/// "In the case of a relative path, the runtime MAY interpret the path relative to a runtime-determined location"; each time
/// the same one.
fn o23_a_relative_path_ends_in_what_was_asked_for() {
    let found = [(), ()].map(|()| {
        let bundle = Bundle::new();
        let mut config = config(&bundle, &json!({}), &["wait-signal", "TERM"]);
        let asked = format!("{}/below", bundle.id());
        config["linux"]["cgroupsPath"] = json!(asked);
        bundle.write(&config).create(bundle.id());
        let own = groups_of(&bundle);
        bundle.must(&["delete", "--force", bundle.id()]);
        // What was made above it is the caller's: two containers may share it.
        for path in own.iter().filter(|path| path.ends_with(&asked)) {
            drop(Group(path.trim_end_matches("/below").to_owned()));
        }
        let before = |path: &String| path.strip_suffix(&asked).map(str::to_owned);
        own.iter().map(before).collect::<Option<Vec<_>>>().unwrap_or_else(|| panic!("{asked}: {own:?}"))
    });
    assert_eq!(found[0], found[1]);
}

fn o23_the_controllers_are_enabled_along_the_path() {
    let above = Group::of_no_hierarchy();
    let bundle = Bundle::new();
    let mut config = config(&bundle, &json!({ "pids": { "limit": 44 } }), &["wait-signal", "TERM"]);
    let path = format!("{}/of/{}", above.0, bundle.id());
    config["linux"]["cgroupsPath"] = json!(path);
    bundle.write(&config).create(bundle.id());
    assert_eq!(said(&path, "pids.max"), "44");
    bundle.must(&["delete", "--force", bundle.id()]);
    assert_eq!(folders(&path), Vec::<std::path::PathBuf>::new());
}

/// What is counted, and limits that come later, need them too.
fn o23_the_controllers_are_enabled_without_a_limit() {
    let above = Group::of_no_hierarchy();
    let bundle = Bundle::new();
    let mut config = config(&bundle, &json!({}), &["wait-signal", "TERM"]);
    let path = format!("{}/{}", above.0, bundle.id());
    config["linux"]["cgroupsPath"] = json!(path);
    bundle.write(&config).create(bundle.id());
    let has = said(&path, "cgroup.controllers");
    let has: Vec<&str> = has.split_whitespace().collect();
    for name in ["cpuset", "cpu", "io", "memory", "pids"] {
        assert!(has.contains(&name), "{name} is not in {has:?}");
    }
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// cgroups(7), "no internal processes".
fn o23_a_group_with_processes_gives_no_controllers_to_those_below() {
    struct Sleep(Child);
    impl Drop for Sleep {
        fn drop(&mut self) {
            let _ = self.0.kill().and_then(|()| self.0.wait());
        }
    }
    let above = Group::new();
    let sleep = Sleep(Command::new("sleep").arg("60").spawn().expect("sleep starts"));
    above.write("cgroup.procs", &sleep.0.id().to_string());
    let bundle = Bundle::new();
    let mut config = config(&bundle, &json!({ "memory": { "limit": 67_108_864 } }), &[]);
    config["linux"]["cgroupsPath"] = json!(format!("{}/below", above.0));
    bundle.write(&config);
    must_not(&bundle, if is_coracle() { "processes of its own" } else { "" });
}

/// "delete MUST delete the resources that were created during the create step."
fn o23_the_group_ends_with_its_container() {
    let bundle = limited(&json!({ "pids": { "limit": 44 } }));
    let path = group(&bundle);
    for folder in folders(&path) {
        std::fs::create_dir(folder.join("below")).expect("a group that somebody made in it");
    }
    bundle.must(&["start", bundle.id()]);
    bundle.must(&["delete", "--force", bundle.id()]);
    assert_eq!(folders(&path), Vec::<std::path::PathBuf>::new());
}

/// The bundle of a container with the group `path`.
fn bundle_in(path: &str) -> Bundle {
    let bundle = Bundle::new();
    let mut config = config(&bundle, &json!({}), &[]);
    config["linux"]["cgroupsPath"] = json!(path);
    bundle.write(&config);
    bundle
}

/// It may not be created, and in time; nothing is left of it.
#[track_caller]
fn must_not(bundle: &Bundle, words: &str) {
    let mut run = bundle.command(&[], bundle.id());
    let leaks = Leaks::watch(&mut run, bundle.id());
    let output = run.finish();
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains(words), "{words:?} is not in: {said}");
    // The group is somebody else's, and stays.
    bundle.write(&Bundle::config());
    leaks.assert_none(bundle, &said);
}

fn o23_an_empty_group_is_used() {
    let there = Group::new();
    let bundle = bundle_in(&there.0);
    bundle.create(bundle.id());
    assert!(groups_of(&bundle).iter().all(|path| *path == there.0));
    bundle.must(&["delete", "--force", bundle.id()]);
}

fn o23_a_group_that_somebody_left_without_processors_is_filled() {
    let above = Group::new();
    assert_eq!(said(&above.0, "cpuset.cpus"), "", "what nobody filled is empty");
    let bundle = bundle_in(&format!("{}/below/further", above.0));
    bundle.create(bundle.id());
    assert_ne!(said(&format!("{}/below/further", above.0), "cpuset.cpus"), "");
    bundle.must(&["delete", "--force", bundle.id()]);
}

/// "The runtime SHOULD generate an error if the cgroup is frozen or not empty" (runtime.md, "Create" and the words on an
/// existing cgroup): its limits would be somebody else's, and so would the end of those who are in it.
fn o23_a_group_with_processes_is_refused() {
    let other = limited(&json!({}));
    must_not(&bundle_in(&group(&other)), "");
    assert_eq!(other.state_of(other.id())["status"], "created", "the other one lives");
}

fn o23_a_frozen_group_is_refused() {
    let there = Group::new();
    there.while_frozen(|| must_not(&bundle_in(&there.0), "frozen"));
}

/// Who is born there stands still at once, and its runtime would wait for it for ever.
fn o23_a_group_below_a_frozen_one_is_refused() {
    let above = Group::new();
    above.while_frozen(|| must_not(&bundle_in(&format!("{}/below", above.0)), "frozen"));
}

/// The bundle of a container in another one's PID namespace and group.
fn companion(of: &Bundle, resources: &Value, action: &[&str]) -> Bundle {
    let bundle = Bundle::new();
    let mut config = config(&bundle, resources, action);
    config["linux"]["cgroupsPath"] = json!(group(of));
    let pid = of.state_of(of.id())["pid"].clone();
    config["linux"]["namespaces"][0] = json!({ "type": "pid", "path": format!("/proc/{pid}/ns/pid") });
    bundle.write(&config);
    bundle
}

/// Whatever is done to the second container, the first one runs on, with its limits: they are its own.
fn o23_who_joins_another_container_may_share_its_group() {
    let other = limited(&json!({ "pids": { "limit": 42 } }));
    other.must(&["start", other.id()]);
    must_not(&companion(&other, &json!({ "pids": { "limit": 7 } }), &[]), "holds processes");
    let bundle = companion(&other, &json!({}), &["wait-signal", "TERM"]);
    bundle.create(bundle.id());
    assert_eq!(groups_of(&bundle), groups_of(&other));
    for verb in [&["pause"][..], &["update", "--pids-limit", "7"]] {
        let error = bundle.must_fail(&[verb, &[bundle.id()]].concat(), 1);
        assert!(error.contains("another container's"), "{error}");
    }
    bundle.must(&["delete", "--force", bundle.id()]);
    assert_eq!(said(&group(&other), "pids.max"), "42");
    assert_eq!(other.state_of(other.id())["status"], "running");
}

/// A container that joins another one's PID namespace may share its group: not while that stands still.
fn o23_a_paused_containers_group_is_refused() {
    let other = limited(&json!({}));
    let bundle = companion(&other, &json!({}), &[]);
    other.must(&["pause", other.id()]);
    thawed_after(&group(&other), || must_not(&bundle, "frozen"));
}

/// Somebody freezes the group above when init is there already, and then something fails: init does not even die.
fn o23_a_group_that_is_frozen_meanwhile_holds_nobody_up() {
    let above = Group::new();
    let bundle = bundle_in(&format!("{}/below", above.0));
    let file = if is_v2() { "cgroup.freeze" } else { "freezer.state" };
    let folder = folders(&above.0).into_iter().find(|folder| folder.join(file).exists()).expect("a freezer");
    let value = if is_v2() { "1" } else { "FROZEN" };
    let script = format!("echo {value} > {}; exit 1", folder.join(file).display());
    let mut config = config(&bundle, &json!({}), &[]);
    config["linux"]["cgroupsPath"] = json!(format!("{}/below", above.0));
    config["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", script] }] });
    bundle.write(&config);
    // Not to pipes, which init would hold open.
    let mut run = bundle.command(&[], bundle.id());
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the runtime starts");
    let mut status = None;
    let end = Instant::now() + testkit::patient(Duration::from_secs(30));
    while status.is_none() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
        status = run.try_wait().expect("it is our child");
    }
    // What was killed can end now; and a runtime that waits for it.
    thawed_after(&above.0, || {});
    run.wait().expect("it is our child");
    assert!(!status.expect("the runtime ends, frozen or not").success());
    assert_eq!(bundle.left(), Vec::<std::path::PathBuf>::new());
}

/// cgroups(7), "Thread mode": no process can be born there, and nobody can see whether it is empty.
fn o23_a_group_of_threads_is_refused() {
    let above = Group::new();
    let threads = folders(&above.0)[0].join("threads");
    std::fs::create_dir(&threads).expect("a group");
    std::fs::write(threads.join("cgroup.type"), "threaded").expect("a group of threads");
    must_not(&bundle_in(&format!("{}/threads", above.0)), "threaded");
    // Below the root of threads, a new group is neither.
    must_not(&bundle_in(&format!("{}/other", above.0)), "threads");
}

fn o23_a_path_that_leads_elsewhere_is_refused() {
    each_is_refused(&[
        (|c| c["linux"]["cgroupsPath"] = json!("/a/../../b"), "cgroupsPath"),
        (|c| c["linux"]["cgroupsPath"] = json!("../b"), "cgroupsPath"),
        (|c| c["linux"]["cgroupsPath"] = json!("/"), "cgroupsPath"),
    ]);
}

/// A container in a user namespace whose program is user 7, with a cgroup file system.
fn delegated(options: Value) -> Bundle {
    let bundle = Bundle::new();
    let mut config = config(&bundle, &json!({}), &["wait-signal", "TERM"]);
    let linux = &mut config["linux"];
    let namespaces = linux["namespaces"].as_array_mut().expect("a list");
    namespaces.extend([json!({ "type": "user" }), json!({ "type": "cgroup" })]);
    linux["uidMappings"] = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
    linux["gidMappings"] = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
    config["process"]["user"] = json!({ "uid": 7, "gid": 0 });
    let mount =
        json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options });
    config["mounts"].as_array_mut().expect("a list").push(mount);
    std::fs::create_dir_all(bundle.path().join("rootfs/sys/fs/cgroup")).expect("a folder");
    // Root of the container must get through to its root filesystem, and may make its devices there.
    std::fs::set_permissions(bundle.path(), PermissionsExt::from_mode(0o755)).expect("its mode");
    for path in ["rootfs", "rootfs/dev", "rootfs/proc", "rootfs/sys/fs/cgroup"] {
        chown(bundle.path().join(path), Some(100_000), Some(100_000)).expect("an owner");
    }
    bundle.write(&config).create(bundle.id());
    bundle
}

/// "change the owner of the container's cgroup to the host uid that maps to the value of process.user.uid"; "only change the
/// ownership of the container's cgroup directory and files within that directory that are listed in
/// /sys/kernel/cgroup/delegate".
fn o23_who_has_its_files_to_write_to_is_their_owner() {
    let bundle = delegated(json!(["rw"]));
    let folder = folders(&group(&bundle)).remove(0);
    let list = std::fs::read_to_string("/sys/kernel/cgroup/delegate").expect("the kernel's list");
    assert!(list.lines().any(|file| file == "cgroup.procs"), "{list}");
    let owner = |path: &std::path::Path| std::fs::metadata(path).expect("a file").uid();
    assert_eq!(owner(&folder), 100_007);
    for entry in std::fs::read_dir(&folder).expect("its files").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let wanted = if list.lines().any(|file| file == name) { 100_007 } else { 0 };
        assert_eq!(owner(&entry.path()), wanted, "{name}");
    }
}

/// "Runtimes SHOULD NOT change the ownership of container cgroups when cgroups v1 is in use"; "if and only if the cgroup
/// filesystem is to be mounted read/write".
fn o23_who_has_not_is_not() {
    let bundle = delegated(if is_v2() { json!(["ro"]) } else { json!(["rw"]) });
    for folder in folders(&group(&bundle)) {
        assert_eq!(std::fs::metadata(&folder).expect("a folder").uid(), 0, "{}", folder.display());
    }
}
