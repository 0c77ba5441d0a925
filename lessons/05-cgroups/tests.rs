//! Lesson 05: a control group, and limits that bite.

use testkit::prelude::*;

testkit::lesson! { 5,
    red it_is_in_a_control_group_of_its_own,
    red its_control_group_ends_with_it,
    red groups_that_were_made_below_it_end_with_it,
    red a_fork_bomb_stops_at_its_limit,
    red a_limit_that_the_kernel_refuses_leaves_nothing,
    red a_memory_hog_is_killed_and_the_others_live,
    red a_program_that_is_killed_for_its_memory_ends_with_137,
    guard what_fits_into_its_limits_is_let_be,
    red it_sees_its_own_control_group_as_the_root,
    plain(vm) the_same_is_so_on_version_2,
}

/// A container with limits, none of them near what a probe needs.
fn limited() -> Container {
    Container::new().rootfs(&Rootfs::probe()).pids(16).memory(16)
}

/// The host sees it in a group that the container alone has, in every hierarchy.
fn it_is_in_a_control_group_of_its_own() {
    let mut session = limited().start(&["hold"]);
    session.report();
    let inside = session.program().control_groups();
    for folder in session.cgroups() {
        let group = folder.join("c");
        assert!(group.is_dir(), "it has no control group of its own: there is no {}", group.display());
    }
    let run = session.cgroups()[0].file_name().expect("a group has a name").to_string_lossy().into_owned();
    let own = format!(":/{run}/c");
    let elsewhere: Vec<_> = inside.iter().filter(|line| !line.ends_with(&own)).collect();
    let known = session.cgroups().len() == inside.len() - elsewhere.len();
    assert!(known, "its control group is there, but it is not in it: /proc/PID/cgroup says {elsewhere:?}");
    session.finish();
}

fn its_control_group_ends_with_it() {
    let mut session = limited().start(&["hold"]);
    session.report();
    assert!(!session.control_group().is_empty(), "it has no control group of its own while it runs");
    let left = session.finish().control_group;
    assert!(left.is_empty(), "its control group outlives it: {left:#?}");
}

/// Whoever manages it from outside may divide it; a container with a /sys/fs/cgroup may do so itself.
fn groups_that_were_made_below_it_end_with_it() {
    let mut session = limited().start(&["hold"]);
    session.report();
    let folders = session.control_group();
    assert!(!folders.is_empty(), "it has no control group of its own while it runs");
    for folder in folders {
        std::fs::create_dir(folder.join("below")).expect("a group is made by mkdir");
    }
    let left = session.finish().control_group;
    assert!(left.is_empty(), "a group was made below its control group, and both outlive it: {left:#?}");
}

/// The limit is 16: the probe and fifteen children.
fn a_fork_bomb_stops_at_its_limit() {
    let run = limited().run(&["fork", "40"]);
    assert_eq!(run.code, Some(0), "a container with a limit on its processes does not run: {}", run.stderr);
    let did = run.report().did.expect("the probe tells what it did");
    let children = did.value.expect("the probe counts its children");
    assert_eq!(children, 15, "16 processes are its limit, and beside PID 1 it has {children} at once");
    assert_eq!(did.errno.as_deref(), Some("EAGAIN"), "fork(2) fails at the limit, but with another word");
}

/// Linux has no process numbers above 4194304, and takes no limit above that.
fn a_limit_that_the_kernel_refuses_leaves_nothing() {
    let run = limited().pids(5_000_000).run(&["exit", "0"]);
    let started = run.code == Some(0);
    assert!(
        !started,
        "the kernel takes no limit of 5000000 processes, but the container runs without a word"
    );
    let left = run.control_group;
    assert!(left.is_empty(), "the kernel refused its limit, and its control group is left: {left:#?}");
}

/// The hog is a child of PID 1. The kernel counts whom it kills.
fn a_memory_hog_is_killed_and_the_others_live() {
    let mut session = limited().start(&["hog", "64"]);
    let did = session.report().did.expect("the probe tells what it did");
    assert!(!did.ok, "16 megabytes of memory are its limit, and one of its processes has 64");
    assert_eq!(did.detail.as_deref(), Some("SIGKILL"), "the hog was not killed for its memory: {did:?}");
    let kills = session.counter(&["memory.events", "memory.oom_control"], "oom_kill ");
    assert_eq!(kills, Some(1), "the kernel counts another number of kills in its control group: oom_kill");
    session.finish();
}

fn a_program_that_is_killed_for_its_memory_ends_with_137() {
    let run = limited().run(&["alloc", "64"]);
    let lives = run.code == Some(0);
    assert!(!lives, "16 megabytes of memory are its limit, and its program got 64 and ended in peace");
    assert_eq!(run.code, Some(137), "killed by signal 9 is not what the status says: {}", run.stderr);
}

fn what_fits_into_its_limits_is_let_be() {
    let run = limited().memory(64).run(&["alloc", "16"]);
    assert_eq!(run.code, Some(0), "64 megabytes are its limit, and 16 are too much: {}", run.stderr);
    let did = run.report().did.expect("the probe tells what it did");
    assert!(did.ok, "64 megabytes are its limit, and 16 are too much: {did:?}");
}

/// In every hierarchy, by /proc/self/cgroup.
fn it_sees_its_own_control_group_as_the_root() {
    let run = limited().run(&[]);
    assert_eq!(run.code, Some(0), "a container with limits does not run: {}", run.stderr);
    let groups = run.report().cgroup;
    assert!(!groups.is_empty(), "/proc/self/cgroup is empty inside");
    let above: Vec<_> = groups.into_iter().map(|group| group.path).filter(|path| path != "/").collect();
    assert!(above.is_empty(), "it sees where its control group is on the host: {above:?}");
}

/// Its hierarchy is one, and its files have other names.
fn the_same_is_so_on_version_2() {
    testkit::in_vm();
}
