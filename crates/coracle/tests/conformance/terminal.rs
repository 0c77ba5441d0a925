//! config.md, "Process": terminal and consoleSize; config-linux.md, "Default Devices": console and ptmx. Row O-11.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Terminal, Test, within};

use super::common::{Bundle, Finish, Leaks, is_coracle, says, text};
use super::running::waiting;

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o11_the_terminal_is_the_programs_streams(userns),
    o11_the_terminal_is_the_programs_controlling_one(userns),
    o11_the_terminal_belongs_to_the_user(root),
    o11_console_is_the_terminal(userns),
    o11_ptmx_is_the_containers(userns),
    o11_without_a_terminal_there_is_no_console(userns),
    o11_the_console_has_its_size(root),
    o11_a_size_without_a_terminal_is_ignored(userns),
    o11_a_size_that_is_none_is_refused(userns),
    o11_the_terminal_of_exec_has_its_size(root),
    o11_a_detached_terminal_needs_a_socket(userns),
    o11_a_socket_needs_a_terminal(userns),
    o11_a_socket_that_nobody_listens_at_leaves_nothing(userns),
    o11_a_terminal_without_devpts_leaves_nothing(userns),
    o11_a_symlink_in_the_place_of_the_console_is_not_followed(userns),
    o11_a_shell_at_a_terminal_ends_with_its_input(userns, busybox),
};

/// With a /dev and terminals.
fn furnished(config: &mut Value) {
    let mounts = config["mounts"].as_array_mut().expect("a list");
    mounts.push(json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs" }));
    mounts.push(json!({
        "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"],
    }));
}

fn with_terminal(config: &mut Value) {
    furnished(config);
    config["process"]["terminal"] = json!(true);
}

/// What the program reports that a person runs at a terminal of 24 rows of 80 columns.
#[track_caller]
fn at_a_terminal(change: impl FnOnce(&mut Value)) -> probe::Report {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    with_terminal(&mut config);
    change(&mut config);
    let mut terminal = Terminal::start(&mut bundle.write(&config).command(&[], bundle.id()));
    terminal.wait_for("{");
    let line = format!("{{{}", terminal.wait_for("\n"));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("no report: {error}: {line}"))
}

/// "the pseudoterminal pty is duplicated on the container process's standard streams."
fn o11_the_terminal_is_the_programs_streams() {
    let report = at_a_terminal(|_| {});
    for number in 0..3 {
        assert!(report.fds[&number].starts_with("/dev/pts/"), "{:?}", report.fds);
    }
    assert_eq!(report.tty, Some(probe::Tty { rows: 24, cols: 80 }));
}

/// The last fields of proc_pid_stat(5) before the flags: session, terminal.
fn o11_the_terminal_is_the_programs_controlling_one() {
    let report = at_a_terminal(|c| c["process"]["args"] = json!(["/probe", "open", "/dev/tty"]));
    assert_eq!((report.pid, report.sid), (1, 1));
    assert!(report.did.is_some_and(|did| did.ok), "/dev/tty cannot be opened");
}

/// runc's own suite: its user, and the group of the devpts.
fn o11_the_terminal_belongs_to_the_user() {
    let report = at_a_terminal(|c| {
        c["process"]["user"] = json!({ "uid": 1000, "gid": 100 });
        let pts = &mut c["mounts"][2]["options"];
        pts.as_array_mut().expect("a list").push(json!("gid=5"));
    });
    let console = &report.devices.expect("a /dev")["console"];
    assert_eq!((console.uid, console.gid), (1000, 5));
}

/// "/dev/console is set up if terminal is enabled in the config by bind mounting the pseudoterminal pty to /dev/console."
fn o11_console_is_the_terminal() {
    let report = at_a_terminal(|_| {});
    let mount = report.mount_at("/dev/console").expect("a mount on it");
    assert_eq!(mount.fstype, "devpts");
    // The kernel's UNIX98_PTY_SLAVE_MAJOR.
    let console = &report.devices.expect("a /dev")["console"];
    assert_eq!((console.kind, console.major), (probe::Kind::Char, Some(136)));
}

/// "/dev/ptmx: a bind-mount or symlink of the container's /dev/pts/ptmx."
fn o11_ptmx_is_the_containers() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    furnished(&mut config);
    let report = bundle.write(&config).report();
    let ptmx = report.devices.clone().expect("a /dev")["ptmx"].clone();
    match ptmx.target.as_deref() {
        Some(target) => assert!(["pts/ptmx", "/dev/pts/ptmx"].contains(&target), "{target}"),
        None => assert_eq!(report.mount_at("/dev/ptmx").expect("a mount on it").fstype, "devpts"),
    }
}

fn o11_without_a_terminal_there_is_no_console() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    furnished(&mut config);
    let report = bundle.write(&config).report();
    assert!(!report.devices.expect("a /dev").contains_key("console"), "there is a console");
    assert_eq!(report.tty, None);
}

/// The size of the terminal that the process `pid` of the host has, by the host's stty.
fn size(pid: &Value, terminal: &str) -> String {
    let path = format!("/proc/{pid}/root/dev/{terminal}");
    let stty = Command::new("stty").args(["-F", &path, "size"]).output().expect("stty starts");
    text(&stty.stdout).trim().to_owned()
}

/// A created container whose terminal goes to the socket, and the socket: as long as it is there, so is the terminal.
#[track_caller]
fn created(change: impl FnOnce(&mut Value)) -> (Bundle, UnixListener) {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    with_terminal(&mut config);
    change(&mut config);
    bundle.write(&config);
    let path = bundle.path().join("console");
    let listener = UnixListener::bind(&path).expect("a socket");
    let (here, path) = (bundle.path().display().to_string(), path.display().to_string());
    let mut create = bundle.coracle(&["create", "--bundle", &here, "--console-socket", &path, bundle.id()]);
    let output = create.finish();
    assert!(output.status.success(), "create: {}", text(&output.stderr));
    (bundle, listener)
}

/// "consoleSize: specifies the console size in characters of the terminal."
fn o11_the_console_has_its_size() {
    let (bundle, _listener) =
        created(|c| c["process"]["consoleSize"] = json!({ "height": 10, "width": 110 }));
    assert_eq!(size(&bundle.state_of(bundle.id())["pid"], "pts/0"), "10 110");
    assert_eq!(size(&bundle.state_of(bundle.id())["pid"], "console"), "10 110");
}

/// "Runtimes MUST ignore consoleSize if terminal is false or unset."
fn o11_a_size_without_a_terminal_is_ignored() {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    config["process"]["consoleSize"] = json!({ "height": 10, "width": 110 });
    assert_eq!(bundle.write(&config).report().tty, None);
    config["process"]["consoleSize"] = json!({ "height": 100_000, "width": 110 });
    assert_eq!(bundle.write(&config).report().tty, None);
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), verb: &[&str], words: &str) {
    let bundle = Bundle::new();
    let mut config = Bundle::config();
    with_terminal(&mut config);
    change(&mut config);
    let here = bundle.write(&config).path().display().to_string();
    let mut args = vec![verb[0], "--bundle", &here];
    args.extend(&verb[1..]);
    args.push(bundle.id());
    let mut command = bundle.coracle(&args);
    let leaks = Leaks::watch(&mut command, bundle.id());
    let output = command.stdout(Stdio::piped()).finish();
    let said = text(&output.stderr);
    assert!(!output.status.success(), "it is taken");
    assert!(!is_coracle() || output.status.code() == Some(1), "{}: {said}", output.status);
    says(&said, words);
    leaks.assert_none(&bundle, words);
}

fn o11_a_size_that_is_none_is_refused() {
    let there = Bundle::new();
    let _listener = UnixListener::bind(there.path().join("console")).expect("a socket");
    refused(
        |c| c["process"]["consoleSize"] = json!({ "height": 70000, "width": 80 }),
        &["create", "--console-socket", &there.path().join("console").display().to_string()],
        "/process/consoleSize/height",
    );
}

fn o11_the_terminal_of_exec_has_its_size() {
    let bundle = waiting(furnished);
    let process = json!({
        "args": ["/probe", "wait-signal", "TERM"], "cwd": "/", "user": { "uid": 0, "gid": 0 }, "terminal": true,
        "consoleSize": { "height": 11, "width": 111 },
    });
    let path = |name: &str| bundle.path().join(name).display().to_string();
    std::fs::write(path("process.json"), process.to_string()).expect("a file");
    let _listener = UnixListener::bind(path("console")).expect("a socket");
    let (file, socket, pid) = (path("process.json"), path("console"), path("pid"));
    bundle.must(&[
        "exec",
        "-d",
        "--process",
        &file,
        "--console-socket",
        &socket,
        "--pid-file",
        &pid,
        bundle.id(),
    ]);
    let pid: Value =
        serde_json::from_str(&std::fs::read_to_string(&pid).expect("a pid file")).expect("a number");
    assert_eq!(size(&pid, "pts/0"), "11 111");
}

/// As runc: nobody would hold its other end.
fn o11_a_detached_terminal_needs_a_socket() {
    refused(|_| {}, &["create"], "console");
    refused(|_| {}, &["run", "--detach"], "console");
}

fn o11_a_socket_needs_a_terminal() {
    refused(
        |c| c["process"]["terminal"] = json!(false),
        &["create", "--console-socket", "/nowhere"],
        "console",
    );
}

fn o11_a_socket_that_nobody_listens_at_leaves_nothing() {
    refused(|_| {}, &["create", "--console-socket", "/nowhere"], "no such file or directory");
}

fn o11_a_terminal_without_devpts_leaves_nothing() {
    let bundle = Bundle::new();
    let _listener = UnixListener::bind(bundle.path().join("console")).expect("a socket");
    let socket = bundle.path().join("console").display().to_string();
    refused(
        |c| drop(c["mounts"].as_array_mut().expect("a list").pop()),
        &["create", "--console-socket", &socket],
        "no such file or directory",
    );
}

/// CVE-2025-52565 and its like: what is called so in the root filesystem is somebody else's.
fn o11_a_symlink_in_the_place_of_the_console_is_not_followed() {
    let bundle = Bundle::new();
    let canary = bundle.path().join("canary");
    std::fs::write(&canary, "untouched").expect("a file");
    let dev = bundle.path().join("rootfs/dev");
    std::fs::create_dir_all(dev.join("pts")).expect("a folder");
    std::os::unix::fs::symlink(&canary, dev.join("console")).expect("a symlink");
    let mut config = Bundle::config();
    with_terminal(&mut config);
    // Its /dev is the root filesystem's own.
    config["mounts"].as_array_mut().expect("a list").remove(1);
    let mut terminal = Terminal::start(&mut bundle.write(&config).command(&[], bundle.id()));
    terminal.wait_for("\n");
    assert_eq!(std::fs::read_to_string(&canary).expect("it is there"), "untouched");
    let mounts = super::common::mounts();
    assert!(!mounts.contains("canary"), "it was mounted on");
}

/// A key says so, however the shell reads it: the editor of its lines, or the kernel's.
fn o11_a_shell_at_a_terminal_ends_with_its_input() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/fetch-busybox");
    let busybox = Command::new(script).output().expect("fetch-busybox starts");
    let bundle = Bundle::new();
    let copy =
        Command::new("cp").arg(text(&busybox.stdout).trim()).arg(bundle.path().join("rootfs/sh")).status();
    assert!(copy.expect("cp starts").success(), "a copy of BusyBox");
    let mut config = Bundle::config();
    with_terminal(&mut config);
    // The first one reads a line, and finds the end; then come those that edit their lines and read keys.
    for args in [json!(["/sh", "-c", "read line; exec /sh"]), json!(["/sh"])] {
        config["process"]["args"] = args.clone();
        let output = bundle.write(&config).command(&[], bundle.id()).finish();
        assert!(output.status.success(), "{args}: {}", text(&output.stdout));
    }
    // The end comes when it reads keys already.
    let mut run = bundle
        .command(&[], bundle.id())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let (mut said, mut part) = (String::new(), [0; 64]);
    while !said.contains("# ") {
        let count = run.stdout.as_mut().expect("a pipe").read(&mut part).expect("it says something");
        assert!(count > 0, "it has ended: {said}");
        said += &text(&part[..count]);
    }
    drop(run.stdin.take());
    within(Duration::from_secs(10), "the shell ends", || run.try_wait().expect("our child").is_some());
}
