//! Document 001: a container from the first command to the last, at a terminal. Where the document is wrong about runc,
//! or we do otherwise, the test that shows it says so ("Otherwise:") and why.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::{Value, json};
use testkit::{Terminal, within};

use super::common::{fresh_id, text};
use super::tool::{MyBundle, oci_tool, tool};

/// Step 1: `runc --version`.
///
/// Otherwise: there is no line `go:`; and none for libseccomp, which we do not use.
pub(crate) fn s06_version_is_lines_of_name_and_value() {
    let output = Command::new(testkit::runtime()).arg("--version").output().expect("the runtime starts");
    let out = text(&output.stdout);
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some(concat!("coracle version ", env!("CARGO_PKG_VERSION"))));
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?} in {out}"));
        assert!(!name.is_empty() && !value.is_empty(), "{line:?} in {out}");
    }
    assert!(out.contains("\nspec: 1."), "{out}");
}

/// Steps 5 and 6: `runc spec`, and what is to be verified in the config.
///
/// Otherwise: ociVersion is of the specification that we were written for, not `1.0.2-dev`.
pub(crate) fn s06_spec_writes_what_the_document_verifies() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let spec = || {
        let mut spec = Command::new(testkit::runtime());
        spec.arg("spec").current_dir(&folder).output().expect("the runtime starts")
    };
    let output = spec();
    assert_eq!(
        (output.status.code(), text(&output.stdout), text(&output.stderr)),
        (Some(0), String::new(), String::new())
    );
    let config = std::fs::read(folder.path().join("config.json")).expect("a config");
    let config: Value = serde_json::from_slice(&config).expect("JSON");
    assert_eq!(config["process"]["terminal"], true);
    assert_eq!(config["process"]["args"], json!(["sh"]));
    assert_eq!(config["root"], json!({ "path": "rootfs", "readonly": true }));
    // A second time would overwrite what somebody changed.
    let again = spec();
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("config.json"), "{}", text(&again.stderr));
}

/// Steps 7 to 9: `run`, at a terminal; look around; `exit`.
///
/// Otherwise:
/// - `ls /` shows `run` as well, which step 2 of the document made itself.
/// - `id` names no group 0 where the root filesystem has no /etc/group that does.
/// - `ps aux` is not PID 2, for the shell has had other children before; and a BusyBox whose shell needs no execve for
///   its applets calls it `{ps} sh`.
/// - After `exit` there is no container in `list`, stopped or otherwise: `run` removes it, and runc always did
///   ([`s08_only_a_kept_container_is_listed_as_stopped`]).
pub(crate) fn s06_run_and_explore_inside() {
    let bundle = MyBundle::new(&["--hostname", "boat"]);
    let mut terminal = Terminal::start(&mut bundle.coracle(&["run", &bundle.id]));
    assert_eq!(terminal.ask("hostname"), "boat\n");
    // The container's own, and not the one that we are at.
    let tty = terminal.ask("tty");
    assert!(["/dev/pts/0\n", "/dev/console\n"].contains(&tty.as_str()), "{tty}");
    let root = terminal.ask("ls -1 /");
    assert_eq!(
        root.replace("\x1b[1;34m", "").replace("\x1b[m", ""),
        "bin\ndev\netc\nproc\nroot\nrun\nsys\ntmp\n"
    );
    let id = terminal.ask("id");
    assert!(id.starts_with("uid=0(root) gid=0"), "{id}");
    assert_eq!(terminal.ask("whoami"), "root\n");
    processes(&terminal.ask("ps aux"));
    mounts(&terminal.ask("mount"));
    let numbers = terminal.ask("ls /proc | grep -c '^[0-9]*$'; echo /proc/[0-9]*");
    // The shell; ls; grep.
    assert!(numbers.starts_with("3\n/proc/1\n") || numbers.starts_with("3\n/proc/1 "), "{numbers}");
    let group = terminal.ask("cat /proc/1/cgroup");
    // Its own group; in a cgroup namespace, that is the root.
    let own = format!(":/coracle-{}", bundle.id);
    assert!(
        !group.is_empty() && group.lines().all(|line| line.ends_with(&own) || line.ends_with(":/")),
        "{group}"
    );
    // Meanwhile, outside.
    let state = bundle.state(&bundle.id);
    let listed = bundle.listed(&bundle.id).expect("it is listed");
    let folder = bundle.path().display().to_string();
    assert_eq!(listed[1..4], [state["pid"].to_string(), "running".to_owned(), folder]);
    terminal.wait_for("# ");
    terminal.say("exit");
    let (status, left) = terminal.finish();
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{left}");
    assert_eq!(bundle.listed(&bundle.id), None, "run removes its container");
}

/// "Only see: sh (PID 1), ps": no process of the host.
#[track_caller]
fn processes(ps: &str) {
    let rows: Vec<Vec<_>> = ps.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 2, "{ps}");
    assert_eq!((rows[0][0], rows[0].last()), ("1", Some(&"sh")), "{ps}");
    assert!(ps.lines().nth(2).is_some_and(|row| row.ends_with("ps aux") || row.ends_with("{ps} sh")), "{ps}");
    assert!(rows.iter().all(|row| row[1] == "root"), "{ps}");
}

/// "You will see proc, sysfs, devpts, etc. - all container-local."
#[track_caller]
fn mounts(table: &str) {
    for (place, kind) in
        [("/proc", "proc"), ("/sys", "sysfs"), ("/dev/pts", "devpts"), ("/dev/mqueue", "mqueue")]
    {
        assert!(table.contains(&format!(" on {place} type {kind} ")), "{place}: {table}");
    }
    let root = table.lines().find(|line| line.contains(" on / ")).unwrap_or_default();
    assert!(root.contains("(ro"), "{table}");
}

/// "Alternative: Use runc exec for debugging": create, start, exec, list, kill, delete.
///
/// Otherwise: the document creates a container with a terminal and no console socket. runc refuses that ("cannot
/// allocate tty if runc will detach without setting console socket"), and so do we; and `start` returns at once, so
/// there is no need for `&`. `exec` answers here with a terminal of its own only if it is asked for.
pub(crate) fn s06_create_start_exec_state_kill_delete() {
    let bundle = MyBundle::new(&[]);
    bundle.fails(&["create", &bundle.id], &["/process/terminal", "--console-socket"]);
    assert_eq!(bundle.listed(&bundle.id), None, "nothing is left of it");
    // Without a terminal, and with a program that does not end at the end of its input.
    bundle.change(|config| {
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["sleep", "1000"]);
    });
    bundle.create(&bundle.path(), &bundle.id);
    assert_eq!(bundle.state(&bundle.id)["status"], "created");
    bundle.must(&["start", &bundle.id]);
    let out = bundle.must(&["exec", &bundle.id, "/bin/ls", "/"]);
    assert_eq!(out, "bin\ndev\netc\nproc\nroot\nrun\nsys\ntmp\n");
    let state = bundle.state(&bundle.id);
    assert_eq!((&state["id"], &state["status"]), (&json!(bundle.id), &json!("running")));
    assert_eq!(state["bundle"], json!(bundle.path()));
    assert_eq!(bundle.listed(&bundle.id).expect("it is listed")[2], "running");
    bundle.must(&["kill", &bundle.id, "SIGKILL"]);
    within(Duration::from_secs(5), "it is stopped", || bundle.state(&bundle.id)["status"] == "stopped");
    assert_eq!(bundle.listed(&bundle.id).expect("it is listed")[1..3], ["0", "stopped"]);
    bundle.must(&["delete", &bundle.id]);
    assert_eq!(bundle.listed(&bundle.id), None);
}

/// The same with the terminal that the document's config has: somebody must hold its other end.
pub(crate) fn s06_a_terminal_goes_to_the_console_socket() {
    let bundle = MyBundle::new(&["--hostname", "boat"]);
    let path = bundle.file("console");
    let socket = UnixListener::bind(&path).expect("a socket");
    bundle.must(&["create", "--console-socket", &path.to_string_lossy(), &bundle.id]);
    let mut terminal = Terminal::of(received(&socket));
    bundle.must(&["start", &bundle.id]);
    assert_eq!(terminal.ask("hostname"), "boat\n");
    let tty = terminal.ask("tty; echo $(stat -c %u /dev/console)");
    assert!(tty.contains("/dev/pts/0\n0\n") || tty.contains("/dev/console\n0\n"), "{tty}");
    terminal.wait_for("# ");
    terminal.say("exit 3");
    terminal.finish();
    within(Duration::from_secs(5), "it is stopped", || bundle.state(&bundle.id)["status"] == "stopped");
    bundle.must(&["delete", &bundle.id]);
}

/// The descriptor that comes through the socket.
fn received(socket: &UnixListener) -> OwnedFd {
    let (connection, _) = socket.accept().expect("a connection");
    let (mut bytes, mut space) = ([0; 64], nix::cmsg_space!([i32; 1]));
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message =
        recvmsg::<()>(connection.as_raw_fd(), &mut parts, Some(&mut space), flags).expect("a message");
    let fds = message.cmsgs().expect("control messages").find_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fd = *fds.expect("descriptors").first().expect("one");
    own(fd)
}

#[allow(unsafe_code, reason = "recvmsg gives numbers")]
fn own(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

pub(crate) fn s06_pause_and_resume() {
    let bundle = MyBundle::new(&["--no-terminal", "--args", "sleep 1000"]);
    bundle.start();
    bundle.must(&["pause", &bundle.id]);
    assert_eq!(bundle.listed(&bundle.id).expect("it is listed")[2], "paused");
    bundle.must(&["resume", &bundle.id]);
    assert_eq!(bundle.state(&bundle.id)["status"], "running");
}

/// "runc keeps state files here while the container exists": in /run/runc/ID, we in /run/coracle/ID. The test's own /run
/// is that of nobody else.
pub(crate) fn s06_the_state_is_below_run_coracle() {
    const SCRIPT: &str = "set -e; mount -t tmpfs tmpfs /run
        $1 create $2 >/dev/null 2>&1; test -d /run/coracle/$2; $1 list -q; stat -c %a /run/coracle/$2
        $1 delete $2; ls /run/coracle";
    let bundle = MyBundle::new(&["--no-terminal"]);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", SCRIPT, "sh"]).arg(testkit::runtime()).arg(&bundle.id);
    let output = command.current_dir(bundle.path()).stdin(Stdio::null()).output().expect("unshare starts");
    assert_eq!(text(&output.stdout), format!("{}\n700\n", bundle.id), "{}", text(&output.stderr));
}

/// The document's test of `oci-tool`, with a container instead of a look at its files: one bundle, made once, unchanged
/// under each runtime.
#[track_caller]
fn runs_unchanged(wrap: &[&str], runtime: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join(fresh_id()).display().to_string();
    tool(&["init", "--no-terminal", "--hostname", "boat", "--args", "sh /say", &path]);
    tool(&["prepare", &path]);
    std::fs::write(format!("{path}/rootfs/say"), "hostname; id -u; ls /; echo $$; exit 7\n")
        .expect("a script");
    let tool = oci_tool().display().to_string();
    let words = [wrap, &[&tool, "run", "--runtime", runtime, &path]].concat();
    let output = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "boat\n0\nbin\ndev\netc\nproc\nroot\nrun\nsay\nsys\ntmp\n1\n");
}

pub(crate) fn s07_the_same_bundle_under_coracle() {
    runs_unchanged(&[], &testkit::runtime().display().to_string());
}

pub(crate) fn s07_the_same_bundle_under_runc() {
    runs_unchanged(&[], "runc");
}

/// crun refuses version 2 beside version 1 of the control groups: it is shown version 1 only.
pub(crate) fn s07_the_same_bundle_under_crun() {
    const HIDE: &str = "umount -l /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";
    runs_unchanged(&["unshare", "-m", "sh", "-c", HIDE, "sh"], "crun");
}

/// Step 9 and "Verify container lifecycle": the stopped container is listed until it is deleted.
///
/// Otherwise: only after `run --keep`. Plain `run` leaves none: runc removes its container as well, whatever the
/// document says, and those who call it count on that.
pub(crate) fn s08_only_a_kept_container_is_listed_as_stopped() {
    let bundle = MyBundle::new(&["--no-terminal", "--args", "true"]);
    bundle.must(&["run", &bundle.id]);
    assert_eq!(bundle.listed(&bundle.id), None);
    bundle.must(&["run", "--keep", &bundle.id]);
    let listed = bundle.listed(&bundle.id).expect("it is listed");
    assert_eq!(listed[1..4], ["0".to_owned(), "stopped".to_owned(), bundle.path().display().to_string()]);
    assert_eq!(bundle.state(&bundle.id)["status"], "stopped");
    bundle.must(&["delete", &bundle.id]);
    assert_eq!(bundle.listed(&bundle.id), None);
    // "Delete the container state (if not already done)": then it is an error, that --force takes for success.
    bundle.fails(&["delete", &bundle.id], &["does not exist"]);
    bundle.must(&["delete", "--force", &bundle.id]);
}
