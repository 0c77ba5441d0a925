//! What a bundle means: which plan a config becomes.

mod common;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use common::{Bundle, fresh_id, text};
use coracle::capability::Sets;
use coracle::cgroup::Driver;
use coracle::explain::Explain;
use coracle::namespace::{KINDS, Kind};
use coracle::plan::Plan;
use coracle::{bundle, config, intel_rdt};
use nix::mount::MsFlags;
use serde_json::{Value, json};

testkit::suite! { "bundle",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        what_is_not_said_is_left_alone,
        each_version_that_we_know_is_taken,
        unknown_properties_and_empty_values_ask_for_nothing,
        the_root_filesystem_may_be_anywhere_by_an_absolute_path,
        a_relative_root_may_use_symlinks_in_the_bundle,
        without_a_new_mount_namespace_the_root_is_ignored,
        each_propagation_is_read,
        a_missing_pids_limit_is_none_and_zero_is_one,
        a_control_group_without_a_wish_is_optional,
        a_device_of_the_config_stands_in_for_a_default_one,
        s01_namespaces_are_joined_by_their_paths(userns),
        s04_the_example_of_an_old_version_loads(userns),
        s04_the_narration_tells_what_was_read_as_what(userns),
        an_unknown_capability_is_told_of_and_ignored(userns),
        the_process_of_an_exec_is_checked_as_that_of_a_config,
        the_schemata_of_a_share_of_the_cache_go_in_this_order,
        the_schemata_of_a_class_are_compared_by_value,
        the_default_class_is_the_root_of_resctrl_and_stays,
    ]
}

fn load(bundle: &Bundle, config: &Value) -> Plan {
    bundle::load(bundle.write(config).path(), "one", Driver::Files, &Explain::silent())
        .expect("a good config")
}

fn loaded(change: impl FnOnce(&mut Value)) -> Plan {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    change(&mut config);
    load(&bundle, &config)
}

fn what_is_not_said_is_left_alone() {
    let plan = loaded(|_| ());
    // But for capabilities: those that nobody asks for are not given.
    assert_eq!(plan.process.capabilities, Some(Sets::default()));
    assert_eq!((plan.process.terminal, plan.process.oom_score_adj), (None, None));
    assert_eq!((plan.process.user.umask, plan.process.no_new_privileges), (None, false));
    assert_eq!((plan.domainname, plan.hostname.as_deref()), (None, Some("boat")));
    let rootfs = plan.rootfs.expect("a root filesystem");
    assert_eq!((rootfs.readonly, rootfs.propagation), (false, None));
    assert!(plan.bundle.is_absolute() && rootfs.path == plan.bundle.join("rootfs"));
    assert_eq!(serde_json::from_slice::<Value>(&plan.config).expect("its config"), Bundle::config());
    // A size without a terminal is none.
    let plan = loaded(|c| c["process"]["consoleSize"] = json!({ "height": 24, "width": 80 }));
    assert_eq!(plan.process.terminal, None);
}

fn each_version_that_we_know_is_taken() {
    for version in
        ["0.5.0", "0.1.0-dev", "1.0.0-rc.1", "1.0.2-dev", "1.3.0", "1.3.0+build.01", "1.99.0-a-b.0"]
    {
        loaded(|c| c["ociVersion"] = json!(version));
    }
}

fn unknown_properties_and_empty_values_ask_for_nothing() {
    let plan = loaded(|c| {
        c["platform"] = json!({ "os": "linux" });
        c["process"]["commandline"] = json!(7);
        c["hooks"] = json!({ "poststop": [] });
        c["domainname"] = json!("");
        c["process"]["apparmorProfile"] = json!("");
        c["process"]["execCPUAffinity"] = json!({ "initial": "", "final": "" });
        for name in ["sysctl", "timeOffsets", "netDevices"] {
            c["linux"][name] = json!({});
        }
        for name in ["mountLabel", "cgroupsPath", "rootfsPropagation"] {
            c["linux"][name] = json!("");
        }
        c["linux"]["seccomp"] = Value::Null;
    });
    assert_eq!(plan.domainname, None);
}

fn the_root_filesystem_may_be_anywhere_by_an_absolute_path() {
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let plan = loaded(|c| c["root"]["path"] = json!(elsewhere.path()));
    assert_eq!(
        plan.rootfs.expect("a root filesystem").path,
        elsewhere.path().canonicalize().expect("it is there")
    );
}

fn a_relative_root_may_use_symlinks_in_the_bundle() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    symlink("rootfs", bundle.path().join("link")).expect("a symlink");
    for path in [
        "link",
        "./rootfs/../link",
        &format!("../{}/rootfs", bundle.path().file_name().expect("a name").display()),
    ] {
        config["root"]["path"] = json!(path);
        let plan = load(&bundle, &config);
        assert_eq!(plan.rootfs.expect("a root filesystem").path, plan.bundle.join("rootfs"), "{path}");
    }
}

fn without_a_new_mount_namespace_the_root_is_ignored() {
    let plan = loaded(|c| {
        c["root"]["path"] = json!("/nowhere/at/all");
        c["linux"]["namespaces"].as_array_mut().expect("a list").retain(|one| one["type"] != "mount");
        c["linux"]["maskedPaths"] = json!(["/proc/kcore"]);
    });
    assert!(
        plan.rootfs.is_none() && plan.mounts.is_empty() && plan.devices.is_empty() && plan.masked.is_empty()
    );
}

fn each_propagation_is_read() {
    let rows = [
        ("shared", MsFlags::MS_SHARED),
        ("rshared", MsFlags::MS_SHARED | MsFlags::MS_REC),
        ("slave", MsFlags::MS_SLAVE),
        ("rslave", MsFlags::MS_SLAVE | MsFlags::MS_REC),
        ("private", MsFlags::MS_PRIVATE),
        ("rprivate", MsFlags::MS_PRIVATE | MsFlags::MS_REC),
        ("unbindable", MsFlags::MS_UNBINDABLE),
        ("runbindable", MsFlags::MS_UNBINDABLE | MsFlags::MS_REC),
    ];
    for (word, flags) in rows {
        let plan = loaded(|c| c["linux"]["rootfsPropagation"] = json!(word));
        assert_eq!(plan.rootfs.expect("a root filesystem").propagation, Some(flags), "{word}");
    }
}

fn pids(limits: Value) -> Option<i64> {
    let plan = loaded(|c| c["linux"]["resources"] = json!({ "pids": limits }));
    plan.cgroup.expect("a control group").resources.pids().map(|pids| pids.limit())
}

fn a_missing_pids_limit_is_none_and_zero_is_one() {
    assert_eq!(pids(json!({})), None);
    assert_eq!(pids(json!({ "limit": null })), None);
    assert_eq!(pids(json!({ "limit": 0 })), Some(0));
    assert_eq!(pids(json!({ "limit": -1 })), Some(-1));
    assert_eq!(pids(json!({ "limit": 32 })), Some(32));
}

fn a_control_group_without_a_wish_is_optional() {
    let group = |linux: Value| {
        let plan = loaded(|c| {
            let linux = linux.as_object().expect("an object").clone();
            c["linux"].as_object_mut().expect("an object").extend(linux);
        });
        let group = plan.cgroup.expect("a control group");
        (group.path.to_str().expect("a path").to_owned(), group.optional)
    };
    let rules = json!([{ "allow": false, "access": "rwm" }]);
    // Who is not root has at most the group that they are in: below it.
    let own = if nix::unistd::geteuid().is_root() { "/coracle-one" } else { "coracle-one" };
    assert_eq!(group(json!({})), (own.to_owned(), true));
    assert_eq!(group(json!({ "resources": { "devices": rules, "memory": {} } })), (own.to_owned(), true));
    assert_eq!(group(json!({ "resources": { "memory": { "limit": 1 << 20 } } })), (own.to_owned(), false));
    assert_eq!(group(json!({ "cgroupsPath": "/a//b/./c" })), ("/a/b/c".to_owned(), false));
    assert_eq!(group(json!({ "cgroupsPath": "a/b" })), ("/a/b".to_owned(), false));
}

fn a_device_of_the_config_stands_in_for_a_default_one() {
    let device = json!({ "path": "/dev/./null", "type": "c", "major": 1, "minor": 5, "uid": 7 });
    let plan = loaded(|c| c["linux"]["devices"] = json!([device, device]));
    let null: Vec<_> = plan.devices.iter().filter(|device| device.path == Path::new("/dev/null")).collect();
    assert_eq!(null.len(), 1);
    assert_eq!((null[0].minor, null[0].mode, null[0].uid, null[0].gid), (5, 0o666, 7, 0));
}

/// Runs `act` with the number of the first process of a container that is there.
fn with_container(act: impl FnOnce(i32)) {
    let bundle = Bundle::new();
    let mut command = bundle.args(&["/probe", "hold"]).command(&[], &fresh_id());
    let mut runtime =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the runtime starts");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(runtime.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("the probe's report");
    let children = format!("/proc/{0}/task/{0}/children", runtime.id());
    let init = std::fs::read_to_string(children).expect("children").trim().parse().expect("one child");
    act(init);
    // The end of its standard input ends the probe.
    drop(runtime.stdin.take());
    runtime.wait().expect("it is our child");
}

/// Those that the container shares with us are none of the new one's own.
fn s01_namespaces_are_joined_by_their_paths() {
    with_container(|init| {
        let all: Vec<_> = KINDS
            .iter()
            .map(|kind| json!({ "type": kind.name(), "path": format!("/proc/{init}/ns/{}", kind.file()) }))
            .collect();
        let plan = loaded(|c| {
            c["linux"] = json!({ "namespaces": all });
        });
        let link = |pid: &str, kind: Kind| {
            std::fs::read_link(format!("/proc/{pid}/ns/{}", kind.file())).expect("a link")
        };
        for kind in KINDS {
            let differs = link(&init.to_string(), kind) != link("self", kind);
            assert_eq!(plan.namespaces.joins(kind).is_some(), differs, "{}", kind.name());
            assert!(!plan.namespaces.has(kind), "{} is not new", kind.name());
        }
        assert!(plan.namespaces.joins(Kind::Mount).is_some() && plan.rootfs.is_none());
    });
}

/// The document's example, with the number of its process.
fn example(pid: i32) -> Value {
    let kinds = [
        ("user", "user"),
        ("pid", "pid"),
        ("network", "net"),
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("mount", "mnt"),
    ];
    let namespaces: Vec<_> = kinds
        .iter()
        .map(|(kind, file)| json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") }))
        .collect();
    json!({
        "ociVersion": "0.5.0",
        "platform": { "os": "linux", "arch": "amd64" },
        "process": {
            "terminal": true,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": ["CAP_AUDIT_WRITE", "CAP_KILL"],
        },
        "root": { "path": "rootfs" },
        "linux": { "cgroupsPath": "/myRuntime/myContainer", "namespaces": namespaces },
    })
}

fn s04_the_example_of_an_old_version_loads() {
    with_container(|init| {
        let plan = load(&Bundle::new(), &example(init));
        let sets = plan.process.capabilities.expect("capabilities");
        // CAP_KILL is number 5, CAP_AUDIT_WRITE 29.
        let both = 1 << 5 | 1 << 29;
        assert_eq!(
            (sets.bounding, sets.effective, sets.inheritable, sets.permitted),
            (both, both, both, both)
        );
        assert_eq!(sets.ambient, 0);
        assert!(plan.process.terminal.is_some());
        let group = plan.cgroup.expect("a control group");
        assert_eq!((group.path.as_path(), group.optional), (Path::new("/myRuntime/myContainer"), false));
    });
}

fn told(change: impl FnOnce(&mut Value)) -> String {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    change(&mut config);
    let output =
        bundle.write(&config).command(&["--explain"], &fresh_id()).output().expect("the runtime starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stderr)
}

fn s04_the_narration_tells_what_was_read_as_what() {
    let told = told(|c| {
        c["ociVersion"] = json!("0.5.0");
        c["process"]["capabilities"] = json!(["CAP_KILL"]);
    });
    assert!(told.contains("warning: /ociVersion: 0.5.0"), "{told}");
    assert!(told.contains("/process/capabilities: one list"), "{told}");
    assert!(told.contains("read as bounding, effective, inheritable and permitted"), "{told}");
}

fn an_unknown_capability_is_told_of_and_ignored() {
    let list = json!(["CAP_KILL", "CAP_LUCK"]);
    let sets = json!({ "bounding": list, "permitted": list, "effective": list });
    let told = told(|c| c["process"]["capabilities"] = sets);
    assert_eq!(told.matches("unknown capability \"CAP_LUCK\": ignored").count(), 1, "{told}");
}

fn the_process_of_an_exec_is_checked_as_that_of_a_config() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("process.json");
    let read = |process: &Value| {
        std::fs::write(&file, process.to_string()).expect("a file");
        let silent = Explain::silent();
        let asked = bundle::from_file(&file);
        let read = asked.and_then(|asked| {
            bundle::process(&asked, &Default::default(), "", &silent)
                .map_err(|error| bundle::blamed_on(&file, error))
        });
        read.map_err(|error| error.to_string())
    };
    let mut process = Bundle::config()["process"].take();
    let good = read(&process).expect("a good process");
    assert_eq!((good.args, good.capabilities), (vec![c"/probe".to_owned()], Some(Sets::default())));
    process["cwd"] = json!("tmp");
    let error = read(&process).expect_err("a relative directory");
    assert!(error.contains("process.json: /cwd: \"tmp\" must be an absolute path"), "{error}");
    process["cwd"] = json!(7);
    let error = read(&process).expect_err("a number");
    assert!(error.contains("process.json: /cwd: is number `7`"), "{error}");
    std::fs::remove_file(&file).expect("it is there");
    let error = bundle::from_file(&file).expect_err("it is gone").to_string();
    assert!(error.contains("process.json: no such file or directory"), "{error}");
}

/// config-linux.md, "IntelRdt": the rules on parameters.
fn the_schemata_of_a_share_of_the_cache_go_in_this_order() {
    let schemata = |asked: Value| {
        let asked: config::IntelRdt = serde_json::from_value(asked).expect("an object");
        bundle::kernel::schemata(&asked).map_err(|error| error.to_string())
    };
    let none: [&str; 0] = [];
    assert_eq!(schemata(json!({ "closID": "x", "l3CacheSchema": "" })).expect("nothing"), none);
    let both = json!({ "l3CacheSchema": "L3:0=f\nMB:0=9\nL3:1=f", "memBwSchema": "MB:0=20" });
    assert_eq!(schemata(both).expect("lines"), ["L3:0=f\nL3:1=f\nMB:0=20"]);
    let alone = json!({ "l3CacheSchema": "L3:0=f\nMB:0=9" });
    assert_eq!(schemata(alone).expect("lines"), ["L3:0=f\nMB:0=9"]);
    let last = json!({ "memBwSchema": "MB:0=20", "schemata": ["L3:0=3", "MB:0=30"] });
    assert_eq!(schemata(last).expect("lines"), ["MB:0=20", "L3:0=3\nMB:0=30"]);
    for (wrong, pointer) in [
        (json!({ "memBwSchema": "L3:0=f" }), "/linux/intelRdt/memBwSchema"),
        (json!({ "memBwSchema": "MB:0=20\nL3:0=f" }), "/linux/intelRdt/memBwSchema"),
        (json!({ "schemata": ["L3:0=f", "L3:0=f\nMB:0=1"] }), "/linux/intelRdt/schemata/1"),
    ] {
        assert!(schemata(wrong).expect_err("it is none").contains(pointer), "{pointer}");
    }
}

/// As the kernel writes such a file.
fn the_schemata_of_a_class_are_compared_by_value() {
    let text = "    MB:0=100;1= 70\n    L3:0=007f0;1=0001f\n";
    for (line, wanted) in [
        ("L3:0=7f0;1=1f", true),
        ("L3:1=1F", true),
        ("MB:1=70", true),
        ("L3:0=7f1", false),
        ("L3:2=1f", false),
        ("L2:0=1f", false),
        ("nothing", false),
    ] {
        assert_eq!(intel_rdt::says(text, line), wanted, "{line}");
    }
}

/// runtime-spec 1.3, config-linux.md, "IntelRdt": `/` is the default class. What the kernel does with the files is not asked here.
fn the_default_class_is_the_root_of_resctrl_and_stays() {
    let root = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(root.path().join("schemata"), "L3:0=ff\n").expect("a file");
    let wish = |schemata: &[&str]| intel_rdt::Wish {
        root: root.path().to_owned(),
        class: Some("/".to_owned()),
        schemata: schemata.iter().map(|line| (*line).to_owned()).collect(),
        monitor: false,
    };
    for schemata in [&[][..], &["L3:0=ff"]] {
        let group = intel_rdt::Group::locate(&wish(schemata), "one");
        group.make(&wish(schemata)).expect("it is there");
        group.enter(nix::unistd::Pid::from_raw(7)).expect("tasks");
        group.remove().expect("nothing to remove");
    }
    let tasks = std::fs::read_to_string(root.path().join("tasks")).expect("it was written to");
    assert_eq!(tasks.trim(), "7");
    assert!(!root.path().join("one").exists(), "no class is made");
    let other = wish(&["L3:0=f"]);
    let error = intel_rdt::Group::locate(&other, "one").make(&other).expect_err("it is everybody's");
    assert!(error.to_string().contains("L3:0=f"), "{error}");
    assert_eq!(std::fs::read_to_string(root.path().join("schemata")).expect("it stays"), "L3:0=ff\n");
}
