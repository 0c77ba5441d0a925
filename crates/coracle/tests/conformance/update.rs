//! The verb `update`, as runc has it and engines call it. Row O-30.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use testkit::Test;

use super::common::{Bundle, says, text};
use super::groups::{Group, assert_files, config, group, is_v2, limited, said};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o30_update_sets_each_limit_by_an_option(root, cgroup),
    o30_update_takes_a_file_and_standard_input(root, cgroup),
    o30_update_leaves_alone_what_is_zero_or_not_asked_for(root, cgroup),
    o30_update_raises_and_lowers_memory_and_swap(root, cgroup),
    o30_update_of_a_period_keeps_the_quota(root, cgroup),
    o30_update_lowers_quota_and_burst_together(root, cgroup),
    o30_update_lifts_a_limit(root, cgroup),
    o30_update_gives_the_group_the_controller_that_it_has_not(root, cgroup2),
    o30_update_sets_what_only_a_file_can_say(root, cgroup),
    o30_update_that_the_kernel_refuses_changes_nothing(root, cgroup),
    o30_update_that_is_refused_takes_back_a_list_that_was_empty(root, cgroup, two_processors),
    o30_update_that_is_refused_takes_back_one_line_of_many(root, cgroup),
    o30_update_checks_the_use_of_memory_before(root, cgroup),
    o30_update_of_a_running_and_of_a_paused_container(root, cgroup),
    o30_update_of_a_stopped_container_is_an_error(root, cgroup),
    o30_update_is_kept_with_the_config(root, cgroup),
    o30_update_refuses_what_is_none(root, cgroup),
    o30_update_without_resctrl_gives_no_share_of_the_cache(root, cgroup, no_resctrl),
};

/// `update OPTIONS ID`, which must succeed.
#[track_caller]
fn update(bundle: &Bundle, options: &[&str]) {
    bundle.must(&[&["update"], options, &[bundle.id()]].concat());
}

/// `update --resources FILE ID`, to be called.
#[track_caller]
fn by_file(bundle: &Bundle, resources: &Value) {
    let file = bundle.path().join("resources.json");
    std::fs::write(&file, resources.to_string()).expect("a file");
    update(bundle, &["--resources", &file.display().to_string()]);
}

#[track_caller]
fn assert_said(bundle: &Bundle, v1: &[(&str, &str)], v2: &[(&str, &str)]) {
    assert_files(&group(bundle), v1, v2, &Value::Null);
}

fn o30_update_sets_each_limit_by_an_option() {
    let bundle = limited(&json!({}));
    let options = [
        ["--memory", "64M"],
        ["--memory-reservation", "33554432"],
        ["--memory-swap", "128m"],
        ["--pids-limit", "40"],
        ["--cpu-quota", "40000"],
        ["--cpu-period", "50000"],
        ["--cpu-share", "512"],
        ["--cpuset-cpus", "0"],
        ["--cpuset-mems", "0"],
        ["--blkio-weight", "500"],
    ];
    update(&bundle, options.as_flattened());
    assert_said(
        &bundle,
        &[
            ("memory.limit_in_bytes", "67108864"),
            ("memory.soft_limit_in_bytes", "33554432"),
            ("memory.memsw.limit_in_bytes", "134217728"),
            ("pids.max", "40"),
            ("cpu.cfs_quota_us", "40000"),
            ("cpu.cfs_period_us", "50000"),
            ("cpu.shares", "512"),
            ("cpuset.cpus", "0"),
            ("cpuset.mems", "0"),
        ],
        &[
            ("memory.max", "67108864"),
            ("memory.low", "33554432"),
            ("memory.swap.max", "67108864"),
            ("pids.max", "40"),
            ("cpu.max", "40000 50000"),
            ("cpuset.cpus", "0"),
            ("cpuset.mems", "0"),
            ("io.weight", "default 4950"),
        ],
    );
    update(&bundle, &["--cpu-burst", "10000", "--cpu-idle", "1"]);
    // Once it is idle, the kernel takes no other share: what is asked for beside that has no say.
    update(&bundle, &["--cpu-idle", "1", "--cpu-share", "256"]);
    assert_said(
        &bundle,
        &[("cpu.cfs_burst_us", "10000"), ("cpu.idle", "1")],
        &[("cpu.max.burst", "10000"), ("cpu.idle", "1")],
    );
    if !is_v2() {
        update(&bundle, &["--cpu-rt-period", "500000", "--cpu-rt-runtime", "1000"]);
        assert_said(&bundle, &[("cpu.rt_period_us", "500000"), ("cpu.rt_runtime_us", "1000")], &[]);
    }
}

fn o30_update_takes_a_file_and_standard_input() {
    let bundle = limited(&json!({}));
    by_file(&bundle, &json!({ "pids": { "limit": 41 }, "memory": { "limit": 67_108_864 } }));
    assert_eq!(said(&group(&bundle), "pids.max"), "41");
    for (options, limit) in [(&["--resources=-"][..], 42), (&["-r", "-"], 43)] {
        let mut call = bundle.coracle(&[&["update"], options, &[bundle.id()]].concat());
        let mut child =
            call.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the runtime starts");
        let asked = json!({ "pids": { "limit": limit } }).to_string();
        child.stdin.take().expect("a pipe").write_all(asked.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(said(&group(&bundle), "pids.max"), limit.to_string());
    }
    let max = if is_v2() { "memory.max" } else { "memory.limit_in_bytes" };
    assert_eq!(said(&group(&bundle), max), "67108864", "of this nobody spoke");
}

fn o30_update_leaves_alone_what_is_zero_or_not_asked_for() {
    let limits = json!({
        "pids": { "limit": 42 },
        "memory": { "limit": 67_108_864 },
        "cpu": { "quota": 40_000, "period": 50_000, "shares": 512, "cpus": "0" },
        "devices": [{ "allow": true, "access": "rwm" }],
    });
    let bundle = limited(&limits);
    update(
        &bundle,
        &["--pids-limit", "0", "--cpu-quota=0", "--cpu-share", "0", "--memory", "0", "--cpuset-cpus", ""],
    );
    by_file(
        &bundle,
        &json!({
            "pids": { "limit": 0 },
            "memory": { "limit": 0, "swap": 0 },
            "cpu": { "quota": 0, "period": 0, "shares": 0, "cpus": "" },
            "devices": null,
            "blockIO": { "weight": 0 },
        }),
    );
    update(&bundle, &[]);
    if !is_v2() {
        assert_eq!(said(&group(&bundle), "devices.list"), "a *:* rwm", "the rules about devices");
    }
    let all = [("pids.max", "42"), ("cpuset.cpus", "0")];
    assert_said(&bundle, &all, &all);
    assert_said(
        &bundle,
        &[("memory.limit_in_bytes", "67108864"), ("cpu.cfs_quota_us", "40000"), ("cpu.shares", "512")],
        &[("memory.max", "67108864"), ("cpu.max", "40000 50000")],
    );
}

/// Version 1 checks each of the two against the other as it is then: so to raise takes the other order than to lower.
fn o30_update_raises_and_lowers_memory_and_swap() {
    let bundle = limited(&json!({ "memory": { "limit": 67_108_864, "swap": 134_217_728 } }));
    for (limit, swap) in [("256M", "512M"), ("32M", "48M"), ("48M", "48M"), ("128M", "-1")] {
        update(&bundle, &["--memory", limit, "--memory-swap", swap]);
        let bytes = |text: &str| text.trim_end_matches('M').parse::<i64>().expect("a number") << 20;
        let alone = if swap == "-1" { "max".into() } else { (bytes(swap) - bytes(limit)).to_string() };
        let both = if swap == "-1" { "9223372036854771712".into() } else { bytes(swap).to_string() };
        assert_said(
            &bundle,
            &[("memory.limit_in_bytes", &bytes(limit).to_string()), ("memory.memsw.limit_in_bytes", &both)],
            &[("memory.max", &bytes(limit).to_string()), ("memory.swap.max", &alone)],
        );
    }
    update(&bundle, &["--memory-swap", "256M"]);
    assert_said(
        &bundle,
        &[("memory.memsw.limit_in_bytes", "268435456")],
        &[("memory.swap.max", "134217728")],
    );
}

fn o30_update_of_a_period_keeps_the_quota() {
    let bundle = limited(&json!({ "cpu": { "quota": 40_000, "period": 100_000 } }));
    update(&bundle, &["--cpu-period", "50000"]);
    let v1 = [("cpu.cfs_quota_us", "40000"), ("cpu.cfs_period_us", "50000")];
    assert_said(&bundle, &v1, &[("cpu.max", "40000 50000")]);
    update(&bundle, &["--cpu-quota", "20000"]);
    let v1 = [("cpu.cfs_quota_us", "20000"), ("cpu.cfs_period_us", "50000")];
    assert_said(&bundle, &v1, &[("cpu.max", "20000 50000")]);
}

/// The kernel takes no quota below the burst that is there, and no burst above the quota.
fn o30_update_lowers_quota_and_burst_together() {
    let bundle = limited(&json!({ "cpu": { "quota": 40_000, "period": 50_000, "burst": 30_000 } }));
    for (quota, burst) in [("10000", "5000"), ("45000", "40000")] {
        update(&bundle, &["--cpu-quota", quota, "--cpu-burst", burst]);
        let both = format!("{quota} 50000");
        assert_said(
            &bundle,
            &[("cpu.cfs_quota_us", quota), ("cpu.cfs_burst_us", burst)],
            &[("cpu.max", &both), ("cpu.max.burst", burst)],
        );
    }
}

fn o30_update_lifts_a_limit() {
    let limits = json!({ "pids": { "limit": 42 }, "memory": { "limit": 67_108_864, "swap": 67_108_864 }, "cpu": { "quota": 40_000 } });
    let bundle = limited(&limits);
    assert_said(
        &bundle,
        &[("memory.limit_in_bytes", "67108864"), ("pids.max", "42"), ("cpu.cfs_quota_us", "40000")],
        &[("memory.max", "67108864"), ("pids.max", "42"), ("cpu.max", "40000 100000")],
    );
    update(&bundle, &["--memory", "-1", "--pids-limit", "-1", "--cpu-quota", "-1"]);
    assert_said(
        &bundle,
        &[
            ("memory.limit_in_bytes", "9223372036854771712"),
            ("memory.memsw.limit_in_bytes", "9223372036854771712"),
            ("pids.max", "max"),
            ("cpu.cfs_quota_us", "-1"),
        ],
        &[("memory.max", "max"), ("memory.swap.max", "max"), ("pids.max", "max"), ("cpu.max", "max 100000")],
    );
}

/// Somebody above has taken the controller away, or has never given it.
fn o30_update_gives_the_group_the_controller_that_it_has_not() {
    let above = Group::new();
    let bundle = Bundle::new();
    let mut config = config(&bundle, &json!({}), &["wait-signal", "TERM"]);
    let path = format!("{}/below", above.0);
    config["linux"]["cgroupsPath"] = json!(path);
    bundle.write(&config).create(bundle.id());
    above.write("cgroup.subtree_control", "-pids");
    update(&bundle, &["--pids-limit", "43"]);
    assert_eq!(said(&path, "pids.max"), "43");
    bundle.must(&["delete", "--force", bundle.id()]);
}

fn o30_update_sets_what_only_a_file_can_say() {
    let bundle = limited(&json!({}));
    let rate = json!([{ "major": 7, "minor": 0, "rate": 1_048_576 }]);
    by_file(&bundle, &json!({ "blockIO": { "throttleReadBpsDevice": rate } }));
    assert_said(
        &bundle,
        &[("blkio.throttle.read_bps_device", "7:0 1048576")],
        &[("io.max", "7:0 rbps=1048576 wbps=max riops=max wiops=max")],
    );
    if is_v2() {
        by_file(&bundle, &json!({ "unified": { "memory.high": "33554432" } }));
        assert_eq!(said(&group(&bundle), "memory.high"), "33554432");
    } else {
        by_file(&bundle, &json!({ "memory": { "swappiness": 20 } }));
        assert_eq!(said(&group(&bundle), "memory.swappiness"), "20");
    }
}

/// What was written before the one that is refused is taken back; and the kept config has nothing of it.
fn o30_update_that_the_kernel_refuses_changes_nothing() {
    let bundle = limited(&json!({ "pids": { "limit": 42 }, "memory": { "limit": 67_108_864 } }));
    let kept = || std::fs::read_to_string(bundle.state().join(bundle.id()).join("config.json")).ok();
    let before = kept();
    let call =
        ["update", "--pids-limit", "7", "--memory", "32M", "--cpu-quota", "40000", "--cpuset-cpus", "7000"];
    let said = bundle.must_fail(&[&call[..], &[bundle.id()]].concat(), 1);
    assert!(said.contains("cpuset.cpus"), "{said}");
    assert_said(
        &bundle,
        &[("pids.max", "42"), ("memory.limit_in_bytes", "67108864"), ("cpu.cfs_quota_us", "-1")],
        &[("pids.max", "42"), ("memory.max", "67108864"), ("cpu.max", "max 100000")],
    );
    assert_eq!(kept(), before);
}

/// None of its own is all of those above, and the kernel takes no empty list where there are processes.
fn o30_update_that_is_refused_takes_back_a_list_that_was_empty() {
    let bundle = limited(&json!({}));
    let file = if is_v2() { "cpuset.cpus.effective" } else { "cpuset.cpus" };
    let before = said(&group(&bundle), file);
    assert_ne!(before, "0", "there is more than one to give");
    bundle.must_fail(&["update", "--cpuset-cpus", "0", "--cpuset-mems", "1000", bundle.id()], 1);
    assert_eq!(said(&group(&bundle), file), before);
}

/// Also in a file that has a line for each disk.
fn o30_update_that_is_refused_takes_back_one_line_of_many() {
    let rate = |minor: u64, rate: u64| json!({ "major": 7, "minor": minor, "rate": rate });
    let bundle = limited(&json!({ "blockIO": { "throttleReadBpsDevice": [rate(0, 1_048_576)] } }));
    let file = bundle.path().join("resources.json");
    let asked = json!({
        "blockIO": { "throttleReadBpsDevice": [rate(0, 2_097_152), rate(1, 2_097_152)] },
        "unified": { "cgroup.max.depth": "no number" },
    });
    std::fs::write(&file, asked.to_string()).expect("a file");
    let error = bundle.must_fail(&["update", "--resources", &file.display().to_string(), bundle.id()], 1);
    says(&error, "cgroup.max.depth");
    let (file, line) = match is_v2() {
        true => ("io.max", "7:0 rbps=1048576 wbps=max riops=max wiops=max"),
        false => ("blkio.throttle.read_bps_device", "7:0 1048576"),
    };
    assert_eq!(said(&group(&bundle), file), line);
}

/// "checkBeforeUpdate: [...] runtime MAY check if a new memory limit is lower than the current usage, and MUST reject the new
/// limit."
fn o30_update_checks_the_use_of_memory_before() {
    let bundle = limited(&json!({ "memory": { "limit": 67_108_864 } }));
    let file = bundle.path().join("resources.json");
    let asked = json!({ "memory": { "limit": 8192, "checkBeforeUpdate": true } });
    std::fs::write(&file, asked.to_string()).expect("a file");
    bundle.must_fail(&["update", "--resources", &file.display().to_string(), bundle.id()], 1);
    let max = if is_v2() { "memory.max" } else { "memory.limit_in_bytes" };
    assert_eq!(said(&group(&bundle), max), "67108864");
    assert_eq!(bundle.state_of(bundle.id())["status"], "created", "it lives");
}

fn o30_update_of_a_running_and_of_a_paused_container() {
    let bundle = limited(&json!({ "pids": { "limit": 42 } }));
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    update(&bundle, &["--pids-limit", "43"]);
    assert_eq!(said(&group(&bundle), "pids.max"), "43");
    bundle.must(&["pause", bundle.id()]);
    update(&bundle, &["--pids-limit", "44"]);
    assert_eq!(said(&group(&bundle), "pids.max"), "44");
    assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
    bundle.must(&["resume", bundle.id()]);
}

fn o30_update_of_a_stopped_container_is_an_error() {
    let bundle = limited(&json!({ "pids": { "limit": 42 } }));
    bundle.must(&["start", bundle.id()]);
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    let said = bundle.must_fail(&["update", "--pids-limit", "43", bundle.id()], 1);
    assert!(said.contains("not running"), "{said}");
    bundle.must_fail(&["update", "--pids-limit", "43", "nobody"], 1);
}

/// Whoever asks later (a restart, the next update) is told of what is so now; what the update did not speak of stays.
fn o30_update_is_kept_with_the_config() {
    let bundle = limited(
        &json!({ "pids": { "limit": 42 }, "memory": { "limit": 67_108_864, "reservation": 1_048_576 } }),
    );
    update(&bundle, &["--memory", "32M", "--pids-limit", "0"]);
    let rate = |minor: u64, rate: u64| json!({ "major": 7, "minor": minor, "rate": rate });
    let read = |rates: &[Value]| json!({ "blockIO": { "throttleReadBpsDevice": rates } });
    by_file(&bundle, &read(&[rate(0, 1_048_576), rate(1, 1_048_576)]));
    by_file(&bundle, &read(&[rate(1, 2_097_152)]));
    // Of this nothing is done.
    by_file(&bundle, &json!({ "pids": { "limit": 0 }, "devices": [{ "allow": true, "access": "rwm" }] }));
    let page = |size: &str, limit: u64| json!({ "pageSize": size, "limit": limit });
    if is_v2() {
        by_file(&bundle, &json!({ "hugepageLimits": [page("2MB", 0), page("1GB", 0)] }));
        by_file(&bundle, &json!({ "hugepageLimits": [page("2MB", 2_097_152)], "cpu": { "idle": 0 } }));
    }
    let path = bundle.state().join(bundle.id()).join("config.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(path).expect("the kept config")).expect("JSON");
    let resources = &kept["linux"]["resources"];
    assert_eq!(resources["memory"], json!({ "limit": 33_554_432, "reservation": 1_048_576 }));
    assert_eq!(resources["pids"], json!({ "limit": 42 }));
    assert_eq!(resources["blockIO"], read(&[rate(0, 1_048_576), rate(1, 2_097_152)])["blockIO"]);
    assert_eq!(resources["devices"], Value::Null);
    if is_v2() {
        assert_eq!(resources["hugepageLimits"], json!([page("2MB", 2_097_152), page("1GB", 0)]));
        assert_eq!(resources["cpu"], json!({ "idle": 0 }));
    }
    assert_eq!(kept["process"]["args"][0], "/probe", "the rest is as it was");
}

fn o30_update_refuses_what_is_none() {
    let bundle = limited(&json!({ "pids": { "limit": 42 } }));
    let file = bundle.path().join("resources.json");
    let name = file.display().to_string();
    let rows: [(&str, &[&str]); 5] = [
        ("{", &["--resources", &name]),
        ("[]", &["--resources", &name]),
        (r#"{ "pids": { "limit": "many" } }"#, &["--resources", &name]),
        ("{}", &["--memory", "much"]),
        ("{}", &["--cpu-idle", "x"]),
    ];
    for (content, options) in rows {
        std::fs::write(&file, content).expect("a file");
        bundle.must_fail(&[&["update"], options, &[bundle.id()]].concat(), 1);
    }
    // What it asks for is looked at as a config's is.
    let asked = json!({ "memory": { "limit": 67_108_864, "swap": 33_554_432 } });
    std::fs::write(&file, asked.to_string()).expect("a file");
    let error = bundle.must_fail(&["update", "--resources", &name, bundle.id()], 1);
    says(&error, "counts memory and swap together");
    bundle.must_fail(&["update", "--resources", "/nowhere", bundle.id()], 1);
    bundle.must_fail(&["update"], 1);
    assert_eq!(said(&group(&bundle), "pids.max"), "42");
}

fn o30_update_without_resctrl_gives_no_share_of_the_cache() {
    let bundle = limited(&json!({}));
    for options in [["--l3-cache-schema", "L3:0=f"], ["--mem-bw-schema", "MB:0=20"]] {
        bundle.must_fail(&[&["update"], &options[..], &[bundle.id()]].concat(), 1);
    }
}
