//! config-linux.md, "Control groups", where systemd makes them: what it is told of limits and devices. Row O-24.

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, Finish, text};
use super::scopes::{SYSTEMD, Slice, bundle, folder, goes_to, properties, systemctl, waiting};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o24_systemd_limits_are_the_units_and_the_groups(systemd, controllers),
    o24_systemd_limits_of_what_a_machine_has_are_the_units(systemd, root),
    o24_systemd_what_it_has_no_word_for_is_the_groups(systemd, root),
    o24_systemd_unified_limits_win(systemd, controllers),
    o24_systemd_limits_of_a_scope_can_be_changed(systemd, controllers),
    o24_systemd_device_rules_are_the_units(systemd, root),
    o24_systemd_device_rules_bite_where_it_has_no_words_for_them(systemd, root),
    o24_systemd_annotations_say_nothing_to_it(systemd),
};

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
