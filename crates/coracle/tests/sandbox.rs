//! What `coracle sandbox` owes to its callers, beyond what the lessons test.

mod common;

use std::process::{Command, Output, Stdio};

use common::{Bundle, text};
use probe::Report;
use testkit::Terminal;

testkit::suite! { "sandbox",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        a_root_filesystem_alone_gets_a_proc_and_no_more(userns),
        dev_has_devices_terminals_and_shared_memory(userns),
        mounts_come_in_their_order_and_after_dev(userns),
        a_bind_takes_along_what_is_mounted_below(userns),
        a_dev_that_is_bound_from_outside_is_left_alone(userns),
        at_a_terminal_it_runs_with_a_dev_and_without(userns),
    ]
}

fn sandbox(bundle: &Bundle, flags: &[&str], words: &[&str]) -> Command {
    let mut command = bundle.coracle(&["sandbox", "--root"]);
    command.arg(bundle.path().join("rootfs")).args(flags).arg("--").args(words);
    command.current_dir(bundle.path());
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the runtime starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    output
}

fn report(bundle: &Bundle, flags: &[&str]) -> Report {
    let output = run(&mut sandbox(bundle, flags, &["/probe"]));
    serde_json::from_slice(&output.stdout).expect("the probe's report")
}

fn places(report: &Report) -> Vec<&str> {
    report.mounts.iter().flatten().map(|mount| mount.mountpoint.as_str()).collect()
}

fn a_root_filesystem_alone_gets_a_proc_and_no_more() {
    assert_eq!(places(&report(&Bundle::new(), &[])), ["/", "/proc"]);
}

fn dev_has_devices_terminals_and_shared_memory() {
    let bundle = Bundle::new();
    let report = report(&bundle, &["--dev"]);
    let devices: Vec<_> = report.devices.iter().flatten().map(|(name, _)| name.as_str()).collect();
    let all = [
        "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom", "zero",
    ];
    assert_eq!(devices, all);
    for (place, kind) in [("/dev", "tmpfs"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs")] {
        assert_eq!(report.mount_at(place).map(|mount| mount.fstype.as_str()), Some(kind), "{place}");
    }
    let left: Vec<_> = std::fs::read_dir(bundle.path().join("rootfs/dev")).expect("made").collect();
    assert!(left.is_empty(), "in the root filesystem itself: {left:?}");
}

fn mounts_come_in_their_order_and_after_dev() {
    let bundle = Bundle::new();
    std::fs::create_dir(bundle.path().join("here")).expect("a folder");
    let flags = [
        "--mount=type=tmpfs,destination=/dev/shm,size=64k",
        "--dev",
        "--mount=type=tmpfs,dst=/a,readonly",
        "--mount=type=bind,src=here,target=/a/b,ro,nosuid",
    ];
    let report = report(&bundle, &flags);
    let size = |place| report.mount_at(place).map(|mount| mount.super_options.contains(&"size=64k".into()));
    assert_eq!(size("/dev/shm"), Some(true), "{report:?}");
    let outer = report.mount_at("/a").expect("a tmpfs");
    assert_eq!(outer.options[0], "ro", "{outer:?}");
    let inner = report.mount_at("/a/b").expect("a bind in it");
    assert!(inner.root.ends_with("/here") && inner.options.starts_with(&["ro".into(), "nosuid".into()]));
}

fn a_bind_takes_along_what_is_mounted_below() {
    let bundle = Bundle::new();
    for (flag, below) in [("", true), (",bind", false)] {
        // As a user with a user namespace, nobody may leave out what is locked below a directory: so one of our own.
        let mount = format!("--mount=type=bind,source=dir,destination=/d{flag}");
        std::fs::create_dir_all(bundle.path().join("dir/below")).expect("a folder");
        let inner = sandbox(&bundle, &[&mount], &["/probe"]);
        let mut outer = Command::new("unshare");
        let script = "mount -t tmpfs run /run; mount -t tmpfs below dir/below && exec \"$@\"";
        outer.args(["-Urm", "sh", "-c", script, "sh"]).arg(inner.get_program()).args(inner.get_args());
        let output = run(outer.current_dir(bundle.path()).stdin(Stdio::null()));
        let report: Report = serde_json::from_slice(&output.stdout).expect("the probe's report");
        assert_eq!(places(&report).contains(&"/d/below"), below, "{mount}: {:?}", places(&report));
    }
}

fn a_dev_that_is_bound_from_outside_is_left_alone() {
    let bundle = Bundle::new();
    std::fs::create_dir(bundle.path().join("mine")).expect("a folder");
    report(&bundle, &["--dev", "--mount=type=bind,source=mine,destination=/dev"]);
    let left: Vec<_> = std::fs::read_dir(bundle.path().join("mine")).expect("ours").collect();
    assert!(left.is_empty(), "made outside: {left:?}");
}

/// Of its own where it has a /dev, else its caller's.
fn at_a_terminal_it_runs_with_a_dev_and_without() {
    for (flags, console) in [(&["--dev"][..], true), (&[], false)] {
        let bundle = Bundle::new();
        let person = Terminal::start(&mut sandbox(&bundle, flags, &["/probe", "exit", "7"]));
        let (status, said) = person.finish();
        assert_eq!(status.and_then(|status| status.code()), Some(7), "{flags:?}: {said}");
        assert_eq!(said.contains("/dev/console"), console, "{flags:?}: {said}");
    }
}
