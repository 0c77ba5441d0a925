//! What is wrong around the config: rights, room, other containers, descriptors.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::common::{Bundle, fresh_id, text};
use super::refused_command;

/// `command` as the arguments of a shell's script.
fn in_a_shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    shell
}

/// The same in a mount namespace of its own, with the state directory as the first argument.
fn in_private_mounts(script: &str, bundle: &Bundle, command: &Command) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["-m", "sh", "-c", script]).arg(bundle.state());
    unshare.arg(command.get_program()).args(command.get_args());
    unshare
}

pub(crate) fn a_hidden_hierarchy_is_missed_by_its_controllers_name() {
    const HIDE: &str = "umount -l /sys/fs/cgroup/pids && exec \"$@\"";
    // On version 2 alone there is nothing to be hidden.
    if !Path::new("/sys/fs/cgroup/pids/tasks").exists() {
        return;
    }
    let (bundle, mut config, id) = (Bundle::new(), Bundle::config(), fresh_id());
    config["linux"]["resources"] = json!({ "pids": { "limit": 5 } });
    bundle.write(&config);
    let command = in_private_mounts(HIDE, &bundle, &bundle.command(&[], &id));
    refused_command("a hidden hierarchy", &bundle, command, &id, &["/linux/resources/pids", "controller"]);
}

pub(crate) fn without_privilege_the_cure_is_root_or_a_user_namespace() {
    let bundle = Bundle::new();
    // For nobody to get in, and to have a state directory.
    fs::set_permissions(bundle.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::create_dir(bundle.state()).expect("a folder");
    chown(bundle.state(), Some(65534), Some(65534)).expect("chown");
    let as_nobody = |command: &Command| {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        setpriv.arg(command.get_program()).args(command.get_args());
        setpriv
    };
    let (mut config, id) = (Bundle::config(), fresh_id());
    bundle.write(&config);
    let command = as_nobody(&bundle.command(&[], &id));
    let words = ["clone3", "operation not permitted", "run as root, or with a user namespace"];
    refused_command("no privilege", &bundle, command, &id, &words);
    config["linux"]["cgroupsPath"] = json!(format!("/coracle-{id}"));
    bundle.write(&config);
    let command = as_nobody(&bundle.command(&[], &id));
    refused_command(
        "no privilege over control groups",
        &bundle,
        command,
        &id,
        &["mkdir /sys/fs/cgroup", "permission denied", "run as root"],
    );
    chown(bundle.state(), Some(0), Some(0)).expect("chown");
    fs::set_permissions(bundle.state(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let command = as_nobody(&bundle.command(&[], &id));
    let (state, words) =
        (bundle.state().display().to_string(), ["permission denied", "--root DIR before the verb"]);
    refused_command(
        "somebody else's state",
        &bundle,
        command,
        &id,
        &[&[state.as_str()], &words[..]].concat(),
    );
}

/// Each row: the options of the file system at the state directory, and the words.
pub(crate) fn a_state_directory_that_cannot_be_written_is_named() {
    let rows = [
        ("read-only", "ro", "mkdir", "read-only file system"),
        ("not even a directory", "nr_inodes=1", "mkdir", "no space left on device"),
        ("not even a file", "nr_inodes=2", "write", "no space left on device"),
        ("half a file", "size=4k", "write", "no space left on device"),
    ];
    for (row, options, call, cause) in rows {
        let (bundle, mut config, id) = (Bundle::new(), Bundle::config(), fresh_id());
        config["annotations"] = json!({ "long": "x".repeat(6000) });
        bundle.write(&config);
        fs::create_dir(bundle.state()).expect("a folder");
        // What is left there goes with the mount: it is told on standard output, where nothing may be.
        let script = format!("mount -t tmpfs -o {options} tmpfs $0; \"$@\"; code=$?; ls -A $0; exit $code");
        let command = in_private_mounts(&script, &bundle, &bundle.command(&[], &id));
        let state = bundle.state().display().to_string();
        refused_command(row, &bundle, command, &id, &[&state, call, cause, "--root DIR before the verb"]);
    }
    // A container that waits for start needs a socket as well, and room to replace its state.
    for inodes in 3..=6 {
        let (bundle, id) = (Bundle::new(), fresh_id());
        bundle.write(&Bundle::config());
        fs::create_dir(bundle.state()).expect("a folder");
        let script = format!(
            "mount -t tmpfs -o nr_inodes={inodes} tmpfs $0; \"$@\" && \"$1\" --root $0 delete {id} && exit 0; ls -A $0; exit 1"
        );
        let path = bundle.path().display().to_string();
        let command =
            in_private_mounts(&script, &bundle, &bundle.coracle(&["create", "--bundle", &path, &id]));
        if inodes == 6 {
            let output = { command }.stdout(std::process::Stdio::null()).status().expect("it starts");
            assert!(output.success(), "6 are enough: {output}");
            break;
        }
        let row = format!("{inodes} inodes");
        refused_command(
            &row,
            &bundle,
            command,
            &id,
            &["/state/", "no space left on device", "--root DIR before the verb"],
        );
    }
}

/// A bundle with a container that waits.
fn waiting() -> Bundle {
    let bundle = Bundle::new();
    bundle.args(&["/probe", "wait-signal", "TERM"]);
    bundle.create(bundle.id());
    bundle
}

pub(crate) fn an_id_that_is_taken_stays_the_others() {
    let bundle = waiting();
    let (id, before) = (bundle.id(), bundle.state_of(bundle.id()));
    let path = bundle.path().display().to_string();
    for verb in ["create", "run"] {
        let error = bundle.must_fail(&[verb, "--bundle", &path, id], 1);
        for word in [&format!("container id {id:?} already exists"), &format!("coracle delete {id}")] {
            assert!(error.contains(word.as_str()), "{verb}: {error}");
        }
        assert_eq!(bundle.state_of(id), before, "{verb}");
    }
    bundle.must(&["start", id]);
    assert_eq!(bundle.left().len(), 1);
}

pub(crate) fn an_unknown_signal_is_sent_to_nobody() {
    let bundle = waiting();
    bundle.must(&["start", bundle.id()]);
    for name in ["SIGNOPE", "", "-1", "65", "999999999999", "TERM ", "SIGSIGTERM"] {
        for options in [&[] as &[&str], &["--all"]] {
            let error = bundle.must_fail(&[&["kill"], options, &["--", bundle.id(), name]].concat(), 1);
            let words = format!("unknown signal {name:?}: give a name such as TERM");
            assert!(error.contains(&words), "{name:?} {options:?}: {error}");
        }
    }
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}

pub(crate) fn exec_into_what_does_not_run_is_255_and_says_why() {
    let bundle = waiting();
    let id = bundle.id();
    let refuses = |row: &str, id: &str, words: &[&str]| {
        let error = bundle.must_fail(&["exec", id, "/probe"], 255);
        for word in words {
            assert!(error.contains(word), "{row}: no {word:?} in {error}");
        }
    };
    refuses("unknown", "nobody", &["container \"nobody\" does not exist", "coracle list"]);
    refuses("no id at all", "../nobody", &["does not exist"]);
    refuses("created", id, &[id, "is created", "start"]);
    bundle.must(&["start", id]);
    bundle.must(&["kill", id, "KILL"]);
    bundle.wait_for(id, "stopped");
    refuses("stopped", id, &["container not running", id]);
}

pub(crate) fn exec_into_a_paused_container_says_so() {
    let bundle = waiting();
    let id = bundle.id();
    bundle.must(&["start", id]);
    bundle.must(&["pause", id]);
    let error = bundle.must_fail(&["exec", id, "/probe"], 255);
    assert!(error.contains(id) && error.contains("is paused") && error.contains("resume"), "{error}");
    assert_eq!(bundle.state_of(id)["status"], "paused");
    bundle.must(&["resume", id]);
}

/// A program whose descriptor 0, 1 or 2 is closed gives that number to the next file that it opens: what it then says
/// goes there. So they are never closed inside; /dev/null is in their place.
pub(crate) fn a_closed_descriptor_is_an_open_one_inside() {
    let run = |bundle: &Bundle, redirections: &str| -> Output {
        let command = bundle.command(&[], bundle.id());
        in_a_shell(&format!("exec \"$@\" {redirections}"), &command).output().expect("a shell starts")
    };
    for (redirections, closed) in [("<&-", &["0"][..]), ("2>&-", &["2"]), ("<&- 2>&-", &["0", "2"])] {
        let bundle = Bundle::new();
        let output = run(bundle.args(&["/probe"]), redirections);
        assert_eq!(output.status.code(), Some(0), "{redirections}: {}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).expect("the probe's report");
        let fds = report["fds"].as_object().expect("descriptors");
        assert_eq!(fds.keys().collect::<Vec<_>>(), ["0", "1", "2"], "{redirections}: {fds:?}");
        for number in closed {
            assert!(fds[*number].to_string().contains("/dev/null"), "{redirections}: {fds:?}");
        }
    }
    // The words of the program are lost, and go nowhere else; its status is not.
    let bundle = Bundle::new();
    let output = run(bundle.args(&["/probe", "exit", "3"]), ">&-");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), String::new()));
}

/// The end of a pipe whose other end is closed already.
fn broken_pipe() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer
}

pub(crate) fn a_pipe_that_nobody_reads_is_an_error() {
    let bundle = waiting();
    let id = bundle.id();
    bundle.must(&["start", id]);
    for words in
        [&["list"][..], &["list", "--quiet"], &["list", "--format", "json"], &["state", id], &["features"]]
    {
        let output = bundle.coracle(words).stdout(broken_pipe()).output().expect("the runtime starts");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {error}");
        assert!(error.contains("write to standard output: broken pipe"), "{words:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{words:?}: {error}");
    }
    assert_eq!(bundle.state_of(id)["status"], "running");
    // The output of run is its program's, which gets the signal or the error that any program gets.
    let other = Bundle::new();
    let mut run = other.args(&["/probe", "exit", "3"]).command(&[], other.id());
    let output = run.stdout(broken_pipe()).output().expect("the runtime starts");
    assert_ne!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(other.left().is_empty(), "{:?}", other.left());
}
