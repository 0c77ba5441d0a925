//! Lesson 01: a process with its own names and network.

use testkit::prelude::*;

testkit::lesson! { 1,
    red the_hostname_inside_is_the_one_it_was_given,
    guard the_host_keeps_its_name,
    red its_uts_namespace_is_its_own,
    red its_ipc_namespace_is_its_own,
    red its_network_namespace_is_its_own,
    red the_exit_status_of_the_program_is_passed_on,
    red an_end_by_a_signal_is_told_as_128_and_its_number,
    guard a_program_that_succeeds_gives_zero,
    red a_bare_name_is_found_in_path,
    red what_cannot_be_executed_is_passed_over_in_path,
    red a_name_that_is_nowhere_in_path_is_an_error_of_its_own,
    guard a_name_with_a_slash_is_a_path,
}

/// The container was asked to be called "boat".
fn the_hostname_inside_is_the_one_it_was_given() {
    let inside = Container::new().hostname("boat").run(&[]).report().hostname;
    assert_eq!(inside, "boat", "the hostname inside is still the host's");
}

/// Naming the container must not rename the machine it runs on.
fn the_host_keeps_its_name() {
    let run = Container::new().hostname("boat").run(&[]);
    assert_eq!(run.outside.hostname_after, run.outside.hostname, "the container has renamed the host");
    assert_ne!(run.outside.hostname_after, "boat");
}

fn its_uts_namespace_is_its_own() {
    its_own("uts", "the names inside are the host's");
}

fn its_ipc_namespace_is_its_own() {
    its_own("ipc", "System V IPC and message queues inside are the host's");
}

fn its_network_namespace_is_its_own() {
    its_own("net", "the network devices inside are the host's");
}

/// A namespace has an inode number: two processes are in the same one exactly where the numbers are equal.
fn its_own(kind: &str, otherwise: &str) {
    let run = Container::new().run(&[]);
    assert_ne!(run.report().ns[kind], run.outside.ns[kind], "{otherwise}: same {kind} namespace");
}

fn the_exit_status_of_the_program_is_passed_on() {
    let run = Container::new().run(&["exit", "42"]);
    assert_eq!(run.code, Some(42), "the program exited with 42, and its status was lost");
}

/// SIGKILL is number 9.
fn an_end_by_a_signal_is_told_as_128_and_its_number() {
    let mut session = Container::new().start(&["hold"]);
    session.report();
    session.program().signal(Signal::SIGKILL);
    let run = session.finish();
    assert_eq!(run.code, Some(128 + 9), "the program was killed by signal 9, and nobody was told");
}

fn a_program_that_succeeds_gives_zero() {
    assert_eq!(
        Container::new().run(&["exit", "0"]).code,
        Some(0),
        "a program that succeeds is reported as failed"
    );
}

/// The program is called by its name alone, and its folder is in the container's PATH.
fn a_bare_name_is_found_in_path() {
    let run = Container::new().name_only().run(&[]);
    assert!(run.stdout.contains("\"pid\""), "nobody searched PATH: {}", run.stderr);
}

/// A folder and a text file of the program's name stand in PATH before the program.
fn what_cannot_be_executed_is_passed_over_in_path() {
    let run = Container::new().decoys_first().run(&[]);
    assert!(run.stdout.contains("\"pid\""), "no program was found behind what is none: {}", run.stderr);
}

fn a_name_that_is_nowhere_in_path_is_an_error_of_its_own() {
    let run = Container::new().env("PATH", "/nowhere").program(&["no-such-program"]).run(&[]);
    assert_eq!(run.code, Some(1), "stderr: {}", run.stderr);
    assert!(
        run.stderr.contains("no-such-program") && run.stderr.contains("executable file not found in $PATH"),
        "the error should say that PATH was searched for it: {}",
        run.stderr
    );
}

/// The probe's path is not in PATH, and must not need to be.
fn a_name_with_a_slash_is_a_path() {
    let run = Container::new().env("PATH", "/nowhere").run(&[]);
    assert!(run.stdout.contains("\"pid\""), "a path was searched for in PATH: {}", run.stderr);
}
