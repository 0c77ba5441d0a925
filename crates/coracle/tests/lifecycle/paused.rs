//! Paused containers.

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
