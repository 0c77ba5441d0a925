//! The command line as engines write it: what drives an OCI runtime must be able to drive this one.

mod common;

use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::{Value, json};
use testkit::prelude::*;

use common::{Bundle, Leaks, mounts, text};

testkit::suite! { "command_line",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        the_calls_of_engines_are_understood(userns),
        a_terminal_goes_to_conmons_socket(userns),
        the_calls_that_count_processes_are_understood(root, cgroup),
        options_stand_before_or_behind_the_id(userns),
        options_end_at_the_id_where_a_program_follows(userns),
        a_switch_may_have_a_value(userns),
        the_version_is_in_lines(),
        an_error_of_the_command_line_is_one_record(),
        a_log_behind_the_verb_is_the_programs(),
        an_absurd_count_of_descriptors_is_refused(),
        the_log_is_none_of_the_callers_descriptors(),
        sockets_and_descriptors_count_together(userns),
        a_pidfd_goes_to_its_socket(userns),
        a_pidfd_socket_that_nobody_listens_on_is_an_error(userns),
        a_root_is_changed_without_pivot_root(userns),
        what_was_below_a_moved_root_is_off(userns, busybox),
        signal_0_asks_whether_it_runs(userns),
    ]
}

/// A bundle whose program waits until it is told to end.
fn waiting() -> Bundle {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]);
    bundle
}

/// What stands for the names of a bundle in a row: `BUNDLE`, `ID`, and files in the bundle's folder (`@pid`).
fn filled(bundle: &Bundle, row: &str) -> Vec<String> {
    let path = |name: &str| bundle.path().join(name).display().to_string();
    row.split_whitespace()
        .map(|word| match word {
            "BUNDLE" => bundle.path().display().to_string(),
            "ID" => bundle.id().to_owned(),
            word => {
                word.split_once('@').map_or(word.to_owned(), |(head, name)| head.to_owned() + &path(name))
            }
        })
        .collect()
}

/// The call succeeds, and says nothing on standard error. Files of its own take its output: a container outlives it, and
/// would hold a pipe open. Returns its standard output.
#[track_caller]
fn accepted(bundle: &Bundle, row: &str) -> String {
    let file = || tempfile::NamedTempFile::new_in(bundle.path()).expect("a file");
    let (out, err) = (file(), file());
    let words = filled(bundle, row);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let stdio = |file: &tempfile::NamedTempFile| file.reopen().expect("our file");
    let creates = words.contains(&"create");
    let stdout = if creates {
        std::fs::File::create(bundle.output(bundle.id())).expect("a file")
    } else {
        stdio(&out)
    };
    let status = bundle.coracle(&words).stdout(stdout).stderr(stdio(&err)).status();
    let said = |file: &tempfile::NamedTempFile| std::fs::read_to_string(file.path()).expect("its output");
    assert_eq!((status.expect("it starts").code(), said(&err)), (Some(0), String::new()), "{row}");
    said(&out)
}

/// Rows of verbs that must be silent altogether end with `.`; the others report. `...` waits until the container has
/// stopped.
fn the_calls_of_engines_are_understood() {
    let rows = [
        // conmon, with podman's options.
        "--log-format=json --log @log --cgroup-manager cgroupfs create --bundle BUNDLE --pid-file @pid --no-new-keyring ID .",
        "--log-format=json --log @log --cgroup-manager disabled start ID .",
        "exec --pid-file @pid --process @process.json --detach ID .",
        "exec --pid-file @pid --process @process.json --detach --preserve-fds 0 ID .",
        "--log-format=json --log @log state ID",
        "kill --all=false ID 0 .",
        "kill ID 15 .",
        "...",
        "--log-format=json --log @log delete --force ID .",
        // containerd and BuildKit, by go-runc.
        "--debug --log @log --log-format json --rootless=false create --bundle BUNDLE --pid-file @pid --no-new-keyring ID .",
        "--log @log --log-format json start ID .",
        "--log @log --log-format json --rootless=true exec --process @process.json --detach --pid-file @pid ID .",
        "--log @log --log-format json list --format=json",
        "--log @log --log-format json --rootless features",
        "--log @log --log-format json --criu /usr/sbin/criu kill ID 9 .",
        "...",
        "--log @log --log-format json delete ID .",
        "run --bundle BUNDLE --detach --keep --no-subreaper ID .",
        "delete --force ID .",
        "--log @log --log-format json delete --force nobody .",
        // CRI-O: conmon, and signals by name.
        "--systemd-cgroup=false create --bundle BUNDLE --pid-file @pid ID .",
        "start ID .",
        "kill ID TERM .",
        "...",
        "delete ID .",
        // buildah.
        "create --bundle BUNDLE --pid-file @pid ID .",
        "start ID .",
        "state ID",
        "kill ID .",
        "...",
        "delete ID .",
    ];
    let bundle = waiting();
    let process = json!({
        "args": ["/probe", "wait-signal", "TERM"], "cwd": "/", "env": ["PATH=/"], "user": { "uid": 0, "gid": 0 },
    });
    std::fs::write(bundle.path().join("process.json"), process.to_string()).expect("a file");
    for row in rows {
        match row.strip_suffix(" .") {
            _ if row == "..." => bundle.wait_for(bundle.id(), "stopped"),
            Some(row) if row.ends_with("start ID") => {
                assert_eq!(accepted(&bundle, row), "", "{row}");
                bundle.ready();
            }
            // Its program may have said something by now.
            Some(row) if row.contains("create") || row.contains("exec") || row.contains("run") => {
                accepted(&bundle, row);
            }
            Some(row) => assert_eq!(accepted(&bundle, row), "", "{row}"),
            None => assert!(serde_json::from_str::<Value>(&accepted(&bundle, row)).is_ok(), "{row}"),
        }
    }
    let log = std::fs::read_to_string(bundle.path().join("log")).unwrap_or_default();
    assert_eq!(log, "", "nothing failed");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

fn a_terminal_goes_to_conmons_socket() {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    config["process"]["args"] = json!(["/probe", "wait-signal", "TERM"]);
    config["process"]["terminal"] = json!(true);
    for (destination, kind) in [("/dev", "tmpfs"), ("/dev/pts", "devpts")] {
        let mount = json!({ "destination": destination, "type": kind, "source": kind });
        config["mounts"].as_array_mut().expect("a list").push(mount);
    }
    bundle.write(&config);
    let _listener = UnixListener::bind(bundle.path().join("console")).expect("a socket");
    accepted(&bundle, "create --bundle BUNDLE --pid-file @pid --console-socket @console ID");
    accepted(&bundle, "start ID");
    accepted(&bundle, "exec --tty --detach --console-socket @console --pid-file @pid ID /probe hold");
    accepted(&bundle, "delete --force ID");
}

fn the_calls_that_count_processes_are_understood() {
    let bundle = waiting();
    accepted(&bundle, "create --bundle BUNDLE ID");
    accepted(&bundle, "start ID");
    for row in ["ps --format json ID", "ps -f json ID", "--debug ps --format=json ID"] {
        let pids: Value = serde_json::from_str(&accepted(&bundle, row)).expect("JSON");
        assert_eq!(pids, json!([bundle.state_of(bundle.id())["pid"]]), "{row}");
    }
    for row in ["pause ID", "resume ID", "kill --all ID 0", "kill -a ID KILL"] {
        assert_eq!(accepted(&bundle, row), "", "{row}");
    }
    bundle.wait_for(bundle.id(), "stopped");
}

fn options_stand_before_or_behind_the_id() {
    let bundle = waiting();
    accepted(&bundle, "create ID --pid-file @pid --bundle BUNDLE");
    assert!(bundle.path().join("pid").exists(), "--pid-file behind the id is not lost");
    accepted(&bundle, "start ID");
    let error = bundle.must_fail(&["delete", bundle.id(), "another"], 1);
    assert!(error.contains("another"), "{error}");
    accepted(&bundle, "delete ID --force");
    accepted(&bundle, "run ID --bundle BUNDLE -d");
}

fn options_end_at_the_id_where_a_program_follows() {
    let bundle = waiting();
    accepted(&bundle, "create --bundle BUNDLE ID");
    accepted(&bundle, "start ID");
    for program in ["-t", "--help", "--cwd", "--"] {
        let error = bundle.must_fail(&["exec", bundle.id(), program], 255);
        assert!(error.contains(&format!("exec: {program:?}: executable file not found")), "{error}");
    }
    let output = bundle.call(&["exec", bundle.id(), "/probe", "--help"]);
    assert!(text(&output.stdout).contains("usage: probe"), "{}", text(&output.stdout));
    for signal in ["-a", "--all", "--help"] {
        let error = bundle.must_fail(&["kill", bundle.id(), signal], 1);
        assert!(error.contains(&format!("unknown signal {signal:?}")), "{error}");
    }
    for verb in ["exec", "kill", "ps"] {
        let error =
            bundle.must_fail(&[verb, "--nonsense", bundle.id()], if verb == "exec" { 255 } else { 1 });
        assert!(error.contains("--nonsense"), "{error}");
        let error = bundle.must_fail(&[verb], if verb == "exec" { 255 } else { 1 });
        assert!(error.contains("ID") && error.contains(&format!("coracle {verb} [OPTIONS] ID")), "{error}");
    }
    let error = bundle.must_fail(&["kill", bundle.id(), "TERM", "more"], 1);
    assert!(error.contains("more"), "{error}");
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}

fn a_switch_may_have_a_value() {
    let bundle = waiting();
    accepted(&bundle, "run --bundle BUNDLE --detach=true --keep=false ID");
    let session = accepted(&bundle, "exec --tty=false --detach=false --no-new-privs=true ID /probe");
    let session: Value = serde_json::from_str(&session).expect("the probe's report");
    assert_eq!(session["no_new_privs"], true);
    let session = accepted(&bundle, "exec --no-new-privs=false ID /probe");
    let session: Value = serde_json::from_str(&session).expect("the probe's report");
    assert_eq!(session["no_new_privs"], false);
    // What is behind the id stays the program's.
    let error = bundle.must_fail(&["exec", "--tty=false", bundle.id(), "--tty=false"], 255);
    assert!(error.contains("exec: \"--tty=false\": executable file not found"), "{error}");
    let error = bundle.must_fail(&["delete", "--force=false", bundle.id()], 1);
    assert!(error.contains("is running"), "{error}");
    let error = bundle.must_fail(&["delete", "--force=perhaps", bundle.id()], 1);
    assert!(error.contains("perhaps"), "{error}");
    accepted(&bundle, "delete --force=true ID");
    assert!(!bundle.must(&["delete", "--help"]).contains("BOOL"), "the help is as short as before");
}

fn the_version_is_in_lines() {
    let bundle = Bundle::new();
    for option in ["--version", "-v", "-V"] {
        let said = bundle.must(&[option]);
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert!(lines[0].starts_with("coracle version ") && lines[1].starts_with("commit: "), "{said}");
        assert_eq!(lines[2], "spec: 1.3.0");
    }
}

fn an_error_of_the_command_line_is_one_record() {
    for (options, verb, code) in [
        ("--log @log --log-format json", "start --nonsense ID", 1),
        ("--log=@log --log-format=json", "start", 1),
        ("--log-format=json --log @log --cgroup-manager disabled", "create --preserve-fds many ID", 1),
        ("--debug --log @log --log-format json", "exec --nonsense ID", 255),
        ("--nonsense --log @log --log-format json", "exec ID", 255),
        ("--log @log --log-format json", "fly ID", 1),
    ] {
        let bundle = Bundle::new();
        let args = filled(&bundle, &format!("{options} {verb}"));
        let stderr = bundle.must_fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), code);
        let log = std::fs::read_to_string(bundle.path().join("log")).expect("a log");
        assert_eq!(log.lines().count(), 1, "{log}");
        let said: Value = serde_json::from_str(&log).expect("JSON");
        assert_eq!(said["level"], "error", "{said}");
        assert!(said["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{said}");
        let begin = said["msg"].as_str().expect("a text").split(':').next().unwrap_or_default();
        assert!(!begin.is_empty() && stderr.contains(begin), "{said}: {stderr}");
    }
    let bundle = Bundle::new();
    let args = filled(&bundle, "--log @log start");
    bundle.must_fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    let log = std::fs::read_to_string(bundle.path().join("log")).expect("a log");
    assert!(log.lines().count() == 1 && log.contains("level=error"), "{log}");
}

fn a_log_behind_the_verb_is_the_programs() {
    let bundle = Bundle::new();
    let args = filled(&bundle, "exec --nonsense ID /probe --log @log");
    bundle.must_fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), 255);
    assert!(!bundle.path().join("log").exists(), "a file that was meant for the program");
}

/// `coracle ARGS` from a shell that opens what `redirections` say. The test itself has more descriptors than that.
fn shell(bundle: &Bundle, row: &str, redirections: &str) -> Command {
    let words = filled(bundle, row);
    let call = bundle.coracle(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {redirections}; {}", LISTEN), "sh"]);
    shell.arg(call.get_program()).args(call.get_args()).stdin(Stdio::null());
    shell
}

/// The sockets of a service manager are for one process only, which its number tells.
const LISTEN: &str = "LISTEN_PID=$$; export LISTEN_PID; exec \"$@\"";

fn an_absurd_count_of_descriptors_is_refused() {
    let bundle = Bundle::new();
    bundle.args(&["/probe"]);
    for count in ["1", "4294967292", "4294967293", "4294967295"] {
        for (row, listen, code) in
            [("create --bundle BUNDLE", "", 1), ("run --bundle BUNDLE", "4294967295", 1), ("exec", "", 255)]
        {
            let mut call = shell(&bundle, &format!("{row} --preserve-fds {count} ID"), "3<&-");
            let output = call.env("LISTEN_FDS", listen).output().expect("a shell starts");
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{row} {count}: {error}");
            assert!(error.contains(&format!("--preserve-fds {count}")), "{row}: {error}");
            assert!(error.contains("descriptor 3 is not open"), "{row} {count}: {error}");
        }
    }
}

fn the_log_is_none_of_the_callers_descriptors() {
    let bundle = Bundle::new();
    bundle.args(&["/probe"]);
    let row = "--log @log --log-format json --explain run --bundle BUNDLE --preserve-fds 1 ID";
    let output = shell(&bundle, row, "3<&-").output().expect("a shell starts");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("descriptor 3 is not open"), "{error}");
    let log = std::fs::read_to_string(bundle.path().join("log")).expect("a log");
    assert_eq!(log.lines().count(), 1, "{log}");
}

fn sockets_and_descriptors_count_together() {
    let bundle = Bundle::new();
    bundle.args(&["/probe"]);
    let row = "run --bundle BUNDLE --preserve-fds 1 ID";
    let mut call = shell(&bundle, row, "3</dev/null 4</dev/zero 5</dev/null");
    let output = call.env("LISTEN_FDS", "1").output().expect("a shell starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
    let fds: Vec<_> = report["fds"].as_object().expect("descriptors").keys().collect();
    assert_eq!(fds, ["0", "1", "2", "3", "4"], "{}", report["fds"]);
    assert_eq!((&report["env"]["LISTEN_FDS"], &report["env"]["LISTEN_PID"]), (&json!("1"), &json!("1")));
    // Each count alone would be there.
    let output =
        shell(&bundle, row, "3</dev/null 4<&-").env("LISTEN_FDS", "1").output().expect("a shell starts");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("LISTEN_FDS=1: descriptor 4 is not open"), "{error}");
}

fn signal_0_asks_whether_it_runs() {
    let bundle = waiting();
    accepted(&bundle, "create --bundle BUNDLE ID");
    accepted(&bundle, "kill ID 0");
    accepted(&bundle, "start ID");
    accepted(&bundle, "kill ID 0");
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
    accepted(&bundle, "kill ID KILL");
    within(Duration::from_secs(5), "it has stopped", || bundle.state_of(bundle.id())["status"] == "stopped");
    let error = bundle.must_fail(&["kill", bundle.id(), "0"], 1);
    assert!(error.contains("container not running"), "{error}");
}

/// The number of the process whose pidfd is the next that somebody sends to `listener`.
fn pid_received(listener: &UnixListener) -> i32 {
    listener.set_nonblocking(true).expect("a socket");
    let mut connection = None;
    within(Duration::from_secs(5), "somebody connects", || {
        connection = listener.accept().ok();
        connection.is_some()
    });
    let (connection, _) = connection.expect("a connection");
    let mut bytes = [0; 64];
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message =
        recvmsg::<()>(connection.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC);
    let message = message.expect("a message");
    let fds = message.cmsgs().expect("control messages").find_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fds = fds.expect("descriptors");
    let told =
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fds[0])).expect("what the descriptor is");
    nix::unistd::close(fds[0]).expect("close");
    let pid = told.lines().find_map(|line| line.strip_prefix("Pid:")).expect("a pidfd");
    pid.trim().parse().expect("a number")
}

fn a_pidfd_goes_to_its_socket() {
    let bundle = waiting();
    let listener = UnixListener::bind(bundle.path().join("socket")).expect("a socket");
    let number = |name: &str| -> i32 {
        std::fs::read_to_string(bundle.path().join(name)).expect("the pid file").parse().expect("a number")
    };
    accepted(&bundle, "create --bundle BUNDLE --pid-file @pid --pidfd-socket @socket ID");
    assert_eq!(pid_received(&listener), number("pid"));
    accepted(&bundle, "start ID");
    accepted(&bundle, "exec --detach --pid-file @pid2 --pidfd-socket @socket ID /probe hold");
    assert_eq!(pid_received(&listener), number("pid2"));
    accepted(&bundle, "delete --force ID");
    accepted(&bundle, "run --detach --bundle BUNDLE --pid-file @pid3 --pidfd-socket @socket ID");
    assert_eq!(pid_received(&listener), number("pid3"));
    accepted(&bundle, "delete --force ID");
}

fn a_pidfd_socket_that_nobody_listens_on_is_an_error() {
    let bundle = waiting();
    for verb in ["create", "run"] {
        let row = format!("{verb} --bundle BUNDLE --pid-file @pid --pidfd-socket @socket ID");
        let words = filled(&bundle, &row);
        let mut call = bundle.coracle(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let leaks = Leaks::watch(&mut call, bundle.id());
        let output = call.output().expect("the runtime starts");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{row}: {error}");
        assert!(error.contains("whoever gives --pidfd-socket must listen on it"), "{row}: {error}");
        leaks.assert_none(&bundle, verb);
        assert!(!bundle.path().join("pid").exists(), "the pid file comes last");
    }
}

fn a_root_is_changed_without_pivot_root() {
    let bundle = Bundle::new();
    let report = |bundle: &Bundle| -> Value {
        serde_json::from_str(&accepted(bundle, "run --no-pivot --bundle BUNDLE ID")).expect("a report")
    };
    let of = |report: &Value| -> Vec<Value> {
        let mounts = report["mounts"].as_array().expect("mounts");
        // The devices of a user namespace are mounts.
        let points = mounts.iter().map(|mount| mount["mountpoint"].clone());
        points.filter(|point| !point.as_str().is_some_and(|point| point.starts_with("/dev/"))).collect()
    };
    for readonly in [false, true] {
        let mut config = Bundle::config();
        config["root"]["readonly"] = json!(readonly);
        let report = report(bundle.write(&config));
        assert_eq!(report["root_entries"], json!(["dev", "probe", "proc", "tmp"]));
        assert_eq!(of(&report), ["/", "/proc"]);
        assert_eq!(report["mounts"][0]["options"][0], if readonly { "ro" } else { "rw" });
    }
    // Here mounts spread to whoever shares them: not to us.
    let before = mounts();
    let mut config = Bundle::config();
    config["linux"]["rootfsPropagation"] = json!("rshared");
    report(bundle.write(&config));
    assert_eq!(mounts(), before);
}

/// Whoever has a /proc that hides nothing may mount another (mount_namespaces(7)); a container's hides some.
fn what_was_below_a_moved_root_is_off() {
    let bundle = Bundle::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/fetch-busybox");
    let busybox = Command::new(script).output().expect("fetch-busybox starts");
    std::fs::copy(text(&busybox.stdout).trim(), bundle.path().join("rootfs/busybox"))
        .expect("a copy of BusyBox");
    let inner = "/busybox mount -t proc proc /tmp && echo mounted";
    for option in ["--no-pivot", "--no-pivot=false"] {
        for (masked, told) in [(json!(["/proc/uptime"]), ""), (json!([]), "mounted\n")] {
            let mut config = Bundle::config();
            config["linux"]["maskedPaths"] = masked.clone();
            let words = ["/busybox", "unshare", "-U", "-r", "-m", "-p", "-f", "/busybox", "sh", "-c", inner];
            config["process"]["args"] = json!(words);
            // Without it, nobody may map id 0 (user_namespaces(7)).
            let one = ["CAP_SETFCAP"];
            config["process"]["capabilities"] =
                json!({ "bounding": one, "permitted": one, "effective": one });
            let words = filled(bundle.write(&config), &format!("run {option} --bundle BUNDLE ID"));
            let output = bundle.call(&words.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(text(&output.stdout), told, "{option} {masked}: {}", text(&output.stderr));
        }
    }
}
