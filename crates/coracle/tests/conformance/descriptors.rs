//! runtime-linux.md, "File descriptors": what the program keeps, and what it must not. Row O-28.

use std::process::{Command, Stdio};

use serde_json::json;
use testkit::Test;

use super::common::{Bundle, text};

pub(crate) const TESTS: &[Test] = testkit::tests! {
    o28_only_standard_input_output_and_error_are_open(userns),
    o28_exec_keeps_no_others(userns),
    o28_what_is_to_be_preserved_is_open(userns),
    o28_exec_keeps_what_is_to_be_preserved(userns),
    o28_sockets_of_a_service_manager_are_handed_on(userns),
    o28_sockets_of_another_process_are_not(userns),
    o28_sockets_and_preserved_ones_count_together(userns),
    o28_a_descriptor_that_is_not_there_cannot_be_preserved(userns),
};

/// `ARGS` of the runtime, from a shell that does `before` first. What the test itself has open, the shell has not.
fn from_shell(bundle: &Bundle, before: &str, args: &[&str]) -> Command {
    let call = bundle.coracle(args);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before}; exec \"$@\""), "sh"]).arg(call.get_program()).args(call.get_args());
    shell.stdin(Stdio::null());
    shell
}

/// The descriptors and the environment of a program that is run so.
#[track_caller]
fn run(before: &str, options: &[&str]) -> probe::Report {
    let bundle = Bundle::new();
    let path = bundle.write(&Bundle::config()).path().display().to_string();
    let args = [&["run", "--bundle", &path], options, &[bundle.id()]].concat();
    report(&mut from_shell(&bundle, before, &args))
}

#[track_caller]
fn report(call: &mut Command) -> probe::Report {
    let output = call.output().expect("a shell starts");
    let said = text(&output.stdout);
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("no report: {said:?} {}", text(&output.stderr)))
}

fn open(report: &probe::Report) -> Vec<i32> {
    report.fds.keys().copied().collect()
}

/// A container that waits, to go into.
fn running(bundle: &Bundle) {
    bundle.args(&["/probe", "wait-signal", "TERM"]).create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
}

/// "By default, only the stdin, stdout and stderr file descriptors are kept open for the application by the runtime."
fn o28_only_standard_input_output_and_error_are_open() {
    assert_eq!(open(&run("exec 3</dev/null 4</dev/zero 9</", &[])), [0, 1, 2]);
}

/// The same of a later process.
fn o28_exec_keeps_no_others() {
    let bundle = Bundle::new();
    running(&bundle);
    let mut call = from_shell(&bundle, "exec 3</dev/null 9</", &["exec", bundle.id(), "/probe"]);
    assert_eq!(open(&report(&mut call)), [0, 1, 2]);
}

/// "The runtime MAY pass additional file descriptors to the application": those of --preserve-fds, from 3 on.
fn o28_what_is_to_be_preserved_is_open() {
    let report = run("exec 3</dev/zero 4</dev/null 5</dev/null", &["--preserve-fds", "2"]);
    assert_eq!(open(&report), [0, 1, 2, 3, 4]);
    assert_eq!((report.fds[&3].as_str(), report.fds[&4].as_str()), ("/dev/zero", "/dev/null"));
}

/// The same of a later process.
fn o28_exec_keeps_what_is_to_be_preserved() {
    let bundle = Bundle::new();
    running(&bundle);
    let args = ["exec", "--preserve-fds", "1", bundle.id(), "/probe"];
    let mut call = from_shell(&bundle, "exec 3</dev/zero 4</dev/null", &args);
    assert_eq!(open(&report(&mut call)), [0, 1, 2, 3]);
}

/// "to support features such as socket activation": sd_listen_fds(3). The program finds them under its own number.
fn o28_sockets_of_a_service_manager_are_handed_on() {
    let before = "exec 3</dev/zero 4</dev/null 5</dev/null; export LISTEN_FDS=2 LISTEN_PID=$$";
    let report = run(before, &[]);
    assert_eq!(open(&report), [0, 1, 2, 3, 4]);
    assert_eq!(report.fds[&3], "/dev/zero");
    assert_eq!((report.env["LISTEN_FDS"].as_str(), report.env["LISTEN_PID"].as_str()), ("2", "1"));
}

/// The same page: the variables are for the process that LISTEN_PID names, and nobody else.
fn o28_sockets_of_another_process_are_not() {
    let report = run("exec 3</dev/zero; export LISTEN_FDS=1 LISTEN_PID=1", &[]);
    assert_eq!(open(&report), [0, 1, 2]);
    assert!(!report.env.contains_key("LISTEN_FDS"), "{:?}", report.env);
}

/// The preserved ones are behind the sockets.
fn o28_sockets_and_preserved_ones_count_together() {
    let before = "exec 3</dev/zero 4</dev/null 5</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$";
    let report = run(before, &["--preserve-fds", "1"]);
    assert_eq!(open(&report), [0, 1, 2, 3, 4]);
    assert_eq!(report.env["LISTEN_FDS"], "1");
}

/// Whoever counts on it would take another for it.
fn o28_a_descriptor_that_is_not_there_cannot_be_preserved() {
    let bundle = Bundle::new();
    let path = bundle.args(&["/probe"]).path().display().to_string();
    let args = ["run", "--bundle", &path, "--preserve-fds", "2", bundle.id()];
    let output = from_shell(&bundle, "exec 3</dev/null 4<&-", &args).output().expect("a shell starts");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    assert_eq!(json!(bundle.left()), json!([]));
}
