//! The verbs.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use testkit::Terminal;

use crate::common::Finish;
use crate::user::{User, must, read, words};

pub(crate) fn o31_what_spec_writes_runs() {
    let user = User::new();
    let config = user.config(&["open", "/proc/self/uid_map"]);
    assert!(config["linux"]["resources"].is_null(), "who owns no control group asks for nothing: {config}");
    let report = user.report(&config);
    assert_eq!(words(&report), ["0", &User::ids().0.to_string(), "1"]);
    assert_eq!((report.uid, report.gid, report.pid, report.hostname.as_str()), (0, 0, 1, "coracle"));
    let devices = report.devices.as_ref().expect("a /dev");
    for (name, minor) in [("null", 3), ("zero", 5), ("urandom", 9)] {
        let device = &devices[name];
        assert_eq!((device.kind, device.major, device.minor), (probe::Kind::Char, Some(1), Some(minor)));
    }
    for (place, option) in [("/", "ro"), ("/sys", "ro"), ("/proc/sys", "ro"), ("/sys/fs/cgroup", "ro")] {
        let mount = report.mount_at(place).unwrap_or_else(|| panic!("nothing is mounted at {place}"));
        assert!(mount.options.iter().any(|known| known == option), "{mount:?}");
    }
    assert_eq!(user.0.left(), Vec::<PathBuf>::new());
}

pub(crate) fn o31_what_is_written_inside_is_the_callers_outside() {
    let user = User::new();
    let mut config = user.config(&["write", "/tmp/new", "x"]);
    config["root"]["readonly"] = json!(false);
    user.report(&config);
    let new = std::fs::metadata(user.path().join("rootfs/tmp/new")).expect("the file");
    assert_eq!((new.uid(), new.gid()), User::ids());
}

pub(crate) fn o31_a_terminal_needs_no_root() {
    let user = User::new();
    let mut config = user.config(&[]);
    config["process"]["terminal"] = json!(true);
    user.0.write(&config);
    let at = |words: &[&str]| {
        let mut terminal = Terminal::start(&mut user.coracle(words));
        terminal.wait_for("{");
        let report = read(&format!("{{{}", terminal.wait_for("\n")));
        // A terminal that is let go takes its program along, and `run` has its container to remove.
        assert!(terminal.finish().0.is_some_and(|status| status.success()), "{words:?}");
        report
    };
    let report = at(&["run", user.id()]);
    assert_eq!(report.tty, Some(probe::Tty { rows: 24, cols: 80 }));
    assert!(report.mount_at("/dev/console").is_some(), "no console");
    user.start(&[], &[]);
    assert_eq!(at(&["exec", "--tty", user.id(), "/probe"]).tty, report.tty);
}

pub(crate) fn o31_every_verb_of_the_lifecycle_works() {
    let user = User::new();
    let init = user.start(&[], &[]);
    assert_eq!(user.told()["status"], "running");
    let report = read(&must(user.coracle(&["exec", user.id(), "/probe"])));
    let namespace = |kind: &str| std::fs::metadata(format!("/proc/{init}/ns/{kind}")).expect("its own").ino();
    for kind in ["user", "mnt", "pid"] {
        assert_eq!(report.ns[kind], namespace(kind), "{kind}");
    }
    assert_eq!(must(user.coracle(&["list", "--quiet"])).trim(), user.id());

    let mut exec = user.coracle(&["exec", "--detach", user.id(), "/probe", "wait-signal", "TERM"]);
    assert!(exec.stdout(Stdio::null()).stderr(Stdio::null()).finish().status.success(), "exec --detach");
    // Without a control group to ask as well.
    let pids: Vec<i32> =
        serde_json::from_str(&must(user.coracle(&["ps", "--format", "json", user.id()]))).expect("a list");
    assert_eq!((pids.len(), pids.contains(&init)), (2, true), "{pids:?}");
    assert_eq!(must(user.coracle(&["ps", user.id()])).lines().count(), 3);

    must(user.coracle(&["kill", user.id(), "TERM"]));
    user.stopped();
    must(user.coracle(&["delete", user.id()]));
    assert_eq!(must(user.coracle(&["list", "--quiet"])), "");
    assert_eq!(user.0.left(), Vec::<PathBuf>::new());
}
