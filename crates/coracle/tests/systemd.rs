//! Limits as properties of a unit of systemd's, held against what the config asks for: also those that this machine could not
//! have, as it has not the processors, the kernel or the systemd for them.

use coracle::cgroup::systemd::properties::{Property, limits};
use coracle::cgroup::{Cgroup, Folder};
use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};
use zbus::Variant;

testkit::suite! { "systemd",
    runtime = "",
    tests = [
        a_list_of_processors_is_a_set_of_bits,
        a_quota_is_a_share_of_each_second,
        a_quota_without_a_period_is_of_the_kernels,
        a_share_that_it_cannot_count_is_the_next_that_it_can,
        a_part_in_the_use_of_disks_is_version_2s_weight,
        no_limit_has_a_word_of_its_own,
        of_two_for_the_same_one_the_later_counts,
        what_is_no_value_is_left_out,
        what_an_older_one_does_not_know_is_left_out,
    ]
}

/// A version that knows all properties.
const NEW: u32 = 999;

/// The properties for these resources, in a group of version 2 that need not be there.
fn said(resources: &Value, version: u32) -> Vec<Property> {
    let resources: LinuxResources = serde_json::from_value(resources.clone()).expect("resources");
    let folder = Folder {
        controllers: Vec::new(),
        mount: "/sys/fs/cgroup".into(),
        path: "/sys/fs/cgroup/nowhere".into(),
    };
    let cgroup = Cgroup { folders: vec![folder], ..Cgroup::default() };
    limits(&cgroup.settings(&resources).expect("settings"), version)
}

#[track_caller]
fn assert_said<const N: usize>(resources: Value, wanted: [(&'static str, Variant<'static>); N]) {
    assert_eq!(said(&resources, NEW), wanted, "{resources}");
}

fn number(number: u64) -> Variant<'static> {
    number.into()
}

fn bits(bytes: &[u8]) -> Variant<'static> {
    Variant::new(bytes.to_vec())
}

/// From the lowest bit of the first byte on.
fn a_list_of_processors_is_a_set_of_bits() {
    for (list, bytes) in [
        ("0", &[0b0000_0001][..]),
        ("0-1,9", &[0b0000_0011, 0b0000_0010]),
        ("7,8", &[0b1000_0000, 0b0000_0001]),
        ("23", &[0, 0, 0b1000_0000]),
        ("3, 0-1", &[0b0000_1011]),
    ] {
        assert_said(json!({ "cpu": { "cpus": list } }), [("AllowedCPUs", bits(bytes))]);
        assert_said(json!({ "cpu": { "mems": list } }), [("AllowedMemoryNodes", bits(bytes))]);
    }
}

fn a_quota_is_a_share_of_each_second() {
    assert_said(
        json!({ "cpu": { "quota": 25_000, "period": 50_000 } }),
        [("CPUQuotaPeriodUSec", number(50_000)), ("CPUQuotaPerSecUSec", number(500_000))],
    );
    assert_said(
        json!({ "cpu": { "period": 20_000 } }),
        [("CPUQuotaPeriodUSec", number(20_000)), ("CPUQuotaPerSecUSec", number(u64::MAX))],
    );
}

/// That is a tenth of a second, until somebody says otherwise.
fn a_quota_without_a_period_is_of_the_kernels() {
    assert_said(json!({ "cpu": { "quota": 25_000 } }), [("CPUQuotaPerSecUSec", number(250_000))]);
    assert_said(json!({ "unified": { "cpu.max": "150000" } }), [("CPUQuotaPerSecUSec", number(1_500_000))]);
    assert_said(json!({ "unified": { "cpu.max": "max" } }), [("CPUQuotaPerSecUSec", number(u64::MAX))]);
}

/// A hundredth of a processor is the least.
fn a_share_that_it_cannot_count_is_the_next_that_it_can() {
    for (quota, share) in [(12_345, 250_000), (12_500, 250_000), (12_501, 260_000), (1, 10_000)] {
        assert_said(
            json!({ "cpu": { "quota": quota, "period": 50_000 } }),
            [("CPUQuotaPeriodUSec", number(50_000)), ("CPUQuotaPerSecUSec", number(share))],
        );
    }
}

fn a_part_in_the_use_of_disks_is_version_2s_weight() {
    assert_said(json!({ "blockIO": { "weight": 500 } }), [("IOWeight", number(4950))]);
    for value in ["200", "default 200"] {
        assert_said(json!({ "unified": { "io.weight": value } }), [("IOWeight", number(200))]);
    }
    // That of one disk is none of all.
    assert_said(json!({ "unified": { "io.weight": "8:0 200" } }), []);
    assert_said(json!({ "unified": { "io.weight": "8:0 200\ndefault 300" } }), [("IOWeight", number(300))]);
}

fn no_limit_has_a_word_of_its_own() {
    assert_said(
        json!({ "memory": { "limit": -1, "reservation": -1 }, "pids": { "limit": -1 } }),
        [
            ("TasksMax", number(u64::MAX)),
            ("MemorySwapMax", number(u64::MAX)),
            ("MemoryMax", number(u64::MAX)),
            ("MemoryLow", number(u64::MAX)),
        ],
    );
}

fn of_two_for_the_same_one_the_later_counts() {
    assert_said(
        json!({ "memory": { "limit": 67_108_864 }, "unified": { "memory.max": "33554432" } }),
        [("MemoryMax", number(67_108_864)), ("MemoryMax", number(33_554_432))],
    );
}

/// The kernel says what is wrong with it.
fn what_is_no_value_is_left_out() {
    for (file, value) in [
        ("memory.max", "much"),
        ("memory.max", ""),
        ("cpu.max", "much 100000"),
        ("cpu.max", "1000 0"),
        ("cpuset.cpus", "1-0"),
        ("cpuset.cpus", "99999999999"),
        ("cpu.idle", "2"),
    ] {
        assert_said(json!({ "unified": { file: value } }), []);
    }
}

fn what_an_older_one_does_not_know_is_left_out() {
    for (file, value, name, since) in [
        ("cpu.max", "25000 50000", "CPUQuotaPeriodUSec", 242),
        ("cpuset.cpus", "0", "AllowedCPUs", 244),
        ("cpuset.mems", "0", "AllowedMemoryNodes", 244),
        ("cpu.idle", "1", "CPUWeight", 252),
        ("memory.zswap.max", "4096", "MemoryZSwapMax", 253),
    ] {
        let knows = |version| {
            let said = said(&json!({ "unified": { file: value } }), version);
            said.iter().any(|(known, _)| *known == name)
        };
        assert_eq!((knows(since - 1), knows(since)), (false, true), "{name}");
    }
}
