//! The calls of engines, word for word.

use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use crate::common::Bundle;
use crate::{accepted, waiting};

/// Rows of verbs that must be silent altogether end with `.`; the others report. `...` waits until the container has
/// stopped.
pub(crate) fn the_calls_of_engines_are_understood() {
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
    // An engine says "false" to a runtime that is root: one that is not would have to make a control group then.
    let rootless = if nix::unistd::geteuid().is_root() { "--rootless=false" } else { "--rootless=auto" };
    for row in rows.map(|row| row.replace("--rootless=false", rootless)) {
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
            None => assert!(serde_json::from_str::<Value>(&accepted(&bundle, &row)).is_ok(), "{row}"),
        }
    }
    let log = std::fs::read_to_string(bundle.path().join("log")).unwrap_or_default();
    assert_eq!(log, "", "nothing failed");
    assert!(bundle.left().is_empty(), "{:?}", bundle.left());
}

pub(crate) fn a_terminal_goes_to_conmons_socket() {
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

pub(crate) fn the_calls_that_count_processes_are_understood() {
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
