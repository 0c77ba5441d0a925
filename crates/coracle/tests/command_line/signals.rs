//! The signals of `kill`.

use std::time::Duration;

use testkit::prelude::*;

use crate::common::Bundle;
use crate::{accepted, waiting};

pub(crate) fn signal_0_asks_whether_it_runs() {
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

/// All of signal(7)'s names, as `kill -l` has them, and as stop signals in the configs of images are written.
pub(crate) fn a_signal_is_known_by_each_of_its_names() {
    for (name, signal) in [
        ("usr1", "SIGUSR1"),
        ("SigUsr1", "SIGUSR1"),
        ("10", "SIGUSR1"),
        ("CLD", "SIGCHLD"),
        ("SIGPOLL", "SIGIO"),
        ("iot", "SIGABRT"),
    ] {
        let bundle = Bundle::new();
        bundle.args(&["/probe", "wait-signal", signal]);
        bundle.create(bundle.id());
        bundle.must(&["start", bundle.id()]);
        bundle.ready();
        bundle.must(&["kill", bundle.id(), name]);
        bundle.wait_for(bundle.id(), "stopped");
        let said = std::fs::read_to_string(bundle.output(bundle.id())).expect("its output");
        assert!(said.contains(&format!("\"got\":\"{signal}\"")), "{name}: {said}");
    }
}

pub(crate) fn a_signal_that_does_not_exist_is_named() {
    let bundle = waiting();
    accepted(&bundle, "run --bundle BUNDLE --detach ID");
    for name in ["NOSIG", "SIG", "65", "-1", "RTMAX+1", "SIGRTMIN+99", "SIGSIGTERM", "4294967305"] {
        let error = bundle.must_fail(&["kill", bundle.id(), name], 1);
        assert!(error.contains(&format!("unknown signal {name:?}")), "{error}");
    }
    assert_eq!(bundle.state_of(bundle.id())["status"], "running");
}
