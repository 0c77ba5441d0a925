//! What `coracle run` and `coracle sandbox` owe to their callers, beyond what the lessons test.

mod common;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{Bundle, ignored_by_us, mounts, text, traced};
use serde_json::{Value, json};
use testkit::prelude::*;

testkit::suite! { "run",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        the_version_is_on_lines_of_its_own,
        a_bundle_runs(userns),
        success_is_silent(userns),
        nothing_is_left_after_a_run(userns),
        a_taken_id_is_refused_and_left_alone(userns),
        a_program_that_cannot_be_executed_is_an_error_of_the_run(userns),
        proc_is_not_mounted_through_a_symlink(userns),
        no_descriptor_of_the_caller_gets_in(userns),
        a_working_directory_outside_is_refused(userns),
        a_caller_that_ignores_sigchld_gets_the_status(userns),
        the_last_value_of_a_variable_counts(userns),
        a_killed_runtime_takes_its_container_with_it(userns),
        no_signal_is_ignored_in_the_program(userns),
        a_run_makes_one_clone_and_no_thread(userns, strace),
        a_root_filesystem_without_nodes_can_be_used_again(userns),
    ]
}

fn the_version_is_on_lines_of_its_own() {
    let output = Command::new(testkit::runtime()).arg("--version").output().expect("the runtime starts");
    let lines: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines[0], concat!("coracle version ", env!("CARGO_PKG_VERSION")));
    assert!(lines.iter().any(|line| line.starts_with("spec: 1.")), "{lines:?}");
}

fn a_bundle_runs() {
    let output = Bundle::new().args(&["/probe", "exit", "3"]).run();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    assert_eq!((&report["pid"], &report["hostname"]), (&json!(1), &json!("boat")));
}

/// Engines parse standard output and standard error together.
fn success_is_silent() {
    let output = Bundle::new().args(&["/probe", "exit", "0"]).run();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout).lines().count(), 1, "one line, the program's own");
}

fn nothing_is_left_after_a_run() {
    let (bundle, before) = (Bundle::new(), mounts());
    assert_eq!(bundle.args(&["/probe"]).run().status.code(), Some(0));
    assert!(bundle.state().is_dir(), "the state directory was used");
    assert_eq!(bundle.left(), Vec::<PathBuf>::new());
    assert_eq!(mounts(), before);
}

fn a_taken_id_is_refused_and_left_alone() {
    let bundle = Bundle::new();
    std::fs::create_dir_all(bundle.state().join(bundle.id())).expect("somebody else's container");
    let output = bundle.args(&["/probe"]).run();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains(&format!("container id {:?} already exists", bundle.id())),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(bundle.left().len(), 1, "the other's directory is still there");
}

fn a_program_that_cannot_be_executed_is_an_error_of_the_run() {
    for (program, words) in [
        ("/tmp", "permission denied"),
        ("/nowhere", "no such file or directory"),
        ("nowhere", "executable file not found in $PATH"),
    ] {
        let bundle = Bundle::new();
        let output = bundle.args(&[program]).run();
        assert_eq!(output.status.code(), Some(1), "{program}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains("error") && stderr.contains(words), "{program}: {stderr}");
        assert_eq!(bundle.left(), Vec::<PathBuf>::new(), "{program}");
    }
}

/// CVE-2019-19921: what only looks like /proc is somewhere else.
fn proc_is_not_mounted_through_a_symlink() {
    let bundle = Bundle::new();
    std::fs::remove_dir(bundle.path().join("rootfs/proc")).expect("no proc");
    std::os::unix::fs::symlink("tmp", bundle.path().join("rootfs/proc")).expect("a symlink");
    let output = bundle.args(&["/probe"]).run();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("ELOOP"), "{}", text(&output.stderr));
}

/// Runs `command` as the arguments of a shell's script.
fn from_a_shell(script: &str, command: &Command) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    shell.output().expect("a shell starts")
}

/// A shell gives the runtime an open directory of the host: the program may not see it.
fn no_descriptor_of_the_caller_gets_in() {
    let bundle = Bundle::new();
    let run = bundle.args(&["/probe"]).command(&["--explain"], bundle.id());
    let output = from_a_shell("exec \"$@\" 9</", &run);
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    let fds: Vec<_> = report["fds"].as_object().expect("descriptors").keys().collect();
    assert_eq!(fds, ["0", "1", "2"], "{}", report["fds"]);
}

/// CVE-2024-21626: a descriptor of a directory that is open in init leads out of the container. Number 9 is one.
fn a_working_directory_outside_is_refused() {
    for fd in 3..16 {
        let (bundle, mut config) = (Bundle::new(), Bundle::config());
        config["process"]["cwd"] = json!(format!("/proc/self/fd/{fd}"));
        let output = from_a_shell("exec \"$@\" 9</", &bundle.write(&config).command(&[], bundle.id()));
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{fd}: {stderr}");
        assert!(stderr.contains("the working directory"), "{fd}: {stderr}");
    }
}

/// What is ignored stays ignored across execve, and the children of who ignores SIGCHLD are buried by the kernel.
fn a_caller_that_ignores_sigchld_gets_the_status() {
    let bundle = Bundle::new();
    let run = bundle.args(&["/probe", "exit", "3"]).command(&[], bundle.id());
    let output = from_a_shell("trap '' CHLD; exec \"$@\"", &run);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

/// Every reader of an environment with a name in it twice would choose for itself.
fn the_last_value_of_a_variable_counts() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["env"] = json!(["HOME=/a", "PATH=/", "HOME=/b"]);
    let report: Value =
        serde_json::from_slice(&bundle.write(&config).run().stdout).expect("the probe's report");
    assert_eq!(report["env"], json!({ "HOME": "/b", "PATH": "/" }));
}

fn a_killed_runtime_takes_its_container_with_it() {
    let bundle = Bundle::new();
    let mut runtime = bundle
        .args(&["/probe", "hold"])
        .command(&[], bundle.id())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the runtime starts");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(runtime.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("the probe's report");
    let children = format!("/proc/{0}/task/{0}/children", runtime.id());
    let init: i32 = std::fs::read_to_string(children).expect("children").trim().parse().expect("one child");
    runtime.kill().expect("it runs");
    runtime.wait().expect("it is our child");
    within(Duration::from_secs(5), "the container's init is gone", || {
        std::fs::read_to_string(format!("/proc/{init}/stat")).map_or(true, |stat| stat.contains(") Z "))
    });
    // A control group does not end with its processes.
    let mut delete = Command::new(testkit::runtime());
    delete.arg("--root").arg(bundle.state()).args(["delete", "--force", bundle.id()]);
    let output = delete.output().expect("the runtime starts");
    assert_eq!((output.status.code(), bundle.left()), (Some(0), Vec::new()), "{}", text(&output.stderr));
}

/// Rust ignores SIGPIPE at its start, and what is ignored stays so across execve: that of our caller as well.
fn no_signal_is_ignored_in_the_program() {
    let bundle = Bundle::new();
    let output = bundle.args(&["/probe"]).run();
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    assert_eq!(report["signals_ignored"], json!(ignored_by_us()));
}

fn a_run_makes_one_clone_and_no_thread() {
    let bundle = Bundle::new();
    let run = bundle.args(&["/probe", "exit", "0"]).command(&[], bundle.id());
    let calls = traced(&bundle, &["-e", "trace=clone,clone3,fork,vfork"], &run);
    let births = calls.lines().filter(|line| line.contains("clone") || line.contains("fork")).count();
    assert_eq!(births, 1, "{calls}");
    assert!(!calls.contains("CLONE_THREAD"), "{calls}");
}

/// In an outer user namespace, where nobody may make nodes, the first run leaves empty files, on which it had mounted them.
fn a_root_filesystem_without_nodes_can_be_used_again() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe", "write", "/dev/null", "gone"]);
    // Here we are root already.
    config["linux"]["namespaces"].as_array_mut().expect("a list").retain(|one| one["type"] != "user");
    for mappings in ["uidMappings", "gidMappings"] {
        config["linux"].as_object_mut().expect("an object").remove(mappings);
    }
    bundle.write(&config);
    let run = || {
        let run = bundle.command(&[], bundle.id());
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--"]).arg(run.get_program()).args(run.get_args());
        unshare.stdin(Stdio::null()).output().expect("unshare starts")
    };
    let null = bundle.path().join("rootfs/dev/null");
    for n in 1..=3 {
        let output = run();
        assert_eq!(output.status.code(), Some(0), "run {n}: {}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
        let device = &report["devices"]["null"];
        assert_eq!(
            [&device["kind"], &device["major"], &device["minor"]],
            [&json!("char"), &json!(1), &json!(3)]
        );
        assert_eq!(
            std::fs::metadata(&null).expect("its place").len(),
            0,
            "the program wrote to the file beneath"
        );
    }
    // Anything else in its place is not ours.
    for what in ["a file with something in it", "a symlink", "a fifo"] {
        std::fs::remove_file(&null).expect("it is there");
        match what {
            "a symlink" => std::os::unix::fs::symlink("full", &null).expect("a symlink"),
            "a fifo" => nix::unistd::mkfifo(&null, nix::sys::stat::Mode::S_IRWXU).expect("a fifo"),
            data => std::fs::write(&null, data).expect("a file"),
        }
        let output = run();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {stderr}");
        assert!(
            stderr.contains("/dev/null") && stderr.contains("something else is in its place"),
            "{what}: {stderr}"
        );
    }
}
