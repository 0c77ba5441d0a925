//! Document 001, "Common Errors": the message, the cause, and that the cure cures. And the two forms of `exec`.
//!
//! Otherwise, in all of them: the line is `coracle: error: ...` without a time, names the place first, and says what to
//! do at its end. runc's own words (`already exists`, `no such file or directory`, `executable file not found in $PATH`)
//! are in ours, for there are programs that look for them.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;
use testkit::Terminal;

use super::common::text;
use super::tool::{MyBundle, says};

fn sleeping() -> MyBundle {
    MyBundle::new(&["--no-terminal", "--args", "sleep 1000"])
}

pub(crate) fn s09_error_1_the_id_exists() {
    let bundle = sleeping();
    bundle.start();
    let cure = format!("coracle delete {}", bundle.id);
    for verb in ["create", "run"] {
        bundle.fails(&[verb, &bundle.id], &["container id", &bundle.id, "already exists", &cure]);
    }
    // "If still running, stop it first": delete alone says so.
    bundle.fails(&["delete", &bundle.id], &["is running", "kill", "--force"]);
    bundle.must(&["kill", &bundle.id, "SIGKILL"]);
    testkit::within(std::time::Duration::from_secs(5), "it is stopped", || {
        bundle.state(&bundle.id)["status"] == "stopped"
    });
    bundle.must(&["delete", &bundle.id]);
    bundle.change(|config| config["process"]["args"] = json!(["true"]));
    bundle.must(&["run", &bundle.id]);
}

pub(crate) fn s09_error_2_no_rootfs_or_no_bundle() {
    let bundle = MyBundle::new(&["--no-terminal", "--args", "true"]);
    let rootfs = bundle.path().join("rootfs");
    fs::rename(&rootfs, bundle.file("away")).expect("a rename");
    let shown = rootfs.display().to_string();
    bundle.fails(&["run", &bundle.id], &[&shown, "no such file or directory", "/root/path"]);
    fs::rename(bundle.file("away"), &rootfs).expect("a rename");
    bundle.fails(
        &["run", "--bundle", "/nowhere/my-bundle", &bundle.id],
        &["/nowhere/my-bundle", "no such file or directory", "--bundle"],
    );
    bundle.must(&["run", &bundle.id]);
}

/// Otherwise: a program that is called by its path is not looked for in PATH, and the message says that file's name.
pub(crate) fn s09_error_3_no_such_program() {
    let bundle = MyBundle::new(&["--no-terminal", "--args", "sh -c true"]);
    let sh = bundle.path().join("rootfs/bin/sh");
    fs::remove_file(&sh).expect("the link");
    bundle.fails(&["run", &bundle.id], &["\"sh\": executable file not found in $PATH", "set PATH"]);
    bundle.change(|config| config["process"]["args"] = json!(["/bin/sh", "-c", "true"]));
    bundle.fails(&["run", &bundle.id], &["/bin/sh", "no such file or directory"]);
    std::os::unix::fs::symlink("busybox", &sh).expect("a link");
    bundle.must(&["run", &bundle.id]);
}

/// Otherwise: "runc needs root" is half of the truth. With a user namespace in the config, neither runc nor we do.
pub(crate) fn s09_error_4_no_privilege() {
    let bundle = MyBundle::new(&["--no-terminal", "--args", "true"]);
    // As the document's config: without a control group that somebody asked for.
    bundle
        .change(|config| drop(config["linux"].as_object_mut().and_then(|linux| linux.remove("cgroupsPath"))));
    let state = bundle.file("nobodys");
    fs::create_dir(&state).expect("a folder");
    std::os::unix::fs::chown(&state, Some(65534), Some(65534)).expect("chown");
    let root = state.display().to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(testkit::runtime());
    command.args(["--root", &root, "run", &bundle.id]).current_dir(bundle.path());
    let output = command.stdin(Stdio::null()).output().expect("setpriv starts");
    says(&output, &["operation not permitted", "root", "user namespace"]);
    assert_eq!(fs::read_dir(&state).expect("a folder").count(), 0, "something is left");
    bundle.must(&["run", &bundle.id]);
}

pub(crate) fn s09_error_5_no_config() {
    let bundle = MyBundle::new(&["--no-terminal", "--args", "true"]);
    let run = |words: &[&str]| {
        let mut command = bundle.coracle(words);
        command.current_dir("/").output().expect("the runtime starts")
    };
    says(&run(&["run", &bundle.id]), &["/config.json", "no such file or directory", "--bundle"]);
    let path = bundle.path().display().to_string();
    let output = run(&["run", "--bundle", &path, &bundle.id]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

/// Its diagnosis: a program that ends at once is no error, and a shell without a terminal reads its input to the end. Then
/// the document's `ls /`.
pub(crate) fn s09_error_6_it_exits_at_once() {
    let bundle = MyBundle::new(&["--no-terminal"]);
    assert_eq!(bundle.must(&["run", &bundle.id]), "", "a shell at the end of its input");
    // The state of a kept one, and its exit code, tell that it ended and how.
    bundle.change(|config| config["process"]["args"] = json!(["sh", "-c", "exit 9"]));
    let output = bundle.call(&["run", "--keep", &bundle.id]);
    assert_eq!(output.status.code(), Some(9));
    assert_eq!(bundle.state(&bundle.id)["status"], "stopped");
    bundle.must(&["delete", &bundle.id]);
    bundle.change(|config| config["process"]["args"] = json!(["/bin/ls", "/"]));
    assert_eq!(bundle.must(&["run", &bundle.id]), "bin\ndev\netc\nproc\nroot\nrun\nsys\ntmp\n");
}

pub(crate) fn s11_exec_is_a_shell_for_a_person_or_for_one_line() {
    let bundle = sleeping();
    bundle.start();
    // For one line: a login shell, which reads /etc/profile.
    fs::write(bundle.path().join("rootfs/etc/profile"), "PROFILE=read\n").expect("a profile");
    assert_eq!(bundle.must(&["exec", "--exec", "echo $PROFILE", &bundle.id]), "read\n");
    let out = bundle.must(&["exec", "--exec", "echo $0 $((2 + 3)); shopt 2>/dev/null; pwd", &bundle.id]);
    assert!(out.ends_with("5\n/root\n") || out.ends_with("5\n/\n"), "{out}");
    let output = bundle.call(&["exec", "--exec", "exit 6", &bundle.id]);
    assert_eq!(output.status.code(), Some(6));
    // For a person: at a terminal.
    let mut terminal = Terminal::start(&mut bundle.coracle(&["exec", &bundle.id]));
    assert_eq!(terminal.ask("cat /proc/1/comm"), "sleep\n");
    assert_eq!(terminal.ask("test -t 0 && echo at a terminal"), "at a terminal\n");
    terminal.wait_for("# ");
    terminal.say("exit 7");
    let (status, _) = terminal.finish();
    assert_eq!(status.and_then(|status| status.code()), Some(7));
}
