//! Paused containers.

use std::path::{Path, PathBuf};

use crate::common::Bundle;
use crate::waiting;

pub(crate) fn every_process_stands_still_while_paused() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.ready();
    bundle.must(&["pause", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
    let error = bundle.must_fail(&["exec", bundle.id(), "/probe"], 255);
    assert!(error.contains("is paused"), "{error}");
    bundle.must(&["kill", bundle.id(), "TERM"]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "paused", "a frozen process does not act on a signal");
    bundle.must(&["resume", bundle.id()]);
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
    // Even a frozen one dies.
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.must(&["pause", bundle.id()]);
    bundle.must(&["kill", bundle.id(), "KILL"]);
    bundle.wait_for(bundle.id(), "stopped");
    bundle.must(&["delete", bundle.id()]);
    bundle.create(bundle.id());
    bundle.must(&["start", bundle.id()]);
    bundle.must(&["pause", bundle.id()]);
    bundle.must(&["delete", "--force", bundle.id()]);
}

pub(crate) fn a_created_container_can_be_paused_and_goes_on() {
    let bundle = waiting();
    bundle.create(bundle.id());
    bundle.must(&["pause", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
    let error = bundle.must_fail(&["start", bundle.id()], 1);
    assert!(error.contains("is paused"), "{error}");
    bundle.must(&["resume", bundle.id()]);
    assert_eq!(bundle.state_of(bundle.id())["status"], "created");
    bundle.must(&["start", bundle.id()]);
}

/// A file of the freezer of version 1 that the container is in.
fn freezer(bundle: &Bundle, file: &str) -> PathBuf {
    let init = bundle.state_of(bundle.id())["pid"].to_string();
    let groups = std::fs::read_to_string(format!("/proc/{init}/cgroup")).expect("its groups");
    let path = groups.lines().find_map(|line| Some(line.split_once(":freezer:")?.1)).expect("a freezer");
    Path::new("/sys/fs/cgroup/freezer").join(path.trim_start_matches('/')).join(file)
}

/// By the freezer of version 1, where pause takes that of version 2: who is killed must get to run all the same.
pub(crate) fn one_that_somebody_else_froze_dies_all_the_same() {
    for end in [&["kill", "ID", "KILL"][..], &["kill", "--all", "ID", "KILL"], &["delete", "--force", "ID"]] {
        let bundle = waiting();
        bundle.create(bundle.id());
        bundle.must(&["start", bundle.id()]);
        let state = freezer(&bundle, "freezer.state");
        std::fs::write(&state, "FROZEN").expect("it is frozen");
        assert_eq!(bundle.state_of(bundle.id())["status"], "paused");
        let end: Vec<&str> = end.iter().map(|word| if *word == "ID" { bundle.id() } else { word }).collect();
        bundle.must(&end);
        if end[0] == "kill" {
            bundle.wait_for(bundle.id(), "stopped");
            bundle.must(&["delete", bundle.id()]);
        }
        assert!(!state.exists(), "{} is left", state.display());
    }
}
