//! Lesson 02: a PID namespace, and what PID 1 owes to the others.

use std::time::Duration;

use testkit::prelude::*;

testkit::lesson! { 2,
    red the_program_is_process_1,
    red seen_from_the_host_it_has_another_number_as_well,
    red its_pid_namespace_is_its_own,
    red a_signal_to_the_runtime_reaches_the_program,
    red the_program_starts_with_no_signal_blocked,
    red a_reaper_leaves_no_zombie,
    red orphans_that_end_together_are_all_buried,
    guard the_end_of_an_orphan_is_not_that_of_the_program,
}

fn the_program_is_process_1() {
    let pid = Container::new().run(&[]).report().pid;
    assert_eq!(pid, 1, "the program counts itself among the host's processes");
}

/// `NSpid` in /proc/PID/status has a number for each PID namespace that the process is in, the innermost last.
fn seen_from_the_host_it_has_another_number_as_well() {
    let mut session = Container::new().start(&["hold"]);
    session.report();
    let program = session.program();
    let numbers = program.nspid();
    assert_eq!(numbers.last(), Some(&1), "its innermost number is not 1: {numbers:?}");
    assert!(numbers.len() > 1 && numbers[0] == program.pid, "it has no number on the host: {numbers:?}");
    session.finish();
}

fn its_pid_namespace_is_its_own() {
    let run = Container::new().run(&[]);
    assert_ne!(run.report().ns["pid"], run.outside.ns["pid"], "the program is in the host's PID namespace");
}

/// Whoever stops a container knows the runtime's process, not the program's.
fn a_signal_to_the_runtime_reaches_the_program() {
    for signal in [Signal::SIGTERM, Signal::SIGUSR1] {
        let mut session = Container::new().start(&["wait-signal", signal.as_str()]);
        session.report();
        session.signal(signal);
        let got = session.line_within(Duration::from_secs(2)).unwrap_or_default();
        assert!(
            got.contains(signal.as_str()),
            "{signal} was sent to the runtime, and the program never got it"
        );
        assert_eq!(session.finish().code, Some(0));
    }
}

/// execve keeps the mask of blocked signals; a program that starts deaf cannot be stopped politely.
fn the_program_starts_with_no_signal_blocked() {
    let blocked = Container::new().run(&[]).report().signals_blocked;
    assert!(blocked.is_empty(), "the program was born with these signals blocked: {blocked:?}");
}

/// With `--init`, PID 1 is the runtime's reaper. The program's grandchild dies as an orphan: PID 1 has adopted it,
/// and must take its end.
fn a_reaper_leaves_no_zombie() {
    let report = Container::new().init().run(&["orphan"]).report();
    assert_eq!(
        (report.ppid, report.pid),
        (1, 2),
        "the program is not the child of a PID 1 of its own namespace"
    );
    let did = report.did.expect("the probe tells what it did");
    assert_eq!(did.reaped, Some(true), "the orphan is a zombie: PID 1 adopted it and did not take its end");
}

/// One SIGCHLD may stand for many deaths.
fn orphans_that_end_together_are_all_buried() {
    let report = Container::new().init().run(&["orphan", "50"]).report();
    assert_eq!(
        (report.ppid, report.pid),
        (1, 2),
        "the program is not the child of a PID 1 of its own namespace"
    );
    let did = report.did.expect("the probe tells what it did");
    assert_eq!(did.reaped, Some(true), "of 50 orphans that ended together, some are zombies");
}

/// PID 1 sees the end of every process that it adopted; only one of them is the program.
fn the_end_of_an_orphan_is_not_that_of_the_program() {
    let run = Container::new().init().run(&["orphan"]);
    assert!(run.stdout.contains("\"reaped\""), "the container ended with an orphan, before its program did");
    assert_eq!(run.code, Some(0));
}
