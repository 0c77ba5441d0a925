//! The log, the three layers of an error, and the practice of PID 1 (document 003).

use std::process::Command;

use testkit::Terminal;

use super::boat::{Boat, Said};

/// The parts of a line of the log: its level, its role, its words.
#[track_caller]
fn parsed(line: &str) -> (&str, &str, &str) {
    let mut parts = line.splitn(4, ' ');
    let mut bracketed = || parts.next()?.strip_prefix('[')?.strip_suffix(']');
    let (Some(time), Some(level), Some(role)) = (bracketed(), bracketed(), bracketed()) else {
        panic!("no line of a log: {line:?}")
    };
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "00:00:00.000", "{line}");
    assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "{line}");
    assert!(["HOST", "PARENT", "CHILD"].contains(&role), "{line}");
    (level, role, parts.next().unwrap_or_default())
}

fn lines(said: &Said) -> Vec<(&str, &str, &str)> {
    said.err.lines().filter(|line| !line.starts_with("Error: ")).map(parsed).collect()
}

pub(crate) fn s20_the_log_has_time_level_role_and_numbered_steps() {
    let boat = Boat::new(&["true"]);
    let bundle = format!("--bundle={}", boat.bundle());
    let created = boat.must(&["create", &bundle, &boat.id]);
    let told: Vec<_> = lines(&created)
        .into_iter()
        .map(|(level, role, words)| {
            assert_eq!((level, role), ("INFO", "HOST"), "{words}");
            words
        })
        .collect();
    assert_eq!(told[0], format!("Creating container '{}'", boat.id));
    for (number, words) in told[1..].iter().enumerate() {
        assert!(words.starts_with(&format!("[{}] ", number + 1)), "{told:?}");
    }
    assert_eq!(told.len(), 5, "{told:?}");
    let started = boat.must(&["start", "--attach", &boat.id]);
    let told = lines(&started);
    assert!(told.iter().all(|(level, role, _)| (*level, *role) == ("INFO", "PARENT")), "{told:?}");
    assert!(told.iter().any(|(_, _, words)| *words == "[4] Spawning container process"), "{told:?}");
}

pub(crate) fn s20_the_log_level_decides_how_much_is_told() {
    let boat = Boat::new(&["true"]);
    let bundle = format!("--bundle={}", boat.bundle());
    let run = |options: &[&str]| boat.must(&[options, &["run", "--rm", &bundle, &boat.id]].concat());
    let debug = run(&["--log-level=debug"]);
    let told = lines(&debug);
    // What the child does, it says itself; and each step names its calls.
    let child = |(level, role, words): &(&str, &str, &str)| {
        (*level, *role) == ("DEBUG", "CHILD") && words.starts_with("become the program: execve")
    };
    assert!(told.iter().any(child), "{told:?}");
    assert!(
        told.iter()
            .any(|(level, role, words)| (*level, *role) == ("DEBUG", "PARENT") && words.contains("clone3")),
        "{told:?}"
    );
    assert!(lines(&run(&["--log-level=info"])).iter().all(|(level, _, _)| *level == "INFO"));
    assert_eq!(run(&["--log-level=warn"]).err, "");
    assert_eq!(run(&["--log-level=error"]).err, "");
    // What is read otherwise than it is written is worth a warning.
    boat.change(|config| config["ociVersion"] = "0.5.0".into());
    let warned = run(&["--log-level=warn"]);
    assert!(
        lines(&warned).iter().any(|(level, _, words)| *level == "WARN" && words.contains("/ociVersion")),
        "{}",
        warned.err
    );
    assert_eq!(run(&["--log-level=error"]).err, "");
}

pub(crate) fn s20_quiet_says_what_was_asked_for_and_no_more() {
    let boat = Boat::sh("echo said inside");
    let bundle = format!("--bundle={}", boat.bundle());
    let silent = |words: &[&str]| {
        let said = boat.must(&[&["--quiet"], words].concat());
        assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""), "{words:?}");
    };
    silent(&["create", &bundle, &boat.id]);
    assert_eq!(boat.must(&["--quiet", "state", &boat.id]).out, "created\n");
    let said = boat.must(&["--quiet", "start", "--attach", &boat.id]);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("said inside\n", ""));
    silent(&["delete", &boat.id]);
}

/// The exit code, the log, one line for the user; the last of them even where the log is silent.
pub(crate) fn s20_an_error_has_three_layers() {
    let boat = Boat::new(&["true"]);
    let said = boat.fails(&["start", &boat.id], &[&boat.id, "unknown"]);
    let (level, role, _) = lines(&said)[0];
    assert_eq!((level, role), ("ERROR", "HOST"));
    let said = boat.call(&["--quiet", "start", &boat.id]);
    assert_eq!((said.code, said.err.lines().count()), (Some(1), 1), "{}", said.err);
    assert!(said.err.starts_with("Error: "), "{}", said.err);
    // Also where there is no command to be understood.
    assert_eq!(boat.call(&["sail", &boat.id]).code, Some(1));
    assert_eq!(boat.call(&["--version"]).out, concat!("ns-runtime ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(boat.must(&["--help"]).out.contains("create"));
}

pub(crate) fn the_older_name_is_the_same_program() {
    let boat = Boat::sh("exit 7");
    let mut run = Command::new(env!("CARGO_BIN_EXE_nk-runtime"));
    run.arg("--root").arg(boat.file("state")).args(["run", &format!("--bundle={}", boat.bundle()), &boat.id]);
    assert_eq!(boat.ended(&mut run).code, Some(7));
    assert_eq!(boat.state(), "stopped");
}

pub(crate) fn s22_a_shell_as_pid_1_ends_the_container_when_it_is_left() {
    let boat = Boat::new(&["sh"]);
    boat.change(|config| config["process"]["terminal"] = true.into());
    boat.create();
    let mut terminal = Terminal::start(&mut boat.command(&["--quiet", "start", "--attach", &boat.id]));
    assert_eq!(terminal.ask("echo $$"), "1\n");
    assert_eq!(boat.state(), "running");
    terminal.wait_for("# ");
    terminal.say("exit");
    terminal.finish();
    assert_eq!(boat.state(), "stopped");
}

/// A program that stays as PID 1, and exec for people.
pub(crate) fn s22_a_long_running_pid_1_outlives_every_shell() {
    let boat = Boat::new(&["/bin/busybox", "sh", "-c", "while :; do sleep 3600; done"]);
    boat.start();
    for code in [0, 3] {
        let mut terminal = Terminal::start(&mut boat.command(&["exec", &boat.id]));
        assert_ne!(terminal.ask("echo $$"), "1\n");
        // Its own, of the container's devpts.
        assert_eq!(terminal.ask("tty"), "/dev/pts/0\n");
        assert_eq!(terminal.ask("hostname"), "boat\n");
        terminal.wait_for("# ");
        terminal.say(&format!("exit {code}"));
        let (status, _) = terminal.finish();
        assert_eq!(status.and_then(|status| status.code()), Some(code));
        assert_eq!(boat.state(), "running");
    }
}
