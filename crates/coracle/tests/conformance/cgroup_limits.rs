//! config-linux.md, "Memory", "CPU", "PIDs", "Huge page limits", "Block IO", "Network", "RDMA", "Unified". Row O-24.

use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::{Value, json};
use testkit::{Test, within};

use super::common::Bundle;
use super::groups::{
    Group, Row, assert_files, config, did, each_is_so, folders, group, is_v2, limited, said,
};
use super::harbour::alone;
use super::running::{each_is_refused, refused};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o24_memory_limits_are_the_groups(root, cgroup),
    o24_swap_is_counted_together_with_memory(root, cgroup),
    o24_minus_one_is_no_limit_and_nothing_leaves_it_alone(root, cgroup),
    o24_minus_one_lifts_what_was_there(root, cgroup),
    o24_what_only_version_1_can_do_with_memory_is_done(root, cgroup1),
    o24_a_hog_is_killed_at_the_limit(root, cgroup),
    o24_processor_time_is_the_groups(root, cgroup),
    o24_an_idle_group_is_idle(root, cgroup),
    o24_an_ordinary_share_is_an_ordinary_weight(root, cgroup2),
    o24_time_for_real_time_is_the_groups(root, cgroup1),
    o24_a_spinner_is_throttled(root, cgroup),
    o24_processors_and_nodes_are_those_of_the_set(root, cgroup),
    o24_processes_are_limited(root, cgroup),
    o24_a_limit_of_no_process_leaves_the_first(root, cgroup),
    o24_a_fork_bomb_stops_at_the_limit(root, cgroup),
    o24_huge_pages_are_limited_when_they_are_reserved_and_when_they_are_used(root, cgroup),
    o24_the_part_in_the_use_of_disks_is_the_groups(root, cgroup),
    o24_a_part_in_the_use_of_what_is_not_there_is_an_error(root, cgroup1),
    o24_a_part_in_the_use_of_one_disk_is_asked_for(root, cgroup2),
    o24_the_use_of_one_disk_is_throttled(root, cgroup),
    o24_a_rate_of_zero_is_no_limit(root, cgroup),
    o24_what_is_sent_is_marked(root, cgroup1),
    o24_a_device_of_remote_memory_that_is_not_there_is_an_error(root, cgroup2),
    o24_files_of_version_2_are_written_as_they_are_named(root, cgroup),
    o24_each_line_of_a_value_is_one_for_the_file(root, cgroup2),
    o24_files_of_version_2_count_more_than_the_rest(root, cgroup2),
    o24_a_controller_that_is_not_there_is_an_error(root, cgroup),
    o24_what_version_2_cannot_do_is_an_error(root, cgroup2),
    o24_what_no_version_can_do_is_refused(userns),
    o24_a_name_that_leads_to_another_file_is_refused(userns),
    o24_a_limit_that_the_kernel_refuses_leaves_nothing(root, cgroup),
};

const NO_LIMIT: &str = "9223372036854771712";

fn o24_memory_limits_are_the_groups() {
    each_is_so(&[(
        json!({ "memory": { "limit": 67_108_864, "reservation": 33_554_432 } }),
        &[("memory.limit_in_bytes", "67108864"), ("memory.soft_limit_in_bytes", "33554432")],
        &[("memory.max", "67108864"), ("memory.low", "33554432")],
    )]);
}

/// "swap: sets limit of memory+Swap usage"; version 2 has a limit on swap alone.
fn o24_swap_is_counted_together_with_memory() {
    each_is_so(&[(
        json!({ "memory": { "limit": 67_108_864, "swap": 100_663_296 } }),
        &[("memory.limit_in_bytes", "67108864"), ("memory.memsw.limit_in_bytes", "100663296")],
        &[("memory.max", "67108864"), ("memory.swap.max", "33554432")],
    )]);
}

/// "Values for memory specify the limit in bytes, or -1 for unlimited memory." Without a limit on memory there is none on swap.
fn o24_minus_one_is_no_limit_and_nothing_leaves_it_alone() {
    each_is_so(&[
        (
            json!({ "memory": { "limit": 67_108_864, "swap": -1, "reservation": 0 } }),
            &[("memory.memsw.limit_in_bytes", NO_LIMIT), ("memory.soft_limit_in_bytes", NO_LIMIT)],
            &[("memory.swap.max", "max"), ("memory.low", "0")],
        ),
        (
            json!({ "memory": {}, "cpu": { "shares": 0, "quota": 0, "period": 0, "cpus": "" }, "pids": {} }),
            &[("memory.limit_in_bytes", NO_LIMIT), ("cpu.shares", "1024"), ("pids.max", "max")],
            &[("memory.max", "max"), ("cpu.max", "max 100000"), ("cpu.weight", "100")],
        ),
    ]);
}

/// An empty group that somebody has limited before.
fn o24_minus_one_lifts_what_was_there() {
    let there = Group::new();
    for file in ["memory.limit_in_bytes", "memory.max", "memory.soft_limit_in_bytes", "memory.low"] {
        there.write(file, "67108864");
    }
    there.write("pids.max", "55");
    there.write("cpu.cfs_quota_us", "50000");
    there.write("cpu.max", "50000 100000");
    let asked = json!({
        "memory": { "limit": -1, "reservation": -1 },
        "cpu": { "quota": -1 },
        "pids": { "limit": -1 },
    });
    let bundle = Bundle::new();
    let mut config = config(&bundle, &asked, &[]);
    config["linux"]["cgroupsPath"] = json!(there.0);
    bundle.write(&config).create(bundle.id());
    assert_files(
        &there.0,
        &[
            ("memory.limit_in_bytes", NO_LIMIT),
            ("memory.soft_limit_in_bytes", NO_LIMIT),
            ("cpu.cfs_quota_us", "-1"),
            ("pids.max", "max"),
        ],
        &[("memory.max", "max"), ("memory.low", "max"), ("cpu.max", "max 100000"), ("pids.max", "max")],
        &asked,
    );
}

fn o24_what_only_version_1_can_do_with_memory_is_done() {
    each_is_so(&[(
        json!({ "memory": { "swappiness": 10, "disableOOMKiller": true, "kernelTCP": 16_777_216 } }),
        &[
            ("memory.swappiness", "10"),
            ("memory.oom_control", "oom_kill_disable 1"),
            ("memory.kmem.tcp.limit_in_bytes", "16777216"),
        ],
        &[],
    )]);
}

fn o24_a_hog_is_killed_at_the_limit() {
    let limit = |megabytes: u64| json!({ "memory": { "limit": megabytes << 20, "swap": megabytes << 20 } });
    let killed = did(&limit(32), &["alloc", "100"], |_| {});
    assert_eq!(killed.1, Some(137), "{killed:?}");
    let lives = did(&limit(300), &["alloc", "32"], |_| {});
    assert_eq!(lives.1, Some(0), "what fits is let be: {lives:?}");
}

fn o24_processor_time_is_the_groups() {
    each_is_so(&[
        (
            json!({ "cpu": { "shares": 512, "quota": 40_000, "period": 50_000, "burst": 10_000 } }),
            &[
                ("cpu.shares", "512"),
                ("cpu.cfs_quota_us", "40000"),
                ("cpu.cfs_period_us", "50000"),
                ("cpu.cfs_burst_us", "10000"),
            ],
            &[("cpu.max", "40000 50000"), ("cpu.max.burst", "10000")],
        ),
        (
            json!({ "cpu": { "quota": 30_000 } }),
            &[("cpu.cfs_quota_us", "30000"), ("cpu.cfs_period_us", "100000")],
            &[("cpu.max", "30000 100000")],
        ),
        (
            json!({ "cpu": { "period": 20_000 } }),
            &[("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "20000")],
            &[("cpu.max", "max 20000")],
        ),
    ]);
}

/// "idle: cgroups are configured with minimum weight, 0: default behavior, 1: SCHED_IDLE." Shares beside it have no say.
fn o24_an_idle_group_is_idle() {
    let idle: &[(&str, &str)] = &[("cpu.idle", "1")];
    let busy: &[(&str, &str)] = &[("cpu.idle", "0")];
    each_is_so(&[
        (json!({ "cpu": { "idle": 1, "shares": 512 } }), idle, idle),
        (json!({ "cpu": { "idle": 0 } }), busy, busy),
    ]);
}

/// Who asks for what everybody has gets what everybody has; twice as much is more.
fn o24_an_ordinary_share_is_an_ordinary_weight() {
    let weight = |shares: u64| {
        let bundle = limited(&json!({ "cpu": { "shares": shares } }));
        said(&group(&bundle), "cpu.weight").parse::<u64>().expect("a number")
    };
    assert_eq!([2, 1024, 262_144].map(weight), [1, 100, 10_000]);
    assert!(weight(2048) > 100 && weight(512) < 100);
}

fn o24_time_for_real_time_is_the_groups() {
    each_is_so(&[(
        json!({ "cpu": { "realtimePeriod": 500_000, "realtimeRuntime": 1000 } }),
        &[("cpu.rt_period_us", "500000"), ("cpu.rt_runtime_us", "1000")],
        &[],
    )]);
}

fn o24_a_spinner_is_throttled() {
    let bundle = Bundle::new();
    let cpu = json!({ "cpu": { "quota": 10_000, "period": 100_000 } });
    bundle.write(&config(&bundle, &cpu, &["spin", "100000"])).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    // In a hybrid layout version 2 has a file of this name as well, with less in it.
    let throttled =
        |text: String| text.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.parse::<u64>().ok());
    within(Duration::from_secs(60), "it was throttled five times", || {
        let stats = folders(&group(&bundle)).into_iter().map(|folder| folder.join("cpu.stat"));
        stats.filter_map(|path| throttled(std::fs::read_to_string(path).ok()?)).any(|count| count >= 5)
    });
}

fn o24_processors_and_nodes_are_those_of_the_set() {
    let set: &[(&str, &str)] = &[("cpuset.cpus", "0"), ("cpuset.mems", "0")];
    let resources = json!({ "cpu": { "cpus": "0", "mems": "0" } });
    let bundle = limited(&resources);
    assert_files(&group(&bundle), set, set, &resources);
    let pid = bundle.state_of(bundle.id())["pid"].clone();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    assert!(status.lines().any(|line| line.split_whitespace().eq(["Cpus_allowed_list:", "0"])), "{status}");
}

fn o24_processes_are_limited() {
    let files: &[(&str, &str)] = &[("pids.max", "33")];
    each_is_so(&[(json!({ "pids": { "limit": 33 } }), files, files)]);
}

/// A limit of 0 is one since version 1.3, and systemd's smallest is 1: nobody can be added to what is there.
fn o24_a_limit_of_no_process_leaves_the_first() {
    let (did, _) = did(&json!({ "pids": { "limit": 0 } }), &["fork", "5"], |_| {});
    let did = did.expect("the first process runs");
    assert_eq!((did.value, did.errno.as_deref()), (Some(0), Some("EAGAIN")));
}

fn o24_a_fork_bomb_stops_at_the_limit() {
    let (bomb, _) = did(&json!({ "pids": { "limit": 7 } }), &["fork", "50"], |_| {});
    assert_eq!(bomb.expect("it runs").value, Some(6), "init and six children are seven");
    let (free, _) = did(&json!({ "pids": { "limit": -1 } }), &["fork", "20"], |_| {});
    assert_eq!(free.expect("it runs").value, Some(20));
}

/// "hugepageLimits defines the hugepage sizes and limits for HugeTLB controller reservation accounting"; "limit (uint64)".
fn o24_huge_pages_are_limited_when_they_are_reserved_and_when_they_are_used() {
    // The controller is wherever nobody has mounted it in version 1.
    let bundle = limited(&json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4_194_304 }] }));
    let found = |end: &str| said(&group(&bundle), &format!("hugetlb.2MB.{end}"));
    let ends = if std::path::Path::new("/sys/fs/cgroup/hugetlb").exists() {
        ["limit_in_bytes", "rsvd.limit_in_bytes"]
    } else {
        ["max", "rsvd.max"]
    };
    assert_eq!(ends.map(found), ["4194304", "4194304"]);
    // As many as there can be.
    limited(&json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": u64::MAX }] }));
}

fn o24_the_part_in_the_use_of_disks_is_the_groups() {
    let bundle = limited(&json!({ "blockIO": { "weight": 500 } }));
    let group = group(&bundle);
    let has = |file: &str| folders(&group).iter().any(|folder| folder.join(file).exists());
    // Kernels differ in what they have.
    let (file, value) = match () {
        () if has("blkio.weight") => ("blkio.weight", "500"),
        () if has("blkio.bfq.weight") => ("blkio.bfq.weight", "500"),
        () if has("io.bfq.weight") => ("io.bfq.weight", "default 500"),
        () => ("io.weight", "default 4950"),
    };
    let text = said(&group, file);
    assert!(text.lines().any(|line| line == value), "{file}: {text}");
}

/// Nobody has such a disk; and no kernel of today has the files of leaves.
fn o24_a_part_in_the_use_of_what_is_not_there_is_an_error() {
    fn of_disk(config: &mut Value, part: &str) {
        let device = json!({ "major": 4000, "minor": 0, part: 100 });
        config["linux"]["resources"] = json!({ "blockIO": { "weightDevice": [device] } });
    }
    each_is_refused(&[
        (|c| of_disk(c, "weight"), "4000:0 100"),
        (|c| of_disk(c, "leafWeight"), "blkio.leaf_weight_device"),
        (|c| c["linux"]["resources"] = json!({ "blockIO": { "leafWeight": 100 } }), "blkio.leaf_weight"),
    ]);
}

/// Nobody has such a disk.
fn o24_a_part_in_the_use_of_one_disk_is_asked_for() {
    fn of_disk(config: &mut Value) {
        let device = json!({ "major": 4000, "minor": 0, "weight": 100 });
        config["linux"]["resources"] = json!({ "blockIO": { "weightDevice": [device] } });
    }
    each_is_refused(&[(of_disk, "4000:0 ")]);
}

/// A disk that is there: its numbers.
fn disk() -> (i64, i64) {
    let text = std::fs::read_to_string("/sys/block/loop0/dev").expect("a loop device");
    let (major, minor) = text.trim().split_once(':').expect("two numbers");
    (major.parse().expect("a number"), minor.parse().expect("a number"))
}

/// One limit each on what is read and written.
fn throttled(bytes: u64, operations: u64) -> Value {
    let (major, minor) = disk();
    let rate = |rate: u64| json!([{ "major": major, "minor": minor, "rate": rate }]);
    json!({ "blockIO": {
        "throttleReadBpsDevice": rate(bytes),
        "throttleWriteBpsDevice": rate(bytes * 2),
        "throttleReadIOPSDevice": rate(operations),
        "throttleWriteIOPSDevice": rate(operations * 2),
    } })
}

fn o24_the_use_of_one_disk_is_throttled() {
    let (major, minor) = disk();
    let line = |rate: u64| format!("{major}:{minor} {rate}");
    each_is_so(&[(
        throttled(1_048_576, 100),
        &[
            ("blkio.throttle.read_bps_device", &line(1_048_576)),
            ("blkio.throttle.write_bps_device", &line(2_097_152)),
            ("blkio.throttle.read_iops_device", &line(100)),
            ("blkio.throttle.write_iops_device", &line(200)),
        ],
        &[("io.max", &format!("{major}:{minor} rbps=1048576 wbps=2097152 riops=100 wiops=200"))],
    )]);
}

/// As version 1 takes it.
fn o24_a_rate_of_zero_is_no_limit() {
    let (major, minor) = disk();
    let there = Group::new();
    there.write("blkio.throttle.read_bps_device", &format!("{major}:{minor} 1048576"));
    there.write("io.max", &format!("{major}:{minor} rbps=1048576"));
    let bundle = Bundle::new();
    let mut config = config(&bundle, &throttled(0, 0), &[]);
    config["linux"]["cgroupsPath"] = json!(there.0);
    bundle.write(&config).create(bundle.id());
    let file = if is_v2() { "io.max" } else { "blkio.throttle.read_bps_device" };
    assert_eq!(said(&there.0, file), "");
}

/// "classID", "priorities". Nobody has mounted these controllers: the test does, where no other sees it.
fn o24_what_is_sent_is_marked() {
    alone(|| {
        let bundle = Bundle::new();
        let place = bundle.path().join("hierarchy");
        std::fs::create_dir(&place).expect("a folder");
        let hierarchy =
            || mount(Some("net"), &place, Some("cgroup"), MsFlags::empty(), Some("net_cls,net_prio"));
        hierarchy().expect("a hierarchy");
        let network = json!({ "classID": 1_048_577, "priorities": [{ "name": "lo", "priority": 7 }] });
        let found = std::panic::catch_unwind(|| {
            let resources = json!({ "network": network });
            bundle.write(&config(&bundle, &resources, &["wait-signal", "TERM"])).create(bundle.id());
            let file =
                |name: &str| std::fs::read_to_string(place.join(bundle.id()).join(name)).expect("a file");
            let found = (file("net_cls.classid"), file("net_prio.ifpriomap"));
            bundle.must(&["delete", "--force", bundle.id()]);
            found
        });
        // Groups that end a moment later hold the hierarchy when its last mount goes: then the machine has it until the next.
        let is_there =
            || std::fs::read_to_string("/proc/self/cgroup").expect("our groups").contains("net_cls");
        for _ in 0..20 {
            umount2(&place, MntFlags::empty()).expect("an umount");
            let end = Instant::now() + Duration::from_secs(1);
            while is_there() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
            if !is_there() {
                break;
            }
            hierarchy().expect("the hierarchy");
        }
        let (class, priorities) = found.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert_eq!(class.trim(), "1048577");
        assert!(priorities.lines().any(|line| line == "lo 7"), "{priorities}");
    });
}

fn o24_a_device_of_remote_memory_that_is_not_there_is_an_error() {
    let rdma: fn(&mut Value) =
        |c| c["linux"]["resources"] = json!({ "rdma": { "boat0": { "hcaHandles": 3 } } });
    each_is_refused(&[(rdma, "rdma.max")]);
}

/// "Configuration unknown to the runtime MUST still be written to the relevant file"; the controllers that this needs are
/// enabled.
fn o24_files_of_version_2_are_written_as_they_are_named() {
    let asked = match is_v2() {
        true => {
            json!({ "unified": { "memory.high": "33554432", "pids.max": "21", "cgroup.max.depth": "3" } })
        }
        // What nobody has mounted in version 1 is version 2's.
        false => json!({ "unified": { "hugetlb.2MB.max": "2097152", "cgroup.max.depth": "3" } }),
    };
    let bundle = limited(&asked);
    for (file, value) in asked["unified"].as_object().expect("an object") {
        assert_eq!(said(&group(&bundle), file), value.as_str().expect("a text"), "{file}");
    }
}

/// The kernel takes one entry at a time.
fn o24_each_line_of_a_value_is_one_for_the_file() {
    let lines = [0, 1].map(|minor| format!("7:{minor} rbps=1048576 wbps=max riops=max wiops=max"));
    let resources = json!({ "unified": { "io.max": lines.join("\n") } });
    let bundle = limited(&resources);
    for line in &lines {
        assert_files(&group(&bundle), &[], &[("io.max", line)], &resources);
    }
}

fn o24_files_of_version_2_count_more_than_the_rest() {
    each_is_so(&[(
        json!({ "memory": { "limit": 67_108_864 }, "unified": { "memory.max": "33554432" } }),
        &[],
        &[("memory.max", "33554432")],
    )]);
}

/// "The runtime MUST generate an error when the configuration refers to a cgroup controller that is not present".
fn o24_a_controller_that_is_not_there_is_an_error() {
    each_is_refused(&[
        (|c| c["linux"]["resources"] = json!({ "unified": { "nowhere.max": "1" } }), "nowhere.max"),
        (|c| c["linux"]["resources"] = json!({ "network": { "classID": 5 } }), "net"),
    ]);
}

/// "If the conversion is not possible the runtime MUST generate an error."
fn o24_what_version_2_cannot_do_is_an_error() {
    each_is_refused(&[
        (|c| c["linux"]["resources"] = json!({ "memory": { "swappiness": 10 } }), "swappiness"),
        (|c| c["linux"]["resources"] = json!({ "memory": { "disableOOMKiller": true } }), "OOM"),
        (|c| c["linux"]["resources"] = json!({ "memory": { "kernelTCP": 1_048_576 } }), "kernelTCP"),
        (|c| c["linux"]["resources"] = json!({ "cpu": { "realtimeRuntime": 1000 } }), "realtime"),
        (|c| c["linux"]["resources"] = json!({ "blockIO": { "leafWeight": 100 } }), "leafWeight"),
    ]);
}

fn o24_what_no_version_can_do_is_refused() {
    let device = |weight: Value| json!({ "blockIO": { "weightDevice": [weight] } });
    let priority = |name: &str| json!({ "network": { "priorities": [{ "name": name, "priority": 1 }] } });
    let rows: [(Value, &str); 11] = [
        (json!({ "memory": { "swap": 1_048_576 } }), "/linux/resources/memory/swap"),
        (json!({ "memory": { "limit": 2_097_152, "swap": 1_048_576 } }), "/linux/resources/memory/swap"),
        (json!({ "memory": { "swappiness": 101 } }), "/linux/resources/memory/swappiness"),
        (json!({ "cpu": { "quota": 1000, "burst": 2000 } }), "/linux/resources/cpu/burst"),
        (json!({ "cpu": { "idle": 2 } }), "/linux/resources/cpu/idle"),
        (json!({ "blockIO": { "weight": 5 } }), "/linux/resources/blockIO/weight"),
        (device(json!({ "major": 7, "minor": 0 })), "/linux/resources/blockIO/weightDevice/0"),
        (
            json!({ "hugepageLimits": [{ "pageSize": "2", "limit": 1 }] }),
            "/linux/resources/hugepageLimits/0/pageSize",
        ),
        (json!({ "rdma": { "boat0": {} } }), "/linux/resources/rdma/boat0"),
        (priority("lo 7"), "/linux/resources/network/priorities/0/name"),
        (priority(""), "/linux/resources/network/priorities/0/name"),
    ];
    for (resources, pointer) in rows {
        let mut config = Bundle::config();
        config["linux"]["resources"] = resources;
        let said = refused(&config);
        assert!(said.contains(pointer), "{pointer}: {said}");
    }
}

/// A part of the config becomes a part of a file's name.
fn o24_a_name_that_leads_to_another_file_is_refused() {
    each_is_refused(&[
        (
            |c| {
                let limit = json!({ "pageSize": "2MB/../../../../tmp/x", "limit": 1 });
                c["linux"]["resources"] = json!({ "hugepageLimits": [limit] });
            },
            "pageSize",
        ),
        (|c| c["linux"]["resources"] = json!({ "unified": { "../memory.max": "1" } }), "unified"),
        (|c| c["linux"]["resources"] = json!({ "unified": { "cgroup.procs": "nobody" } }), "unified"),
        (
            |c| c["linux"]["resources"] = json!({ "unified": { "cgroup.subtree_control": "-pids" } }),
            "unified",
        ),
    ]);
}

/// What was set before is gone with the group.
fn o24_a_limit_that_the_kernel_refuses_leaves_nothing() {
    let rows: [Row<'_>; 4] = [
        (json!({ "pids": { "limit": 5_000_000 } }), &[], &[]),
        (json!({ "pids": { "limit": 5 }, "cpu": { "mems": "1000" } }), &[], &[]),
        (json!({ "pids": { "limit": 5 }, "cpu": { "cpus": "7000" } }), &[], &[]),
        (json!({ "memory": { "limit": 67_108_864 }, "cpu": { "period": 1 } }), &[], &[]),
    ];
    for (resources, ..) in rows {
        let mut config = Bundle::config();
        config["linux"]["resources"] = resources;
        refused(&config);
    }
}
