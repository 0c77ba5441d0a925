//! Control groups: none, or one that was delegated.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::common::delegated::Delegated;
use crate::user::{User, must, must_fail, read, words};

pub(crate) fn o31_without_a_control_group_nothing_can_be_paused() {
    let user = User::new();
    // Wherever this user could have one.
    user.start(&[], &["--cgroup-manager=disabled"]);
    must_fail(user.coracle(&["pause", user.id()]), &["no control group with a freezer", "delegated"]);
    assert_eq!(user.told()["status"], "running");
    must_fail(user.coracle(&["resume", user.id()]), &["only a paused container"]);
    must_fail(user.coracle(&["update", "--pids-limit", "5", user.id()]), &["without a control group"]);
}

/// Each row: options, a change to a config that runs, and the words of an error, or none where it runs.
pub(crate) fn o31_what_is_asked_of_control_groups_must_be_had() {
    type Change = fn(&mut Value);
    let path: Change = |config| config["linux"]["cgroupsPath"] = json!("/coracle-rootless/of-nobody");
    let limits: Change = |config| config["linux"]["resources"] = json!({ "pids": { "limit": 20 } });
    let devices: Change =
        |config| config["linux"]["resources"] = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    let nothing: Change = |_| {};
    let forbidden: &[&str] = &["mkdir /sys/fs/cgroup", "permission denied", "delegation"];
    let rows: [(&[&str], Change, &[&str]); 10] = [
        (&[], nothing, &[]),
        (&[], devices, &[]),
        (&[], path, forbidden),
        (&[], limits, forbidden),
        (&["--rootless=true"], nothing, &[]),
        (&["--rootless=auto"], nothing, &[]),
        (&["--rootless=true"], limits, forbidden),
        // Nobody asks for one, but none is no choice.
        (&["--rootless=false"], nothing, forbidden),
        (&["--cgroup-manager=disabled"], path, &[]),
        (
            &["--cgroup-manager=disabled"],
            limits,
            &["--cgroup-manager disabled", "/linux/resources has limits"],
        ),
    ];
    let user = User::new();
    for (options, change, error) in rows {
        let mut config = user.config(&[]);
        change(&mut config);
        user.0.write(&config);
        let run = user.coracle(&[options, &["run", user.id()]].concat());
        match error {
            [] => drop(read(&must(run))),
            words => must_fail(run, words),
        }
        assert_eq!(user.0.left(), Vec::<PathBuf>::new(), "{options:?}");
    }
}

/// Where version 1 is there as well, nobody gave the user those.
pub(crate) fn o31_a_delegated_control_group_is_used() {
    let user = User::new();
    let Some(delegated) = Delegated::new() else { return };
    let before = Delegated::enter(&delegated.path.join("theirs"));
    let before = before.each_ref().map(String::as_str);
    let init = user.start(&before, &[]);
    let group = delegated.path.join(format!("coracle-{}", user.id()));
    let procs = || fs::read_to_string(group.join("cgroup.procs")).expect("its group");
    assert_eq!(procs().trim(), init.to_string());

    let mut exec = user.after(&before, &["exec", "--detach", user.id(), "/probe", "wait-signal", "TERM"]);
    exec.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    assert!(exec.status().expect("it starts").success(), "exec --detach");
    assert_eq!(procs().lines().count(), 2);

    must(user.coracle(&["pause", user.id()]));
    assert_eq!(user.told()["status"], "paused");
    must(user.coracle(&["resume", user.id()]));
    assert_eq!(user.told()["status"], "running");
    must(user.coracle(&["kill", "--all", user.id(), "KILL"]));
    user.stopped();
    must(user.coracle(&["delete", user.id()]));
    assert!(!group.exists(), "the group is still there");
}

/// CVE-2023-25809: the group of the caller is the user's to write, and so root's inside.
pub(crate) fn o31_the_callers_control_groups_cannot_be_written() {
    let user = User::new();
    let Some(delegated) = Delegated::new() else { return };
    let file = format!("{}/cgroup.procs", delegated.inside());
    for option in ["ro", "rw"] {
        let report = delegated.report(&user, option, &["write", &file, "0"]);
        assert_eq!(words(&report), ["EROFS"], "{option}");
    }
}
