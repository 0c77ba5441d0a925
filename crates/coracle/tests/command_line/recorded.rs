//! Every call that the engines made, each by itself.

use std::fs::File;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{Bundle, Finish};

/// The different calls of `scripts/engines --calls`, one a line. Names of files are called by the option that they belong to, and
/// `ID` is the container's.
const CALLS: &str = include_str!("recorded.txt");

/// The verbs for which a container must have a control group.
const WITH_GROUP: [&str; 4] = ["pause", "resume", "ps", "update"];

pub(crate) fn each_call_of_an_engine_is_understood() {
    let calls: Vec<_> = calls().filter(|call| !WITH_GROUP.contains(&verb(call))).collect();
    assert!(calls.len() > 30, "{calls:?}");
    calls.into_iter().for_each(is_understood);
}

pub(crate) fn each_call_of_an_engine_about_a_group_is_understood() {
    let calls: Vec<_> = calls().filter(|call| WITH_GROUP.contains(&verb(call))).collect();
    assert!(calls.len() > 5, "{calls:?}");
    calls.into_iter().for_each(is_understood);
}

fn calls() -> impl Iterator<Item = &'static str> {
    CALLS.lines().filter(|line| !line.starts_with('#'))
}

/// The verb of a call; empty where it has none.
fn verb(call: &str) -> &str {
    let verbs = "create start run exec state list kill delete pause resume ps update features events checkpoint restore";
    call.split_whitespace().find(|word| verbs.split(' ').any(|verb| verb == *word)).unwrap_or_default()
}

/// It does what it says to a container that is ready for it, without a word on standard error or in the log.
fn is_understood(call: &str) {
    let bundle = boat(call);
    let (id, verb) = (bundle.id(), verb(call));
    let before: &[&[&str]] = match verb {
        "" | "create" | "run" | "list" | "features" => &[],
        "start" => &[&["create"]],
        "resume" => &[&["create"], &["start"], &["pause"]],
        "delete" if !call.contains("--force") => &[&["create"], &["start"], &["kill", "KILL"]],
        _ => &[&["create"], &["start"]],
    };
    for words in before {
        match words {
            ["create"] => bundle.create(id),
            ["kill", signal] => {
                bundle.must(&["kill", id, signal]);
                bundle.wait_for(id, "stopped");
            }
            [verb, ..] => drop(bundle.must(&[verb, id])),
            [] => {}
        }
        if words[0] == "start" {
            bundle.ready();
        }
    }
    // It ends with this function.
    let _terminal = UnixListener::bind(bundle.path().join("console-socket")).expect("a socket");
    let said = made(&bundle, call);
    let log = std::fs::read_to_string(bundle.path().join("log")).unwrap_or_default();
    assert_eq!(log, "", "{call}: its log");
    let status = || bundle.state_of(id)["status"].clone();
    match verb {
        "" => assert!(said.contains("spec: "), "{call}: {said}"),
        "list" => assert_eq!(said.is_empty(), call.contains("--quiet"), "{call}: {said}"),
        "features" | "state" | "ps" => {
            assert!(serde_json::from_str::<Value>(&said).is_ok(), "{call}: {said}");
        }
        "create" => assert_eq!(status(), "created", "{call}"),
        "pause" => assert_eq!(status(), "paused", "{call}"),
        "run" | "delete" => assert!(bundle.left().is_empty(), "{call}: {:?}", bundle.left()),
        "kill" if call.ends_with(" 9") || call.ends_with(" 15") => bundle.wait_for(id, "stopped"),
        _ => assert_eq!(status(), "running", "{call}"),
    }
    if call.contains("PID-FILE") {
        let pid = std::fs::read_to_string(bundle.path().join("pid-file")).expect("a pid file");
        assert!(pid.parse::<u32>().is_ok(), "{call}: {pid:?}");
    }
    bundle.must(&["delete", "--force", id]);
}

/// A bundle with all that is named in the call.
fn boat(call: &str) -> Bundle {
    let (bundle, mut config) = (Bundle::new(), Bundle::config());
    let has_terminal = call.contains("CONSOLE-SOCKET");
    let wait = json!(["/probe", "wait-signal", "TERM"]);
    config["process"]["args"] =
        if verb(call) == "run" { json!(["/probe", "exit", "0"]) } else { wait.clone() };
    config["process"]["terminal"] = json!(has_terminal && verb(call) == "create");
    for (destination, kind) in [("/dev", "tmpfs"), ("/dev/pts", "devpts")] {
        let mount = json!({ "destination": destination, "type": kind, "source": kind });
        config["mounts"].as_array_mut().expect("a list").push(mount);
    }
    let process = json!({ "args": wait, "cwd": "/", "env": ["PATH=/"], "terminal": has_terminal });
    std::fs::write(bundle.path().join("process"), process.to_string()).expect("a file");
    std::fs::write(bundle.path().join("resources"), RESOURCES).expect("a file");
    bundle.write(&config);
    bundle
}

/// As dockerd says what it does not want to change.
const RESOURCES: &str =
    r#"{"memory":{"limit":0,"swap":0},"cpu":{"shares":77,"quota":0,"period":0},"blockIO":{"weight":0}}"#;

/// Makes the call, which must succeed in silence. Returns its standard output.
#[track_caller]
fn made(bundle: &Bundle, call: &str) -> String {
    let path = |name: &str| bundle.path().join(name).display().to_string();
    let of_option = |word: &str| match word {
        "ID" => bundle.id().to_owned(),
        "BUNDLE" => bundle.path().display().to_string(),
        "ROOT" => bundle.state().display().to_string(),
        "LOG" | "PID-FILE" | "PROCESS" | "CONSOLE-SOCKET" | "RESOURCES" | "IMAGE-PATH" | "WORK-PATH" => {
            path(&word.to_lowercase())
        }
        word => word.to_owned(),
    };
    let fill = |word: &str| match word.split_once('=') {
        Some((option, value)) => format!("{option}={}", of_option(value)),
        None => of_option(word),
    };
    let root = bundle.state().display().to_string();
    let own_root = if call.contains("--root ROOT") { vec![] } else { vec!["--root".to_owned(), root] };
    // Descriptor 3 is there, for those who hand it on.
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3</dev/null; exec \"$@\"", "sh"]).arg(testkit::runtime());
    command.args(own_root).args(call.split_whitespace().map(fill));
    let read = || File::open(bundle.path().join("resources")).expect("a file");
    command.stdin(if call.contains("--resources -") { read().into() } else { Stdio::null() });
    // The container outlives the call, and would hold a pipe open.
    let file = |name: &str| File::create(bundle.path().join(name)).expect("a file");
    command.stdout(file("said")).stderr(file("errors"));
    let status = command.finish().status;
    let read = |name: &str| std::fs::read_to_string(bundle.path().join(name)).expect("a file");
    // Whether CRIU is here, and can do it, is not this test's question.
    if verb(call) == "checkpoint" {
        assert!(status.success() || read("errors").contains("criu"), "{call}: {}", read("errors"));
        std::fs::write(bundle.path().join("log"), "").expect("a file");
    } else {
        assert_eq!((status.code(), read("errors")), (Some(0), String::new()), "{call}");
    }
    read("said")
}
