//! config-linux.md, "Cgroups Path" and "Control groups", where systemd makes them: `--systemd-cgroup`. Row O-24.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use testkit::{Test, within};

use super::common::{Bundle, Finish, fresh_id, is_coracle, text};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o24_systemd_the_container_is_a_scope_of_its_slice(systemd),
    o24_systemd_a_slice_with_dashes_is_part_of_another(systemd),
    o24_systemd_without_a_path_the_scope_has_the_containers_id(systemd),
    o24_systemd_limits_are_the_units_and_the_groups(systemd, controllers),
    o24_systemd_limits_of_what_a_machine_has_are_the_units(systemd, root),
    o24_systemd_what_it_has_no_word_for_is_the_groups(systemd, root),
    o24_systemd_unified_limits_win(systemd, controllers),
    o24_systemd_limits_of_a_scope_can_be_changed(systemd, controllers),
    o24_systemd_a_scope_is_given_to_the_owner_of_its_user_namespace(systemd, root),
    o24_systemd_device_rules_are_the_units(systemd, root),
    o24_systemd_device_rules_bite_where_it_has_no_words_for_them(systemd, root),
    o24_systemd_annotations_say_nothing_to_it(systemd),
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

const SOON: Duration = Duration::from_secs(5);

const SYSTEMD: &str = "--systemd-cgroup";

/// A slice that every machine has.
const SLICE: &str = "machine.slice";

/// `systemctl WORDS` of our manager.
fn systemctl(words: &[&str]) -> String {
    let mut command = Command::new("systemctl");
    if !geteuid().is_root() {
        command.arg("--user");
    }
    text(&command.args(words).output().expect("systemctl starts").stdout)
}

/// The properties of a unit.
fn properties(unit: &str) -> BTreeMap<String, String> {
    let said = systemctl(&["show", "--all", unit]);
    let all = said.lines().filter_map(|line| line.split_once('='));
    // A list has a line for each entry.
    all.fold(BTreeMap::new(), |mut map, (name, value)| {
        let known: &mut String = map.entry(name.to_owned()).or_default();
        *known = if known.is_empty() { value.to_owned() } else { format!("{known} {value}") };
        map
    })
}

fn exists(unit: &str) -> bool {
    properties(unit)["LoadState"] != "not-found"
}

/// A bundle whose container waits for a signal, in the scope `test-ID.scope` of [`SLICE`]; the unit's name.
fn bundle(change: impl FnOnce(&mut Value)) -> (Bundle, String) {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["linux"]["cgroupsPath"] = json!(format!("{SLICE}:test:{}", bundle.id()));
    change(&mut config);
    bundle.write(&config);
    let unit = format!("test-{}.scope", bundle.id());
    (bundle, unit)
}

/// A slice of the test's own. It outlives what was in it.
struct Slice(String);

impl Slice {
    fn new() -> Slice {
        Slice(format!("{}.slice", fresh_id().replace('-', "_")))
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        systemctl(&["stop", &self.0]);
    }
}

/// Has the scope of [`bundle`]'s container be in another slice.
fn goes_to(config: &mut Value, slice: &str) {
    let path = config["linux"]["cgroupsPath"].as_str().expect("a path").replace(SLICE, slice);
    config["linux"]["cgroupsPath"] = json!(path);
}

/// `OPTIONS create` of the bundle's container. What it says, where it fails.
fn try_create(options: &[&str], bundle: &Bundle) -> Result<(), String> {
    let (path, id) = (bundle.path().display().to_string(), bundle.id());
    let mut create = bundle.coracle(&[options, &["create", "--bundle", &path, id]].concat());
    let errors = bundle.path().join("errors");
    let file = |path: PathBuf| std::fs::File::create(path).expect("a file");
    create.stdout(file(bundle.output(id))).stderr(file(errors.clone()));
    let status = create.finish().status;
    let said = std::fs::read_to_string(errors).unwrap_or_default();
    if status.success() { Ok(()) } else { Err(said) }
}

/// A container of this config, whose program waits; the unit's name.
#[track_caller]
fn waiting(change: impl FnOnce(&mut Value)) -> (Bundle, String) {
    let (bundle, unit) = bundle(change);
    let created = try_create(&[SYSTEMD], &bundle);
    assert_eq!(created, Ok(()));
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    (bundle, unit)
}

/// The control group of the process, as `/proc` tells it.
fn group_of(pid: &Value) -> String {
    let said = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("a process");
    let line = said.lines().find_map(|line| line.strip_prefix("0::"));
    line.expect("a group of version 2").to_owned()
}

/// The folder of the container's control group.
fn folder(bundle: &Bundle) -> PathBuf {
    let group = group_of(&bundle.state_of(bundle.id())["pid"]);
    Path::new("/sys/fs/cgroup").join(group.trim_start_matches('/'))
}

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

/// The unit and the group's files, each as it is wanted.
#[track_caller]
fn assert_limits(bundle: &Bundle, unit: &str, units: &[(&str, &str)], files: &[(&str, &str)]) {
    let found = properties(unit);
    for (name, wanted) in units {
        assert_eq!(found[*name], *wanted, "{name}");
    }
    for (file, wanted) in files {
        let value = std::fs::read_to_string(folder(bundle).join(file)).expect("a file of the group");
        assert_eq!(value.trim_end(), *wanted, "{file}");
    }
}

fn o24_systemd_limits_are_the_units_and_the_groups() {
    let (bundle, unit) = waiting(|c| {
        c["linux"]["resources"] = json!({
            "memory": { "limit": 67_108_864, "reservation": 33_554_432, "swap": 100_663_296 },
            "cpu": { "shares": 512, "quota": 12_345, "period": 50_000 },
            "pids": { "limit": 42 },
        });
    });
    let units = [
        ("MemoryMax", "67108864"),
        ("MemoryLow", "33554432"),
        ("MemorySwapMax", "33554432"),
        ("TasksMax", "42"),
        // In percent, and never less than was asked for.
        ("CPUQuotaPerSecUSec", "250ms"),
        ("CPUQuotaPeriodUSec", "50ms"),
    ];
    let files = [
        ("memory.max", "67108864"),
        ("memory.low", "33554432"),
        ("cpu.max", "12345 50000"),
        ("pids.max", "42"),
    ];
    assert_limits(&bundle, &unit, &units, &files);
    let weight = std::fs::read_to_string(folder(&bundle).join("cpu.weight")).expect("cpu.weight");
    assert_eq!(properties(&unit)["CPUWeight"], weight.trim_end());
}

/// Of its processors, its memory, its disks; and the time of processors in which nobody names the period.
fn o24_systemd_limits_of_what_a_machine_has_are_the_units() {
    let (bundle, unit) = waiting(|c| {
        c["linux"]["resources"] = json!({
            "cpu": { "quota": 30_000, "cpus": "0", "mems": "0" },
            "blockIO": { "weight": 500 },
        });
    });
    let units = [
        ("AllowedCPUs", "0"),
        ("AllowedMemoryNodes", "0"),
        ("CPUQuotaPerSecUSec", "300ms"),
        ("IOWeight", "4950"),
    ];
    let files = [("cpuset.cpus", "0"), ("cpuset.mems", "0"), ("cpu.max", "30000 100000")];
    assert_limits(&bundle, &unit, &units, &files);
}

/// It gives a scope the controllers that it knows, and no other.
fn o24_systemd_what_it_has_no_word_for_is_the_groups() {
    let there = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").expect("the controllers");
    if !there.split_whitespace().any(|name| name == "hugetlb") {
        return;
    }
    let asked = json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4_194_304 }] });
    let files = [("hugetlb.2MB.max", "4194304")];
    // Where nobody has given it to the slice yet.
    let slice = Slice::new();
    let (bundle, unit) = waiting(|c| {
        goes_to(c, &slice.0);
        c["linux"]["resources"] = asked.clone();
    });
    assert_limits(&bundle, &unit, &[], &files);

    let slice = Slice::new();
    let (bundle, unit) = waiting(|c| goes_to(c, &slice.0));
    assert!(!folder(&bundle).join(files[0].0).exists(), "it has not asked for it");
    let limits = bundle.path().join("limits");
    std::fs::write(&limits, asked.to_string()).expect("a file");
    bundle.must(&["update", "--resources", &limits.display().to_string(), bundle.id()]);
    assert_limits(&bundle, &unit, &[], &files);
}

fn o24_systemd_unified_limits_win() {
    let (bundle, unit) = waiting(|c| {
        c["linux"]["resources"] = json!({
            "memory": { "limit": 67_108_864 },
            "unified": {
                "memory.max": "50331648", "memory.high": "max", "memory.min": "4096", "cpu.max": "max 100000",
                "cpu.weight": "321", "pids.max": "max",
            },
        });
    });
    let units = [
        ("MemoryMax", "50331648"),
        ("MemoryHigh", "infinity"),
        ("MemoryMin", "4096"),
        ("CPUWeight", "321"),
        ("CPUQuotaPerSecUSec", "infinity"),
        ("TasksMax", "infinity"),
    ];
    let files =
        [("memory.max", "50331648"), ("memory.min", "4096"), ("cpu.weight", "321"), ("pids.max", "max")];
    assert_limits(&bundle, &unit, &units, &files);
}

fn o24_systemd_limits_of_a_scope_can_be_changed() {
    let (bundle, unit) = waiting(|_| {});
    let changed = |asked: Value, wanted: &[(&str, &str)], files: &[(&str, &str)]| {
        let limits = bundle.path().join("limits");
        std::fs::write(&limits, asked.to_string()).expect("a file");
        bundle.must(&["update", "--resources", &limits.display().to_string(), bundle.id()]);
        assert_limits(&bundle, &unit, wanted, files);
    };
    changed(
        json!({
            "memory": { "limit": 67_108_864, "reservation": 33_554_432, "swap": 100_663_296 },
            "cpu": { "shares": 512, "quota": 12_345, "period": 50_000, "cpus": "0", "mems": "0" },
            "pids": { "limit": 43 },
            "unified": { "memory.high": "60002304", "memory.min": "8192" },
        }),
        &[
            ("MemoryMax", "67108864"),
            ("MemoryLow", "33554432"),
            ("MemorySwapMax", "33554432"),
            ("MemoryHigh", "60002304"),
            ("MemoryMin", "8192"),
            ("CPUWeight", "59"),
            // In percent, and never less than was asked for.
            ("CPUQuotaPerSecUSec", "250ms"),
            ("CPUQuotaPeriodUSec", "50ms"),
            ("AllowedCPUs", "0"),
            ("AllowedMemoryNodes", "0"),
            ("TasksMax", "43"),
        ],
        &[("memory.max", "67108864"), ("cpu.max", "12345 50000"), ("cpuset.cpus", "0"), ("pids.max", "43")],
    );
    // The kernel keeps the period.
    changed(
        json!({ "cpu": { "quota": 25_000 } }),
        &[("CPUQuotaPerSecUSec", "500ms"), ("CPUQuotaPeriodUSec", "50ms")],
        &[("cpu.max", "25000 50000"), ("pids.max", "43")],
    );
    changed(
        json!({
            "memory": { "limit": -1 },
            "cpu": { "quota": -1 },
            "pids": { "limit": -1 },
            "unified": { "memory.high": "max", "cpu.weight": "321" },
        }),
        &[
            ("MemoryMax", "infinity"),
            ("MemorySwapMax", "infinity"),
            ("MemoryHigh", "infinity"),
            ("MemoryMin", "8192"),
            ("CPUWeight", "321"),
            ("CPUQuotaPerSecUSec", "infinity"),
            ("TasksMax", "infinity"),
        ],
        &[("memory.max", "max"), ("memory.min", "8192"), ("cpu.max", "max 50000"), ("cpu.weight", "321")],
    );
    changed(json!({ "cpu": { "idle": 1 } }), &[("CPUWeight", "idle")], &[("cpu.idle", "1")]);
    // What systemd writes when it is reloaded is what it was told.
    systemctl(&["daemon-reload"]);
    let files = [("memory.min", "8192"), ("pids.max", "max"), ("cpuset.cpus", "0")];
    assert_limits(&bundle, &unit, &[("MemoryMin", "8192")], &files);
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

fn o24_systemd_device_rules_are_the_units() {
    let (_bundle, unit) = waiting(|c| {
        c["linux"]["resources"] = json!({ "devices": [
            { "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" },
            { "allow": true, "type": "c", "major": 4, "access": "r" },
        ] });
    });
    let found = properties(&unit);
    assert_eq!(found["DevicePolicy"], "strict");
    for entry in ["/dev/char/10:229 rw", "/dev/char/1:3 rwm", "char-* m"] {
        assert!(found["DeviceAllow"].contains(entry), "{entry}: {}", found["DeviceAllow"]);
    }
    let terminals = ["char-4 r", "char-tty r"].iter().any(|entry| found["DeviceAllow"].contains(entry));
    assert!(terminals, "{}", found["DeviceAllow"]);

    let (_bundle, unit) = waiting(|c| {
        c["linux"]["resources"] = json!({ "devices": [
            { "allow": true, "access": "rwm" },
            { "allow": false, "type": "c", "major": 4, "access": "rwm" },
        ] });
    });
    let found = properties(&unit);
    assert_eq!((found["DevicePolicy"].as_str(), found.get("DeviceAllow")), ("auto", None), "all but some");
}

/// systemd can deny nothing that is part of what it allows: all but some it takes for all.
fn o24_systemd_device_rules_bite_where_it_has_no_words_for_them() {
    let (bundle, _) = bundle(|c| {
        c["process"]["args"] = json!(["/probe", "open", "/tmp/device"]);
        c["linux"]["devices"] =
            json!([{ "path": "/tmp/device", "type": "c", "major": 4, "minor": 0, "fileMode": 0o666 }]);
        c["linux"]["resources"] = json!({ "devices": [
            { "allow": true, "access": "rwm" },
            { "allow": false, "type": "c", "major": 4, "minor": 0, "access": "r" },
        ] });
    });
    let output = bundle.command(&[SYSTEMD], bundle.id()).finish();
    let report: probe::Report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no report: {error}: {}", text(&output.stderr)));
    assert_eq!(report.did.and_then(|did| did.errno).as_deref(), Some("EPERM"));
}

/// Whoever may annotate a pod would command the host's root (CVE-2024-3154).
fn o24_systemd_annotations_say_nothing_to_it() {
    let (_bundle, unit) = waiting(|c| {
        c["annotations"] = json!({
            "org.systemd.property.Description": "'annotated'",
            "org.systemd.property.TimeoutStopUSec": "uint64 7000000",
        });
    });
    let found = properties(&unit);
    assert_ne!(found["Description"], "annotated");
    assert_ne!(found["TimeoutStopUSec"], "7s");
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
